// Pictures come by drop, paste, choice or camera; all end up in the one file input of their zone.

export function takePictures() {
  const zones = [...document.querySelectorAll("[data-drop]")];
  zones.forEach(prepare);
  if (!zones.length) return;
  document.addEventListener("paste", (event) => {
    const files = picturesOf(event.clipboardData);
    if (!files.length) return;
    event.preventDefault();
    give(visible(zones), files);
  });
  // A picture dropped beside a zone would replace the page.
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
}

/** The pictures in a form. */
export function picturesIn(form) {
  return [...inputOf(form).files];
}

function prepare(zone) {
  const input = inputOf(zone);
  const camera = zone.querySelector("[data-camera]");
  input.addEventListener("change", () => show(zone));
  camera.addEventListener("change", () => give(zone, [...camera.files]));
  zone.addEventListener("dragover", () => zone.classList.add("over"));
  zone.addEventListener("dragleave", (event) => {
    if (!zone.contains(event.relatedTarget)) zone.classList.remove("over");
  });
  zone.addEventListener("drop", (event) => {
    zone.classList.remove("over");
    const files = picturesOf(event.dataTransfer);
    if (files.length) give(zone, files);
  });
}

function give(zone, files) {
  const held = new DataTransfer();
  for (const file of files) held.items.add(file);
  const input = inputOf(zone);
  input.files = held.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

function show(zone) {
  const chosen = zone.querySelector(".chosen");
  for (const image of chosen.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  chosen.replaceChildren(...[...inputOf(zone).files].map(shown));
}

function shown(file) {
  const line = document.createElement("li");
  const name = document.createElement("span");
  name.textContent = file.name;
  const image = new Image();
  image.alt = "";
  image.addEventListener("error", () => image.remove()); // no browser shows every format
  image.src = URL.createObjectURL(file);
  line.append(image, name);
  return line;
}

// Whatever is no picture is sent as well: the service says what is wrong with it.
function picturesOf(transfer) {
  return [...(transfer?.files ?? [])];
}

function visible(zones) {
  return zones.find((zone) => zone.checkVisibility()) ?? zones[0];
}

function inputOf(element) {
  return element.querySelector('input[type="file"][name="images"]');
}
