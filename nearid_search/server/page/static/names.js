// Names of known things are offered while one is typed: the first twenty that contain it.
let latest = 0;

export function offerNames() {
  const list = document.getElementById("known-names");
  if (!list) return;
  document.addEventListener("input", async (event) => {
    if (!event.target.matches("[data-names]")) return;
    const mine = ++latest;
    const response = await fetch(`/v1/identities?limit=20&contains=${encodeURIComponent(event.target.value)}`);
    if (!response.ok || mine !== latest) return;
    const { identities } = await response.json();
    list.replaceChildren(...identities.map(({ identity }) => new Option(identity, identity)));
  });
}
