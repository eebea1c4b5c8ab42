// The LCD: its picture is fetched as often as it changes, and mouse or finger on it are the touch panel.

import { $, post } from "./http.mjs";

const EVERY_MS = 80;
const WHEN_LOST_MS = 1000;

const lcd = $("lcd");
const panel = { width: 800, height: 480 }; // px; kept here because an image has no size while its next picture is decoded
let waiting = [];
let isSending = false;
let finger = null; // the board's panel follows one finger

async function send() {
  if (isSending) return;
  isSending = true;
  try {
    while (waiting.length) {
      const events = waiting;
      waiting = [];
      await post("touch", { events });
    }
  } finally {
    isSending = false;
  }
}

function touch(event, pointer) {
  const box = lcd.getBoundingClientRect();
  const inside = (value, size) => Math.min(size - 1, Math.max(0, Math.round(value)));
  const x = inside((pointer.clientX - box.left) * panel.width / box.width, panel.width);
  const y = inside((pointer.clientY - box.top) * panel.height / box.height, panel.height);
  const last = waiting.at(-1);
  if (event === "move" && last?.event === "move") Object.assign(last, { x, y });
  else waiting.push({ event, x, y });
  send();
}

function lift(pointer) {
  if (finger !== pointer.pointerId) return;
  finger = null;
  touch("up", pointer);
}

async function show() {
  let pause = EVERY_MS;
  try {
    if (!document.hidden) {
      const answer = await fetch("screen.png", { cache: "no-cache" }); // the server says whether it has changed
      if (!answer.ok) throw new Error(answer.statusText);
      const tag = answer.headers.get("ETag");
      if (tag !== show.tag || !tag) {
        const url = URL.createObjectURL(await answer.blob());
        const old = lcd.src;
        lcd.src = url;
        await lcd.decode().catch(() => {});
        if (lcd.naturalWidth) {
          lcd.width = panel.width = lcd.naturalWidth;
          lcd.height = panel.height = lcd.naturalHeight;
        }
        if (old) URL.revokeObjectURL(old);
        show.tag = tag;
      }
    }
  } catch {
    pause = WHEN_LOST_MS;
  }
  setTimeout(show, pause);
}

export function startPanel() {
  lcd.addEventListener("pointerdown", (e) => {
    e.preventDefault();
    if (finger !== null) return;
    finger = e.pointerId;
    lcd.setPointerCapture(e.pointerId);
    touch("down", e);
  });
  lcd.addEventListener("pointermove", (e) => { if (finger === e.pointerId) touch("move", e); });
  lcd.addEventListener("pointerup", lift);
  lcd.addEventListener("pointercancel", lift);
  show();
}
