"""Scores of a model that gives every pixel a class. Pure NumPy, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .confidence import Tally
from .geometry import FloatArray
from .scores import ClassScore, Score

IGNORED = 255  # the field's value for pixels that nobody labelled


@dataclass(frozen=True)
class ClassMap:
    """The class of every pixel: (H, W) of an integer type; in a truth, IGNORED where it is not known."""

    classes: npt.NDArray[np.integer[Any]]


def score_segmentation(answers: Sequence[ClassMap], truths: Sequence[ClassMap], class_count: int) -> Score:
    """The miou over the classes with a true pixel, pixel_accuracy, per class iou, precision and recall, and confusion in pixels.

    Pixels whose truth is IGNORED count nowhere. A class's examples are the pictures that hold it.

    Args:
        answers: per picture, as large as its truth.
        truths: per picture.
        class_count: how many classes there are, the background included.

    Raises:
        ValueError: different numbers or sizes of pictures, a class out of range, or no labelled pixel at all.
    """
    tables = _tables(answers, truths, class_count)
    confusion = tables.sum(axis=0)
    right, said, true = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    present = np.flatnonzero(true)
    iou = right / np.maximum(said + true - right, 1)
    pictures = (tables.sum(axis=2) > 0).sum(axis=0)
    return Score(
        images=len(tables),
        values={"miou": float(iou[present].mean()), "pixel_accuracy": float(right.sum() / true.sum())},
        classes=tuple(
            ClassScore(
                int(index),
                int(pictures[index]),
                {
                    "iou": float(iou[index]),
                    "precision": float(right[index] / max(said[index], 1)),
                    "recall": float(right[index] / true[index]),
                },
            )
            for index in present
        ),
        confusion=tuple(map(tuple, confusion.tolist())),
    )


def tally_segmentation(answers: Sequence[ClassMap], truths: Sequence[ClassMap], class_count: int) -> Tally:
    """For `confidence`."""
    tables = _tables(answers, truths, class_count)
    right, said, true = tables.diagonal(axis1=1, axis2=2), tables.sum(axis=1), tables.sum(axis=2)

    def resample(counts: FloatArray) -> Mapping[str, FloatArray]:
        hit, pixels = counts @ right, counts @ true
        iou = hit / np.maximum(counts @ said + pixels - hit, 1)
        seen = pixels > 0
        return {
            "miou": (iou * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1),
            "pixel_accuracy": hit.sum(axis=1) / np.maximum(pixels.sum(axis=1), 1),
        }

    return Tally(len(tables), score_segmentation(answers, truths, class_count).values, resample)


def segmentation_qualities(answers: Sequence[ClassMap], truths: Sequence[ClassMap], class_count: int) -> FloatArray:
    """How good the answer to each picture is, (N,) 0…1: its mean IoU over classes that are there or said to be; 1 without a label."""
    tables = _tables(answers, truths, class_count)
    right = tables.diagonal(axis1=1, axis2=2)
    union = tables.sum(axis=1) + tables.sum(axis=2) - right
    involved = (union > 0).sum(axis=1)
    means = (right / np.maximum(union, 1)).sum(axis=1) / np.maximum(involved, 1)
    quality: FloatArray = np.where(involved > 0, means, 1.0)
    return quality


def _tables(answers: Sequence[ClassMap], truths: Sequence[ClassMap], class_count: int) -> npt.NDArray[np.int64]:
    """Confusion of each picture in pixels: (N, C, C), truth then answer."""
    if len(answers) != len(truths):
        raise ValueError(f"{len(answers)} pictures of answers against {len(truths)} of truth")
    tables = np.zeros((len(truths), class_count, class_count), np.int64)
    for number, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
        if answer.classes.shape != truth.classes.shape:
            raise ValueError(
                f"picture {number}: the answer is {answer.classes.shape}, the truth {truth.classes.shape}: scale one of them"
            )
        known = truth.classes != IGNORED
        true, said = truth.classes[known].astype(np.int64), answer.classes[known].astype(np.int64)
        for name, found in (("truth", true), ("answer", said)):
            if len(found) and not 0 <= found.min() <= found.max() < class_count:
                raise ValueError(f"picture {number}: the {name} has class {found.max()} of {class_count} classes")
        tables[number] = np.bincount(true * class_count + said, minlength=class_count**2).reshape(
            class_count, class_count
        )
    if not tables.any():
        raise ValueError("no validation picture has a labelled pixel: draw masks, or move pictures with masks there")
    return tables
