"""What job.json asks for, as typed values, checked once. Standard library only; called by `job` and by tests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from snaploop_shared.letterbox import input_size

from ..domain.models import GATE_IMAGES, GATE_LIMIT_POINTS
from ..domain.training_parameters import (
    AUTO,
    NETWORK,
    NORMAL,
    OWN_NETWORK,
    PRETRAINED,
    check_parameters,
    default_network,
    with_preset,
)
from ..errors import BadInputError
from .errors import BadJobError

SHORTEST_RUN_EPOCHS, LONGEST_RUN_EPOCHS = 20, 300


@dataclass(frozen=True)
class Box:
    """One labelled object, in px of the photo.

    Attributes:
        cls: class index.
        box_xywh_px: left, top, width, height; as large as the photo when the class is said of the whole photo.
        points_px: outline (segmentation) or corners from the top left clockwise (text); empty for a plain box.
        text: what is written there, for text recognition.
    """

    cls: int
    box_xywh_px: tuple[float, float, float, float]
    points_px: tuple[tuple[float, float], ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Photo:
    """One annotated picture of a dataset version.

    Attributes:
        name: what people call it.
        image: may be a blob without an ending.
        void_px: polygons whose pixels count neither in training nor in scores (segmentation).
    """

    name: str
    image: Path
    width: int
    height: int
    boxes: tuple[Box, ...]
    void_px: tuple[tuple[tuple[float, float], ...], ...] = ()


@dataclass(frozen=True)
class Parameters:
    """How to train; `domain.training_parameters` says what may be set.

    `epochs`, `lr0` and `patience` of None are chosen from the number of photos and the kind of start.
    """

    epochs: int | None = None
    patience: int | None = None
    batch: int = 8
    imgsz: int | None = None  # longer side of the model input, px; a multiple of 32; None: the task's own
    square: bool = False  # both sides of it alike, instead of the photos' shape
    lr0: float | None = None
    lrf: float = 0.02  # last learning rate as a share of the first
    optimizer: str = "AdamW"
    momentum: float = 0.9
    weight_decay: float = 0.0005
    warmup_steps: int = 60
    seed: int = 0
    preset: str = NORMAL
    scale: float = 0.4
    shift: float = 0.1
    mirror: float = 0.5
    mosaic: float = 0.5
    hue: float = 0.015
    saturation: float = 0.5
    brightness: float = 0.4
    distort: float = 1.0
    ema_steps: int = 40
    device: str = "auto"  # a GPU when there is one; "cpu", "cuda", "cuda:1"
    bf16: bool = True  # half precision where it is quick, float16 on older GPUs
    threads: int | None = None  # None: as many as help at the moment; a number makes runs repeat to the last digit
    score_threshold: float | None = None  # None: from the validation F1 curve
    network: str = OWN_NETWORK  # of a task that has a choice
    dictionary: str | None = None  # characters that a reading model knows; None: those of the labels
    box_limit: int | None = None  # labels that a photo may have
    start: str = AUTO
    max_minutes: float | None = None  # a run that is estimated to take longer is refused before it trains
    stop_change: float | None = None  # None: no stop rule
    stop_epochs: int = 40
    nncase: str | None = None  # None: the installed one

    def __post_init__(self) -> None:
        """Refuse what no training can use."""
        if self.imgsz is not None and (self.imgsz % 32 or not 96 <= self.imgsz <= 1280):
            raise BadJobError(f"imgsz {self.imgsz} is no multiple of 32 between 96 and 1280: use 320")
        if self.batch < 1 or (self.epochs is not None and self.epochs < 1):
            raise BadJobError(f"batch {self.batch} and epochs {self.epochs} must be at least 1")

    def plain_epochs(self, epochs: int) -> int:
        """How many of the last epochs run without mosaics, so that the model ends on pictures as the camera takes them."""
        return max(2, round(0.25 * epochs))


@dataclass(frozen=True)
class Gate:
    """When to refuse a kmodel; see `domain.gate`.

    Attributes:
        limit_points: how much of each judged metric (0…1) it may lose against the float model.
        images: validation pictures that the simulator sees first.
        budget_s: seconds for simulating more of them, of all rungs together, where those cannot tell.
        force: take the best kmodel when none may pass; it is marked.
    """

    limit_points: float = GATE_LIMIT_POINTS
    images: int = GATE_IMAGES
    budget_s: float = 300.0
    force: bool = False


@dataclass(frozen=True)
class TrainingJob:
    """One training run of a dataset version."""

    run_id: str
    task: str
    project: str
    classes: tuple[str, ...]
    train: tuple[Photo, ...]
    val: tuple[Photo, ...]
    parameters: Parameters
    warm_start: Path | None
    gate: Gate

    @property
    def may_use_pretrained(self) -> bool:
        """Whether weights from the folder `weights/` may be started from."""
        return self.warm_start is None and self.parameters.start in (AUTO, PRETRAINED)


def typical_size(job: TrainingJob) -> tuple[int, int]:
    """Width and height in px of the middle photo, ordered by their shape: of a mixed set the commonest size may be an odd one's."""
    sizes = sorted(((photo.width, photo.height) for photo in job.train + job.val), key=lambda size: size[0] / size[1])
    return sizes[len(sizes) // 2]


def model_input(job: TrainingJob, longer_px: int) -> tuple[int, int]:
    """Width and height in px of a model input in the shape of the photos, or square when that was asked for."""
    side = job.parameters.imgsz or longer_px
    return (side, side) if job.parameters.square else input_size(*typical_size(job), side)


STEPS_FROM_SCRATCH = (
    600  # optimiser steps; mAP50 of yolov8n settles at some 200, mAP50-95 goes on to rise beyond 450 (lab log)
)
STEPS_WARM = 130


def chosen_epochs(parameters: Parameters, photos: int, warm: bool, more: float = 1.0) -> int:
    """Epochs to train: as asked, else enough for a fixed number of optimiser steps (`more` times as many), within 20…300."""
    if parameters.epochs is not None:
        return parameters.epochs
    steps = STEPS_WARM if warm else STEPS_FROM_SCRATCH
    per_epoch = math.ceil(photos / parameters.batch) / more
    shortest = SHORTEST_RUN_EPOCHS // 2 if warm else SHORTEST_RUN_EPOCHS
    return min(max(math.ceil(steps / per_epoch), shortest), LONGEST_RUN_EPOCHS)


def chosen_patience(parameters: Parameters, epochs: int) -> int:
    """Epochs without gain that end a training of so many: as asked, else half of them and at least 10.

    The low rates of the cosine schedule, where most is gained, come last: a plateau before them is no reason to stop, least of all after
    a warm start, which begins near its best and gets worse before it gets better (docs/lab_log.md).
    """
    return parameters.patience if parameters.patience is not None else max(10, epochs // 2)


def read_job(path: Path) -> TrainingJob:
    """The job of a job.json.

    Raises:
        BadJobError: the file is missing or malformed, or a value in it cannot be used; the message names it and the mend.
    """
    try:
        raw = json.loads(path.read_text())
    except OSError as error:
        raise BadJobError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadJobError(f"{path} is not JSON: {error}") from error
    try:
        return _job(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise BadJobError(f"{path}: {type(error).__name__} {error}: write the job again") from error


def _job(raw: Mapping[str, Any]) -> TrainingJob:
    classes = tuple(str(name) for name in raw["classes"])
    if not classes:
        raise BadJobError("the project has no class: add one before training")
    train = tuple(_photo(entry) for entry in raw["dataset"]["train"])
    val = tuple(_photo(entry) for entry in raw["dataset"]["val"])
    if not train or not val:
        raise BadJobError(
            f"{len(train)} training and {len(val)} validation photos: both need at least one; label more photos"
        )
    return TrainingJob(
        run_id=str(raw["run_id"]),
        task=str(raw["task"]),
        project=str(raw.get("project", "")),
        classes=classes,
        train=train,
        val=val,
        parameters=_parameters(str(raw["task"]), raw.get("parameters") or {}),
        warm_start=Path(raw["warm_start"]) if raw.get("warm_start") else None,
        gate=_known(Gate, raw.get("gate") or {}),
    )


def _photo(entry: Mapping[str, Any]) -> Photo:
    boxes = tuple(_box(box) for box in entry["boxes"])
    return Photo(
        str(entry.get("name") or Path(entry["image"]).name),
        Path(entry["image"]),
        int(entry["width"]),
        int(entry["height"]),
        boxes,
        tuple(_points(area) for area in entry.get("void_px", ())),
    )


def _box(entry: Mapping[str, Any]) -> Box:
    values: Any = tuple(float(value) for value in entry["box_xywh_px"])  # its length is checked with the box
    return Box(int(entry["class"]), values, _points(entry.get("points_px", ())), str(entry.get("text", "")))


def _points(raw: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(px), float(py)) for px, py in raw)


def _parameters(task: str, given: Mapping[str, Any]) -> Parameters:
    try:
        return Parameters(**({NETWORK: default_network(task)} | with_preset(check_parameters(task, given))))
    except BadInputError as error:
        raise BadJobError(str(error)) from error


def _known(kind: Any, values: Mapping[str, Any]) -> Any:
    names = {field.name for field in fields(kind)}
    if unknown := sorted(set(values) - names):
        raise BadJobError(f"unknown {kind.__name__.lower()} {', '.join(unknown)}: known are {', '.join(sorted(names))}")
    return kind(**values)
