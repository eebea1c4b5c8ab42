"""Scores of a classifier that names one class per picture. Pure NumPy, no I/O.

Equal to scikit-learn's accuracy_score, confusion_matrix and f1_score over the classes that have a true picture; a test says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .confidence import Tally
from .geometry import FloatArray, IntArray
from .scores import ClassScore, Score
from .threshold_curves import curve_points, f1_of, precision_recall, recommended

LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.10, 0.60  # live pictures score lower than validation ones: never ask for more


@dataclass(frozen=True)
class ClassProbabilities:
    """What the model says of one picture: (C,) float, 0…1, after the soft-max."""

    values: FloatArray


@dataclass(frozen=True)
class TrueClass:
    """What one picture really shows: an index below C."""

    index: int


def score_classification(answers: Sequence[ClassProbabilities], truths: Sequence[TrueClass]) -> Score:
    """top1 and macro_f1, precision, recall and f1 of each class, confusion, and the curve along the winning probability.

    macro_f1 is the mean over classes that have a true picture. The curve says what happens when answers below a threshold are
    withheld: precision among those given, recall among all pictures. A probability that is not a number counts as 0.

    Raises:
        ValueError: no picture, different numbers of them, or an index beyond the classes.
    """
    probabilities, true = _arrays(answers, truths)
    winners, count = probabilities.argmax(axis=1), probabilities.shape[1]
    confusion = np.bincount(true * count + winners, minlength=count * count).reshape(count, count)
    table = confusion.astype(float)
    precision, recall = _precision_recall(table.diagonal(), table.sum(axis=0), table.sum(axis=1))
    f1 = f1_of(precision, recall)
    present = np.flatnonzero(confusion.sum(axis=1))
    winning = probabilities.max(axis=1)
    curve = precision_recall(winning[winners == true], winning, len(true))
    curve_f1 = f1_of(*curve)
    return Score(
        images=len(true),
        values={"top1": float((winners == true).mean()), "macro_f1": float(f1[present].mean())},
        classes=tuple(
            ClassScore(
                int(index),
                int(confusion[index].sum()),
                {"precision": float(precision[index]), "recall": float(recall[index]), "f1": float(f1[index])},
            )
            for index in present
        ),
        confusion=tuple(map(tuple, confusion.tolist())),
        curve=curve_points(*curve, curve_f1),
        best_threshold=recommended(curve_f1, LOWEST_THRESHOLD, HIGHEST_THRESHOLD),
    )


def tally_classification(answers: Sequence[ClassProbabilities], truths: Sequence[TrueClass]) -> Tally:
    """For `confidence`: top1 is a share of pictures, macro_f1 is bootstrapped."""
    probabilities, true = _arrays(answers, truths)
    one_hot = np.eye(probabilities.shape[1])
    is_true, is_said = one_hot[true], one_hot[probabilities.argmax(axis=1)]
    right = probabilities.argmax(axis=1) == true

    def resample(counts: FloatArray) -> Mapping[str, FloatArray]:
        examples = counts @ is_true
        precision, recall = _precision_recall(counts @ (is_true * is_said), counts @ is_said, examples)
        f1 = (f1_of(precision, recall) * (examples > 0)).sum(axis=1) / (examples > 0).sum(axis=1)
        return {"top1": counts @ right / counts.sum(axis=1), "macro_f1": f1}

    return Tally(len(true), score_classification(answers, truths).values, resample, {"top1": right})


def classification_qualities(answers: Sequence[ClassProbabilities], truths: Sequence[TrueClass]) -> FloatArray:
    """How good the answer to each picture is, (N,) 0…1: the probability of the true class."""
    probabilities, true = _arrays(answers, truths)
    return probabilities[np.arange(len(true)), true]


def _precision_recall(right: FloatArray, said: FloatArray, true: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shares of counts, 0 where there is nothing to share."""
    return right / np.maximum(said, 1), right / np.maximum(true, 1)


def _arrays(answers: Sequence[ClassProbabilities], truths: Sequence[TrueClass]) -> tuple[FloatArray, IntArray]:
    """(N, C) probabilities and (N,) indices."""
    if len(answers) != len(truths):
        raise ValueError(f"{len(answers)} pictures classified against {len(truths)} of truth")
    if not truths:
        raise ValueError(
            "no validation picture has a class: label some of them, or move labelled pictures to validation"
        )
    probabilities = np.nan_to_num(np.stack([answer.values for answer in answers]).astype(float))
    true = np.array([truth.index for truth in truths])
    if true.min() < 0 or true.max() >= probabilities.shape[1]:
        raise ValueError(f"a picture's class is {true.max()}, but the model knows {probabilities.shape[1]} classes")
    return probabilities, true
