"""How many threads to compute with, found while training: all cores on a quiet machine, fewer on a busy one.

A training step is a thousand short parallel pieces with a barrier after each. When another program takes one of the cores, every
barrier waits for the thread that was put aside. Measured on two cores (yolov8n, 8 pictures of 320×192): quiet, 0.15 s a step with two
threads and 0.22 with one; with two or three busy neighbours 2.2 s with two threads
and 0.35 with one. So the number is tried out again and again, a number that was much worse ever more rarely.
Called by `detection_trainer` around every batch. Standard library only; the switch is handed in.
"""

from __future__ import annotations

from collections.abc import Callable

PROBE_EVERY_STEPS = 16
FIRST_PROBE_STEP = 3  # the very first step is slow with any number
LONGEST_INTERVAL_STEPS = 256
PROBE_STEPS = 2  # the first step after a switch starts or wakes threads; the better of two counts
MUCH_WORSE = (
    2.0  # a probe this much slower than usual ends after its first step, and the next comes after twice the time
)
SURPRISE = 2.5  # a step this much slower than usual means that the load changed: probe at once
FORGET = 0.3  # weight of the newest step in a choice's average


class ThreadTuner:
    """Chooses among 1, half the cores and all cores by the seconds a picture takes with each."""

    def __init__(self, cores: int, set_threads: Callable[[int], None], fixed: int | None = None) -> None:
        """Start with one thread, the number that no neighbour can spoil, or `fixed` for runs that must repeat to the last digit."""
        self.choices = [fixed] if fixed else sorted({1, max(1, cores // 2), cores})
        self.set_threads = set_threads
        self.seconds: dict[int, float] = {}
        self.steps_with = dict.fromkeys(self.choices, 0)
        self.current = self.preferred = self.choices[0]
        self._interval = dict.fromkeys(self.choices, PROBE_EVERY_STEPS)
        self._due = dict.fromkeys(self.choices, FIRST_PROBE_STEP)
        self._step = 0
        self._samples: list[float] = []
        self.set_threads(self.current)

    def step_done(self, seconds: float, pictures: int) -> None:
        """Learn from one step with the current number, and choose the number for the next."""
        cost = seconds / max(1, pictures)
        self._step += 1
        self.steps_with[self.current] += 1
        if self.current == self.preferred:
            usual = self.seconds.get(self.current)
            self.seconds[self.current] = cost if usual is None else (1 - FORGET) * usual + FORGET * cost
            if usual is not None and cost > SURPRISE * usual:
                self._due = {choice: min(due, self._step) for choice, due in self._due.items()}
        else:
            self._samples.append(cost)
            hopeless = cost > MUCH_WORSE * self.seconds[self.preferred]
            if len(self._samples) < PROBE_STEPS and not hopeless:
                return
            self._judge_probe(hopeless)
        due = [choice for choice in self.choices if choice != self.preferred and self._due[choice] <= self._step]
        self._use(due[0] if due else self.preferred)

    def _judge_probe(self, hopeless: bool) -> None:
        tried, self.seconds[self.current] = self.current, min(self._samples)
        self._interval[tried] = (
            min(2 * self._interval[tried], LONGEST_INTERVAL_STEPS) if hopeless else PROBE_EVERY_STEPS
        )
        self._due[tried] = self._step + self._interval[tried]
        if self.seconds[tried] < self.seconds[self.preferred]:
            self._due[self.preferred] = self._step + PROBE_EVERY_STEPS
            self.preferred = tried

    def _use(self, threads: int) -> None:
        self._samples = []
        if threads != self.current:
            self.current = threads
            self.set_threads(threads)
