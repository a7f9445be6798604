// Pictures of a new thing, or more of a known one.
import { picturesIn } from "./pictures.js";
import { enrolPictures } from "./service.js";
import { tell, tellAt, tellWrong } from "./telling.js";

export function enrol() {
  for (const form of document.querySelectorAll("[data-enrol]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      add(form);
    });
  }
}

async function add(form) {
  const known = form.dataset.identity;
  const identity = known ?? form.elements.identity.value.trim();
  const pictures = picturesIn(form);
  form.classList.add("busy");
  tell(pictures.length === 1 ? "Adding the picture…" : `Adding ${pictures.length} pictures…`);
  try {
    const { entries, failures } = await enrolPictures(identity, pictures, known === undefined);
    const unread = failures.map(({ query, error }) => ` ${query} could not be used: ${error}.`).join("");
    const count = entries.length === 1 ? "1 picture" : `${entries.length} pictures`;
    tellAt(`/identity?name=${encodeURIComponent(identity)}`, `Added ${count} of ${identity}.${unread}`, entries);
  } catch (error) {
    tellWrong(error);
  } finally {
    form.classList.remove("busy");
  }
}
