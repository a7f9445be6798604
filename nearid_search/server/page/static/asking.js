// Asking: as soon as there are pictures they are sent, and the answers take the place of the former ones.
import { picturesIn } from "./pictures.js";
import { checkAmount, page } from "./service.js";
import { tell, tellWrong } from "./telling.js";

let asked = [];
let latest = 0;

/** The pictures that the answers on the page are about, in their order. */
export function askedPictures() {
  return asked;
}

/** Ask about the same pictures again. */
export function askAgain() {
  document.getElementById("ask").requestSubmit();
}

export function askOnDrop() {
  const form = document.getElementById("ask");
  if (!form) return;
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-camera]")) return; // it hands its picture over
    if (picturesIn(form).length && !(event.target.name === "same" && picturesIn(form).length === 1)) form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(form);
  });
  document.addEventListener("click", (event) => {
    event.target.closest("[data-heat]")?.classList.toggle("shown");
  });
}

async function ask(form) {
  const mine = ++latest;
  const pictures = picturesIn(form);
  form.classList.add("busy");
  tell(pictures.length === 1 ? "Looking at the picture…" : `Looking at ${pictures.length} pictures…`);
  try {
    checkAmount(pictures);
    const found = await page(form.action, new FormData(form));
    if (mine !== latest) return;
    asked = pictures;
    show(found);
  } catch (error) {
    if (mine === latest) tellWrong(error);
  } finally {
    if (mine === latest) form.classList.remove("busy");
  }
}

function show(found) {
  const answers = document.getElementById("answers");
  answers.replaceChildren(...found.getElementById("answers").children);
  document.getElementById("ask").classList.add("small");
  document.querySelector(".known")?.remove();
  document.getElementById("told").replaceChildren();
  const first = answers.querySelector("h2");
  first?.focus({ preventScroll: true }); // a screen reader reads the answer
  first?.closest("article").scrollIntoView({ block: "nearest" });
}
