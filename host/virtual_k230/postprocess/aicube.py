"""aicube: decoding the heads of models that Canaan's platforms train, as the firmware's C functions do.

Detection functions take sizes as [width, height] and the frame letterboxed centred; segmentation takes [height, width].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from ..arrays import Array
from ..hal import HalError
from .arguments import array_of, floats, pair
from .boxes import suppress
from .text import corners_of, straighten

_DFL_BINS = 17
_STRIDES = 3
_ANCHORS = 18
_MASK_ALPHA, _MASK_RED = 128, 255
_QUICK_EXP_ERROR = 0.1  # generously: quick_exp is off by 6 %
_UNCLIP = 1.5  # a text region was shrunk for training by about this ratio of area to outline
_TEXT_MARGIN = (1.025, 1.15)  # the crop is this much wider and higher than the region


# ---- what the firmware checks ---------------------------------------------------------------------------------------


def _list(value: Any, length: int) -> list[Any]:
    if not isinstance(value, list):
        raise HalError("TypeError", "expected list")
    if len(value) < length:
        raise HalError("ValueError", "list is too short")
    return value


def _check_heads(heads: Any, lists: Any, strides: Any, classes: int, anchors: Any = None) -> None:
    """What is wrong with a detector's arguments, in the order and words of the firmware."""
    for head in heads:
        floats(head)
    for sizes in lists:
        _list(sizes, 2)
    _list(strides, _STRIDES)
    if anchors is not None:
        _list(anchors, _ANCHORS)
    for sizes in lists:
        pair(sizes)
    if classes <= 0:
        raise HalError("ValueError", "num_class must be positive")
    if any(int(stride) <= 0 for stride in strides[:_STRIDES]):
        raise HalError("ValueError", "strides must be positive")


def _head(output: Any, number: int, size: int) -> Array:
    values = floats(output)
    if values.size != size:
        # The firmware would read beyond the array, or less than all of it.
        raise HalError("ValueError", f"output {number} has {values.size} values, the model's head has {size}")
    return values.reshape(-1)


class _Letterbox:
    """From model pixels back to frame pixels."""

    def __init__(self, model_wh: Any, frame_wh: Any) -> None:
        self.model, self.frame = pair(model_wh), pair(frame_wh)
        self.gain = min(self.model[0] / self.frame[0], self.model[1] / self.frame[1])
        self.shift = [(self.model[i] - self.frame[i] * self.gain) / 2 for i in (0, 1)]

    def back(self, corners: Array) -> Array:
        """(n, 4) x1, y1, x2, y2 in frame pixels, clipped to 0 … width and 0 … height."""
        framed = (corners - np.array(self.shift * 2)) / self.gain
        return np.asarray(framed.clip(0, np.array(self.frame * 2)))


def _answer(
    boxes: Array, scores: Array, labels: Array, overlap: float, is_agnostic: bool, is_whole: bool
) -> list[list[float]]:
    """[label, score, x1, y1, x2, y2] each, whole pixels: best first, or class by class when classes do not suppress each other."""
    if is_whole:
        boxes = np.trunc(boxes)
    kept = suppress(boxes, scores, labels, overlap, is_agnostic)
    if not is_agnostic:
        kept.sort(key=lambda index: (labels[index], -scores[index]))
    return [[int(labels[i]), float(scores[i]), *(int(value) for value in boxes[i])] for i in kept]


