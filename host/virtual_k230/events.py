"""Timers and pin interrupts of the virtual board: when a callback of the script is due.

The script's side (canmv/_hal.py) runs callbacks between two hardware calls and inside sleeps: a flag in each reply says
that something is due. Other threads (the page, tests) may call `interrupt`.
"""

from __future__ import annotations

import collections
import time
from dataclasses import dataclass


@dataclass
class _Timer:
    due: float
    period_s: float | None


class EventQueue:
    """What is due, and when the next thing will be."""

    def __init__(self) -> None:
        self._timers: dict[int, _Timer] = {}
        self._interrupts: collections.deque[int] = collections.deque(maxlen=64)
        self._next_due = float("inf")
        self._heap_left: int | None = None

    def start_timer(self, number: int, period_ms: float, is_periodic: bool) -> None:
        """(Re)start a timer."""
        period_s = period_ms / 1000
        self._timers[number] = _Timer(time.monotonic() + period_s, period_s if is_periodic else None)
        self._notice()

    def stop_timer(self, number: int) -> None:
        """Stop it; a stopped or unknown one is fine."""
        self._timers.pop(number, None)
        self._notice()

    def interrupt(self, pin: int) -> None:
        """An edge or level at a pin that the script listens to; the oldest of more than 64 are lost."""
        self._interrupts.append(pin)

    def fill_heap(self, left_bytes: int) -> None:
        """Let the script's side fill its heap up to so many free bytes; -1: give all of that back."""
        self._heap_left = left_bytes

    def clear(self) -> None:
        """Forget everything (reset, end of a script)."""
        self._timers.clear()
        self._interrupts.clear()
        self._notice()

    def _notice(self) -> None:
        self._next_due = min((timer.due for timer in self._timers.values()), default=float("inf"))

    def is_due(self) -> bool:
        """Is there a callback to run? Asked after every hardware call, so it is quick."""
        return bool(self._interrupts) or self._heap_left is not None or time.monotonic() >= self._next_due

    def ms_to_next(self) -> float:
        """Milliseconds until a timer is due; infinite without timers."""
        return max(0.0, (self._next_due - time.monotonic()) * 1000)

    def take(self) -> list[list[object]]:
        """What is due now, as ["pin", number], ["timer", number] and ["heap", bytes that shall be left].

        A timer that missed periods fires once.
        """
        due: list[list[object]] = []
        if self._heap_left is not None:
            due.append(["heap", self._heap_left])
            self._heap_left = None
        while self._interrupts:
            due.append(["pin", self._interrupts.popleft()])
        now = time.monotonic()
        for number, timer in sorted(self._timers.items(), key=lambda item: item[1].due):
            if timer.due > now:
                continue
            due.append(["timer", number])
            if timer.period_s is None:
                del self._timers[number]
            else:
                timer.due += timer.period_s * (1 + int((now - timer.due) / timer.period_s))
        self._notice()
        return due
