// Requests to the HTTP API of control.py, DOM elements, and what every panel of the page needs besides.

export const $ = (id) => document.getElementById(id);
export const quoted = encodeURIComponent;
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

let hiding = 0;

/** One line at the bottom of the page, for six seconds. */
export function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { $("toast").hidden = true; }, 6000);
}

/** fetch(); what the board refuses is shown and thrown. */
export async function call(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({ error: answer.statusText }));
    toast(error);
    throw new Error(error);
  }
  return answer;
}

export const get = async (path) => (await call(path)).json();
export const post = async (path, body) =>
  (await call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
export const putFile = (path, body) => call(`card/file?path=${quoted(path)}`, { method: "PUT", body });

/** Copy a script to /sdcard and run it in a fresh interpreter. */
export async function runScript(name, body) {
  const path = `/sdcard/${name}`;
  await putFile(path, body);
  await post("run", { path });
}

/** <tag> with properties; names that begin with "on" are event listeners, "aria-…" are attributes. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

export function bytes(n) {
  if (n < 1000) return `${n} B`;
  if (n < 1e6) return `${(n / 1e3).toFixed(1)} kB`;
  return n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;
}
