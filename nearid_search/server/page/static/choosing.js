// Some pictures of an identity are chosen, to be split off, moved or removed.
import { call } from "./service.js";
import { tellAt, tellWrong } from "./telling.js";

export function choosePictures() {
  const form = document.getElementById("split");
  if (!form) return;
  document.addEventListener("change", (event) => {
    if (event.target.name === "pictures") count(form);
  });
  count(form);
  form.querySelector("[data-move]").addEventListener("click", () => move(form));
  form.querySelector("[data-remove-chosen]").addEventListener("click", () => remove(form));
}

function chosen(form) {
  return new FormData(form).getAll("pictures");
}

function count(form) {
  const number = chosen(form).length;
  const words = number === 0 ? "Choose them above." : number === 1 ? "1 picture is chosen." : `${number} pictures are chosen.`;
  document.getElementById("chosen").textContent = words;
  for (const button of form.querySelectorAll("[data-needs-choice]")) button.disabled = number === 0;
}

function move(form) {
  const identity = form.querySelector("#move").value.trim();
  each(form, (picture) => call("/v1/corrections/confirm", { picture, identity }), `Moved to ${identity}.`);
}

function remove(form) {
  const base = `/v1/identities/${encodeURIComponent(form.elements.identity.value)}/images/`;
  each(form, (picture) => call(base + picture, undefined, "DELETE"), "Removed the chosen pictures.");
}

async function each(form, correct, text) {
  const entries = [];
  const all = document.querySelectorAll('[name="pictures"]').length;
  try {
    for (const picture of chosen(form)) entries.push((await correct(picture)).entry);
    tellAt(entries.length === all ? "/gallery" : null, text, entries);
  } catch (error) {
    tellWrong(error);
  }
}
