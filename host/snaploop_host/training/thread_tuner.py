"""How many threads to compute with, found while training: all cores on a quiet machine, fewer on a busy one.

A training step is a thousand short parallel pieces with a barrier after each. When another program takes one of the cores, every
barrier waits for the thread that was put aside: measured on two cores with one busy neighbour, two threads are ten times slower
than none at all taken away, and five times slower than one thread. So the number is tried out again and again.
Called by `detection_trainer` around every batch. Standard library only; the clock and the switch are handed in.
"""

from __future__ import annotations

from collections.abc import Callable

PROBE_EVERY_STEPS = 15  # two probe steps in seventeen cost a few percent at worst
PROBE_STEPS = 2  # the first step after a switch starts threads or wakes them; the better of two counts
SURPRISE = 2.5  # a step this much slower than usual means that the load changed: probe at once
FORGET = 0.3  # weight of the newest step in a choice's average


class ThreadTuner:
    """Chooses among 1, half the cores and all cores by the seconds a picture takes with each."""

    def __init__(self, cores: int, set_threads: Callable[[int], None], fixed: int | None = None) -> None:
        """Start with all cores (or `fixed`, for runs that must repeat to the last digit) and set them."""
        self.choices = [fixed] if fixed else sorted({1, max(1, cores // 2), cores}, reverse=True)
        self.set_threads = set_threads
        self.seconds: dict[int, float] = {}
        self.steps_with = dict.fromkeys(self.choices, 0)
        self.current = self.choices[0]
        self._probing: list[int] = []
        self._samples: list[float] = []
        self._since_probe = 0
        self.set_threads(self.current)

    def step_done(self, seconds: float, pictures: int) -> None:
        """Learn from one step with the current number, and choose the number for the next."""
        cost = seconds / max(1, pictures)
        self.steps_with[self.current] += 1
        self._samples.append(cost)
        if self._probing:
            if len(self._samples) >= PROBE_STEPS:
                self.seconds[self.current] = min(self._samples)
                self._probing.pop(0)
                self._use(self._probing[0] if self._probing else self.preferred)
            return
        usual = self.seconds.get(self.current)
        self.seconds[self.current] = cost if usual is None else (1 - FORGET) * usual + FORGET * cost
        self._since_probe += 1
        surprised = usual is not None and cost > SURPRISE * usual and self._since_probe > PROBE_STEPS
        if len(self.choices) > 1 and (surprised or self._since_probe >= PROBE_EVERY_STEPS):
            self._since_probe = 0
            self._probing = [choice for choice in self.choices if choice != self.current]
            self._use(self._probing[0])

    @property
    def preferred(self) -> int:
        """The number that was quickest when last tried; `current` differs from it only while another is tried."""
        return min(self.choices, key=lambda choice: self.seconds.get(choice, float("inf")))

    def _use(self, threads: int) -> None:
        self._samples = []
        if threads != self.current:
            self.current = threads
            self.set_threads(threads)
