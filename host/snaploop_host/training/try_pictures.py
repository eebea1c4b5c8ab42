"""A run's float model on any picture: what it finds, in words and drawn. Called by `snaploop test`; OpenCV and onnxruntime, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from snaploop_shared import palette
from snaploop_shared.letterbox import PAD_VALUE, Placement, corner_placement, placement, stretch_placement

from ..domain.classification_metrics import ClassProbabilities
from ..domain.detection_decode import Detections
from ..domain.embedding_metrics import Embedding
from ..domain.multilabel_metrics import LabelProbabilities
from ..domain.scores import DETECT, OCR_DETECT, OCR_RECOGNIZE
from ..domain.segmentation_metrics import ClassMap
from ..domain.text_metrics import FoundText, Reading
from .detect.augment import letterbox
from .detect.picture_dataset import read_rgb
from .evaluate import FinishedRun
from .ocr.quads import into_corner, straighten
from .task import Pixels
from .typefaces import write
from .whole_photo.pictures import stretch

ENLARGED, TEXT_PX = 2, 15  # model inputs are small
TEXT_PAD = 0
LEAST_SHARE = 0.002  # of the picture: smaller regions are crumbs at an edge, nothing that anybody would count


@dataclass(frozen=True)
class Finding:
    """One thing that the model says of a picture.

    Attributes:
        label: class, or the text that was read.
        score: 0…1; of a region its share of the picture.
        outline_px: corners (N, 2) in px of the model input, from `try_picture` of the picture; None when it is said of all of it.
    """

    label: str
    score: float
    outline_px: np.ndarray | None = None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        outline = None if self.outline_px is None else np.rint(self.outline_px).astype(int).tolist()
        return {"label": self.label, "score": round(self.score, 4), "outline_px": outline}


class FloatModel:
    """A run's float model, loaded once for any number of pictures."""

    def __init__(self, run: FinishedRun) -> None:
        """Load it."""
        self.run = run
        file = run.artifacts / "model.onnx"
        self._session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def look(self, image: Pixels, threshold: float | None = None) -> tuple[Pixels, list[Finding]]:
        """The model input that a picture (h, w, 3) becomes, and what is found in it at or above the threshold (None: the board's)."""
        run = self.run
        pixels = model_input(run, image)
        batch = run.task.preprocess.apply(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None])
        answer = run.task.decode(run.job, self._session.run(None, {self._session.get_inputs()[0].name: batch}))
        return pixels, findings(run, answer, run.threshold if threshold is None else threshold)


def try_picture(
    model: FloatModel, picture: Path, threshold: float | None, marked: Path | None, finder: FloatModel | None = None
) -> list[Finding]:
    """What the model finds in a picture, surest first; with a finder, every line that it finds as the model reads it, from the top down.

    Args:
        model: what looks at the picture, or reads its lines.
        picture: any picture file.
        threshold: least score, of a finder's areas if there is one; None: the one that the board uses.
        marked: where to write the model input with the findings drawn on it; None: nowhere.
        finder: of ocr_detect, where the model is of ocr_recognize; its input is then what is drawn on.

    Raises:
        ValueError: the file is no picture.
    """
    image = read_rgb(picture)
    pixels, found = model.look(image, threshold) if finder is None else read_text(finder, model, image, threshold)
    if marked is not None:
        _draw(pixels, found, model.run.job.classes, marked)
    place = _placement((finder or model).run.task.name, image, pixels)
    return [_in_picture(one, place) for one in found]


def _in_picture(found: Finding, place: Placement) -> Finding:
    if found.outline_px is None:
        return found
    corners = np.array([place.to_source(*corner) for corner in found.outline_px.tolist()])
    return replace(found, outline_px=corners.clip(0, (place.source_w, place.source_h)))


def _placement(task: str, image: Pixels, pixels: Pixels) -> Placement:
    """Where a picture lies in the input that `fitted` made of it."""
    (height, width), (input_h, input_w) = image.shape[:2], pixels.shape[:2]
    if task == DETECT:
        return placement(width, height, input_w, input_h)
    if task in (OCR_DETECT, OCR_RECOGNIZE):
        return corner_placement(width, height, input_w, input_h)
    return stretch_placement(width, height, input_w, input_h)


