// The page of `virtual-k230 serve`: the board's state and its buttons; each panel is a file of its own.

import { $, call, element, get, pause, post, runScript } from "./http.mjs";
import { showCard, startCard } from "./card.mjs";
import { showConsole, startConsole } from "./console.mjs";
import { showFaults } from "./faults.mjs";
import { showLights, showPins, startPins } from "./pins.mjs";
import { startPanel } from "./panel.mjs";

const STATE_EVERY_MS = 500;
const PLAY_EVERY_MS = 2000;
const CARD_EVERY_ROUNDS = 6;
const DOINGS = {
  off: ["quiet", "no power"], boot: ["wait", "starting"], script: ["live", "main.py runs"], exec: ["live", "a script runs"],
  repl: ["wait", "ready (REPL)"], ide: ["live", "the IDE is attached"],
};

let state = {};
let before = null;
let apps = []; // names of what can be put on an empty card

function chip(text, kind = "quiet", title = "") {
  return element("span", { className: `chip ${kind}`, title }, text);
}

function chips(now) {
  if (!now.running) return [chip("no power", "quiet")];
  const seconds = before ? now.uptime_s - before.uptime_s : 0;
  const rate = seconds > 0 ? Math.max(0, (now.frames - before.frames) / seconds) : 0;
  const [kind, text] = DOINGS[now.state] ?? ["wait", now.state];
  const failed = now.exception && now.state === "repl";
  const models = now.kpu_models.map((model) => `${model.name}: ${model.answered_by}`).join("\n");
  return [
    failed ? chip("main.py failed", "bad", now.exception) : chip(text, kind),
    chip(`${rate.toFixed(0)} frames/s`, "quiet", "what the script takes from the camera; video that is only shown does not count"),
    chip(`KPU: ${now.kpu_engine}, ${now.kpu_runs} runs`, "quiet", models || "no model is loaded"),
    chip(!now.wifi_up ? "Wi-Fi off" : now.wifi_connected ? "Wi-Fi joined" : "Wi-Fi not joined"),
    chip(!now.usb_plugged ? "USB unplugged" : now.usb_open ? "USB in use" : "USB free", "quiet", now.pty),
  ];
}

function showDark(now) {
  $("dark").hidden = now.display !== null && now.running;
  const isBusy = now.running && !["repl", "off"].includes(now.state);
  const lastLine = now.exception?.trim().split("\n").at(-1);
  $("start-buttons").hidden = isBusy;
  if (!now.running) {
    $("dark-title").textContent = "The board has no power.";
    $("dark-reason").textContent = "Switch it on below, or run a script.";
  } else if (isBusy) {
    $("dark-title").textContent = "A script runs; the screen is dark.";
    $("dark-reason").textContent = "It has not called Display.init().";
  } else if (lastLine) {
    $("dark-title").textContent = "main.py failed.";
    $("dark-reason").textContent = lastLine;
  } else {
    $("dark-title").textContent = now.has_main ? "A K230 camera board, without the board." : "Nothing on the card: there is no main.py.";
    $("dark-reason").textContent = "It runs CanMV scripts as they are: camera, touch screen, KPU, card, USB and Wi-Fi.";
  }
  const isOffered = !isBusy && now.running && !now.has_main && apps.length > 0;
  $("apps").hidden = !isOffered;
  $("example").classList.toggle("primary", !isOffered);
  $("dark-more").textContent = isBusy || isOffered ? "" : "Or type into the console, or put a main.py on the card and press Reset.";
}

function showState(now) {
  $("facts").textContent = `${now.board} · profile ${now.profile} (${now.firmware}, nncase ${now.nncase}) · ${now.dram_mib} MiB`;
  $("state").replaceChildren(...chips(now));
  before = now;
  state = now;
  for (const [id, isOn] of [["power", now.running], ["usb", now.usb_plugged], ["wifi", now.wifi_up]]) $(id).setAttribute("aria-pressed", isOn);
  $("stop").disabled = !["script", "exec"].includes(now.state);
  $("mpremote").textContent = `mpremote connect ${now.pty}`;
  showDark(now);
  showCamera(now.camera);
}

