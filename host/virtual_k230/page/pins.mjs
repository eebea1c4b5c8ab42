// Keys, pins and lights: what the script makes of the hardware, and levels from outside.

import { $, element, post } from "./http.mjs";

const known = new Set();

function addKey(pin, level) {
  if (known.has(`${pin} ${level}`)) return;
  known.add(`${pin} ${level}`);
  const press = (e) => { e.preventDefault(); e.target.setPointerCapture(e.pointerId); post("hardware", { pin, level }); };
  const release = () => post("hardware", { pin, level: null });
  $("keys").append(element("button", { type: "button", onpointerdown: press, onpointerup: release, onpointercancel: release },
    `Key on pin ${pin} (${level} while held)`));
}

export function startPins() {
  $("key-form").onsubmit = (e) => { e.preventDefault(); addKey(Number($("key-pin").value), Number($("key-level").value)); };
}

const MOST_MICROVOLTS = 1800000;

function showVoltages(microvolts) {
  if (!$("adc").children.length) {
    $("adc").append(...microvolts.map((_, channel) => {
      const slider = element("input", { type: "range", min: 0, max: MOST_MICROVOLTS, step: 10000, "aria-label": `ADC ${channel}` });
      slider.oninput = () => post("hardware", { adc: channel, microvolts: Number(slider.value) });
      return element("label", { className: "voltage" }, `ADC ${channel}`, slider, element("output"));
    }));
  }
  microvolts.forEach((value, channel) => {
    const [slider, shown] = $("adc").children[channel].querySelectorAll("input, output");
    if (document.activeElement !== slider) slider.value = value;
    shown.textContent = `${(value / 1e6).toFixed(2)} V`;
  });
}

function showUarts(uarts) {
  $("no-uarts").hidden = Object.keys(uarts).length > 0;
  for (const [number, uart] of Object.entries(uarts)) {
    let box = document.getElementById(`uart-${number}`);
    if (!box) {
      const text = element("input", { placeholder: "to the board", "aria-label": `to UART ${number}` });
      const form = element("form", { className: "buttons", onsubmit: (e) => {
        e.preventDefault();
        post("hardware", { uart: Number(number), text: `${text.value}\n` });
        text.value = "";
      } }, `UART ${number}`, text, element("button", {}, "Send"));
      box = element("div", { id: `uart-${number}` }, form, element("pre", { title: "what the board has sent" }));
      $("uarts").append(box);
    }
    box.querySelector("pre").textContent = uart.sent;
  }
}

export function showPins(hardware, board) {
  showVoltages(hardware.adc_uv);
  showUarts(hardware.uarts);
  // The user key of the usual kits: k230-platform notes on the vendor's collecting script.
  if (!known.size) board.includes("lckfb") ? addKey(53, 1) : addKey(21, 0);
  const pins = Object.entries(hardware.pins);
  $("pins").hidden = !pins.length;
  $("no-pins").hidden = pins.length > 0;
  $("pins").tBodies[0].replaceChildren(...pins.map(([number, pin]) => element("tr", {},
    element("td", {}, number), element("td", {}, pin.function), element("td", {}, pin.mode), element("td", {}, String(pin.level)))));
}

export function showLights(hardware) {
  const [red, green, blue] = ["red", "green", "blue"].map((name) => hardware.leds[name] ?? 0);
  const isOn = red + green + blue > 0;
  const light = element("span", { className: "led", title: `red ${red}, green ${green}, blue ${blue}` }, element("i"), isOn ? "LED" : "LED off");
  if (isOn) {
    light.firstChild.style.background = `rgb(${red}, ${green}, ${blue})`;
    light.firstChild.style.boxShadow = `0 0 10px rgb(${red}, ${green}, ${blue})`;
  }
  const pwm = Object.entries(hardware.pwm).map(([number, channel]) =>
    element("span", {}, `PWM ${number} (servo, buzzer): ${channel.freq_hz} Hz, ${channel.duty_percent} %`));
  const outputs = Object.entries(hardware.pins).filter(([, pin]) => pin.mode === "out").map(([number, pin]) =>
    element("span", {}, `pin ${number}: ${pin.level ? "high" : "low"}`));
  $("leds").replaceChildren(light, ...pwm, ...outputs);
}
