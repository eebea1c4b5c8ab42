"""When a kmodel may go to the boards: what it loses against the float model on the same pictures, and how sure that is. Pure, no I/O.

A rung of the ladder has passed when no judged metric lost more than the limit, has failed when it certainly did (the whole 95 % interval
lies above), and is undecided between. The gate then looks at more pictures, climbs on, and at the top takes the best rung. That one is
let through only where its loss rests on a single picture, because then the pictures are too few to tell (docs/decisions/0019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .confidence import POINTS, Interval, Tally, loss_intervals
from .run_report import FORCED, PASSED, REFUSED, UNDECIDED, RungTried
from .scores import JUDGED

FAILED = "failed"  # of a rung; PASSED and UNDECIDED are words for rungs and for the gate's last word
NO_KMODEL = "no kmodel"
SETTINGS: Mapping[str, str] = {
    "gate": "limit_points",
    "gate_images": "images",
    "gate_seconds": "budget_s",
    "force": "force",
}
"""What `--set` and the API call the gate's fields (domain.training_parameters)."""
_SLACK = 1e-9
_LEAST_SCORE = 0.02  # of a float model: below it minutes of compiling and simulating would be for nothing


@dataclass(frozen=True)
class Judgement:
    """What the pictures say of one kmodel.

    Attributes:
        outcome: PASSED, UNDECIDED or FAILED.
        lost: the largest loss of a judged metric, 0…1; negative when it gained.
        rests_on_one: without one of the pictures the loss would be within the limit.
        losses: all metrics.
    """

    outcome: str
    lost: float
    rests_on_one: bool
    losses: Mapping[str, Interval] = field(repr=False)


def judge(task: str, float_tally: Tally, kmodel_tally: Tally, limit: float) -> Judgement:
    """Float and kmodel on the same pictures.

    Args:
        task: says which metrics count.
        float_tally: the float model's answers.
        kmodel_tally: the kmodel's.
        limit: of the loss, 0…1.
    """
    losses = loss_intervals(float_tally, kmodel_tally)
    judged = [losses[name] for name in JUDGED[task]]
    lost = max(one.value for one in judged)
    if lost <= limit + _SLACK:
        return Judgement(PASSED, lost, False, losses)
    outcome = FAILED if any(one.low > limit for one in judged) else UNDECIDED
    return Judgement(outcome, lost, _rests_on_one(JUDGED[task], float_tally, kmodel_tally, limit), losses)


def _rests_on_one(metrics: Sequence[str], float_tally: Tally, kmodel_tally: Tally, limit: float) -> bool:
    pictures = float_tally.pictures
    if pictures < 2:
        return True
    without = np.ones((pictures, pictures)) - np.eye(pictures)  # row by row, each picture left out once
    worst = np.full(pictures, -np.inf)
    floats = kmodels = None
    for name in metrics:
        if name in float_tally.shares:
            lost = float_tally.shares[name].astype(float) - kmodel_tally.shares[name]
            if len(lost) < 2 or (lost.sum() - 1) / (len(lost) - 1) > limit + _SLACK:
                return len(lost) < 2
            continue
        if floats is None or kmodels is None:
            floats, kmodels = float_tally.resample(without), kmodel_tally.resample(without)
        worst = np.maximum(worst, floats[name] - kmodels[name])
    return bool(worst.min() <= limit + _SLACK)


def choose(rungs: Sequence[RungTried], force: bool = False) -> tuple[int, str]:
    """Which of the tried rungs to take, by its place, and the gate's last word: PASSED, UNDECIDED, FORCED or REFUSED.

    Args:
        rungs: in the order of trying; at least one brought a kmodel.
        force: take the best one when none may pass.
    """
    places = [place for place, rung in enumerate(rungs) if rung.outcome != NO_KMODEL]
    passed = [place for place in places if rungs[place].passed]
    if passed:
        return passed[0], PASSED
    excused = [place for place in places if rungs[place].outcome == UNDECIDED and rungs[place].rests_on_one]
    best = min(excused or places, key=lambda place: rungs[place].lost)
    return best, UNDECIDED if excused else FORCED if force else REFUSED


def finds_nothing(float_scores: Mapping[str, float]) -> bool:
    """Whether a float model with these scores (metric name → 0…1) has learnt next to nothing: there is no loss to judge."""
    return max(float_scores.values()) < _LEAST_SCORE


def points(share: float) -> str:
    """A share in points, for people: "1" or "0.5"."""
    return f"{POINTS * share:.3g}"


def split_settings(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters of the training alone, and the gate's among them under the names of job.json's "gate"."""
    training = {name: value for name, value in parameters.items() if name not in SETTINGS}
    return training, {SETTINGS[name]: value for name, value in parameters.items() if name in SETTINGS}
