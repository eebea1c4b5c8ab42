"""What one finished training run hands on: result.json as typed values. Pure, no I/O.

Written by the job process (`training.detect_job`), read by whoever publishes the model, shows it or makes the demo's report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Thresholds:
    """What the board should use: least score of a detection, and the overlap above which the weaker of two boxes goes."""

    score: float
    iou: float


@dataclass(frozen=True)
class GoldenDetection:
    """One box that the simulated kmodel finds in the golden picture; px of the model input, whole numbers."""

    cls: int
    score_permille: int
    box_xywh_px: tuple[int, int, int, int]


@dataclass(frozen=True)
class Golden:
    """A model input (uint8, 3×H×W, RGB) and what the kmodel must find in it."""

    input_sha256: str
    input_bytes: int
    detections: tuple[GoldenDetection, ...]


@dataclass(frozen=True)
class ClassRow:
    """One class over the evaluated pictures; None where those hold no box of it."""

    name: str
    train_boxes: int
    val_boxes: int
    evaluated_boxes: int
    float_map50: float | None
    kmodel_map50: float | None
    float_map50_95: float | None
    kmodel_map50_95: float | None


@dataclass(frozen=True)
class RungTried:
    """One compilation: how it quantised, what it scored on the evaluated pictures, and whether the gate let it pass."""

    name: str
    kmodel_bytes: int
    compile_seconds: float
    simulate_seconds: float
    kmodel_map50: float
    kmodel_map50_95: float
    passed: bool


@dataclass(frozen=True)
class RunReport:
    """A model that passed the gate. Scores are 0…1 and float and kmodel figures come from the same pictures."""

    run_id: str
    digest: str
    kmodel_bytes: int
    kmodel_version: int
    nncase_version: str
    simulator: str
    input: tuple[int, int]
    labels: tuple[str, ...]
    thresholds: Thresholds
    evaluated_images: int
    float_map50: float
    kmodel_map50: float
    float_map50_95: float
    kmodel_map50_95: float
    gate_limit_points: float
    classes: tuple[ClassRow, ...]
    rungs: tuple[RungTried, ...]
    golden: Golden
    pictures: tuple[str, ...]
    training: dict[str, Any]
    timings_s: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The report as result.json holds it; a golden detection's class is called "class" there."""
        raw = asdict(self)
        for detection in raw["golden"]["detections"]:
            detection["class"] = detection.pop("cls")
        return raw


def report_from_json(raw: Mapping[str, Any]) -> RunReport:
    """The report in a parsed result.json.

    Raises:
        KeyError, TypeError: a field is missing or unknown.
    """
    golden = raw["golden"]
    detections = tuple(
        GoldenDetection(int(one["class"]), int(one["score_permille"]), tuple(one["box_xywh_px"]))
        for one in golden["detections"]
    )
    typed = {
        "input": tuple(raw["input"]),
        "labels": tuple(raw["labels"]),
        "thresholds": Thresholds(**raw["thresholds"]),
        "classes": tuple(ClassRow(**row) for row in raw["classes"]),
        "rungs": tuple(RungTried(**row) for row in raw["rungs"]),
        "golden": Golden(golden["input_sha256"], golden["input_bytes"], detections),
        "pictures": tuple(raw["pictures"]),
    }
    return RunReport(**{**raw, **typed})
