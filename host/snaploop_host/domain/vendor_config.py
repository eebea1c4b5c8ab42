"""deploy_config.json of the vendor's cloud and tools, read strictly: what kind of model lies beside it (K230 platform notes §7.5). Pure.

The counterpart of deploy_config.py. Every message names the key and the mend.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snaploop_shared.manifest import (
    ANCHORS,
    HEAD_ANCHORBASE,
    HEAD_ANCHORFREE,
    HEAD_CTC,
    HEAD_EMBEDDING,
    HEAD_GFL,
    HEAD_LOGITS,
    HEAD_MULTILOGITS,
    HEAD_SEGFULL,
    HEAD_TEXTMAP,
    STRIDES,
)

from ..errors import BadInputError
from .deploy_config import CHIP
from .scores import CLASSIFY, DETECT, EMBED, MULTILABEL, OCR_DETECT, OCR_RECOGNIZE, SEGMENT

MODEL_TYPES: Mapping[str, tuple[str, str]] = {
    "anchorbasedet": (DETECT, HEAD_ANCHORBASE),
    "anchorfreedet": (DETECT, HEAD_ANCHORFREE),
    "freedet": (DETECT, HEAD_ANCHORFREE),
    "gfldet": (DETECT, HEAD_GFL),
    **{f"can{number}": (CLASSIFY, HEAD_LOGITS) for number in (1, 2, 5, 6, 7, 8, 9)},
    "deepnet": (SEGMENT, HEAD_SEGFULL),
    "ednet": (SEGMENT, HEAD_SEGFULL),
    "ocr_dnet": (OCR_DETECT, HEAD_TEXTMAP),
    "ocr_rlnet": (OCR_RECOGNIZE, HEAD_CTC),
    "ocr_rcnet": (OCR_RECOGNIZE, HEAD_CTC),
    "metric_learning": (EMBED, HEAD_EMBEDDING),
    "multilabel": (MULTILABEL, HEAD_MULTILOGITS),
}
"""model_type in small letters → task and how our app decodes it."""

UNDECODABLE = {"patchdet": "finds anomalies"}  # exists, and nothing on the board's side of MicroPython decodes it
_HEADS = {task: head for task, head in MODEL_TYPES.values() if task != DETECT}
_CATEGORIES = (DETECT, CLASSIFY, SEGMENT, MULTILABEL)
_CONFIDENCE = (DETECT, CLASSIFY, EMBED, MULTILABEL)
_VERSION = re.compile(r"v?\d+\.\d+(\.\d+)*")
_MOST_PX = 4096


@dataclass(frozen=True)
class VendorModel:
    """What a package's config says of its kmodel.

    Attributes:
        size: input width and height, px.
        labels: in the order of the outputs; the dictionary of a reading model, one empty string more than it may have characters.
        score: least score of an answer, 0…1; iou: overlap above which the weaker of two boxes goes; mask: limit of a text map.
        anchors: 18 numbers of an "anchorbase" head, none of others.
        notes: what is different from what the package says, for people.
    """

    task: str
    head: str
    model_type: str
    kmodel_name: str
    size: tuple[int, int]
    labels: tuple[str, ...]
    nncase: str
    score: float = 0.0
    iou: float = 0.0
    mask: float = 0.5
    anchors: tuple[float, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def classes(self) -> tuple[str, ...]:
        """Of a project of such models; none when the package does not name them."""
        if self.task == SEGMENT:
            return self.labels[1:]
        return self.labels if self.task in _CATEGORIES else ("text",) if self.task != EMBED else ()


def vendor_model(config: Any, dictionary: str | None, where: str, task: str | None = None) -> VendorModel:
    """The model that a parsed deploy_config.json describes.

    Args:
        config: what JSON gave.
        dictionary: the text of dict.txt beside it, None when there is none.
        where: how messages call the file.
        task: what the model does, for a `model_type` that is not in MODEL_TYPES.

    Raises:
        BadInputError: a key is missing or of the wrong kind, or the model is of a kind that our app cannot run.
    """
    if not isinstance(config, Mapping):
        raise BadInputError(f"{where} is no JSON object: take the package as it was downloaded")
    read = _Reader(config, where)
    chip = read.text("chip_type", CHIP)
    if not chip.lower().startswith(CHIP):
        raise BadInputError(f"{where}: chip_type is {chip!r}, this is for {CHIP}: export the model for {CHIP}")
    found, head = _kind(read, task)
    width, height = read.size()
    notes = []
    labels: tuple[str, ...] = ()
    if found in _CATEGORIES:
        labels = read.categories()
    elif found == OCR_DETECT:
        labels = ("text",)
    elif found == OCR_RECOGNIZE:
        labels = _dictionary(dictionary, where)
    if found == SEGMENT and len(labels) < 2:
        raise BadInputError(
            f"{where}: categories of a segmentation begin with the background, {labels[0]!r} stands alone: add it"
        )
    if found == DETECT and read.raw.get("nms_option") is True:
        notes.append("nms_option is true there; our app, like the vendor's DetectionApp, suppresses within each class")
    nncase = read.text("nncase_version")
    if not _VERSION.fullmatch(nncase):
        raise BadInputError(f"{where}: nncase_version {nncase!r} is no version such as 2.9.0: correct it")
    score = 0.0
    if found in _CONFIDENCE:
        score = read.share("confidence_threshold")
    elif found == OCR_DETECT:
        score = read.share("box_threshold")
    return VendorModel(
        task=found,
        head=head,
        model_type=str(read.raw.get("model_type", "")),
        kmodel_name=read.file_name("kmodel_path"),
        size=(width, height),
        labels=labels,
        nncase=nncase,
        score=score,
        iou=read.share("nms_threshold") if found == DETECT else 0.0,
        mask=read.share("mask_threshold") if found == OCR_DETECT else 0.5,
        anchors=read.anchors() if head == HEAD_ANCHORBASE else (),
        notes=tuple(notes),
    )


def _kind(read: _Reader, task: str | None) -> tuple[str, str]:
    known = ", ".join(MODEL_TYPES)
    model_type = read.raw.get("model_type")
    if isinstance(model_type, str) and model_type.lower() in UNDECODABLE:
        raise BadInputError(
            f"{read.where}: a {model_type} {UNDECODABLE[model_type.lower()]}, which no script on a board decodes; "
            f"what can be imported: {known}"
        )
    if isinstance(model_type, str) and model_type.lower() in MODEL_TYPES:
        kind = MODEL_TYPES[model_type.lower()]
        if task not in (None, kind[0]):
            raise BadInputError(f"{read.where}: a {model_type} is a model of {kind[0]}, not of {task}")
        return kind
    if task in _HEADS:
        return task, _HEADS[task]
    missing = "is missing" if model_type is None else f"{model_type!r} is not known here"
    raise BadInputError(
        f"{read.where}: model_type {missing}; known are {known}: correct it, or say what the model does with --task"
    )


def _dictionary(text: str | None, where: str) -> tuple[str, ...]:
    if text is None:
        raise BadInputError(f"{where}: a reading model needs dict.txt beside it, which is missing: copy it there")
    labels = tuple(line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n"))
    if len(labels) < 2:
        raise BadInputError(
            f"dict.txt beside {where} has {len(labels)} lines, at least 2 are needed: one character a line"
        )
    return labels


class _Reader:
    """Keys of one config, each with a message of its own."""

    def __init__(self, raw: Mapping[str, Any], where: str) -> None:
        self.raw = raw
        self.where = where

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, value, "a text")
        return value

    def file_name(self, key: str) -> str:
        name = self.text(key)
        if "/" in name or "\\" in name or name in (".", ".."):
            raise self._wrong(key, name, "the name of a file in the same folder")
        return name

    def share(self, key: str) -> float:
        value = self._get(key)
        if not _is_number(value) or not 0 <= value <= 1:
            raise self._wrong(key, value, "a number from 0 to 1")
        return float(value)

    def size(self) -> tuple[int, int]:
        key = "img_size" if "img_size" in self.raw else "inference_width"
        value: Any = self.raw.get(key)
        if key == "inference_width":
            value = [self._get(name) for name in ("inference_width", "inference_height")]
        if not _are_numbers(value, 2) or any(side != int(side) or not 0 < side <= _MOST_PX for side in value):
            raise self._wrong(key, value, "[width, height] in pixels")
        width, height = int(value[0]), int(value[1])
        if width % 32 or height % 32:
            raise self._wrong(key, value, "two multiples of 32, as the KPU wants")
        return width, height

    def categories(self) -> tuple[str, ...]:
        value = self._get("categories")
        if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
            raise self._wrong("categories", value, "a list of names")
        if len(set(value)) != len(value):
            raise self._wrong("categories", value, "a list of different names")
        count = self.raw.get("num_classes", len(value))
        if count != len(value):
            raise BadInputError(
                f"{self.where}: num_classes is {count}, categories has {len(value)} names: correct one of them"
            )
        return tuple(value)

    def anchors(self) -> tuple[float, ...]:
        levels = self._get("anchors")
        is_whole = isinstance(levels, list) and len(levels) == len(STRIDES)
        if not is_whole or not all(_are_numbers(level, ANCHORS // len(STRIDES)) for level in levels):
            raise self._wrong("anchors", levels, "3 lists of 6 numbers")
        return tuple(number for level in levels for number in level)

    def _get(self, key: str, default: Any = None) -> Any:
        value = self.raw.get(key, default)
        if value is None:
            raise BadInputError(f"{self.where}: the key {key} is missing: take the package as it was downloaded")
        return value

    def _wrong(self, key: str, value: Any, wanted: str) -> BadInputError:
        return BadInputError(f"{self.where}: {key} is {str(value)[:60]!r}, it must be {wanted}: correct it")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_numbers(value: Any, count: int) -> bool:
    return isinstance(value, Sequence) and len(value) == count and all(_is_number(one) and one > 0 for one in value)
