// The page of `virtual-k230 serve`: everything here goes through the HTTP API of control.py and card_api.py.

const $ = (id) => document.getElementById(id);
const SCREEN_EVERY_MS = 80;
const STATE_EVERY_MS = 500;

function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").hidden = true; }, 6000);
}

async function call(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({ error: answer.statusText }));
    toast(error);
    throw new Error(error);
  }
  return answer;
}
const get = async (path) => (await call(path)).json();
const post = async (path, body) => (await call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
const quoted = encodeURIComponent;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

const bytes = (n) => n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;

// ---- the panel ---------------------------------------------------------------------------------------------------

const lcd = $("lcd");
let waiting = [];
let isSending = false;
let isDown = false;

async function sendTouches() {
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
  const clamp = (value, size) => Math.min(size - 1, Math.max(0, Math.round(value)));
  const x = clamp((pointer.clientX - box.left) * lcd.naturalWidth / box.width, lcd.naturalWidth);
  const y = clamp((pointer.clientY - box.top) * lcd.naturalHeight / box.height, lcd.naturalHeight);
  const last = waiting.at(-1);
  if (event === "move" && last?.event === "move") Object.assign(last, { x, y });
  else waiting.push({ event, x, y });
  sendTouches();
}
lcd.addEventListener("pointerdown", (e) => { isDown = true; lcd.setPointerCapture(e.pointerId); touch("down", e); e.preventDefault(); });
lcd.addEventListener("pointermove", (e) => { if (isDown) touch("move", e); });
for (const name of ["pointerup", "pointercancel"]) lcd.addEventListener(name, (e) => { if (isDown) touch("up", e); isDown = false; });

async function showScreen() {
  let pause = SCREEN_EVERY_MS;
  try {
    if (!document.hidden) {
      const answer = await fetch("screen.png");
      if (!answer.ok) throw new Error(answer.statusText);
      const url = URL.createObjectURL(await answer.blob());
      const old = lcd.src;
      lcd.src = url;
      await lcd.decode().catch(() => {});
      lcd.width = lcd.naturalWidth;
      lcd.height = lcd.naturalHeight;
      if (old) URL.revokeObjectURL(old);
    }
  } catch {
    pause = 1000;
  }
  setTimeout(showScreen, pause);
}

// ---- state and buttons ---------------------------------------------------------------------------------------------

let state = {};
let lastFrames = null;

const WORDS = { off: "no power", boot: "starting", script: "main.py runs", exec: "a line runs", repl: "waits for a line (REPL)", ide: "the IDE is attached" };

function showState(now) {
  const seconds = lastFrames ? (now.uptime_s - lastFrames.uptime_s) : 0;
  const rate = seconds > 0 ? (now.frames - lastFrames.frames) / seconds : 0;
  lastFrames = now;
  state = now;
  $("facts").textContent = `${now.board} · profile ${now.profile} (${now.firmware}, nncase ${now.nncase}) · ${now.dram_mib} MiB`;
  const parts = [WORDS[now.state] ?? now.state];
  if (now.running) parts.push(`${rate.toFixed(0)} frames/s`, `KPU ${now.kpu_engine}: ${now.kpu_runs} runs`, now.wifi_connected ? "Wi-Fi joined" : "no Wi-Fi");
  $("state").textContent = parts.join(" · ");
  $("state").className = now.exception ? "bad" : "";
  $("state").title = `USB: ${now.pty}`;
  $("power").textContent = now.running ? "Power off" : "Power on";
  $("usb").textContent = now.usb_plugged ? "Unplug USB" : "Plug USB in";
  $("wifi").textContent = now.wifi_up ? "Switch Wi-Fi off" : "Switch Wi-Fi on";
  $("dark").hidden = now.display !== null && now.running;
  $("dark-reason").textContent = now.running
    ? (now.exception ? `The script ended: ${now.exception.trim().split("\n").at(-1)}` : "No script has called Display.init() yet. Run one of yours below, or type into the console.")
    : "Switch the power on.";
  const camera = now.camera;
  $("camera-name").textContent = camera.count > 1 ? `${camera.name} (${camera.index + 1} of ${camera.count})` : camera.name;
}

function showLights(hardware) {
  const [red, green, blue] = ["red", "green", "blue"].map((name) => hardware.leds[name] ?? 0);
  const light = element("span", { className: "led", title: `red ${red}, green ${green}, blue ${blue}` }, element("i"), "LED");
  light.firstChild.style.background = `rgb(${red}, ${green}, ${blue})`;
  if (red + green + blue) light.firstChild.style.boxShadow = `0 0 10px rgb(${red}, ${green}, ${blue})`;
  const pwm = Object.entries(hardware.pwm).map(([number, channel]) =>
    element("span", {}, `PWM ${number}: ${channel.freq_hz} Hz, ${channel.duty_percent} %`));
  $("leds").replaceChildren(light, ...pwm);
}

async function showAll() {
  try {
    showState(await get("state"));
    const hardware = await get("hardware");
    showLights(hardware);
    if (!$("pins-panel").hidden) showPins(hardware.pins);
    showFaults(await get("faults"));
    await showConsole();
  } catch {
    if (!$("state").textContent.startsWith("connecting")) $("state").textContent = "the virtual board does not answer";
  }
  setTimeout(showAll, STATE_EVERY_MS);
}

$("power").onclick = () => post("power", { on: !state.running });
$("reset").onclick = () => post("reset", { hard: true });
$("stop").onclick = () => post("console", { stop: true });
$("usb").onclick = () => post("usb", { plugged: !state.usb_plugged });
$("wifi").onclick = () => post("wifi", { up: !state.wifi_up });
$("next").onclick = () => post("camera", { next: true });
$("previous").onclick = () => post("camera", { show: state.camera.index ? state.camera.index - 1 : (state.camera.count ?? 1) - 1 });
$("show").onchange = async (e) => {
  const file = e.target.files[0];
  if (file) await call("camera/picture", { method: "PUT", body: file });
  e.target.value = "";
};
$("run").onchange = async (e) => {
  const file = e.target.files[0];
  if (!file) return;
  const path = `/sdcard/${file.name}`;
  await call(`card/file?path=${quoted(path)}`, { method: "PUT", body: file });
  e.target.value = "";
  if (!state.running) await post("power", { on: true });
  await post("console", { stop: true });
  for (let tries = 0; tries < 60 && (await get("state")).state !== "repl"; tries++) await new Promise((done) => setTimeout(done, 100));
  await post("console", { text: `exec(open(${JSON.stringify(path)}).read())\r` });
};

// ---- console -------------------------------------------------------------------------------------------------------

let from = 0;
const KEPT_CHARS = 100000;

async function showConsole() {
  const news = await get(`console?from=${from}`);
  from = news.next;
  // Lines that begin with a control character are a protocol of the script, nothing to read.
  const readable = news.text.replace(/^[\x00-\x08\x0e-\x1f].*\n?/gm, "");
  if (!readable) return;
  const box = $("console");
  const wasAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
  box.textContent = (box.textContent + readable).slice(-KEPT_CHARS);
  if (wasAtEnd) box.scrollTop = box.scrollHeight;
}
const history = [];
let historyAt = 0;
$("line").onsubmit = async (e) => {
  e.preventDefault();
  const text = $("line-text").value;
  if (text) history.push(text);
  historyAt = history.length;
  $("line-text").value = "";
  await post("console", { text: `${text}\r` });
};
$("line-text").onkeydown = (e) => {
  if (e.key === "c" && e.ctrlKey && !getSelection().toString()) post("console", { stop: true });
  if (e.key === "d" && e.ctrlKey) { e.preventDefault(); post("console", { text: "\x04" }); }
  if (e.key !== "ArrowUp" && e.key !== "ArrowDown") return;
  historyAt = Math.min(history.length, Math.max(0, historyAt + (e.key === "ArrowUp" ? -1 : 1)));
  $("line-text").value = history[historyAt] ?? "";
  e.preventDefault();
};

// ---- card ----------------------------------------------------------------------------------------------------------

let folder = "/sdcard";

async function showCard() {
  const listed = await get(`card/list?path=${quoted(folder)}`);
  const crumbs = [];
  for (const root of ["/sdcard", "/data"]) {
    crumbs.push(element("a", { href: "#", onclick: (e) => { e.preventDefault(); open(root); } }, root), "  ");
  }
  const parts = folder.split("/").slice(2);
  parts.forEach((part, depth) => {
    const path = folder.split("/").slice(0, depth + 3).join("/");
    crumbs.push(" / ", element("a", { href: "#", onclick: (e) => { e.preventDefault(); open(path); } }, part));
  });
  $("crumbs").replaceChildren("In ", element("strong", {}, folder), " — ", ...crumbs);
  $("room").textContent = `${bytes(listed.free_bytes)} free`;
  $("files").tBodies[0].replaceChildren(...listed.entries.map(fileRow));
  if (!listed.entries.length) $("files").tBodies[0].append(element("tr", {}, element("td", {}, "empty")));
}
function fileRow(entry) {
  const path = `${folder}/${entry.name}`;
  const link = element("a", { href: "#", onclick: (e) => { e.preventDefault(); entry.is_folder ? open(path) : preview(path, entry); } },
    entry.is_folder ? `${entry.name}/` : entry.name);
  const remove = element("button", { title: `Delete ${path}`, onclick: async () => {
    if (!confirm(`Delete ${path}?`)) return;
    await call(`card/file?path=${quoted(path)}`, { method: "DELETE" });
    showCard();
  } }, "✕");
  return element("tr", {}, element("td", { className: "name" }, link),
    element("td", { className: "number" }, entry.is_folder ? "" : bytes(entry.size)), element("td", {}, remove));
}
function open(path) {
  folder = path;
  $("preview").replaceChildren();
  showCard();
}
async function preview(path, entry) {
  const url = `card/file?path=${quoted(path)}`;
  const download = element("p", {}, element("a", { href: url, download: entry.name }, `Download ${entry.name}`));
  let shown = "";
  if (/\.(jpe?g|png|bmp)$/i.test(path)) shown = element("img", { src: url, alt: path });
  else if (/\.(py|txt|json|md|log|csv)$/i.test(path) && entry.size < 500000) shown = element("pre", {}, await (await call(url)).text());
  $("preview").replaceChildren(download, shown);
}
$("upload").onchange = async (e) => {
  for (const file of e.target.files) await call(`card/file?path=${quoted(`${folder}/${file.name}`)}`, { method: "PUT", body: file });
  e.target.value = "";
  showCard();
};

// ---- keys and pins ---------------------------------------------------------------------------------------------------

function addKey(pin, level) {
  const press = (e) => { e.preventDefault(); post("hardware", { pin, level }); };
  const release = () => post("hardware", { pin, level: null });
  $("keys").append(element("button", { type: "button", onpointerdown: press, onpointerup: release, onpointercancel: release },
    `Key on pin ${pin}`));
}
$("key-form").onsubmit = (e) => { e.preventDefault(); addKey(Number($("key-pin").value), Number($("key-level").value)); };
function showPins(pins) {
  const rows = Object.entries(pins).map(([number, pin]) => element("tr", {},
    element("td", {}, number), element("td", {}, pin.function), element("td", {}, pin.mode), element("td", {}, String(pin.level))));
  $("pins").tBodies[0].replaceChildren(...rows);
}

// ---- faults ----------------------------------------------------------------------------------------------------------

const faultRows = new Map();

function showFaults({ catalogue, on }) {
  if (!faultRows.size) $("faults").tBodies[0].append(...catalogue.map(faultRow));
  for (const [name, { toggle, value }] of faultRows) {
    const isOn = name in on;
    toggle.textContent = isOn ? "on" : "off";
    toggle.className = isOn ? "on" : "";
    toggle.setAttribute("aria-pressed", isOn);
    if (isOn && value && document.activeElement !== value) value.value = on[name];
  }
  $("fault-count").textContent = Object.keys(on).length || "";
}
function faultRow(fault) {
  const value = fault.unit ? element("input", { type: "number", min: 0, step: "any", value: fault.default, title: fault.unit, ariaLabel: `${fault.name}: ${fault.unit}` }) : null;
  const toggle = element("button", { ariaLabel: fault.name, onclick: async () => {
    const isOn = toggle.className === "on";
    showFaults({ catalogue: [], ...await post("faults", { [fault.name]: isOn ? null : value ? Number(value.value) : true }) });
  } }, "off");
  faultRows.set(fault.name, { toggle, value });
  return element("tr", {}, element("td", {}, element("code", {}, fault.name), element("br"), fault.text),
    element("td", { className: "switch" }, value ?? "", " ", toggle));
}

// ---- tabs ------------------------------------------------------------------------------------------------------------

for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.onclick = () => {
    for (const other of document.querySelectorAll("[role=tab]")) {
      other.setAttribute("aria-selected", other === tab);
      $(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
    if (tab.id === "tab-card") showCard();
  };
}
const wanted = document.getElementById(`tab-${location.hash.slice("#show-".length)}`); // such as /#show-faults
if (wanted) wanted.click();
showScreen();
showAll();
