// What a person says of an answer: it is this, it is not, it is new.
import { askAgain, askedPictures } from "./asking.js";
import { call, enrolPictures, undo } from "./service.js";
import { tellWrong } from "./telling.js";

export function teach() {
  document.getElementById("answers")?.addEventListener("submit", (event) => {
    event.preventDefault();
    say(event.target);
  });
}

async function say(form) {
  const answer = form.closest("article");
  const identity = form.elements.identity.value.trim();
  try {
    const { text, entries } = await learn(form.dataset.what, answer, identity);
    settle(answer, text, entries);
  } catch (error) {
    tellWrong(error);
  }
}

async function learn(what, answer, identity) {
  if (what === "not") {
    const entries = [];
    for (const picture of JSON.parse(answer.dataset.keys)) {
      entries.push((await call("/v1/corrections/reject", { picture, identity })).entry);
    }
    return { text: `Noted: it is not ${identity}.`, entries };
  }
  const pictures = JSON.parse(answer.dataset.places).map((place) => askedPictures()[place]);
  const { entries } = await enrolPictures(identity, pictures, what === "new");
  return { text: what === "new" ? `Enrolled as ${identity}.` : `Kept as a view of ${identity}.`, entries };
}

// The question is answered: in its place stands what was said, and the ways on from there.
function settle(answer, text, entries) {
  const line = document.createElement("p");
  line.className = "done-teaching";
  line.tabIndex = -1;
  const words = document.createElement("b");
  words.textContent = text;
  line.append(words, button("Undo", () => takeBack(entries)), button("Ask again", askAgain));
  answer.querySelector("[data-teach]").replaceChildren(line);
  for (const form of answer.querySelectorAll(".others form")) form.remove();
  line.focus(); // a screen reader reads it
}

async function takeBack(entries) {
  try {
    await undo(entries);
    askAgain();
  } catch (error) {
    tellWrong(error);
  }
}

function button(name, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "plain";
  made.textContent = name;
  made.addEventListener("click", act);
  return made;
}
