"""Non-maximum suppression in the three ways the firmware does it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Array

Overlap = Callable[[int, Array], Array]
"""overlap(best, rest): intersection over union of one box with each of the others, given by their numbers."""


def greedy(scores: Array, overlap: Overlap, is_rival: Callable[[Array], Array]) -> list[int]:
    """Indexes of the survivors, best first; `is_rival(overlaps)` tells which of the rest must go."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    while order.size:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        order = rest[~is_rival(overlap(best, rest))]
    return kept


def suppress(boxes_xyxy: Array, scores: Array, classes: Array, limit: float, is_agnostic: bool) -> list[int]:
    """Survivors as aicube counts: both edges belong to a box, an overlap of `limit` or more loses.

    Args:
        boxes_xyxy: (n, 4) float pixels.
        scores: (n,) float.
        classes: (n,) integers.
        limit: intersection over union.
        is_agnostic: suppress across classes too.
    """
    x0, y0, x1, y1 = boxes_xyxy.T.astype(np.float64)
    areas = (x1 - x0 + 1) * (y1 - y0 + 1)

    def overlap(best: int, rest: Array) -> Array:
        wide = np.minimum(x1[best], x1[rest]) - np.maximum(x0[best], x0[rest]) + 1
        high = np.minimum(y1[best], y1[rest]) - np.maximum(y0[best], y0[rest]) + 1
        common = np.clip(wide, 0, None) * np.clip(high, 0, None)
        shares = common / (areas[best] + areas[rest] - common)
        return shares if is_agnostic else np.where(classes[rest] == classes[best], shares, -1.0)

    return greedy(scores, overlap, lambda shares: np.asarray(shares >= limit))


def suppress_rects(rects: Array, scores: Array, limit: float) -> list[int]:
    """Survivors as aidemo counts: whole-pixel x, y, w, h, across classes, more than `limit` loses."""
    x, y, w, h = rects.T.astype(np.float64)

    def overlap(best: int, rest: Array) -> Array:
        wide = np.minimum(x[best] + w[best], x[rest] + w[rest]) - np.maximum(x[best], x[rest])
        high = np.minimum(y[best] + h[best], y[rest] + h[rest]) - np.maximum(y[best], y[rest])
        common = np.clip(wide, 0, None) * np.clip(high, 0, None)
        return np.asarray(common / (w[best] * h[best] + w[rest] * h[rest] - common))

    return greedy(scores, overlap, lambda shares: np.asarray(shares > limit))


def suppress_centred(boxes: Array, scores: Array, limit: float) -> list[int]:
    """Survivors among float boxes centre x, y, w, h: an overlap of `limit` or more loses (the face detectors)."""
    x, y, w, h = boxes.T.astype(np.float64)

    def overlap(best: int, rest: Array) -> Array:
        wide = np.minimum(x[best] + w[best] / 2, x[rest] + w[rest] / 2) - np.maximum(
            x[best] - w[best] / 2, x[rest] - w[rest] / 2
        )
        high = np.minimum(y[best] + h[best] / 2, y[rest] + h[rest] / 2) - np.maximum(
            y[best] - h[best] / 2, y[rest] - h[rest] / 2
        )
        common = np.clip(wide, 0, None) * np.clip(high, 0, None)
        return np.asarray(common / (w[best] * h[best] + w[rest] * h[rest] - common))

    return greedy(scores, overlap, lambda shares: np.asarray(shares >= limit))
