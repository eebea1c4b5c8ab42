// Fault switches, one for each entry of the catalogue in faults.py.

import { $, element, post } from "./http.mjs";

const GROUPS = { card: "Card", usb: "USB cable", wifi: "Wi-Fi", kpu: "KPU", camera: "Camera", touch: "Touch panel", heap: "Heap" };
const rows = new Map();

export function showFaults({ catalogue, on }) {
  if (!rows.size) draw(catalogue);
  for (const [name, { toggle, value }] of rows) {
    const isOn = name in on;
    toggle.textContent = isOn ? "on" : "off";
    toggle.classList.toggle("on", isOn);
    toggle.setAttribute("aria-pressed", isOn);
    if (isOn && value && document.activeElement !== value) value.value = on[name];
  }
  $("fault-count").textContent = Object.keys(on).length || "";
  $("no-faults").hidden = !Object.keys(on).length;
}

const change = async (values) => showFaults({ catalogue: [], ...await post("faults", values) });

function draw(catalogue) {
  let group = "";
  for (const fault of catalogue) {
    const kind = fault.name.split(".")[0];
    if (kind !== group) $("faults").append(element("h2", {}, GROUPS[kind] ?? kind));
    group = kind;
    $("faults").append(row(fault));
  }
  $("no-faults").onclick = () => change(Object.fromEntries([...rows.keys()].map((name) => [name, null])));
}

function row(fault) {
  const value = fault.unit
    ? element("input", { type: "number", min: 0, step: "any", value: fault.default, "aria-label": `${fault.name}: ${fault.unit}` })
    : null;
  const wanted = () => value ? Number(value.value) : true;
  const toggle = element("button", { "aria-label": fault.name, "aria-pressed": false, onclick: () =>
    change({ [fault.name]: toggle.classList.contains("on") ? null : wanted() }) }, "off");
  if (value) value.onchange = () => { if (toggle.classList.contains("on")) change({ [fault.name]: wanted() }); };
  rows.set(fault.name, { toggle, value });
  return element("div", { className: "fault" }, element("p", {}, element("code", {}, fault.name), element("br"), fault.text),
    element("span", {}, ...(value ? [value, fault.unit.replace("probability per byte", "per byte")] : []), toggle));
}
