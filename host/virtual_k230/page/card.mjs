// The card: folders of /sdcard and /data, files to look at, run, download, upload and delete.

import { $, bytes, call, element, get, post, putFile, quoted } from "./http.mjs";

const ROOTS = ["/sdcard", "/data"];
const PICTURE = /\.(jpe?g|png|bmp)$/i;
const TEXT = /\.(py|txt|json|jsonl|md|log|csv)$/i;
const SHOWN_TEXT_BYTES = 500000;

let folder = ROOTS[0];
let shown = "";

const link = (text, action) => element("a", { href: "#", onclick: (e) => { e.preventDefault(); action(); } }, text);

/** Fetch the folder again; draws only what changed. */
export async function showCard() {
  const listed = await get(`card/list?path=${quoted(folder)}`);
  const now = JSON.stringify([folder, listed]);
  if (now === shown) return;
  shown = now;
  $("roots").replaceChildren(...ROOTS.map((root) =>
    element("button", { "aria-pressed": folder.startsWith(root), onclick: () => open(root) }, root)));
  const parts = folder.split("/").slice(1);
  const crumbs = parts.flatMap((part, depth) => {
    const path = `/${parts.slice(0, depth + 1).join("/")}`;
    return ["/", path === folder ? element("strong", {}, part) : link(part, () => open(path))];
  });
  $("crumbs").replaceChildren(...crumbs);
  $("room").textContent = `${bytes(listed.free_bytes)} free`;
  const rows = listed.entries.map(row);
  $("files").tBodies[0].replaceChildren(...(rows.length ? rows : [element("tr", {}, element("td", {}, "This folder is empty."))]));
}

function row(entry) {
  const path = `${folder}/${entry.name}`;
  const name = entry.is_folder ? link(`${entry.name}/`, () => open(path)) : link(entry.name, () => preview(path, entry));
  const actions = element("td", { className: "actions" });
  if (entry.name.endsWith(".py")) {
    actions.append(element("button", { title: `Run ${path}`, onclick: () => post("run", { path }) }, "Run"));
  }
  actions.append(element("button", { title: `Delete ${path}`, "aria-label": `Delete ${path}`, onclick: () => remove(path) }, "✕"));
  return element("tr", {}, element("td", { className: "name" }, name),
    element("td", { className: "number" }, entry.is_folder ? "" : bytes(entry.size)), actions);
}

async function remove(path) {
  if (!confirm(`Delete ${path}?`)) return;
  await call(`card/file?path=${quoted(path)}`, { method: "DELETE" });
  $("preview").replaceChildren();
  showCard();
}

function open(path) {
  folder = path;
  $("preview").replaceChildren();
  return showCard();
}

async function preview(path, entry) {
  const url = `card/file?path=${quoted(path)}`;
  const parts = [element("p", {}, element("strong", {}, entry.name), ` · ${bytes(entry.size)} · `, element("a", { href: url, download: entry.name }, "Download"))];
  if (PICTURE.test(path)) parts.push(element("img", { src: `${url}&v=${entry.mtime}`, alt: path }));
  else if (TEXT.test(path) && entry.size < SHOWN_TEXT_BYTES) parts.push(element("pre", {}, await (await call(url)).text()));
  $("preview").replaceChildren(...parts);
  $("preview").scrollIntoView({ block: "nearest" });
}

async function upload(files) {
  for (const file of files) await putFile(`${folder}/${file.name}`, file);
  showCard();
}

export function startCard() {
  const panel = $("card-panel");
  $("upload").onchange = async (e) => {
    await upload([...e.target.files]);
    e.target.value = "";
  };
  $("new-folder").onclick = async () => {
    const name = prompt(`Name of the new folder in ${folder}`);
    if (name) await post("card/folder", { path: `${folder}/${name}` });
    showCard();
  };
  panel.ondragover = (e) => { e.preventDefault(); panel.classList.add("dropping"); };
  panel.ondragleave = () => panel.classList.remove("dropping");
  panel.ondrop = (e) => {
    e.preventDefault();
    panel.classList.remove("dropping");
    upload([...e.dataTransfer.files]);
  };
}