function showCamera(camera) {
  const where = camera.count === null ? `picture ${camera.index + 1}` : `${camera.index + 1} of ${camera.count}`;
  $("camera-name").textContent = camera.held ? `a picture that stays (${camera.name} is behind it)` : `${camera.name} · ${where}`;
  $("hold").setAttribute("aria-pressed", camera.held);
  if (![...$("fps").options].some((option) => Number(option.value) === camera.fps)) {
    $("fps").append(element("option", { value: camera.fps }, `${camera.fps} frames/s`));
  }
  if (document.activeElement !== $("fps")) $("fps").value = camera.fps;
  $("scene").hidden = camera.name.startsWith("scene:");
  $("source").hidden = camera.name === camera.first;
}

async function showAll(round = 0) {
  try {
    const now = await get("state");
    showState(now);
    const hardware = await get("hardware");
    showLights(hardware);
    if (!$("pins-panel").hidden) showPins(hardware, now.board);
    showFaults(await get("faults"));
    await showConsole(now);
    if (!$("card-panel").hidden && round % CARD_EVERY_ROUNDS === 0) await showCard();
  } catch (error) {
    if (error instanceof TypeError) $("state").replaceChildren(chip("the virtual board does not answer", "bad", String(error)));
  }
  setTimeout(showAll, STATE_EVERY_MS, round + 1);
}

function startButtons() {
  $("power").onclick = () => post("power", { on: !state.running });
  $("reset").onclick = () => post("reset", { hard: true });
  $("stop").onclick = () => post("console", { stop: true });
  $("usb").onclick = () => post("usb", { plugged: !state.usb_plugged });
  $("wifi").onclick = () => post("wifi", { up: !state.wifi_up });
  $("example").onclick = async () => runScript("touch_and_camera.py", await (await call("example.py")).blob());
  $("run").onchange = async (e) => {
    const file = e.target.files[0];
    if (file) await runScript(file.name, file);
    e.target.value = "";
  };
}

function startCamera() {
  $("next").onclick = () => post("camera", { next: true });
  $("previous").onclick = () => {
    const { index, count } = state.camera;
    post("camera", { show: index ? index - 1 : (count ?? 1) - 1 });
  };
  $("hold").onclick = () => post("camera", { hold: !state.camera.held });
  $("fps").onchange = () => post("camera", { fps: Number($("fps").value) });
  $("scene").onclick = () => post("camera", { source: "scene:traffic_lights" });
  $("source").onclick = () => post("camera", { source: "first" });
  $("show").onchange = async (e) => {
    const file = e.target.files[0];
    if (file) await call("camera/picture", { method: "PUT", body: file });
    e.target.value = "";
  };
  $("play").onclick = async () => {
    const isOn = $("play").getAttribute("aria-pressed") !== "true";
    $("play").setAttribute("aria-pressed", isOn);
    while ($("play").getAttribute("aria-pressed") === "true") {
      await post("camera", { next: true });
      await pause(PLAY_EVERY_MS);
    }
  };
}

async function putApp(button, name) {
  button.disabled = true;
  button.textContent = `Putting ${name} on the card…`;
  try {
    await post("apps", { name });
  } finally {
    button.disabled = false;
    button.textContent = `Put the ${name} app on the card`;
  }
}

async function startApps() {
  apps = (await get("apps")).apps;
  $("apps").replaceChildren(...apps.map((name) => {
    const button = element("button", { className: "primary" }, `Put the ${name} app on the card`);
    button.onclick = () => putApp(button, name);
    return button;
  }));
}

function startTabs() {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    tab.onclick = () => {
      for (const other of document.querySelectorAll("[role=tab]")) {
        other.setAttribute("aria-selected", other === tab);
        $(other.getAttribute("aria-controls")).hidden = other !== tab;
      }
      if (tab.id === "tab-card") showCard();
    };
  }
  document.getElementById(`tab-${location.hash.slice("#show-".length)}`)?.click(); // such as /#show-faults
}

startButtons();
startCamera();
startConsole();
startCard();
startPins();
startTabs();
startPanel();
startApps();
showAll();
