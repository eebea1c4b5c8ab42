"""What hangs on the chip besides camera, panel and network: pins, PWM, LEDs, ADC, UARTs, watchdog, FFT.

Answers canmv/machine/. The state is there to be looked at and set from outside: `pin_level`, `press` and
`state` serve the page, tests and the Python API. Nothing is wired to the buses: an I2C scan finds nobody.
Facts: vendor API documents and drivers as described in the K230 platform notes §1.1.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .fpioa import N_GPIO_MAIN, N_PINS, NAMES, NUMBERS, PADS, Fpioa
from .hal import Hal, HalError, Reply

logger = logging.getLogger(__name__)

MODE_OUT, MODE_IN, MODE_IN_UP, MODE_IN_DOWN, MODE_OPEN_DRAIN = range(5)
_MODE_NAMES = ("out", "in", "in, pull-up", "in, pull-down", "open drain")
_RISING, _FALLING, _BOTH, _HIGH, _LOW = range(5)
_PULL_NONE, _PULL_UP, _PULL_DOWN = 4, 8, 16
_LED_NAMES = ("LED_RED", "LED_GREEN", "LED_BLUE")
_UARTS = (1, 2, 4)  # 0 and 3 belong to the system's consoles
_FFT_POINTS = (64, 128, 256, 512, 1024, 2048, 4096)
_SHOWN_UART_BYTES = 2048
_ADC_CHANNELS = 6
_ADC_FULL = 4095
_ADC_FULL_UV = 1_800_000


@dataclass
class Pin:
    """A pin that the script uses, or that somebody outside drives (driven is None: nobody does)."""

    mode: int = MODE_IN
    out: int = 0
    driven: int | None = None
    trigger: int | None = None


@dataclass
class PwmChannel:
    """freq in Hz; the high time as a fraction of the period."""

    freq: int = 1000
    duty: float = 0.5
    is_on: bool = False


@dataclass
class Uart:
    """Bytes on their way in, and what the script has sent."""

    received: bytearray = field(default_factory=bytearray)
    sent: bytearray = field(default_factory=bytearray)
    is_open: bool = False


class Hardware:
    """The state of everything of machine that is not TOUCH."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self.fpioa = Fpioa()
        self.adc_uv = [0] * _ADC_CHANNELS
        """Voltage at each ADC channel in microvolts (0..1800000)."""
        self._watchdog: threading.Timer | None = None
        self._watchdog_due = 0.0
        self._clock_offset_s = 0
        self._clear()

    def _clear(self) -> None:
        self.fpioa.reset()
        self.pins: dict[int, Pin] = {}
        self.pwm = [PwmChannel() for _ in range(6)]
        self.leds = [0, 0, 0]
        self.uarts = {number: Uart() for number in _UARTS}

    def reset(self) -> None:
        """As at a reset: pins forget what they were; voltages and levels from outside stay."""
        driven = {number: pin.driven for number, pin in self.pins.items() if pin.driven is not None}
        self._clear()
        for number, level in driven.items():
            self.pins[number] = Pin(driven=level)
        self.stop_watchdog()

    # -- for people, pages and tests ----------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What the script made of the hardware, JSON-able: pins in use, LEDs (0..255), running PWM, ADC voltages, UARTs."""
        return {
            "pins": {
                str(number): {
                    "mode": _MODE_NAMES[pin.mode], "level": self.level(number),
                    "function": NAMES[self.fpioa.pads[number].function], "driven": pin.driven,
                }
                for number, pin in sorted(self.pins.items())
            },
            "leds": dict(zip(("red", "green", "blue"), self.leds, strict=True)),
            "pwm": {
                str(number): {"freq_hz": channel.freq, "duty_percent": round(channel.duty * 100, 2)}
                for number, channel in enumerate(self.pwm) if channel.is_on
            },
            "adc_uv": list(self.adc_uv),
            "uarts": {
                str(number): {"is_open": uart.is_open, "sent": bytes(uart.sent[-_SHOWN_UART_BYTES:]).decode("latin-1")}
                for number, uart in self.uarts.items() if uart.is_open or uart.sent
            },
        }  # fmt: skip

    def drive(self, number: int, level: int | None) -> None:
        """Put a level on a pin from outside, as a key does; None lets it go. An interrupt of the script sees the edge.

        Raises:
            ValueError: there is no such pin.
        """
        if not 0 <= number < N_PINS:
            raise ValueError(f"pin {number}: pins go from 0 to {N_PINS - 1}")
        pin = self.pins.setdefault(number, Pin())
        before = self.level(number)
        pin.driven = None if level is None else int(bool(level))
        after = self.level(number)
        edge = _RISING if after > before else _FALLING
        wanted = pin.trigger is not None and (
            (before != after and pin.trigger in (edge, _BOTH)) or pin.trigger == (_HIGH if after else _LOW)
        )
        if wanted:
            self._board.events.interrupt(number)
            self._board.wake()

    def level(self, number: int) -> int:
        """The level at a pin: what drives it, else the output, else the pull."""
        pin = self.pins.get(number, Pin())
        if pin.mode == MODE_OUT:
            return pin.out
        if pin.driven is not None:
            return pin.driven
        if pin.mode == MODE_OPEN_DRAIN:
            return pin.out
        return int(pin.mode == MODE_IN_UP)

    def uart_feed(self, number: int, data: bytes) -> None:
        """Send bytes to a UART of the board, as a device at its RX pin would."""
        self.uarts[number].received += data
        self._board.wake()

    # -- Pin and FPIOA ------------------------------------------------------------------------------------------

    def pin_open(self, number: int, mode: int, pull: int, value: int, drive: int) -> list[str]:
        """Pin(...) and Pin.init(); -1: leave as it is. Returns lines that the board prints."""
        said = []
        if not 0 <= number < N_PINS:
            raise HalError("ValueError", f"pin({number}) invalid")
        function = self.fpioa.pads[number].function
        if function >= N_GPIO_MAIN and number < N_GPIO_MAIN:
            said.append(f"pin({number}) is not a GPIO pin, func={function}, Please notice it.")
            self.fpioa.set_function(number, number, {})
        if mode >= len(_MODE_NAMES):
            raise HalError("ValueError", f"pin({number}) mode invalid")
        pin = self.pins.setdefault(number, Pin())
        pad = self.fpioa.pads[number]
        if mode != -1:
            if mode == MODE_IN and pull != -1:
                mode = MODE_IN_UP if pull & _PULL_UP else MODE_IN_DOWN if pull & _PULL_DOWN else mode
            elif pull != -1:
                pad.pu, pad.pd = int(bool(pull & _PULL_UP)), int(bool(pull & _PULL_DOWN))
            self._set_mode(number, mode)
        if value != -1:
            pin.out = int(bool(value))
        if drive != -1:
            if not 0 < drive <= 15:
                raise HalError("ValueError", f"invalid drive {drive}")
            pad.ds = drive
        return said

    def _set_mode(self, number: int, mode: int) -> None:
        self.pins.setdefault(number, Pin()).mode = mode
        pad = self.fpioa.pads[number]
        pad.ie, pad.oe = 1, int(mode in (MODE_OUT, MODE_OPEN_DRAIN))
        if mode in (MODE_IN, MODE_IN_UP, MODE_IN_DOWN):
            pad.pu, pad.pd = int(mode == MODE_IN_UP), int(mode == MODE_IN_DOWN)

    def pin_set(self, number: int, value: int, is_checked: bool) -> str | None:
        """Set the output; a checked write to an input only prints a complaint, as on the board."""
        pin = self.pins[number]
        if is_checked and pin.mode != MODE_OUT:
            return f"pin({number}) is INPUT mode, can not set value"
        pin.out = int(bool(value))
        return None

    def pin_mode(self, number: int, mode: int | None) -> int | bool:
        """Pin.mode()."""
        if mode is None:
            return self.pins[number].mode
        if not 0 <= mode < len(_MODE_NAMES):
            return False
        self._set_mode(number, mode)
        return True

    def pin_pull(self, number: int, pull: int | None) -> int | None:
        """Pin.pull()."""
        pad = self.fpioa.pads[number]
        if pull is None:
            return (_PULL_UP * pad.pu | _PULL_DOWN * pad.pd) or _PULL_NONE
        pad.pu, pad.pd = (0, 0) if pull & _PULL_NONE else (int(bool(pull & _PULL_UP)), int(bool(pull & _PULL_DOWN)))
        pin = self.pins[number]
        if pin.mode in (MODE_IN, MODE_IN_UP, MODE_IN_DOWN):
            pin.mode = MODE_IN_UP if pad.pu else MODE_IN_DOWN if pad.pd else MODE_IN
        return None

    def pin_drive(self, number: int, drive: int | None) -> int | bool:
        """Pin.drive()."""
        pad = self.fpioa.pads[number]
        if drive is None:
            return pad.ds
        pad.ds = drive & 15
        return True

    def pin_listen(self, number: int, trigger: int | None) -> None:
        """Pin.irq(); None: no more."""
        self.pins[number].trigger = trigger
        if trigger is not None and trigger == (_HIGH if self.level(number) else _LOW):
            self._board.events.interrupt(number)

    def pad(self, pin: int, changes: dict[str, int] | None = None) -> dict[str, int]:
        """The electrical settings of a pad, after changes to them."""
        pad = self.fpioa.get(pin)
        for item, value in (changes or {}).items():
            setattr(pad, item, value)
        return {item: getattr(pad, item) for item in ("st", "ds", "pd", "pu", "oe", "ie", "msc")}

    # -- PWM, LED, ADC ------------------------------------------------------------------------------------------

    def pwm_channel(self, number: int) -> int:
        """The channel behind PWM(number): 0..5 itself, or a pin that can be one (which it then becomes)."""
        if 0 <= number < len(self.pwm):
            return number
        if 0 <= number < N_PINS:
            for function in PADS[number]:
                name = NAMES[function]
                if name.startswith("PWM"):
                    self.fpioa.set_function(number, function, {})
                    return int(name[3:])
        raise HalError("ValueError", f"invalid PWM channel or pin {number}")

    def pwm_set(self, number: int, freq: int, duty: float, is_on: bool | None) -> None:
        """Freq -1 and duty -1: leave. The channels 0..2 and 3..5 share their frequency."""
        channel = self.pwm[number]
        if freq != -1:
            if freq <= 0:
                raise HalError("ValueError", f"invalid PWM freq {freq}")
            for other in self.pwm[number // 3 * 3 : number // 3 * 3 + 3]:
                other.freq = freq
        if duty != -1:
            if not 0 <= duty <= 1:
                raise HalError("ValueError", "invalid PWM duty")
            channel.duty = duty
        if is_on is not None:
            channel.is_on = is_on

    def pwm_get(self, number: int) -> list[float]:
        """[freq, duty 0..1]."""
        return [self.pwm[number].freq, self.pwm[number].duty]

    def led(self, name: int | str) -> int:
        """The LED's place; ValueError for one that the board has not."""
        if name in _LED_NAMES:
            return _LED_NAMES.index(str(name))
        if isinstance(name, int) and 1 <= name <= len(_LED_NAMES):
            return name - 1
        raise HalError("ValueError", f"LED {name} does not exist: 1, 2, 3 or {', '.join(_LED_NAMES)}")

    def led_set(self, place: int, value: int) -> None:
        """Brightness 0..255."""
        self.leds[place] = min(255, max(0, value))

    def adc(self, channel: int) -> list[int]:
        """[raw 0..4095, microvolts] of a channel."""
        if not 0 <= channel < _ADC_CHANNELS:
            raise HalError("ValueError", f"invalid ADC channel {channel}: 0 to {_ADC_CHANNELS - 1}")
        microvolts = min(_ADC_FULL_UV, max(0, int(self.adc_uv[channel])))
        return [microvolts * _ADC_FULL // _ADC_FULL_UV, microvolts]

    # -- UART ---------------------------------------------------------------------------------------------------

    def _uart(self, number: int) -> Uart:
        if number not in self.uarts:
            raise HalError("ValueError", f"UART({number}) is not free: use UART.UART1, UART.UART2 or UART.UART4")
        return self.uarts[number]

    def uart_open(self, number: int, is_open: bool) -> None:
        """Open or close."""
        self._uart(number).is_open = is_open

    def uart_write(self, number: int, blob: memoryview) -> int:
        """Send; what was sent is kept for whoever looks. With RX and TX of one UART joined it would come back; nothing is."""
        uart = self._uart(number)
        if not uart.is_open:
            raise HalError("OSError", 9)
        uart.sent += blob
        del uart.sent[: -(1 << 16)]
        return len(blob)

    def uart_read(self, number: int, n: int, timeout_ms: int, until_line: bool) -> Reply:
        """At most n bytes (-1: all), waiting up to timeout_ms for them; a line ends a wait for a line."""
        uart = self._uart(number)
        if not uart.is_open:
            raise HalError("OSError", 9)
        deadline = time.monotonic() + timeout_ms / 1000
        while True:
            found = uart.received.find(b"\n") + 1 if until_line else 0
            left_ms = (deadline - time.monotonic()) * 1000
            if found or left_ms <= 0 or (n >= 0 and len(uart.received) >= n):
                break
            self._board.wait_fds({}, min(left_ms, 20))
        n = found or (len(uart.received) if n < 0 else n)
        data = bytes(uart.received[:n])
        del uart.received[:n]
        return Reply(None, data)

    def uart_any(self, number: int) -> int:
        """Bytes that wait to be read."""
        return len(self._uart(number).received)

    # -- watchdog, clock, FFT -----------------------------------------------------------------------------------

    def start_watchdog(self, timeout_s: float) -> None:
        """Bite after timeout_s without feeding: the board resets."""
        self.stop_watchdog()
        self._watchdog_s = timeout_s
        self.feed_watchdog()
        self._arm(timeout_s)

    def _arm(self, after_s: float) -> None:
        self._watchdog = threading.Timer(after_s, self._bite)
        self._watchdog.daemon = True
        self._watchdog.start()

    def feed_watchdog(self) -> None:
        """Put the bite off."""
        self._watchdog_due = time.monotonic() + self._watchdog_s

    _watchdog_s = 0.0

    def _bite(self) -> None:
        if self._watchdog is None:
            return
        left_s = self._watchdog_due - time.monotonic()
        if left_s > 0:
            self._arm(left_s)
            return
        self._watchdog = None
        logger.warning("the watchdog was not fed for %s s: the board resets", self._watchdog_s)
        self._board.reset(hard=True)

    def stop_watchdog(self) -> None:
        """Close it, as the end of the script does (auto_close)."""
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.cancel()

    def clock_offset(self, offset_s: int | None) -> int:
        """Seconds that the board's clock is ahead of the PC's; RTC sets it, ntp_sync() makes it 0."""
        if offset_s is not None:
            self._clock_offset_s = offset_s
        return self._clock_offset_s

    def fft(self, points: int, shift: int, blob: memoryview) -> list[list[int]]:
        """Forward transform of int16 samples in 16-bit fixed point: each set bit of shift halves one stage.

        Returns:
            `points` pairs [real, imaginary], clipped to int16. Rounding may differ from the hardware's by one.
        """
        if points not in _FFT_POINTS:
            raise HalError("ValueError", "[CANMV]FFT:invalid points")
        if len(blob) % 4:
            raise HalError("ValueError", "[CANMV]FFT:Buffer length must be a multiple of 4")
        samples = np.zeros(points)
        given = np.frombuffer(blob, "<i2")[:points]
        samples[: len(given)] = given
        halvings = bin(shift & (points - 1)).count("1")
        spectrum = np.fft.fft(samples) / (1 << halvings)
        real = np.clip(np.rint(spectrum.real), -32768, 32767).astype(int)
        imaginary = np.clip(np.rint(spectrum.imag), -32768, 32767).astype(int)
        return [[int(a), int(b)] for a, b in zip(real, imaginary, strict=True)]

    # -----------------------------------------------------------------------------------------------------------

    def register(self, hal: Hal) -> None:
        """Answer the operations of canmv/machine/."""
        for name in ("pin_open", "pin_set", "pin_mode", "pin_pull", "pin_drive", "pin_listen", "pad", "pwm_channel",
                     "pwm_set", "pwm_get", "led", "led_set", "adc", "uart_open", "uart_write", "uart_read", "uart_any",
                     "start_watchdog", "feed_watchdog", "stop_watchdog", "clock_offset", "fft"):  # fmt: skip
            hal.op(f"hw.{name}", getattr(self, name))
        hal.op("hw.pin_get", self.level)
        hal.op("fpioa.names", lambda: list(NAMES[: NUMBERS["CTRL_O2_3D"] + 1]))
        hal.op("fpioa.set", self.fpioa.set_function)
        hal.op("fpioa.pin_of", self.fpioa.pin_of)
        hal.op("fpioa.function_of", self.fpioa.function_of)
        hal.op("fpioa.help", self.fpioa.help)
        hal.op("event.start_timer", self._board.events.start_timer)
        hal.op("event.stop_timer", self._board.events.stop_timer)
        hal.op("event.take", self._board.events.take)
