// The console: what the board prints, and a field whose lines go to its REPL or to the script's input.

import { $, get, post } from "./http.mjs";

const KEPT_CHARS = 100000;
const PASTE_MODE = "\x05";
const END_OF_PASTE = "\x04";

let from = 0;
const history = [];
let historyAt = 0;

/** Add what is new; called twice a second. */
export async function showConsole(state) {
  $("line-text").placeholder = state.main_running ? "to the script that runs (its stdin)" : "print('hello')";
  const news = await get(`console?from=${from}`);
  from = news.next;
  const readable = news.text
    .replace(/\x1b\[[0-9;]*[A-Za-z]/g, "")
    .replace(/^[\x00-\x07\x0e-\x1f].*\n?/gm, "") // a protocol of the script, nothing to read
    .replace(/[\x00-\x07\x0b-\x1f\x7f\ufffd]/g, ""); // what the raw REPL says to programs
  if (!readable) return;
  const box = $("console");
  const wasAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
  let text = box.textContent + readable;
  while (/[^\n\x08]\x08/.test(text)) text = text.replace(/[^\n\x08]\x08/g, "");
  box.textContent = text.slice(-KEPT_CHARS);
  if (wasAtEnd) box.scrollTop = box.scrollHeight;
}

function fit() {
  const field = $("line-text");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

function send() {
  const text = $("line-text").value;
  if (text) history.push(text);
  historyAt = history.length;
  $("line-text").value = "";
  fit();
  return post("console", { text: text.includes("\n") ? PASTE_MODE + text.replaceAll("\n", "\r") + END_OF_PASTE : `${text}\r` });
}

export function startConsole() {
  const field = $("line-text");
  $("line").onsubmit = (e) => { e.preventDefault(); send(); };
  field.oninput = fit;
  field.onkeydown = (e) => {
    const isOneLine = !field.value.includes("\n");
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(); }
    else if (e.key === "c" && e.ctrlKey && field.selectionStart === field.selectionEnd) post("console", { stop: true });
    else if (e.key === "d" && e.ctrlKey) { e.preventDefault(); post("console", { text: "\x04" }); }
    else if (isOneLine && (e.key === "ArrowUp" || e.key === "ArrowDown")) {
      historyAt = Math.min(history.length, Math.max(0, historyAt + (e.key === "ArrowUp" ? -1 : 1)));
      field.value = history[historyAt] ?? "";
      fit();
      e.preventDefault();
    }
  };
}
