"""Faults on demand: one list of names for the Python API, the command line (`--fault NAME=VALUE`) and HTTP.

`board.faults.set("card.power_cut", 3)`, `board.faults.clear("card.power_cut")`, `board.faults.state()`.
Faults of the world (card, cable, Wi-Fi) stay until cleared; faults that count (kpu, camera) are over when used up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong.

    Attributes:
        name: as in `--fault NAME=VALUE`.
        unit: what VALUE is; "" for a switch.
        default: VALUE when none is given.
        text: one line for people.
    """

    name: str
    unit: str
    default: float
    text: str


CATALOGUE = (
    Fault("card.power_cut", "writes", 1, "the power goes at the N-th write from now; half of its bytes reach the card"),
    Fault("card.full", "bytes free", 0, "so many bytes are free on /sdcard and /data: OSError 28"),
    Fault("card.read_only", "", 1, "nothing can be changed on the card: OSError 30"),
    Fault("usb.unplugged", "", 1, "the cable is out"),
    Fault("usb.no_dtr", "", 1, "the PC holds the port open without DTR: the board sends nothing"),
    Fault("usb.rtt_ms", "ms", 20, "round-trip time of the cable"),
    Fault("usb.drop", "probability per byte", 0.001, "bytes get lost, both ways"),
    Fault("usb.flip", "probability per byte", 0.001, "one bit of a byte is turned over, both ways"),
    Fault("usb.duplicate", "probability per byte", 0.001, "bytes arrive twice, both ways"),
    Fault("usb.delay_ms", "ms", 50, "packets are held back for up to so long"),
    Fault("usb.seed", "number", 1, "decides which bytes are hit"),
    Fault("wifi.off", "", 1, "the access point is off: links break, joining fails"),
    Fault("wifi.join_s", "seconds", 10, "joining takes so long"),
    Fault("wifi.slow_start_s", "seconds", 15, "a new link carries 5 KB/s for so long"),
    Fault("wifi.bytes_per_s", "bytes/s", 50_000, "the link carries no more than this"),
    Fault("kpu.load", "times", 1, "the next N kmodels do not load: EOFError"),
    Fault("kpu.run", "times", 1, "the next N runs of the KPU fail: RuntimeError"),
    Fault("camera.timeout", "times", 1, "the next N snapshots wait for a second and fail: RuntimeError"),
    Fault("camera.absent", "times", 1, "the next N times a Sensor is made no camera answers: RuntimeError"),
    Fault("touch.open", "times", 1, "the next N times a TOUCH is made no panel answers: RuntimeError"),
    Fault("touch.read", "times", 1, "the next N reads of the touch panel fail: RuntimeError"),
    Fault("heap.left", "bytes", 16384, "the script's heap is filled up to so many free bytes: MemoryError"),
)
BY_NAME = {fault.name: fault for fault in CATALOGUE}


def parse(text: str) -> tuple[str, float]:
    """("card.power_cut", 3.0) from "card.power_cut=3"; without "=VALUE" the fault's default.

    Raises:
        ValueError: no such fault, or VALUE is not a number of 0 or more.
    """
    name, given, value = text.partition("=")
    fault = BY_NAME.get(name)
    if fault is None:
        raise ValueError(f"no fault is called {name!r}: use {', '.join(BY_NAME)}")
    if not given:
        return name, fault.default
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not number >= 0 or number == float("inf"):
        raise ValueError(f"fault {name}={value}: VALUE is a number of 0 or more ({fault.unit or '1: on, 0: off'})")
    if fault.unit.startswith("probability") and number > 1:
        raise ValueError(f"fault {name}={value}: VALUE is a {fault.unit}, 0 to 1")
    return name, number


class Faults:
    """What is wrong with one board."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self._values: dict[str, float] = {}
        self._set: dict[str, Callable[[float | None], None]] = {
            "card.power_cut": self._power_cut,
            "card.full": lambda value: board.card.leave_free(None if value is None else int(value)),
            "card.read_only": lambda value: setattr(board.card, "is_read_only", bool(value)),
            "usb.unplugged": lambda value: board.usb.set_plugged(not value),
            "usb.no_dtr": lambda value: setattr(board.usb, "dtr", not value),
            "usb.rtt_ms": lambda value: setattr(board.usb, "rtt_ms", value or 0.0),
            "wifi.off": lambda value: board.network.set_up(not value),
            "wifi.join_s": lambda value: setattr(board.network, "join_s", value or 0.0),
            "wifi.slow_start_s": lambda value: setattr(board.network, "slow_start_s", value or 0.0),
            "wifi.bytes_per_s": lambda value: setattr(board.network, "bytes_per_s", value or 0.0),
            "heap.left": self._heap_left,
        }
        for name in ("drop", "flip", "duplicate", "delay_ms"):
            self._set[f"usb.{name}"] = lambda value, name=name: setattr(board.usb.faults, name, value or 0.0)  # type: ignore[misc]
        self._set["usb.seed"] = lambda value: setattr(board.usb.faults, "seed", int(value or 1))

    def set(self, name: str, value: float | None = None) -> None:
        """Switch a fault on; value: see CATALOGUE, its default when None. A switch set to 0 is off.

        Raises:
            ValueError: no such fault, or a value below 0.
        """
        name, number = parse(name if value is None else f"{name}={value}")
        apply = self._set.get(name)
        if apply is not None:
            apply(number)
        self._values[name] = number
        if not BY_NAME[name].unit and not number:
            self._values.pop(name)

    def clear(self, name: str) -> None:
        """Switch one off; one that is not on is fine.

        Raises:
            ValueError: no such fault.
        """
        parse(name)
        if self._values.pop(name, None) is not None and name in self._set:
            self._set[name](None)

    def clear_all(self) -> None:
        """Switch all off."""
        for name in list(self._values):
            self.clear(name)

    def take(self, name: str) -> bool:
        """Does the counting fault strike now? Uses it up by one."""
        left = self._values.get(name, 0)
        if left < 1:
            return False
        self._values[name] = left - 1
        if left <= 1:
            self._values.pop(name)
        return True

    def state(self) -> dict[str, float]:
        """Faults that are on, with their values; counting ones with what is left."""
        if self._board.card.cut_at_write is None:
            self._values.pop("card.power_cut", None)
        return dict(self._values)

    def forget_heap(self) -> None:
        """A reset gives the script a fresh heap."""
        self._values.pop("heap.left", None)

    def _power_cut(self, writes: float | None) -> None:
        card = self._board.card
        card.cut_at_write = None if writes is None else card.n_writes + max(1, int(writes))

    def _heap_left(self, n_bytes: float | None) -> None:
        self._board.events.fill_heap(-1 if n_bytes is None else int(n_bytes))
        self._board.wake()
