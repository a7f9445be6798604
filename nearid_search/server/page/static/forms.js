// Forms whose fields are a correction: data-call says where to, data-then where to go afterwards.
import { call } from "./service.js";
import { tellAt, tellWrong } from "./telling.js";

export function sendForms() {
  for (const form of document.querySelectorAll("[data-call]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
  }
}

async function send(form) {
  const { call: path, method = "POST", done, then } = form.dataset;
  const fields = fieldsOf(form);
  try {
    const made = await call(path, method === "DELETE" ? undefined : fields, method);
    tellAt(addressOf(then, fields), done, made.action === "undo" ? [] : [made.entry]);
  } catch (error) {
    tellWrong(error);
  }
}

function fieldsOf(form) {
  const lists = (form.dataset.lists ?? "").split(" ");
  const data = new FormData(form);
  return Object.fromEntries(
    [...new Set(data.keys())].map((name) => {
      if (lists.includes(name)) return [name, data.getAll(name)];
      const value = data.get(name).trim();
      return [name, form.elements[name].dataset?.number === undefined ? value : Number(value)];
    }),
  );
}

function addressOf(then, fields) {
  return then?.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(fields[name]));
}
