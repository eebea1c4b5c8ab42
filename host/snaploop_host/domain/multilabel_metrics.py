"""Scores of a model that says of each label whether a picture has it. Pure NumPy, no I/O.

Average precision is the step-wise area (scikit-learn's average_precision_score); labels without an example are left out of means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .confidence import Tally
from .geometry import FloatArray, IntArray
from .scores import ClassScore, Score
from .threshold_curves import curve_points, f1_of, precision_recall, recommended

LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.10, 0.60  # live pictures score lower than validation ones: never ask for more

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelProbabilities:
    """What the model says of one picture: (L,) float, 0…1, after the sigmoid."""

    values: FloatArray


@dataclass(frozen=True)
class TrueLabels:
    """What one picture really has: (L,) bool."""

    present: BoolArray


def score_multilabel(
    answers: Sequence[LabelProbabilities], truths: Sequence[TrueLabels], threshold: float | None = None
) -> Score:
    """mean_ap, macro_f1, and per label average precision, precision, recall and f1.

    Args:
        answers: per picture. A probability that is not a number counts as 0.
        truths: per picture.
        threshold: at which F1, precision and recall are taken; without it the recommended one, which is best for macro_f1.

    Raises:
        ValueError: different numbers of pictures or labels, or no picture has any label.
    """
    scores, present = _arrays(answers, truths)
    labels = np.flatnonzero(present.any(axis=0))
    curves = [
        precision_recall(scores[present[:, label], label], scores[:, label], int(present[:, label].sum()))
        for label in labels
    ]
    precision, recall = np.array(curves).transpose(1, 0, 2)
    f1 = f1_of(precision, recall).mean(axis=0)
    best = recommended(f1, LOWEST_THRESHOLD, HIGHEST_THRESHOLD)
    applied = best if threshold is None else threshold
    once = np.ones((1, len(scores)))
    per_label = []
    for label in labels:
        average = _average_precision(scores[:, label], present[:, label], once)[0]
        values = _rates(scores[:, label] >= applied, present[:, label])
        per_label.append(
            ClassScore(int(label), int(present[:, label].sum()), {"average_precision": float(average), **values})
        )
    return Score(
        images=len(scores),
        values={
            "mean_ap": float(np.mean([one.values["average_precision"] for one in per_label])),
            "macro_f1": float(np.mean([one.values["f1"] for one in per_label])),
        },
        classes=tuple(per_label),
        curve=curve_points(precision.mean(axis=0), recall.mean(axis=0), f1),
        best_threshold=best,
    )


def tally_multilabel(
    answers: Sequence[LabelProbabilities], truths: Sequence[TrueLabels], threshold: float | None = None
) -> Tally:
    """For `confidence`; the threshold is kept while pictures are drawn."""
    scores, present = _arrays(answers, truths)
    score = score_multilabel(answers, truths, threshold)
    said = scores >= (threshold if threshold is not None else float(score.best_threshold or 0))

    def resample(counts: FloatArray) -> Mapping[str, FloatArray]:
        examples = counts @ present
        averages = np.stack(
            [_average_precision(scores[:, label], present[:, label], counts) for label in range(scores.shape[1])],
            axis=1,
        )
        f1 = 2 * (counts @ (said & present)) / np.maximum(counts @ said + examples, 1)
        seen = examples > 0
        labels = np.maximum(seen.sum(axis=1), 1)
        return {"mean_ap": (averages * seen).sum(axis=1) / labels, "macro_f1": (f1 * seen).sum(axis=1) / labels}

    return Tally(len(scores), score.values, resample)


def multilabel_qualities(answers: Sequence[LabelProbabilities], truths: Sequence[TrueLabels]) -> FloatArray:
    """How good the answer to each picture is, (N,) 0…1: the probability it gives to the truth of its worst label."""
    scores, present = _arrays(answers, truths)
    worst: FloatArray = np.where(present, scores, 1 - scores).min(axis=1)
    return worst


def _average_precision(scores: FloatArray, present: BoolArray, counts: FloatArray) -> FloatArray:
    """Step-wise area under precision over recall of one label, for (B, N) draws: (B,), 0 where nothing is there to find."""
    order = np.argsort(-scores, kind="stable")
    last_of_equals = _ends(scores[order])
    drawn = counts[:, order]
    given = drawn.cumsum(axis=1)[:, last_of_equals]
    right = (drawn * present[order]).cumsum(axis=1)[:, last_of_equals]
    gained = np.diff(right, axis=1, prepend=0)
    area: FloatArray = (gained * right / np.maximum(given, 1)).sum(axis=1) / np.maximum(right[:, -1], 1)
    return area


def _ends(ordered: FloatArray) -> IntArray:
    """Indices of the last of each run of equal values: a threshold cannot part them."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))


def _rates(said: BoolArray, present: BoolArray) -> dict[str, float]:
    right, given, true = float((said & present).sum()), float(said.sum()), float(present.sum())
    return {
        "precision": right / given if given else 0.0,
        "recall": right / true if true else 0.0,
        "f1": 2 * right / (given + true) if given + true else 0.0,
    }


def _arrays(answers: Sequence[LabelProbabilities], truths: Sequence[TrueLabels]) -> tuple[FloatArray, BoolArray]:
    """(N, L) probabilities and (N, L) bool."""
    if len(answers) != len(truths):
        raise ValueError(f"{len(answers)} pictures of answers against {len(truths)} of truth")
    if not any(truth.present.any() for truth in truths):
        raise ValueError(
            "no validation picture has a label: label some of them, or move labelled pictures to validation"
        )
    scores = np.nan_to_num(np.stack([answer.values for answer in answers]).astype(float))
    present = np.stack([truth.present for truth in truths]).astype(bool)
    if scores.shape != present.shape:
        raise ValueError(f"the model knows {scores.shape[1]} labels, the truth {present.shape[1]}: train again")
    return scores, present
