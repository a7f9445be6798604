// Who corrects: asked for once, kept in this browser.
const KEPT_AS = "nearid.author";

export function author() {
  return localStorage.getItem(KEPT_AS) || "page";
}

export function keepAuthor() {
  const form = document.querySelector("form.author");
  if (!form) return;
  const input = form.elements.author;
  input.value = localStorage.getItem(KEPT_AS) ?? "";
  input.addEventListener("change", () => localStorage.setItem(KEPT_AS, input.value.trim()));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    input.blur();
  });
}
