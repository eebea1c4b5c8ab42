// Exchanges the sections of the page that changed on the host: photos that arrive, the running job, boards that speak.
// Without this script the page is complete, and as old as its last load.

const EVERY_MS = 2500;
const live = document.getElementById("live");
const lost = document.getElementById("link-lost");
const shown = new Map(); // section id -> the host's HTML for it, so that only real changes touch the page

function sections(root) {
  return root.querySelectorAll("[data-live]");
}

async function refresh() {
  const answer = await fetch(live.dataset.address, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const section of sections(fresh)) {
    const here = document.getElementById(section.id);
    if (!here || shown.get(section.id) === section.innerHTML) continue;
    if (here.contains(document.activeElement)) continue; // nobody loses the button under the finger
    shown.set(section.id, section.innerHTML);
    here.replaceChildren(...section.childNodes);
  }
}

async function turn() {
  if (!document.hidden) {
    try {
      await refresh();
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
  }
  setTimeout(turn, EVERY_MS);
}

if (live) {
  for (const section of sections(live)) shown.set(section.id, section.innerHTML);
  setTimeout(turn, EVERY_MS);
}
