"""What a score threshold would give: precision, recall and F1 along it, and the threshold to recommend. Pure NumPy, no I/O.

Used by the metrics of every task whose answers carry a score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .geometry import FloatArray
from .scores import ThresholdPoint

GRID = np.linspace(0, 1, 1000)  # where curves are computed and the best threshold is looked for
KEPT = np.linspace(0, 1, 101)  # what a Score keeps of them: enough for a chart
PLATEAU = 0.99  # thresholds whose F1 is within 1 % of the best count as equally good
UNDECIDED = 0.25  # recommended when no threshold finds anything


def f1_of(precision: FloatArray, recall: FloatArray) -> FloatArray:
    """Harmonic mean, 0 where both are 0."""
    mean: FloatArray = 2 * precision * recall / np.maximum(precision + recall, 1e-16)
    return mean


def precision_recall(hit_scores: FloatArray, all_scores: FloatArray, total: float) -> tuple[FloatArray, FloatArray]:
    """Precision and recall over GRID, (1000,) each, by counting; the precision is 1 where no answer is left.

    Args:
        hit_scores: of the right answers.
        all_scores: of all answers, the right ones included.
        total: how many right answers there could be.
    """
    right, given = (len(scores) - np.searchsorted(np.sort(scores), GRID) for scores in (hit_scores, all_scores))
    return np.where(given > 0, right / np.maximum(given, 1), 1.0), right / total


def curve_points(precision: FloatArray, recall: FloatArray, f1: FloatArray) -> tuple[ThresholdPoint, ...]:
    """The points a Score keeps, from three curves over GRID, (1000,) each."""
    kept = [np.interp(KEPT, GRID, values) for values in (precision, recall, f1)]
    return tuple(ThresholdPoint(*map(float, row)) for row in zip(KEPT, *kept, strict=True))


def curve_at(curve: Sequence[ThresholdPoint], threshold: float) -> ThresholdPoint:
    """What a threshold between the kept ones gives, by linear interpolation.

    Raises:
        ValueError: the curve is empty: the task has no threshold.
    """
    if not curve:
        raise ValueError("this score has no threshold curve: its task has no threshold")
    grid = [point.threshold for point in curve]
    values = [
        float(np.interp(threshold, grid, [getattr(point, name) for point in curve]))
        for name in ("precision", "recall", "f1")
    ]
    return ThresholdPoint(float(threshold), *values)


def recommended(f1: npt.ArrayLike, lowest: float = 0.0, highest: float = 1.0) -> float:
    """The middle of the widest run of thresholds whose F1 (over GRID) is within 1 % of the best, kept within limits; three digits."""
    values = np.asarray(f1, float)
    best = float(values.max())
    if best <= 0:
        return round(float(np.clip(UNDECIDED, lowest, highest)), 3)
    good = np.flatnonzero(values >= best * PLATEAU)
    runs = np.split(good, np.flatnonzero(np.diff(good) > 1) + 1)
    widest = max(runs, key=len)
    return round(float(np.clip((GRID[widest[0]] + GRID[widest[-1]]) / 2, lowest, highest)), 3)