def read_text(
    finder: FloatModel, reader: FloatModel, image: Pixels, threshold: float | None
) -> tuple[Pixels, list[Finding]]:
    """The finder's input, and each text area that it finds in a picture (h, w, 3) with what the reader reads there, from the top down."""
    pixels, areas = finder.look(image, threshold)
    place = corner_placement(image.shape[1], image.shape[0], pixels.shape[1], pixels.shape[0])
    found = []
    for area in areas:
        assert area.outline_px is not None  # text areas have one
        quad = np.array([place.to_source(*corner) for corner in area.outline_px.tolist()], np.float32)
        reading = reader.look(straighten(image, quad))[1][0]
        found.append(Finding(reading.label, reading.score, area.outline_px))
    return pixels, sorted(found, key=lambda one: one.outline_px[:, 1].min() if one.outline_px is not None else 0)


def model_input(run: FinishedRun, image: Pixels) -> Pixels:
    """The picture (h, w, 3) fitted to the model's input as the board does it for this task."""
    width, height = run.result["input"]
    return fitted(run.task.name, (width, height), image)


def fitted(task: str, size_wh: tuple[int, int], image: Pixels) -> Pixels:
    """The picture (h, w, 3) fitted to an input of this size, (H, W, 3): boxes want it letterboxed, text in the corner, others stretched."""
    width, height = size_wh
    if task == DETECT:
        return letterbox(image, width, height)
    if task in (OCR_DETECT, OCR_RECOGNIZE):
        return into_corner(image, width, height, PAD_VALUE if task == OCR_DETECT else TEXT_PAD)
    return stretch(image, width, height)


def findings(run: FinishedRun, answer: Any, threshold: float) -> list[Finding]:
    """An answer of any task as findings at or above the threshold, surest first."""
    labels = run.result["labels"]
    found: list[Finding] = []
    if isinstance(answer, Detections):
        for box, score, cls in zip(answer.boxes_xyxy, answer.scores, answer.classes, strict=True):
            x0, y0, x1, y1 = (float(value) for value in box)
            corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
            found.append(Finding(labels[int(cls)], float(score), corners))
    elif isinstance(answer, ClassProbabilities):
        winner = int(answer.values.argmax())
        found.append(Finding(labels[winner], float(answer.values[winner])))
    elif isinstance(answer, LabelProbabilities):
        found += [Finding(label, float(value)) for label, value in zip(labels, answer.values, strict=True)]
    elif isinstance(answer, ClassMap):
        return _regions(answer, labels, max(threshold, LEAST_SHARE))
    elif isinstance(answer, FoundText):
        quads = zip(answer.polygons, answer.scores, strict=True)
        found += [Finding("text", float(score), np.asarray(quad, float)) for quad, score in quads]
    elif isinstance(answer, Reading):
        return [Finding(answer.text, answer.score)]
    elif isinstance(answer, Embedding):
        return [Finding(f"a vector of {len(answer.vector)} numbers", 1.0)]
    return sorted((one for one in found if one.score >= threshold), key=lambda one: -one.score)


def _regions(answer: ClassMap, labels: list[str], least_share: float) -> list[Finding]:
    found = []
    for index in range(1, len(labels)):  # the first is the background
        mask = (answer.classes == index).astype(np.uint8)
        for outline in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
            share = float(cv2.contourArea(outline)) / mask.size
            if share >= least_share:
                found.append(Finding(labels[index], share, outline.reshape(-1, 2).astype(float)))
    return sorted(found, key=lambda one: -one.score)


def counts(found: list[Finding]) -> Mapping[str, int]:
    """Label → how many, most first."""
    names = [one.label for one in found]
    return {name: names.count(name) for name in sorted(set(names), key=lambda name: (-names.count(name), name))}


def _draw(pixels: Pixels, found: list[Finding], classes: Sequence[str], file: Path) -> None:
    image = cv2.resize(np.ascontiguousarray(pixels), None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_LINEAR)
    colours = palette.colours([*classes, *sorted({one.label for one in found})])
    for line, one in enumerate(found):
        colour = colours[one.label]
        where = (6, 18 + 20 * line)
        if one.outline_px is not None:
            corners = np.rint(one.outline_px * ENLARGED).astype(np.int32)
            cv2.polylines(image, [corners], True, colour, 2, cv2.LINE_AA)
            where = (int(corners[:, 0].min()), max(12, int(corners[:, 1].min()) - 4))
        write(image, f"{one.label} {one.score:.2f}", where, colour, TEXT_PX, edge_px=1)
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
