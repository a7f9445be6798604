// The questions of the review queue are still being looked for: they are shown as soon as they are there.
import { shown } from "./service.js";
import { tellWrong } from "./telling.js";

const PAUSE = 500; // milliseconds; the service itself waits a little before it answers

/** Wait for the queue, then call `ready`. */
export function awaitQueue(ready) {
  const note = document.querySelector("[data-look]");
  if (note) setTimeout(() => look(note, ready), PAUSE);
}

async function look(note, ready) {
  try {
    const found = await shown(`/review?look=${note.dataset.look}`);
    const again = found.querySelector("[data-look]");
    const isReady = again === null;
    if (isReady) {
      document.getElementById("main").replaceWith(found.getElementById("main"));
      ready();
      document.querySelector("h1").focus();
    } else {
      note.dataset.look = again.dataset.look;
      for (const part of ["progress", ".note"]) note.querySelector(part).replaceWith(again.querySelector(part));
      awaitQueue(ready);
    }
  } catch (error) {
    tellWrong(error);
  }
}
