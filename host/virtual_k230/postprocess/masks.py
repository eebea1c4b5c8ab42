"""aidemo's decoders for class maps and for the COCO instance segmentation demo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..arrays import Array
from ..hal import HalError
from .arguments import array_of, canvas, cells, floats, pair
from .boxes import suppress_rects
from .yolo import Found, paint_masks

_COCO_CLASSES, _MASK_CHANNELS = 80, 32


def mask_resize(mask: Any, size: Any, target: Any) -> Array:
    """A float mask of [h, w] stretched to another [h, w], nearest neighbour."""
    (high, wide), (to_h, to_w) = pair(size), pair(target)
    values = floats(mask).reshape(-1)
    if values.size < high * wide:
        raise HalError("ValueError", "mask input buffer is too small")
    picture = values[: high * wide].reshape(high, wide)
    return np.asarray(cv2.resize(picture, (to_w, to_h), interpolation=cv2.INTER_NEAREST))


def body_seg_postprocess(output: Any, classes: int, size: Any, target: Any, colours: Any) -> Array:
    """An (h, w, 4) ARGB picture of the best class of each pixel; class 0 is left empty. `colours` is (classes, 4) uint8."""
    (high, wide), (to_h, to_w) = pair(size), pair(target)
    palette = array_of(colours, np.uint8).reshape(-1)
    if classes <= 0 or palette.size < classes * 4:
        raise HalError("ValueError", "invalid class count or color buffer")
    values = floats(output).reshape(-1)
    if values.size < high * wide * classes:
        raise HalError("ValueError", "segmentation input buffer is too small")
    table = palette[: classes * 4].reshape(classes, 4).copy()
    table[0] = 0
    painted = table[values[: high * wide * classes].reshape(high, wide, classes).argmax(axis=-1)]
    return np.asarray(cv2.resize(painted, (to_w, to_h))) if (high, wide) != (to_h, to_w) else painted


def segment_postprocess(
    outputs: Any, frame: Any, size: Any, display: Any, confidence: float, overlap: float, threshold: float, masks: Any
) -> list[Any]:
    """[boxes, ids, scores] of an 80-class model whose input holds the frame centred; `masks` is filled.

    Outputs: (1, 116, candidates) and (1, 32, h/4, w/4) floats.
    """
    if not isinstance(outputs, list) or len(outputs) < 2:
        raise HalError("ValueError", "list is too short")
    (frame_h, frame_w), (high, wide), (display_h, display_w) = pair(frame), pair(size), pair(display)
    n, length = cells(high, wide), 4 + _COCO_CLASSES + _MASK_CHANNELS
    values, planes = floats(outputs[0]).reshape(-1), floats(outputs[1]).reshape(-1)
    mask_h, mask_w = high // 4, wide // 4
    if values.size < n * length or planes.size < _MASK_CHANNELS * mask_h * mask_w:
        raise HalError("ValueError", "segmentation input buffer is too small")
    rows = values[: n * length].reshape(length, n).T
    if high / frame_h > wide / frame_w:
        seen_w, seen_h = wide, int(wide / frame_w * frame_h)
    else:
        seen_w, seen_h = int(high / frame_h * frame_w), high
    pad_x, pad_y = (wide - seen_w) // 2, (high - seen_h) // 2
    zoom_x, zoom_y = display_w / seen_w, display_h / seen_h
    best = rows[:, 4 : 4 + _COCO_CLASSES].max(axis=1)
    rows, best = rows[best >= confidence], best[best >= confidence]
    centre = (rows[:, :2] - [pad_x, pad_y]) * [zoom_x, zoom_y]
    extent = rows[:, 2:4] * [zoom_x, zoom_y]
    rects = np.concatenate([np.maximum(centre - extent / 2, 0), extent], axis=1).astype(np.int32)
    ids = rows[:, 4 : 4 + _COCO_CLASSES].argmax(axis=1) if len(rows) else np.zeros(0, np.int64)
    found = Found(rects, ids, best, rows[:, 4 + _COCO_CLASSES :]).drawable()
    found = found.take(suppress_rects(found.rects, found.scores, overlap))
    mixed = found.rest @ planes[: _MASK_CHANNELS * mask_h * mask_w].reshape(_MASK_CHANNELS, -1)
    probability = (1 / (1 + np.exp(-mixed))).reshape(-1, mask_h, mask_w).astype(np.float32)
    x, y = int(pad_x / wide * mask_w), int(pad_y / high * mask_h)
    seen = probability[:, y : y + mask_h - pad_y // 2, x : x + mask_w - pad_x // 2]
    target = canvas(masks, display_h, display_w)
    return paint_masks(found, np.ascontiguousarray(seen), target, threshold).answer()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "mask_resize": mask_resize,
    "body_seg_postprocess": body_seg_postprocess,
    "segment_postprocess": segment_postprocess,
}