# ---- detection ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _grid(model: tuple[int, int], stride: int) -> Array:
    """(h, w, 2) float32: x and y of each cell. Shared: not to be written to."""
    return np.stack(np.meshgrid(np.arange(model[0] // stride), np.arange(model[1] // stride)), axis=-1).astype(
        np.float32
    )


def _multi_label(scores: Array, corners: Array, confidence: float) -> tuple[Array, Array, Array]:
    """One candidate for each class that scores enough, as these heads are trained class by class."""
    candidates, labels = np.nonzero(scores > confidence)
    return corners[candidates], scores[candidates, labels], labels


def anchorbasedet_post_process(
    out0: Any, out1: Any, out2: Any, model_wh: Any, frame_wh: Any, strides: Any, classes: int, confidence: float,
    overlap: float, anchors: Any, is_agnostic: bool,
) -> list[list[float]]:  # fmt: skip
    """Boxes of three (1, H/s, W/s, 3 · (5 + classes)) heads with sigmoid inside; `anchors` are 18 widths and heights."""
    _check_heads((out0, out1, out2), (model_wh, frame_wh), strides, classes, anchors)
    box = _Letterbox(model_wh, frame_wh)
    sizes = np.array(anchors[:_ANCHORS], np.float32).reshape(_STRIDES, 3, 2)
    found = []
    for number, (output, stride) in enumerate(zip((out0, out1, out2), strides, strict=False)):
        grid = _grid(box.model, stride)
        high, wide = grid.shape[:2]
        values = _head(output, number, high * wide * 3 * (5 + classes)).reshape(high, wide, 3, 5 + classes)
        centre = (2 * values[..., :2] - 0.5 + grid[:, :, None]) * stride
        extent = (2 * values[..., 2:4]) ** 2 * sizes[number]
        corners = np.concatenate([centre - extent / 2, centre + extent / 2], axis=-1).reshape(-1, 4)
        found.append(_multi_label((values[..., 4:5] * values[..., 5:]).reshape(-1, classes), corners, confidence))
    boxes, scores, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return _answer(box.back(boxes), scores, labels, overlap, bool(is_agnostic), is_whole=True)


def anchorfreedet_post_process(
    out0: Any, out1: Any, out2: Any, model_wh: Any, frame_wh: Any, strides: Any, classes: int, confidence: float,
    overlap: float, is_agnostic: bool,
) -> list[list[float]]:  # fmt: skip
    """Boxes of three (1, H/s, W/s, 5 + classes) heads with sigmoid inside."""
    _check_heads((out0, out1, out2), (model_wh, frame_wh), strides, classes)
    box = _Letterbox(model_wh, frame_wh)
    found = []
    for number, (output, stride) in enumerate(zip((out0, out1, out2), strides, strict=False)):
        grid = _grid(box.model, stride).reshape(-1, 2)
        values = _head(output, number, len(grid) * (5 + classes)).reshape(-1, 5 + classes)
        centre, extent = (values[:, :2] + grid) * stride, np.exp(values[:, 2:4]) * stride
        corners = np.concatenate([centre - extent / 2, centre + extent / 2], axis=1)
        found.append(_multi_label(values[:, 4:5] * values[:, 5:], corners, confidence))
    boxes, scores, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return _answer(box.back(boxes), scores, labels, overlap, bool(is_agnostic), is_whole=True)


def quick_exp(x: Array) -> Array:
    """e^x as the firmware approximates it for GFL heads: x scaled into the exponent bits of a float (within ±6 %)."""
    # 2^23 steps per octave; 126.93 instead of 127 spreads the error to both sides.
    bits = (np.float32(1 << 23) * (1.4426950409 * x.astype(np.float64) + 126.93490512)).clip(0, 2**31 - 1)
    return bits.astype(np.uint32).view(np.float32)


def gfldet_post_process(
    out0: Any, out1: Any, out2: Any, model_wh: Any, frame_wh: Any, strides: Any, classes: int, confidence: float,
    overlap: float, is_agnostic: bool,
) -> list[list[float]]:  # fmt: skip
    """Boxes of three (1, H/s, W/s, classes + 4 · 17) heads: class logits, and 17 bins of distance to each side."""
    _check_heads((out0, out1, out2), (model_wh, frame_wh), strides, classes)
    box = _Letterbox(model_wh, frame_wh)
    found = []
    # Most cells are far below: only those are looked at closely whose exact score could reach the limit.
    least = math.log(confidence / (1 - confidence)) - _QUICK_EXP_ERROR if 0 < confidence < 1 else -math.inf
    for number, (output, stride) in enumerate(zip((out0, out1, out2), strides, strict=False)):
        grid = _grid(box.model, stride).reshape(-1, 2)
        values = _head(output, number, len(grid) * (classes + 4 * _DFL_BINS)).reshape(len(grid), -1)
        logits = values[:, :classes]
        best = logits.max(axis=1)
        chosen = np.flatnonzero(best > least)
        scores = 1 / (1 + quick_exp(-best[chosen]))
        chosen, scores = chosen[scores > confidence], scores[scores > confidence]
        if not chosen.size:
            continue
        bins = values[chosen, classes:].reshape(-1, 4, _DFL_BINS)
        weights = quick_exp(bins - bins.max(axis=-1, keepdims=True))
        reach = (weights * np.arange(_DFL_BINS)).sum(axis=-1) / weights.sum(axis=-1) * stride
        centre = grid[chosen] * stride
        corners = np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], axis=1)
        found.append((corners, scores, logits[chosen].argmax(axis=1)))
    if not found:
        return []
    boxes, scores, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return _answer(box.back(boxes), scores, labels, overlap, bool(is_agnostic), is_whole=False)


# ---- segmentation and text ------------------------------------------------------------------------------------------


def _painted(output: Any, classes: int, size_hw: Any, display_hw: Any, palette: Array) -> Array:
    floats(output)
    (high, wide), (to_h, to_w) = pair(size_hw), pair(display_hw)
    best = _head(output, 0, high * wide * classes).reshape(high, wide, classes).argmax(axis=-1)
    picture = palette[best]
    # OpenCV's default: colours, not classes, are blended where two regions meet.
    return picture if (high, wide) == (to_h, to_w) else np.asarray(cv2.resize(picture, (to_w, to_h)))


