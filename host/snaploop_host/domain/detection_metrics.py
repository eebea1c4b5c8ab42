"""Average precision of detections against truth, as the field computes it. Pure NumPy, no I/O.

The rule is COCO's as ultralytics implements it (best unclaimed truth of the class per detection, score order, 101-point
interpolation, IoU 0.50…0.95 in steps of 0.05), so figures compare with `yolo val`; a test holds ours against that library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .detection_decode import Detections
from .geometry import FloatArray, IntArray, pairwise_iou

IOU_LIMITS = np.linspace(0.5, 0.95, 10)
RECALL_POINTS = np.linspace(0, 1, 101)
SCORE_GRID = np.linspace(0, 1, 1000)
PLATEAU = 0.99  # scores whose F1 is within 1 % of the best count as equally good
LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.10, 0.40  # live pictures score lower than validation ones: never ask for more


@dataclass(frozen=True)
class Truth:
    """What is really in one picture: boxes_xyxy (N, 4) in model-input px, classes (N,) int."""

    boxes_xyxy: FloatArray
    classes: IntArray


@dataclass(frozen=True)
class ClassScore:
    """One class: how many true boxes the pictures hold, and the two average precisions."""

    index: int
    boxes: int
    map50: float
    map50_95: float


@dataclass(frozen=True)
class DetectionScore:
    """Scores over a set of pictures. `classes` lists only classes with a true box; the means are over those."""

    map50: float
    map50_95: float
    score_threshold: float
    f1: float
    classes: tuple[ClassScore, ...]
    images: int


def score_detections(found: Sequence[Detections], truths: Sequence[Truth]) -> DetectionScore:
    """mAP50, mAP50-95 and the recommended score threshold over pictures; both sequences in the same picture order.

    Raises:
        ValueError: different numbers of pictures, or no true box in any of them.
    """
    if len(found) != len(truths):
        raise ValueError(f"{len(found)} pictures of detections against {len(truths)} of truth")
    true_classes = np.concatenate([truth.classes for truth in truths]) if truths else np.empty(0, int)
    if len(true_classes) == 0:
        raise ValueError(
            "no validation picture holds a box: label some of them, or move labelled pictures to validation"
        )
    hits = np.concatenate([match(detections, truth) for detections, truth in zip(found, truths, strict=True)])
    scores = np.concatenate([detections.scores for detections in found])
    classes = np.concatenate([detections.classes for detections in found])
    order = np.argsort(-scores, kind="stable")
    hits, scores, classes = hits[order], scores[order], classes[order]

    per_class, f1_curves = [], []
    for index, count in zip(*np.unique(true_classes, return_counts=True), strict=True):
        mine = classes == index
        precisions, f1_curve = _class_curves(hits[mine], scores[mine], int(count))
        f1_curves.append(f1_curve)
        per_class.append(ClassScore(int(index), int(count), float(precisions[0]), float(precisions.mean())))
    threshold, f1 = _best_threshold(np.mean(f1_curves, axis=0))
    return DetectionScore(
        map50=float(np.mean([entry.map50 for entry in per_class])),
        map50_95=float(np.mean([entry.map50_95 for entry in per_class])),
        score_threshold=threshold,
        f1=f1,
        classes=tuple(per_class),
        images=len(truths),
    )


def match(found: Detections, truth: Truth) -> npt.NDArray[np.bool_]:
    """Which detections hit a true box, at each IoU limit: (N detections, 10) bool. Detections are taken best first."""
    hits = np.zeros((len(found.scores), len(IOU_LIMITS)), dtype=bool)
    if len(found.scores) == 0 or len(truth.classes) == 0:
        return hits
    overlap = pairwise_iou(truth.boxes_xyxy, found.boxes_xyxy) * (truth.classes[:, None] == found.classes[None, :])
    claimed = np.zeros((len(truth.classes), len(IOU_LIMITS)), dtype=bool)
    limits = np.arange(len(IOU_LIMITS))
    for index in np.argsort(-found.scores, kind="stable"):
        available = np.where(claimed, 0.0, overlap[:, index, None])
        best = available.argmax(axis=0)
        hits[index] = available[best, limits] >= IOU_LIMITS
        claimed[best, limits] |= hits[index]
    return hits


def _class_curves(hits: npt.NDArray[np.bool_], scores: FloatArray, boxes: int) -> tuple[FloatArray, FloatArray]:
    """Average precision at each IoU limit (10,), and F1 at IoU 0.5 over SCORE_GRID (1000,), for one class, score order."""
    if len(hits) == 0:
        return np.zeros(len(IOU_LIMITS)), np.zeros(len(SCORE_GRID))
    true_positives = hits.cumsum(axis=0)
    recall = true_positives / boxes
    precision = true_positives / np.arange(1, len(hits) + 1)[:, None]
    average = np.array(
        [_average_precision(recall[:, column], precision[:, column]) for column in range(len(IOU_LIMITS))]
    )
    recall_at = np.interp(-SCORE_GRID, -scores, recall[:, 0], left=0)  # negated: interp wants rising abscissae
    precision_at = np.interp(-SCORE_GRID, -scores, precision[:, 0], left=1)
    return average, 2 * precision_at * recall_at / np.maximum(precision_at + recall_at, 1e-16)


def _average_precision(recall: FloatArray, precision: FloatArray) -> float:
    """Area under the precision envelope, sampled at 101 recalls."""
    recalls = np.concatenate(([0.0], recall, [recall[-1], 1.0]))
    envelope = np.concatenate(([1.0], precision, [0.0, 0.0]))
    envelope = np.flip(np.maximum.accumulate(np.flip(envelope)))
    sampled = np.interp(RECALL_POINTS, recalls, envelope)
    return float(((sampled[1:] + sampled[:-1]) / 2 * np.diff(RECALL_POINTS)).sum())


def _best_threshold(f1_curve: FloatArray) -> tuple[float, float]:
    """The middle of the scores whose mean F1 is within 1 % of the best, kept between 0.10 and 0.40; and the F1 there."""
    best = float(f1_curve.max())
    good = SCORE_GRID[f1_curve >= best * PLATEAU] if best > 0 else np.array([0.25])
    threshold = float(np.clip((good[0] + good[-1]) / 2, LOWEST_THRESHOLD, HIGHEST_THRESHOLD))
    return round(threshold, 3), float(np.interp(threshold, SCORE_GRID, f1_curve))
