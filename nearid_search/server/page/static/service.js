// Requests to the service: its problems become errors with its words.
import { author } from "./author.js";

/** A refusal; `message` is what the service says. */
export class Refused extends Error {}

/** Send a correction as JSON, or a form as it is, and return what comes back. */
export async function call(path, body, method = "POST") {
  const headers = { "X-Author": asHeader(author()) };
  const isForm = body instanceof FormData;
  if (body && !isForm) headers["Content-Type"] = "application/json";
  const response = await request(path, { method, headers, body: isForm || !body ? body : JSON.stringify(body) });
  return response.json();
}

/** Refuse pictures that are more than one request may hold: a server that hangs up in the middle cannot say so. */
export function checkAmount(files) {
  const { mostBytes, mostImages } = document.body.dataset;
  if (files.length > mostImages) throw new Refused(`These are ${files.length} pictures: choose ${mostImages} or fewer at a time.`);
  const bytes = files.reduce((sum, file) => sum + file.size, 4096 * files.length);
  if (bytes <= mostBytes) return;
  throw new Refused(`These pictures have ${inMebibytes(bytes)} MB together: choose fewer, so that they have at most ${inMebibytes(mostBytes)} MB.`);
}

/** Send a form and return the page that answers. */
export async function page(path, form) {
  const response = await request(path, { method: "POST", headers: { Accept: "text/html" }, body: form });
  return asDocument(await response.text());
}

/** Return another page. */
export async function shown(path) {
  const response = await request(path, { headers: { Accept: "text/html" } });
  return asDocument(await response.text());
}

/** Take back corrections, the latest first. */
export async function undo(entries) {
  for (const entry of [...entries].sort((a, b) => b - a)) await call("/v1/corrections/undo", { entry });
}

/** The entries that an enrolment made, and what could not be read. */
export async function enrolPictures(identity, files, isNew) {
  checkAmount(files);
  const form = new FormData();
  for (const file of files) form.append("images", file, file.name);
  if (isNew) form.append("new", "true");
  const made = await call(`/v1/identities/${encodeURIComponent(identity)}/images`, form);
  return {
    entries: made.pictures.filter((picture) => "entry" in picture).map((picture) => picture.entry),
    failures: made.pictures.filter((picture) => "error" in picture),
  };
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused("The service does not answer: is it still running?");
  }
  if (response.status === 401) {
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
    throw new Refused("Sign in first.");
  }
  if (!response.ok) throw new Refused(await problem(response));
  return response;
}

async function problem(response) {
  const text = await response.text();
  if (response.headers.get("Content-Type")?.startsWith("text/html")) {
    return asDocument(text).querySelector("#problem")?.textContent ?? response.statusText;
  }
  try {
    return JSON.parse(text).detail;
  } catch {
    return `The service answers ${response.status}.`;
  }
}

function inMebibytes(bytes) {
  return Math.round(bytes / 2 ** 20).toLocaleString("en");
}

function asDocument(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

// A header holds bytes: the service reads them as UTF-8.
function asHeader(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}
