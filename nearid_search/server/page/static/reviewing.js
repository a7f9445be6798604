// The queue: one question after another, decided by button or by key.
import { call, undo } from "./service.js";
import { tell, tellWrong } from "./telling.js";

const KEPT_AS = "nearid.keys";
const made = []; // decisions, the latest last: {card, entry}
let busy = false;

export function review() {
  const queue = document.getElementById("queue");
  if (!queue) return;
  const cards = [...queue.querySelectorAll(".suggestion")];
  queue.addEventListener("click", (event) => {
    const button = event.target.closest("[data-decide]");
    if (button) decide(cards, button.closest(".suggestion"), button.dataset.decide);
  });
  queue.addEventListener("focusin", (event) => makeCurrent(cards, event.target.closest(".suggestion")));
  makeCurrent(cards, cards[0]);
  listen(cards);
}

function listen(cards) {
  const keys = document.getElementById("use-keys");
  if (!keys) return;
  keys.checked = localStorage.getItem(KEPT_AS) !== "off";
  const show = () => keys.closest(".keys").classList.toggle("off", !keys.checked);
  keys.addEventListener("change", () => {
    localStorage.setItem(KEPT_AS, keys.checked ? "on" : "off");
    show();
  });
  show();
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches('input:not([type="checkbox"]), textarea, select');
    if (!keys.checked || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (press(cards, event.key.toLowerCase())) event.preventDefault();
  });
}

function press(cards, key) {
  const card = current(cards);
  if (key === "j" || key === "k") step(cards, key === "j" ? 1 : -1);
  else if (key === "m" && card.dataset.kind === "duplicate") decide(cards, card, "act");
  else if (key === "s" && card.dataset.kind !== "duplicate") decide(cards, card, "act");
  else if (key === "n") decide(cards, card, "keep");
  else if (key === "u" && made.length) decide(cards, made.at(-1).card, "undo");
  else return false;
  return true;
}

async function decide(cards, card, what) {
  if (busy || isOpen(card) === (what === "undo")) return;
  busy = true;
  try {
    await (what === "undo" ? takeBack(cards, card) : act(cards, card, what));
  } catch (error) {
    tellWrong(error);
  } finally {
    busy = false;
  }
}

async function act(cards, card, what) {
  const { path, body } = JSON.parse(card.dataset[what]);
  const { entry, what: done } = await call(path, body);
  made.push({ card, entry });
  close(card, "done", done);
  if (path.endsWith("/merge")) setAside(cards, card, body.identities, entry);
  tell(`${done}. u undoes it.`);
  focusNext(cards, card);
}

async function takeBack(cards, card) {
  const at = made.findLastIndex((decision) => decision.card === card);
  if (at < 0) return;
  const { entry } = made[at];
  await undo([entry]);
  made.splice(at, 1);
  open(card);
  for (const other of cards) if (other.dataset.behind === String(entry)) open(other);
  tell("Undone: the question is open again.");
  card.focus();
}

// What speaks of a thing that is another one now cannot be decided here any more.
function setAside(cards, decided, gone, entry) {
  for (const card of cards) {
    const names = JSON.parse(card.dataset.identities);
    if (card === decided || !isOpen(card) || !gone.some((name) => names.includes(name))) continue;
    card.dataset.behind = entry;
    close(card, "stale", "set aside, as one of them was merged: look again when the others are decided");
  }
}

function close(card, state, words) {
  card.classList.add(state);
  card.querySelector(".rest").hidden = true;
  const decided = card.querySelector(".decided");
  decided.hidden = false;
  decided.querySelector("span").textContent = words;
  decided.querySelector("button").hidden = state === "stale";
  finish();
}

function open(card) {
  card.classList.remove("done", "stale");
  delete card.dataset.behind;
  card.querySelector(".rest").hidden = false;
  card.querySelector(".decided").hidden = true;
  finish();
}

function finish() {
  document.getElementById("rest-done").hidden = [...document.querySelectorAll(".suggestion")].some(isOpen);
}

function isOpen(card) {
  return !card.classList.contains("done") && !card.classList.contains("stale");
}

function current(cards) {
  return cards.find((card) => card.hasAttribute("aria-current")) ?? cards[0];
}

function makeCurrent(cards, chosen) {
  for (const card of cards) {
    if (card === chosen) card.setAttribute("aria-current", "true");
    else card.removeAttribute("aria-current");
  }
}

function step(cards, by) {
  const next = cards[cards.indexOf(current(cards)) + by];
  if (next) show(next);
}

function focusNext(cards, card) {
  const after = cards.indexOf(card);
  const next = [...cards.slice(after + 1), ...cards.slice(0, after)].find(isOpen);
  if (next) show(next);
  else document.querySelector("#rest-done a").focus();
}

function show(card) {
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "center" });
}