def _mask_colours(classes: int) -> Array:
    if classes <= 0:
        raise HalError("ValueError", "num_class must be positive")
    palette = np.zeros((classes, 4), np.uint8)
    for number in range(1, classes):
        palette[number] = (_MASK_ALPHA, _MASK_RED, min(80 * number, 255), max(255 - 60 * number, 0))
    return palette


def seg_post_process(output: Any, classes: int, size_hw: Any, display_hw: Any) -> Array:
    """(dh, dw, 4) uint8 A R G B: class 0 empty, every other a colour of its own; logits are (1, h, w, classes)."""
    return _painted(output, classes, size_hw, display_hw, _mask_colours(classes))


def newest_seg_post_process(output: Any, classes: int, size_hw: Any, display_hw: Any) -> Array:
    """As seg_post_process, in the colours of the newest firmware: a dark background, red by the distance to the last class."""
    palette = _mask_colours(classes)
    palette[:, 0] = _MASK_ALPHA
    palette[1:, 1] = [max(255 - 100 * (classes - number), 0) for number in range(1, classes)]
    return _painted(output, classes, size_hw, display_hw, palette)


def _grown(corners: Array, wide: int, high: int) -> Array:
    """Corners moved apart by the margins of a text crop, inside the picture."""
    top_left, top_right, bottom_right, bottom_left = corners
    across, down = _TEXT_MARGIN
    grown = np.array([
        (across * top_left[0] - (across - 1) * top_right[0], down * top_left[1] - (down - 1) * bottom_left[1]),
        (across * top_right[0] - (across - 1) * top_left[0], down * top_right[1] - (down - 1) * bottom_right[1]),
        (across * bottom_right[0] - (across - 1) * bottom_left[0], down * bottom_right[1] - (down - 1) * top_right[1]),
        (across * bottom_left[0] - (across - 1) * bottom_right[0], down * bottom_left[1] - (down - 1) * top_left[1]),
    ], np.float32)  # fmt: skip
    return grown.clip(0, np.array([wide, high], np.float32))


def ocr_post_process(
    probability: Any, picture: Any, model_wh: Any, frame_wh: Any, mask_threshold: float, box_threshold: float
) -> list[list[Any]]:
    """[crop (1, h, w, 3) uint8, corners (8 floats, frame pixels, from top left clockwise)] of each text region.

    Args:
        probability: model height · width floats, how likely a pixel is text.
        picture: frame height · width · 3 uint8, RGB; it sat in the top left corner of the model's input.
        model_wh: model input.
        frame_wh: the picture.
        mask_threshold: pixels above belong to a region.
        box_threshold: regions whose mean is below are dropped.
    """
    floats(probability)
    array_of(picture, np.uint8)
    (wide, high), (frame_w, frame_h) = pair(model_wh), pair(frame_wh)
    chances = _head(probability, 0, wide * high).reshape(high, wide)
    if picture.size != frame_w * frame_h * 3:
        raise HalError(
            "ValueError", f"the picture has {picture.size} bytes, {frame_w}x{frame_h} needs {frame_w * frame_h * 3}"
        )
    frame = picture.reshape(frame_h, frame_w, 3)
    gain = min(wide / frame_w, high / frame_h)
    seen = np.array([round(frame_w * gain), round(frame_h * gain)], np.float32)
    regions, _ = cv2.findContours((chances > mask_threshold).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    answer: list[list[Any]] = []
    for region in regions:
        if len(region) < 4:
            continue
        inside = np.zeros((high, wide), np.uint8)
        cv2.fillPoly(inside, [region], 1)
        if cv2.mean(chances, inside)[0] < box_threshold:
            continue
        outline = cv2.arcLength(region, True)
        margin = cv2.contourArea(region) * _UNCLIP / outline if outline else 0.0
        centre, (w, h), angle = cv2.minAreaRect(region)
        # Growing the rectangle by the margin is what offsetting the region itself and boxing that comes to.
        corners = cv2.boxPoints((centre, (w + 2 * margin, h + 2 * margin), angle))
        framed = corners.astype(np.int32).clip(0, [wide, high]) / seen * [frame_w, frame_h]
        ordered = corners_of(framed.clip(0, [frame_w, frame_h]))
        grown = _grown(ordered, frame_w, frame_h)
        crop = straighten(frame, grown)
        if crop.size:
            answer.append([crop[None], grown.reshape(-1)])
    return answer


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        anchorbasedet_post_process, anchorfreedet_post_process, gfldet_post_process, seg_post_process, ocr_post_process,
    )
}  # fmt: skip
