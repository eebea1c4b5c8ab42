"""Average precision of detections against truth, as the field computes it. Pure NumPy, no I/O.

The rule is COCO's as ultralytics implements it (best unclaimed truth of the class per detection, score order, 101-point
interpolation, IoU 0.50…0.95 in steps of 0.05), so figures compare with `yolo val`; a test holds ours against that library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .confidence import Tally
from .detection_decode import Detections
from .geometry import FloatArray, IntArray, pairwise_iou
from .scores import ClassScore, Score
from .threshold_curves import GRID, curve_points, f1_of, recommended

IOU_LIMITS = np.linspace(0.5, 0.95, 10)
RECALL_POINTS = np.linspace(0, 1, 101)
LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.10, 0.40  # live pictures score lower than validation ones: never ask for more


@dataclass(frozen=True)
class Truth:
    """What is really in one picture: boxes_xyxy (N, 4) in model-input px, classes (N,) int."""

    boxes_xyxy: FloatArray
    classes: IntArray


@dataclass(frozen=True)
class _ClassCurves:
    """Average precision at each IoU limit (10,); precision and recall at IoU 0.5 over GRID (1000,)."""

    average_precision: FloatArray
    precision: FloatArray
    recall: FloatArray


def score_detections(found: Sequence[Detections], truths: Sequence[Truth], class_count: int | None = None) -> Score:
    """mAP50-95, mAP50 and the recommended score threshold over pictures; both sequences in the same picture order.

    The means and the curve (precision, recall and F1 at IoU 0.5) are over the classes that have a true box; each class also
    says its precision and recall at the recommended threshold. The confusion matrix is `confusion` at that threshold.

    Args:
        found: per picture, down to a low score: average precision needs the whole curve.
        truths: per picture.
        class_count: how many classes the model knows; without it the confusion matrix ends at the largest index seen.

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

    indices, examples = np.unique(true_classes, return_counts=True)
    curves = [
        _class_curves(hits[classes == index], scores[classes == index], int(count))
        for index, count in zip(indices, examples, strict=True)
    ]
    precision, recall = (np.array([getattr(one, name) for one in curves]) for name in ("precision", "recall"))
    f1 = f1_of(precision, recall).mean(axis=0)
    threshold = recommended(f1, LOWEST_THRESHOLD, HIGHEST_THRESHOLD)
    per_class = []
    for index, count, one in zip(indices, examples, curves, strict=True):
        right = hits[(classes == index) & (scores >= threshold), 0]
        values = {
            "map50_95": float(one.average_precision.mean()),
            "map50": float(one.average_precision[0]),
            "precision": float(right.mean()) if len(right) else 0.0,
            "recall": float(right.sum() / count),
        }
        per_class.append(ClassScore(int(index), int(count), values))
    size = class_count or 1 + int(max(true_classes.max(), classes.max(initial=0)))
    return Score(
        images=len(truths),
        values={name: float(np.mean([one.values[name] for one in per_class])) for name in ("map50_95", "map50")},
        classes=tuple(per_class),
        confusion=tuple(map(tuple, confusion(found, truths, threshold, size).tolist())),
        curve=curve_points(precision.mean(axis=0), recall.mean(axis=0), f1),
        best_threshold=threshold,
    )


def confusion(
    found: Sequence[Detections], truths: Sequence[Truth], threshold: float, class_count: int
) -> npt.NDArray[np.int64]:
    """What each true box was taken for: counts, rows truth and columns detection; the last row and column are "nothing".

    Only detections with at least the threshold's score count. A true box belongs to the detection of its own class that
    overlaps it most, one to one; what is left over is paired regardless of class; every pair has an IoU of 0.5 or more.
    """
    counts = np.zeros((class_count + 1, class_count + 1), np.int64)
    for detections, truth in zip(found, truths, strict=True):
        shown = detections.above(threshold)
        pairs = pair_boxes(shown, truth)
        for seen, true in pairs:
            counts[truth.classes[true], shown.classes[seen]] += 1
        missed = np.delete(truth.classes, [true for _, true in pairs])
        invented = np.delete(shown.classes, [seen for seen, _ in pairs])
        counts[:class_count, class_count] += np.bincount(missed, minlength=class_count)
        counts[class_count, :class_count] += np.bincount(invented, minlength=class_count)
    return counts


def pair_boxes(found: Detections, truth: Truth) -> list[tuple[int, int]]:
    """Detections and true boxes that belong together, one to one: (index in found, index in truth), as `confusion` says."""
    overlap = pairwise_iou(found.boxes_xyxy, truth.boxes_xyxy)
    same = found.classes[:, None] == truth.classes[None, :]
    rows, columns = np.nonzero(overlap >= IOU_LIMITS[0])
    pairs: list[tuple[int, int]] = []
    seen, claimed = set(), set()
    for place in np.lexsort((-overlap[rows, columns], ~same[rows, columns])):
        row, column = int(rows[place]), int(columns[place])
        if row not in seen and column not in claimed:
            seen.add(row)
            claimed.add(column)
            pairs.append((row, column))
    return pairs


