// One line at the bottom says what was done, with a way to take it back. It stays until the next one.
import { undo } from "./service.js";

const KEPT_AS = "nearid.told";

/** Say what was done; `entries` can be undone. */
export function tell(text, { entries = [], wrong = false } = {}) {
  const line = document.getElementById("told");
  line.classList.toggle("wrong", wrong);
  const words = document.createElement("span");
  words.textContent = text;
  line.replaceChildren(words);
  if (entries.length) line.append(button("Undo", () => takeBack(text, entries)));
  line.append(button("Close", () => line.replaceChildren()));
}

/** Say what went wrong. */
export function tellWrong(error) {
  tell(error.message, { wrong: true });
}

/** Go to another page, or load this one again, and say there what was done here. */
export function tellAt(address, text, entries = []) {
  sessionStorage.setItem(KEPT_AS, JSON.stringify({ text, entries }));
  if (address) location.assign(address);
  else location.reload();
}

/** Say what was kept for this page. */
export function showKept() {
  const kept = sessionStorage.getItem(KEPT_AS);
  if (!kept) return;
  sessionStorage.removeItem(KEPT_AS);
  const { text, entries } = JSON.parse(kept);
  tell(text, { entries });
}

async function takeBack(text, entries) {
  try {
    await undo(entries);
    tellAt("/history", `Undone: ${text}`);
  } catch (error) {
    tellWrong(error);
  }
}

function button(name, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = name;
  made.addEventListener("click", act);
  return made;
}
