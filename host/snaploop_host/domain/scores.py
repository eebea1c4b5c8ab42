"""How well a model did on pictures, in the same words for every task. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

DETECT, CLASSIFY, MULTILABEL, SEGMENT = "detect", "classify", "multilabel", "segment"
EMBED, OCR_DETECT, OCR_RECOGNIZE = "embed", "ocr_detect", "ocr_recognize"

METRICS: Mapping[str, tuple[str, ...]] = {
    DETECT: ("map50_95", "map50"),
    CLASSIFY: ("top1", "macro_f1"),
    MULTILABEL: ("mean_ap", "macro_f1"),
    SEGMENT: ("miou", "pixel_accuracy"),
    EMBED: ("recall_at_1", "map_at_r"),
    OCR_DETECT: ("hmean", "precision", "recall"),
    OCR_RECOGNIZE: ("accuracy", "character_accuracy"),
}
"""Task → its metrics, each 0…1 and better when larger. The first is the strict one: the best weights are chosen by it."""

JUDGED: Mapping[str, tuple[str, ...]] = {task: names[:1] for task, names in METRICS.items()} | {DETECT: METRICS[DETECT]}
"""Task → the metrics of which a kmodel may lose no more than the gate's limit."""

BY_LUCK = 1.5  # times what guessing scores: a handful of pictures brings that much by luck

_HEADLINES: Mapping[str, str] = {DETECT: "map50"}

METRIC_TITLES: Mapping[str, str] = {
    "map50_95": "mAP50-95",
    "map50": "mAP50",
    "top1": "top-1 accuracy",
    "macro_f1": "macro F1",
    "mean_ap": "mean AP",
    "miou": "mIoU",
    "pixel_accuracy": "pixel accuracy",
    "recall_at_1": "recall@1",
    "map_at_r": "mAP@R",
    "hmean": "hmean",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "words right",
    "character_accuracy": "characters right",
    "average_precision": "AP",
    "f1": "F1",
    "iou": "IoU",
}
"""What people read for a metric's name, those of single classes last."""


def scores_text(scores: Mapping[str, float]) -> str:
    """Scores in words, "mAP50-95 0.812, mAP50 0.990", in the order of METRICS; empty without any."""
    return ", ".join(f"{title} {scores[name]:.3f}" for name, title in METRIC_TITLES.items() if name in scores)


def headline(task: str) -> str:
    """The one metric to show where there is room for one: mAP50 of detection, as people are used to; else the strict one."""
    return _HEADLINES.get(task, METRICS[task][0])


@dataclass(frozen=True)
class ClassScore:
    """One class: how many true examples the pictures hold, and its own metrics (0…1)."""

    index: int
    examples: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class ThresholdPoint:
    """What a score threshold would give over all classes."""

    threshold: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Score:
    """Scores over a set of pictures.

    Attributes:
        images: how many pictures.
        values: metric name → 0…1; the task's metrics are all there (`METRICS`).
        classes: those with a true example, by index.
        confusion: counts, rows truth and columns prediction; of detections the last row and column stand for "nothing".
        curve: along the threshold, where the task has one.
        best_threshold: recommended score threshold; None where the task has none.
    """

    images: int
    values: Mapping[str, float]
    classes: tuple[ClassScore, ...] = ()
    confusion: tuple[tuple[int, ...], ...] | None = None
    curve: tuple[ThresholdPoint, ...] = field(default=(), repr=False)
    best_threshold: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As result.json keeps it, figures to four digits."""
        raw: dict[str, Any] = _rounded(asdict(self))
        return raw


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value


def guessing_text(task: str, values: Mapping[str, float], classes: int) -> str:
    """For people, when a trained model is hardly better than guessing, so that a passed gate means nothing; else ""."""
    name = METRICS[task][0]
    if task == CLASSIFY and values.get("macro_f1", 1.0) <= 1 / max(1, classes):
        name = "macro_f1"  # always the commonest class: its accuracy looks good where the others are rare
        return _guessing(name, values[name])
    guessed = {CLASSIFY: BY_LUCK / max(1, classes), EMBED: BY_LUCK / max(1, classes), OCR_RECOGNIZE: 0.0}.get(task)
    if guessed is None or values.get(name, 1.0) > guessed:
        return ""
    return _guessing(name, values[name])


def _guessing(metric: str, value: float) -> str:
    return (
        f"the trained model is hardly better than guessing ({METRIC_TITLES[metric]} {value:.3f}): "
        "label more photos, train for more epochs, or start from pretrained weights"
    )
