"""How many pictures the slow simulator may see, and how sure the gate can be with them. Pure, no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .confidence import POINTS, Z

# As if one picture in a hundred changed from right to wrong: √0.01. In simulated detections mAP50-95 has 0.06 where boxes only
# tremble, 0.09 with 2 % ruined pictures, 0.2 with 15 %. Used until a run has measured its own.
USUAL_SPREAD = 0.1


@dataclass(frozen=True)
class SimulatorBudget:
    """What the simulator may take and what it needs.

    Attributes:
        seconds: allowed wall time.
        seconds_per_picture: of one process, measured on this machine.
        workers: processes that simulate side by side.
        start_seconds: before the first picture, once.
    """

    seconds: float
    seconds_per_picture: float
    workers: int = 1
    start_seconds: float = 0.0

    def pictures(self, available: int) -> int:
        """As many as fit, at least one, at most those available."""
        rounds = math.floor((self.seconds - self.start_seconds) / self.seconds_per_picture + 1e-9)
        return max(1, min(available, rounds * self.workers))

    def needed_seconds(self, pictures: int) -> float:
        """Wall time that so many pictures take."""
        return self.start_seconds + math.ceil(pictures / self.workers) * self.seconds_per_picture


@dataclass(frozen=True)
class SimulatorPlan:
    """How many of the available pictures to simulate, the wall time, and the half-width to expect of the loss's 95 % interval."""

    pictures: int
    available: int
    seconds: float
    half_width: float

    def text(self) -> str:
        """For people: "24 of 180 pictures in the simulator, about 36 s; the loss will be known within ±2.0 points"."""
        return (
            f"{self.pictures} of {self.available} pictures in the simulator, about {self.seconds:.0f} s; "
            f"the loss will be known within ±{POINTS * self.half_width:.1f} points"
        )


def plan_pictures(budget: SimulatorBudget, available: int, spread: float = USUAL_SPREAD) -> SimulatorPlan:
    """The most pictures that fit into the budget.

    Args:
        budget: time.
        available: validation pictures.
        spread: `Interval.spread` of an earlier run's loss, where there is one.

    Raises:
        ValueError: there are no pictures.
    """
    if available < 1:
        raise ValueError("no validation picture to simulate: label some, or move labelled pictures to validation")
    chosen = budget.pictures(available)
    return SimulatorPlan(chosen, available, budget.needed_seconds(chosen), expected_half_width(chosen, spread))


def expected_half_width(pictures: int, spread: float = USUAL_SPREAD) -> float:
    """Half-width of the 95 % interval that so many pictures give, when one picture's loss spreads so much."""
    return Z * spread / math.sqrt(pictures)


def pictures_for(half_width: float, spread: float = USUAL_SPREAD) -> int:
    """How many pictures an interval of this half-width takes."""
    return max(1, math.ceil((Z * spread / half_width) ** 2 - 1e-9))
