"""Scores of models that find lines of text and of models that read them. No I/O; shapely and rapidfuzz do the counting.

Finding: a polygon counts when it overlaps a true one by an IoU of 0.5 or more, one to one, the surest first (as ICDAR 2015 does,
with its rule for regions nobody could read). Reading: whole words, and characters by Levenshtein distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from rapidfuzz.distance import Levenshtein

from .confidence import Tally
from .geometry import FloatArray, IntArray
from .scores import ClassScore, Score
from .threshold_curves import curve_points, f1_of, precision_recall, recommended

LEAST_IOU = 0.5
MOSTLY = 0.5  # a find that lies in unreadable text by more than this share of its area counts neither way
LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.10, 0.60  # live pictures score lower than validation ones: never ask for more

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FoundText:
    """Text that the model finds in one picture: polygons of (K ≥ 3, 2) x, y in px, any winding; scores (N,) 0…1."""

    polygons: Sequence[FloatArray]
    scores: FloatArray


@dataclass(frozen=True)
class TrueText:
    """Text that is really in one picture: polygons as in FoundText; unreadable (N,) bool: need not be found, None: all must be."""

    polygons: Sequence[FloatArray]
    unreadable: BoolArray | None = None


@dataclass(frozen=True)
class Reading:
    """What the model reads in one picture, and how sure it is, 0…1."""

    text: str
    score: float


@dataclass(frozen=True)
class TrueReading:
    """What one picture really says; compared exactly, case and spaces included."""

    text: str


@dataclass(frozen=True)
class _Matched:
    """One picture: scores and hit of the finds that count (N,), and how many texts there are to find."""

    scores: FloatArray
    hits: BoolArray
    texts: int

    def at(self, threshold: float) -> tuple[int, int, int]:
        """Hits, finds and texts when only finds from the threshold on count."""
        shown = self.scores >= threshold
        return int(self.hits[shown].sum()), int(shown.sum()), self.texts


def score_found_text(answers: Sequence[FoundText], truths: Sequence[TrueText], threshold: float | None = None) -> Score:
    """hmean, precision and recall over all texts of all pictures, and the curve along the score.

    Args:
        answers: per picture, down to a low score: the curve wants weak ones too.
        truths: per picture.
        threshold: at which the metrics are taken; without it the recommended one.

    Raises:
        ValueError: different numbers of pictures, a polygon of fewer than 3 points, or no text to find in any picture.
    """
    matched = _match_all(answers, truths)
    scores, hits = (np.concatenate([getattr(one, name) for one in matched]) for name in ("scores", "hits"))
    total = sum(one.texts for one in matched)
    curve = precision_recall(scores[hits], scores, total)
    curve_f1 = f1_of(*curve)
    best = recommended(curve_f1, LOWEST_THRESHOLD, HIGHEST_THRESHOLD)
    counts = np.array([one.at(best if threshold is None else threshold) for one in matched]).sum(axis=0)
    values = {name: float(value) for name, value in _rates(counts.astype(float)).items()}
    return Score(
        images=len(matched),
        values=values,
        classes=(ClassScore(0, total, values),),
        curve=curve_points(*curve, curve_f1),
        best_threshold=best,
    )


def tally_found_text(answers: Sequence[FoundText], truths: Sequence[TrueText], threshold: float | None = None) -> Tally:
    """For `confidence`; the threshold is kept while pictures are drawn."""
    score = score_found_text(answers, truths, threshold)
    applied = threshold if threshold is not None else float(score.best_threshold or 0)
    table = np.array([one.at(applied) for one in _match_all(answers, truths)], float)
    return Tally(len(truths), score.values, lambda counts: _rates(counts @ table))


def found_text_qualities(answers: Sequence[FoundText], truths: Sequence[TrueText], threshold: float) -> FloatArray:
    """How good the answer to each picture is, (N,) 0…1: its hmean at the threshold; 1 where nothing is and nothing was found."""
    table = np.array([one.at(threshold) for one in _match_all(answers, truths)], float)
    return np.where(table[:, 1:].sum(axis=1) > 0, _rates(table)["hmean"], 1.0)


def match_polygons(found: FoundText, truth: TrueText) -> IntArray:
    """For each find, surest first in claiming, the true polygon it hits, −1: none, −2: it lies in unreadable text; (N,)."""
    partner = np.full(len(found.scores), -1)
    if len(found.scores) == 0 or len(truth.polygons) == 0:
        return partner
    finds, texts = _shapes(found.polygons), _shapes(truth.polygons)
    unreadable = np.zeros(len(texts), bool) if truth.unreadable is None else truth.unreadable.astype(bool)
    shared = shapely.area(shapely.intersection(finds[:, None], texts[None, :]))
    area = shapely.area(finds)
    iou = shared / np.maximum(area[:, None] + shapely.area(texts)[None, :] - shared, 1e-9)
    iou[:, unreadable] = 0
    inside = (shared / np.maximum(area, 1e-9)[:, None])[:, unreadable].max(axis=1, initial=0) > MOSTLY
    for index in np.argsort(-found.scores, kind="stable"):
        best = int(iou[index].argmax())
        if iou[index, best] >= LEAST_IOU:
            partner[index] = best
            iou[:, best] = 0
        elif inside[index]:
            partner[index] = -2
    return partner


def score_readings(answers: Sequence[Reading], truths: Sequence[TrueReading]) -> Score:
    """The accuracy (whole texts) and character_accuracy (1 − edits ÷ true characters, not below 0), and the curve along the score.

    The curve says what happens when readings below a threshold are withheld: precision among those given, recall among all.

    Raises:
        ValueError: no picture, or different numbers of them.
    """
    right, edits, lengths = _read_all(answers, truths)
    scores = np.nan_to_num(np.array([answer.score for answer in answers], float))
    curve = precision_recall(scores[right], scores, len(right))
    curve_f1 = f1_of(*curve)
    return Score(
        images=len(right),
        values={
            "accuracy": float(right.mean()),
            "character_accuracy": float(_character_accuracy(edits.sum(), lengths.sum())),
        },
        curve=curve_points(*curve, curve_f1),
        best_threshold=recommended(curve_f1, LOWEST_THRESHOLD, HIGHEST_THRESHOLD),
    )


def tally_readings(answers: Sequence[Reading], truths: Sequence[TrueReading]) -> Tally:
    """For `confidence`: accuracy is a share of pictures, character_accuracy is bootstrapped."""
    right, edits, lengths = _read_all(answers, truths)

    def resample(counts: FloatArray) -> Mapping[str, FloatArray]:
        return {
            "accuracy": counts @ right / counts.sum(axis=1),
            "character_accuracy": _character_accuracy(counts @ edits, counts @ lengths),
        }

    return Tally(len(right), score_readings(answers, truths).values, resample, {"accuracy": right})


def reading_qualities(answers: Sequence[Reading], truths: Sequence[TrueReading]) -> FloatArray:
    """How good the answer to each picture is, (N,) 0…1: 1 − edits ÷ length of the longer text."""
    _, edits, _ = _read_all(answers, truths)
    longer = [max(len(answer.text), len(truth.text), 1) for answer, truth in zip(answers, truths, strict=True)]
    return 1 - edits / np.array(longer)


def _shapes(polygons: Sequence[FloatArray]) -> npt.NDArray[np.object_]:
    """Shapes that can be intersected: a polygon that crosses itself is parted where it does."""
    for polygon in polygons:
        if len(polygon) < 3:
            raise ValueError(f"a text polygon has {len(polygon)} points: it takes 3")
    drawn = np.array([shapely.Polygon(np.asarray(polygon, float)) for polygon in polygons], dtype=object)
    shapes: npt.NDArray[np.object_] = shapely.buffer(shapely.make_valid(drawn), 0)  # no width: drops what has no area
    return shapes


def _match_all(answers: Sequence[FoundText], truths: Sequence[TrueText]) -> list[_Matched]:
    if len(answers) != len(truths):
        raise ValueError(f"{len(answers)} pictures of finds against {len(truths)} of truth")
    matched = []
    for answer, truth in zip(answers, truths, strict=True):
        partner = match_polygons(answer, truth)
        counting = partner != -2
        texts = len(truth.polygons) - (0 if truth.unreadable is None else int(truth.unreadable.sum()))
        matched.append(_Matched(answer.scores[counting], partner[counting] >= 0, texts))
    if not any(one.texts for one in matched):
        raise ValueError(
            "no validation picture holds text to find: mark some, or move pictures with text to validation"
        )
    return matched


def _rates(counts: FloatArray) -> dict[str, FloatArray]:
    """hmean, precision and recall from (…, 3) hits, finds, texts; 0 where there is nothing to share."""
    hits, finds, texts = counts[..., 0], counts[..., 1], counts[..., 2]
    return {
        "hmean": 2 * hits / np.maximum(finds + texts, 1),
        "precision": hits / np.maximum(finds, 1),
        "recall": hits / np.maximum(texts, 1),
    }


def _read_all(answers: Sequence[Reading], truths: Sequence[TrueReading]) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Whether each is right, its edits, and its true length; (N,) each."""
    if len(answers) != len(truths):
        raise ValueError(f"{len(answers)} pictures of readings against {len(truths)} of truth")
    if not truths:
        raise ValueError("no validation picture has a text: label some, or move labelled pictures to validation")
    edits = np.array(
        [Levenshtein.distance(answer.text, truth.text) for answer, truth in zip(answers, truths, strict=True)], float
    )
    return edits == 0, edits, np.array([len(truth.text) for truth in truths], float)


def _character_accuracy(edits: FloatArray, length: FloatArray) -> FloatArray:
    return np.clip(1 - edits / np.maximum(length, 1), 0, 1)
