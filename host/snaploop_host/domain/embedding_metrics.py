"""Scores of a model that gives pictures of the same thing similar vectors. Pure NumPy, no I/O.

Every picture in turn is the question and all others are the library (leave one out); similarity is the cosine. mAP@R is that of
Musgrave, Belongie and Lim, "A Metric Learning Reality Check" (2020). A vector that is not finite counts as similar to nothing.
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


@dataclass(frozen=True)
class Embedding:
    """What the model says of one picture: (D,) float of any length."""

    vector: FloatArray


@dataclass(frozen=True)
class Identity:
    """What one picture really shows: the same index for the same thing."""

    index: int


@dataclass(frozen=True)
class _Neighbours:
    """What a look into the library gives each of the Q pictures that have a fellow: all (Q,).

    rows: their positions among all pictures; nearest: the identity found; right: whether it is the true one; map_at_r: 0…1;
    fellow and stranger: the largest cosine with a picture of the same identity and of another one (−1 without another one).
    """

    rows: IntArray
    nearest: IntArray
    right: npt.NDArray[np.bool_]
    map_at_r: FloatArray
    fellow: FloatArray
    stranger: FloatArray


def score_embeddings(answers: Sequence[Embedding], truths: Sequence[Identity], class_count: int | None = None) -> Score:
    """recall_at_1 and map_at_r over the pictures whose identity has another picture, the same per identity, and confusion.

    The confusion's columns are the identity of the nearest picture. The curve is along the least similarity that counts as known:
    a picture is a hit where its nearest fellow reaches it, and a mistake where its nearest stranger does, as an unknown thing would.

    Raises:
        ValueError: different numbers of pictures, or no identity has two.
    """
    identities, _ = _arrays(answers, truths)
    found = _neighbours(answers, truths)
    true = identities[found.rows]
    size = class_count or int(identities.max()) + 1
    confusion = np.bincount(true * size + found.nearest, minlength=size * size).reshape(size, size)
    curve = precision_recall(found.fellow, np.concatenate([found.fellow, found.stranger]), len(true))
    curve_f1 = f1_of(*curve)
    per_identity = []
    for index, count in zip(*np.unique(true, return_counts=True), strict=True):
        mine = true == index
        values = {"recall_at_1": float(found.right[mine].mean()), "map_at_r": float(found.map_at_r[mine].mean())}
        per_identity.append(ClassScore(int(index), int(count), values))
    return Score(
        images=len(identities),
        values={"recall_at_1": float(found.right.mean()), "map_at_r": float(found.map_at_r.mean())},
        classes=tuple(per_identity),
        confusion=tuple(map(tuple, confusion.tolist())),
        curve=curve_points(*curve, curve_f1),
        best_threshold=recommended(curve_f1),
    )


def tally_embeddings(answers: Sequence[Embedding], truths: Sequence[Identity]) -> Tally:
    """For `confidence`: questions are drawn, the library stays; a picture drawn twice would otherwise find itself."""
    found = _neighbours(answers, truths)

    def resample(counts: FloatArray) -> Mapping[str, FloatArray]:
        asked = counts[:, found.rows]
        total = np.maximum(asked.sum(axis=1), 1)
        return {"recall_at_1": asked @ found.right / total, "map_at_r": asked @ found.map_at_r / total}

    values = {"recall_at_1": float(found.right.mean()), "map_at_r": float(found.map_at_r.mean())}
    return Tally(len(truths), values, resample, {"recall_at_1": found.right})


def embedding_qualities(answers: Sequence[Embedding], truths: Sequence[Identity]) -> FloatArray:
    """How good the answer to each picture is, (N,) 0…1: above 0.5 a fellow is nearer than any stranger, 0.5 without a fellow."""
    found = _neighbours(answers, truths)
    quality = np.full(len(truths), 0.5)
    quality[found.rows] = np.clip((1 + found.fellow - found.stranger) / 2, 0, 1)
    return quality


def _neighbours(answers: Sequence[Embedding], truths: Sequence[Identity]) -> _Neighbours:
    identities, vectors = _arrays(answers, truths)
    similar = np.clip(vectors @ vectors.T, -1, 1)
    np.fill_diagonal(similar, -np.inf)  # never its own neighbour
    same = identities[:, None] == identities[None, :]
    np.fill_diagonal(same, False)
    fellows = same.sum(axis=1)
    rows = np.flatnonzero(fellows)
    if len(rows) == 0:
        raise ValueError("nothing has two validation pictures, so none can be found again: take or move more of them")
    order = np.argsort(-similar[rows], axis=1, kind="stable")
    hits = np.take_along_axis(same[rows], order, axis=1)
    ranks = np.arange(1, len(identities) + 1)
    within = ranks <= fellows[rows, None]
    precision = hits.cumsum(axis=1) / ranks
    return _Neighbours(
        rows=rows,
        nearest=identities[order[:, 0]],
        right=hits[:, 0],
        map_at_r=(precision * hits * within).sum(axis=1) / fellows[rows],
        fellow=np.where(same, similar, -1.0)[rows].max(axis=1),
        stranger=np.where(same, -1.0, similar)[rows].max(axis=1).clip(-1),
    )


def _arrays(answers: Sequence[Embedding], truths: Sequence[Identity]) -> tuple[IntArray, FloatArray]:
    """(N,) identities and (N, D) vectors of length 1, or 0 where a vector has no direction."""
    if len(answers) != len(truths):
        raise ValueError(f"{len(answers)} pictures of vectors against {len(truths)} of truth")
    if not truths:
        raise ValueError(
            "no validation picture shows a known thing: label some, or move labelled pictures to validation"
        )
    vectors = np.stack([answer.vector for answer in answers]).astype(float)
    vectors[~np.isfinite(vectors).all(axis=1)] = 0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.array([truth.index for truth in truths]), vectors / np.where(lengths > 0, lengths, 1)
