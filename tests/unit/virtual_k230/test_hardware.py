"""Pins, pads, PWM, LEDs, UARTs, timers and the transform, without an interpreter."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from virtual_k230.events import EventQueue
from virtual_k230.fpioa import NAMES, NUMBERS, PADS, Fpioa
from virtual_k230.hal import HalError
from virtual_k230.hardware import MODE_IN, MODE_OUT, Hardware
from virtual_k230.system import rotate_touch


class Board:
    """What Hardware needs of a board."""

    def __init__(self) -> None:
        self.events = EventQueue()
        self.was_reset = False

    def wake(self) -> None:
        """Nobody waits here."""

    def wait_fds(self, fds: dict[int, int], timeout_ms: float) -> list[Any]:
        """Wait."""
        time.sleep(timeout_ms / 1000)
        return []

    def reset(self, hard: bool) -> None:
        """Note it."""
        self.was_reset = hard


@pytest.fixture
def hardware() -> Hardware:
    return Hardware(Board())


def test_a_pin_goes_where_its_function_goes(hardware: Hardware) -> None:
    fpioa = hardware.fpioa
    fpioa.set_function(42, NUMBERS["PWM0"], {})
    fpioa.set_function(54, NUMBERS["PWM0"], {"ds": 3})
    assert NAMES[fpioa.function_of(42)] == "GPIO42"
    assert fpioa.pin_of(NUMBERS["PWM0"]) == 54
    assert fpioa.get(54).ds == 3
    assert fpioa.pin_of(NUMBERS["PWM5"]) is None


def test_the_pad_table_has_every_pad_once() -> None:
    assert len(PADS) == 72
    assert [NAMES[functions[0]] for functions in PADS] == [f"GPIO{n}" for n in range(72)]
    assert all(len(functions) <= 5 for functions in PADS)


@pytest.mark.parametrize(
    ("arguments", "name", "text"),
    [
        ((99, 0), "ValueError", "invalid pin number 99"),
        ((1, 999), "ValueError", "invalid func 999"),
        ((1, NUMBERS["PWM0"]), "RuntimeError", "set pin func failed"),
    ],
)
def test_functions_that_a_pad_cannot_have(arguments: tuple[int, int], name: str, text: str) -> None:
    with pytest.raises(HalError) as failure:
        Fpioa().set_function(*arguments, {})
    assert (failure.value.name, failure.value.error_args) == (name, (text,))


def test_help_shows_one_pad_one_function_and_all() -> None:
    fpioa = Fpioa()
    assert "PIN42, PIN54, PIN60" in fpioa.help(NUMBERS["PWM0"], True)
    assert "GPIO42/UART1_RTS/PWM0/QSPI1_D2/RESV" in fpioa.help(42, False)
    assert fpioa.help(-1, False).count("\r\n") == 74


def test_outputs_inputs_and_keys(hardware: Hardware) -> None:
    hardware.pin_open(5, MODE_OUT, -1, 1, -1)
    assert hardware.level(5) == 1
    hardware.pin_open(21, MODE_IN, 8, -1, -1)
    assert hardware.level(21) == 1
    hardware.pin_listen(21, 1)
    hardware.drive(21, 0)
    assert hardware.level(21) == 0
    assert hardware._board.events.take() == [["pin", 21]]
    hardware.drive(21, None)
    assert hardware._board.events.take() == []
    assert hardware.state()["pins"]["21"] == {
        "mode": "in, pull-up", "level": 1, "function": "GPIO21", "driven": None
    }  # fmt: skip
    assert hardware.pin_set(21, 1, True) == "pin(21) is INPUT mode, can not set value"
    with pytest.raises(ValueError, match="pin 72"):
        hardware.drive(72, 1)


def test_a_used_pad_becomes_gpio_with_a_notice(hardware: Hardware) -> None:
    hardware.fpioa.set_function(42, NUMBERS["PWM0"], {})
    said = hardware.pin_open(42, MODE_OUT, -1, -1, -1)
    assert said == [f"pin(42) is not a GPIO pin, func={NUMBERS['PWM0']}, Please notice it."]
    assert hardware.fpioa.function_of(42) == 42


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((80, 0, -1, -1, -1), "pin(80) invalid"),
        ((1, 9, -1, -1, -1), "pin(1) mode invalid"),
        ((1, 0, -1, -1, 16), "invalid drive 16"),
    ],
)
def test_pin_errors(hardware: Hardware, arguments: tuple[int, ...], text: str) -> None:
    with pytest.raises(HalError) as failure:
        hardware.pin_open(*arguments)
    assert failure.value.error_args == (text,)


def test_pwm_channels_share_frequencies_in_threes(hardware: Hardware) -> None:
    assert hardware.pwm_channel(47) == 3
    hardware.pwm_set(3, 500, 0.25, True)
    assert hardware.pwm_get(5) == [500, 0.5]
    assert hardware.pwm_get(2) == [1000, 0.5]
    assert hardware.state()["pwm"] == {"3": {"freq_hz": 500, "duty_percent": 25.0}}
    with pytest.raises(HalError):
        hardware.pwm_channel(2000)
    with pytest.raises(HalError):
        hardware.pwm_set(0, -1, 1.5, None)


def test_leds_adc_and_uart(hardware: Hardware) -> None:
    hardware.led_set(hardware.led("LED_GREEN"), 300)
    assert hardware.state()["leds"] == {"red": 0, "green": 255, "blue": 0}
    hardware.adc_uv[3] = 900_000
    assert hardware.adc(3) == [2047, 900_000]
    hardware.uart_open(1, True)
    assert hardware.uart_write(1, memoryview(b"out")) == 3
    assert hardware.uarts[1].sent == b"out"
    hardware.uart_feed(1, b"line\nrest")
    assert hardware.uart_read(1, -1, 0, True).blob == b"line\n"
    assert hardware.uart_read(1, 2, 0, False).blob == b"re"
    assert hardware.uart_read(1, 10, 1, False).blob == b"st"
    for wrong in (lambda: hardware.led(4), lambda: hardware.adc(6), lambda: hardware.uart_open(3, True)):
        with pytest.raises(HalError):
            wrong()


def test_timers_fire_once_or_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("virtual_k230.events.time", SimpleNamespace(monotonic=lambda: now_s))
    events = EventQueue()
    events.start_timer(1, 5, True)
    events.start_timer(2, 5, False)
    assert not events.is_due()
    assert 0 < events.ms_to_next() <= 5
    now_s += 0.021
    assert events.is_due()
    assert events.take() == [["timer", 1], ["timer", 2]]
    assert events.take() == []
    now_s += 0.006
    assert events.take() == [["timer", 1]]
    events.stop_timer(1)
    assert events.ms_to_next() == float("inf")


def test_the_watchdog_bites_unless_it_is_fed(hardware: Hardware) -> None:
    hardware.start_watchdog(2.0)
    fed_at, was_fed_late = time.monotonic(), False
    for _ in range(4):
        time.sleep(0.6)
        hardware.feed_watchdog()
        now = time.monotonic()
        was_fed_late, fed_at = was_fed_late or now - fed_at > 1.9, now  # on a machine that stood still it may bite
    assert was_fed_late or not hardware._board.was_reset
    hardware._board.was_reset = False
    hardware.start_watchdog(0.5)
    deadline = time.monotonic() + 180
    while not hardware._board.was_reset:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    hardware._board.was_reset = False
    hardware.start_watchdog(1.0)
    hardware.stop_watchdog()
    time.sleep(1.1)
    assert not hardware._board.was_reset


@pytest.mark.parametrize(("points", "shift"), [(64, 0), (256, 0b1010), (4096, 0xAAA)])
def test_the_transform_is_numpys(hardware: Hardware, points: int, shift: int) -> None:
    samples = (np.sin(np.arange(points) * 0.3) * 300).astype("<i2")
    got = np.array(hardware.fft(points, shift, memoryview(samples.tobytes())))
    expected = np.fft.fft(samples) / 2 ** bin(shift).count("1")
    assert np.abs(got[:, 0] - np.clip(expected.real, -32768, 32767)).max() <= 0.5 + 1e-6
    assert np.abs(got[:, 1] - np.clip(expected.imag, -32768, 32767)).max() <= 0.5 + 1e-6


def test_transform_errors(hardware: Hardware) -> None:
    for points, n_bytes, text in ((65, 128, "[CANMV]FFT:invalid points"), (64, 6, "multiple of 4")):
        with pytest.raises(HalError) as failure:
            hardware.fft(points, 0, memoryview(bytes(n_bytes)))
        assert text in failure.value.error_args[0]


def test_touch_rotation_follows_the_driver() -> None:
    # a landscape screen of 800 x 480 on a portrait panel of 480 x 800: the driver's own rotation is 90 degrees
    for x, y in ((0, 0), (799, 479), (123, 45)):
        assert rotate_touch(x, y, 1, 800, 480) == [x, y]
        raw_x, raw_y = rotate_touch(x, y, 0, 800, 480)
        assert 0 <= raw_x < 480 and 0 <= raw_y < 800
        assert rotate_touch(x, y, 2, 800, 480) == [479 - raw_x, 799 - raw_y]
        assert rotate_touch(x, y, 3, 800, 480) == [raw_y, 479 - raw_x]
        assert rotate_touch(x, y, 4, 800, 480) == [raw_y, raw_x]