def tally_detections(found: Sequence[Detections], truths: Sequence[Truth]) -> Tally:
    """For `confidence`. Areas under the precision envelope are exact there, not sampled: their differences are what counts."""
    score = score_detections(found, truths)
    hits = np.concatenate([match(detections, truth) for detections, truth in zip(found, truths, strict=True)])
    scores, classes = (np.concatenate([getattr(one, name) for one in found]) for name in ("scores", "classes"))
    pictures = np.repeat(np.arange(len(found)), [len(one.scores) for one in found])
    order = np.argsort(-scores, kind="stable")
    ranked = [
        (
            np.array([(truth.classes == one.index).sum() for truth in truths], float),
            _RankedHits.of(hits[mine], pictures[mine], len(found)),
        )
        for one in score.classes
        for mine in [order[classes[order] == one.index]]
    ]

    def resample(counts: FloatArray) -> Mapping[str, FloatArray]:
        total, classes_seen = np.zeros((len(IOU_LIMITS), len(counts))), np.zeros(len(counts))
        for boxes_of, hits_of in ranked:
            boxes = counts @ boxes_of
            total += hits_of.areas(counts) / np.maximum(boxes, 1)
            classes_seen += boxes > 0
        means = total / np.maximum(classes_seen, 1)
        return {"map50_95": means.mean(axis=0), "map50": means[0]}

    return Tally(len(found), score.values, resample)


def detection_qualities(found: Sequence[Detections], truths: Sequence[Truth], threshold: float) -> FloatArray:
    """How good the answer to each picture is, (N,) 0…1: panoptic quality, F1 at the threshold with each hit worth its IoU.

    1 where nothing is and nothing was found.
    """
    qualities = np.ones(len(found))
    for number, (detections, truth) in enumerate(zip(found, truths, strict=True)):
        shown = detections.above(threshold)
        overlap = pairwise_iou(shown.boxes_xyxy, truth.boxes_xyxy)
        worth = sum(
            overlap[seen, true] for seen, true in pair_boxes(shown, truth) if shown.classes[seen] == truth.classes[true]
        )
        boxes = len(shown.scores) + len(truth.classes)
        if boxes:
            qualities[number] = 2 * worth / boxes
    return qualities


@dataclass(frozen=True)
class _RankedHits:
    """One class's detections in score order, only those that hit something at some IoU limit; T of them.

    pictures: (T,) where each is; hits: (T, 10); given: (N, T), detections of each picture from the previous hit up to this one.
    """

    pictures: IntArray
    hits: npt.NDArray[np.bool_]
    given: FloatArray

    @classmethod
    def of(cls, hits: npt.NDArray[np.bool_], pictures: IntArray, count: int) -> _RankedHits:
        """From all detections of the class in score order: hits (N, 10), pictures (N,); `count` pictures."""
        kept = np.flatnonzero(hits.any(axis=1))
        given = np.zeros((count, len(kept)))
        step = np.searchsorted(kept, np.arange(len(hits)))
        counting = step < len(kept)  # what comes after the last hit changes nothing
        np.add.at(given, (pictures[counting], step[counting]), 1)
        return cls(pictures[kept], hits[kept], given)

    def areas(self, counts: FloatArray) -> FloatArray:
        """Average precision times the number of true boxes, at each IoU limit, of (B, N) draws: (10, B)."""
        given = np.maximum((counts @ self.given).cumsum(axis=1), 1)
        drawn = counts[:, self.pictures]
        areas = np.zeros((len(IOU_LIMITS), len(counts)))
        for limit in range(len(IOU_LIMITS)):
            rows = np.flatnonzero(self.hits[:, limit])
            gained = drawn[:, rows]
            precision = gained.cumsum(axis=1) / given[:, rows]
            envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            areas[limit] = (gained * envelope).sum(axis=1)
        return areas


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


def _class_curves(hits: npt.NDArray[np.bool_], scores: FloatArray, boxes: int) -> _ClassCurves:
    """The curves of one class: hits (N, 10) and scores (N,) in score order, and how many true boxes there are."""
    if len(hits) == 0:
        return _ClassCurves(np.zeros(len(IOU_LIMITS)), np.zeros(len(GRID)), np.zeros(len(GRID)))
    true_positives = hits.cumsum(axis=0)
    recall = true_positives / boxes
    precision = true_positives / np.arange(1, len(hits) + 1)[:, None]
    average = np.array(
        [_average_precision(recall[:, column], precision[:, column]) for column in range(len(IOU_LIMITS))]
    )
    recall_at = np.interp(-GRID, -scores, recall[:, 0], left=0)  # negated: interp wants rising abscissae
    precision_at = np.interp(-GRID, -scores, precision[:, 0], left=1)
    return _ClassCurves(average, precision_at, recall_at)


def _average_precision(recall: FloatArray, precision: FloatArray) -> float:
    """Area under the precision envelope, sampled at 101 recalls."""
    recalls = np.concatenate(([0.0], recall, [recall[-1], 1.0]))
    envelope = np.concatenate(([1.0], precision, [0.0, 0.0]))
    envelope = np.flip(np.maximum.accumulate(np.flip(envelope)))
    sampled = np.interp(RECALL_POINTS, recalls, envelope)
    return float(((sampled[1:] + sampled[:-1]) / 2 * np.diff(RECALL_POINTS)).sum())
