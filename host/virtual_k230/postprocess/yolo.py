"""aidemo's decoders for the YOLO families: detection, instance segmentation, oriented boxes, poses, licence plates.

All sizes are [height, width]. The camera frame was letterboxed into the top left corner of the model's input; boxes come
back in pixels of the display. As in the firmware they are whole pixels, and suppression goes across classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np

from ..arrays import Array
from ..hal import HalError
from .arguments import canvas, cells, floats, pair, records
from .boxes import greedy, suppress_rects
from .palette import argb

_END_TO_END_BOXES = 300  # YOLO26 answers with this many, best first, already suppressed
_MASK_CHANNELS = 32
_MASK_ALPHA = 127
_BOX_LINE = 2


class Zoom(NamedTuple):
    """From pixels of the model's input to pixels of the display."""

    x: float
    y: float
    input_hw: tuple[int, int]
    display_hw: tuple[int, int]
    gain: float
    frame_hw: tuple[int, int]

    @staticmethod
    def of(frame: Any, size: Any, display: Any) -> Zoom:
        """Of the three [height, width] lists that every decoder takes."""
        frame_hw, input_hw, display_hw = pair(frame), pair(size), pair(display)
        gain = min(input_hw[0] / frame_hw[0], input_hw[1] / frame_hw[1])
        return Zoom(
            display_hw[1] / frame_hw[1] / gain, display_hw[0] / frame_hw[0] / gain, input_hw, display_hw, gain, frame_hw
        )

    def rects(self, centred: Array) -> Array:
        """Centre x, y, w, h of the input as whole x, y, w, h of the display; negative corners move to 0."""
        scaled = centred * np.array([self.x, self.y, self.x, self.y], np.float32)
        corners = np.maximum(scaled[:, :2] - scaled[:, 2:] / 2, 0)
        return np.concatenate([corners, scaled[:, 2:]], axis=1).astype(np.int32)

    def corner_rects(self, corners: Array) -> Array:
        """x1, y1, x2, y2 of the input as whole x, y, w, h of the display."""
        scaled = corners * np.array([self.x, self.y, self.x, self.y], np.float32)
        return np.concatenate(
            [np.maximum(scaled[:, :2], 0), scaled[:, 2:] - scaled[:, :2]], axis=1
        ).astype(np.int32)  # fmt: skip


class Found(NamedTuple):
    """Candidates that score enough, or what is left of them.

    Attributes:
        rects: (n, 4) int32 x, y, w, h in display pixels.
        ids: (n,) class numbers.
        scores: (n,) float32.
        rest: (n, k) float32, what the record holds besides.
    """

    rects: Array
    ids: Array
    scores: Array
    rest: Array

    def take(self, indexes: Any) -> Found:
        """Some of them."""
        return Found(self.rects[indexes], self.ids[indexes], self.scores[indexes], self.rest[indexes])

    def drawable(self) -> Found:
        """Those with an area."""
        return self.take((self.rects[:, 2] > 0) & (self.rects[:, 3] > 0))

    def suppressed(self, overlap: float) -> Found:
        """Without those that cover a better one."""
        return self.take(suppress_rects(self.rects, self.scores, overlap))

    def answer(self) -> list[Any]:
        """[boxes, ids, scores], the boxes as int16 arrays."""
        return [list(self.rects.astype(np.int16)), self.ids.tolist(), self.scores.tolist()]


def _scored(rows: Array, zoom: Zoom, classes: int, confidence: float, has_objectness: bool) -> Found:
    first = 5 if has_objectness else 4
    scores = rows[:, first : first + classes]
    best = scores.max(axis=1)
    if has_objectness:
        best = best * rows[:, 4]
    chosen = np.flatnonzero(best > confidence)
    rows = rows[chosen]
    return Found(
        zoom.rects(rows[:, :4]), scores[chosen].argmax(axis=1), best[chosen], rows[:, first + classes :]
    ).drawable()  # fmt: skip


def _end_to_end(output: Any, zoom: Zoom, length: int, confidence: float, has_corners: bool = True) -> Found:
    rows = records(output, _END_TO_END_BOXES, length)
    rows = rows[rows[:, 4] > confidence]
    rects = zoom.corner_rects(rows[:, :4]) if has_corners else (
        rows[:, :4] * np.array([zoom.x, zoom.y, zoom.x, zoom.y], np.float32)
    ).astype(np.int32)  # fmt: skip
    return Found(rects, rows[:, 5].astype(np.int32), rows[:, 4], rows[:, 6:]).drawable()


def _or_nothing(found: Found, answer: list[Any]) -> list[Any]:
    return answer if len(found.rects) else []


# ---- detection ----------------------------------------------------------------------------------------------------


def yolov8_det_postprocess(
    output: Any, frame: Any, size: Any, display: Any, classes: int, confidence: float, overlap: float, limit: int
) -> list[Any]:
    """[boxes, ids, scores] of (candidates, 4 + classes) floats: centre x, y, w, h in input pixels, class scores; or []."""
    zoom = Zoom.of(frame, size, display)
    rows = records(output, cells(*zoom.input_hw), 4 + classes)
    found = _scored(rows, zoom, classes, confidence, False).suppressed(overlap).take(slice(0, max(0, limit)))
    return _or_nothing(found, found.answer())


def yolov5_det_postprocess(
    output: Any, frame: Any, size: Any, display: Any, classes: int, confidence: float, overlap: float, limit: int
) -> list[Any]:
    """The same for (3 · candidates, 5 + classes): the fifth is the objectness that multiplies the class scores."""
    zoom = Zoom.of(frame, size, display)
    rows = records(output, 3 * cells(*zoom.input_hw), 5 + classes)
    found = _scored(rows, zoom, classes, confidence, True).suppressed(overlap).take(slice(0, max(0, limit)))
    return _or_nothing(found, found.answer())


def yolo26_det_postprocess(
    output: Any, frame: Any, size: Any, display: Any, classes: int, confidence: float, limit: int
) -> list[Any]:
    """The same for 300 records x1, y1, x2, y2, score, class."""
    found = _end_to_end(output, Zoom.of(frame, size, display), 6, confidence).take(slice(0, max(0, limit)))
    return _or_nothing(found, found.answer())


# ---- instance segmentation ----------------------------------------------------------------------------------------


def paint_masks(found: Found, probability: Array, target: Array, threshold: float) -> Found:
    """Clear the picture and paint every object into it: outline, and within its box where the mask is above `threshold`.

    Args:
        found: rects are clipped to the picture; `ids` choose the colours.
        probability: (n, h, w) float 0..1 of the part of the masks that shows the frame.
        target: (H, W, 4) uint8, A R G B.
        threshold: in 0..1.
    """
    target[...] = 0
    high, wide = target.shape[:2]
    clipped = found.rects.copy()
    for number, (x, y, w, h) in enumerate(found.rects.tolist()):
        x1, y1 = min(wide, x + w), min(high, y + h)
        clipped[number] = (x, y, max(0, x1 - x), max(0, y1 - y))
        if x >= wide or y >= high:
            continue
        colour = argb(int(found.ids[number]), _MASK_ALPHA)
        mask = cv2.resize(probability[number], (wide, high), interpolation=cv2.INTER_NEAREST)
        cv2.rectangle(target, (x, y), (x1 - 1, y1 - 1), colour, _BOX_LINE)
        target[y:y1, x:x1][np.asarray(mask)[y:y1, x:x1] > threshold] = colour
    return found._replace(rects=clipped)


def _segment(found: Found, prototypes: Any, zoom: Zoom, threshold: float, masks: Any) -> list[Any]:
    high, wide = zoom.input_hw[0] // 4, zoom.input_hw[1] // 4
    values = floats(prototypes).reshape(-1)
    if values.size < _MASK_CHANNELS * high * wide:
        raise HalError("ValueError", f"mask prototypes must be {_MASK_CHANNELS}x{high}x{wide}")
    target = canvas(masks, *zoom.display_hw)
    planes = values[: _MASK_CHANNELS * high * wide].reshape(_MASK_CHANNELS, high * wide)
    mixed = found.rest[:, :_MASK_CHANNELS] @ planes
    probability = (1 / (1 + np.exp(-mixed))).reshape(-1, high, wide).astype(np.float32)
    pad_h = max(0, zoom.input_hw[0] - int(zoom.frame_hw[0] * zoom.gain))
    pad_w = max(0, zoom.input_hw[1] - int(zoom.frame_hw[1] * zoom.gain))
    seen = probability[:, : high - int(pad_h * high / zoom.input_hw[0]), : wide - int(pad_w * wide / zoom.input_hw[1])]
    return paint_masks(found, np.ascontiguousarray(seen), target, threshold).answer()


def yolov8_seg_postprocess(
    output: Any, prototypes: Any, frame: Any, size: Any, display: Any, classes: int, confidence: float, overlap: float,
    threshold: float, masks: Any,
) -> list[Any]:  # fmt: skip
    """[boxes, ids, scores]; `masks` (uint8, display size, A R G B) is filled. Prototypes: (32, h/4, w/4) floats."""
    _check_classes(classes)
    zoom = Zoom.of(frame, size, display)
    rows = records(output, cells(*zoom.input_hw), 4 + classes + _MASK_CHANNELS)
    found = _scored(rows, zoom, classes, confidence, False).suppressed(overlap)
    return _segment(found, prototypes, zoom, threshold, masks)


def yolov5_seg_postprocess(
    output: Any, prototypes: Any, frame: Any, size: Any, display: Any, classes: int, confidence: float, overlap: float,
    threshold: float, masks: Any,
) -> list[Any]:  # fmt: skip
    """The same with objectness."""
    _check_classes(classes)
    zoom = Zoom.of(frame, size, display)
    rows = records(output, 3 * cells(*zoom.input_hw), 5 + classes + _MASK_CHANNELS)
    found = _scored(rows, zoom, classes, confidence, True).suppressed(overlap)
    return _segment(found, prototypes, zoom, threshold, masks)


def yolo26_seg_postprocess(
    output: Any, prototypes: Any, frame: Any, size: Any, display: Any, classes: int, confidence: float, threshold: float,
    masks: Any,
) -> list[Any]:  # fmt: skip
    """The same for 300 records x1, y1, x2, y2, score, class and 32 mask weights."""
    _check_classes(classes)
    zoom = Zoom.of(frame, size, display)
    found = _end_to_end(output, zoom, 6 + _MASK_CHANNELS, confidence)
    return _segment(found, prototypes, zoom, threshold, masks)


def _check_classes(classes: int) -> None:
    if classes <= 0:
        raise HalError("ValueError", "num_class must be positive")


# ---- oriented boxes -----------------------------------------------------------------------------------------------


def _corners(found: Found, angles: Array) -> list[Array]:
    """Eight whole numbers for each box: its corners round the centre that `rects` holds as x, y."""
    cx, cy, w, h = found.rects.T.astype(np.float32)
    cos, sin = np.cos(angles), np.sin(angles)
    points = []
    for side_x, side_y in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        dx, dy = side_x * w / 2, side_y * h / 2
        points += [cx + cos * dx - sin * dy, cy + sin * dx + cos * dy]
    return list(np.stack(points, axis=1).astype(np.int16))


def _probabilistic_overlap(found: Found, angles: Array) -> Any:
    """Overlap of boxes seen as Gaussians (1 - Hellinger distance), as oriented YOLO models are suppressed."""
    x, y, w, h = found.rects.T.astype(np.float64)
    cos, sin = np.cos(angles), np.sin(angles)
    a = (w / 2 * cos) ** 2 + (h / 2 * sin) ** 2
    b = (w / 2 * sin) ** 2 + (h / 2 * cos) ** 2
    c = w / 2 * cos * h / 2 * sin
    tiny = 1e-7

    def overlap(best: int, rest: Array) -> Array:
        a_sum, b_sum, c_sum = a[best] + a[rest], b[best] + b[rest], c[best] + c[rest]
        dx, dy = x[best] - x[rest], y[best] - y[rest]
        area = a_sum * b_sum - c_sum**2
        near = (a_sum * dy**2 + b_sum * dx**2) / (area + tiny) * 0.25 + c_sum * -dx * dy / (area + tiny) * 0.5
        own = np.sqrt(
            np.clip(a[best] * b[best] - c[best] ** 2, 0, None) * np.clip(a[rest] * b[rest] - c[rest] ** 2, 0, None)
        )
        shape = 0.5 * np.log(np.clip(area, 0, None) / (4 * own + tiny) + tiny)
        distance = np.sqrt(1 - np.exp(-np.clip(near + shape, tiny, 100)) + tiny)
        return np.asarray(1 - distance)

    return overlap


def yolo_obb_postprocess(
    output: Any, frame: Any, size: Any, display: Any, classes: int, confidence: float, overlap: float, limit: int
) -> list[Any]:
    """[corners (8 int16 each), ids, scores] of (candidates, 5 + classes): centre, w, h, class scores, angle in radians."""
    zoom = Zoom.of(frame, size, display)
    rows = records(output, cells(*zoom.input_hw), 5 + classes)
    scores = rows[:, 4 : 4 + classes]
    best = scores.max(axis=1)
    chosen = np.flatnonzero(best > confidence)
    centred = (rows[chosen, :4] * np.array([zoom.x, zoom.y, zoom.x, zoom.y], np.float32)).astype(np.int32)
    found = Found(centred, scores[chosen].argmax(axis=1), best[chosen], rows[chosen, 4 + classes :]).drawable()
    kept = greedy(
        found.scores, _probabilistic_overlap(found, found.rest[:, 0]), lambda shares: np.asarray(shares > overlap)
    )
    found = found.take(kept[: max(0, limit)])
    return _or_nothing(found, [_corners(found, found.rest[:, 0]), found.ids.tolist(), found.scores.tolist()])


def yolo26_obb_postprocess(
    output: Any, frame: Any, size: Any, display: Any, classes: int, confidence: float, limit: int
) -> list[Any]:
    """The same for 300 records centre x, y, w, h, score, class, angle."""
    zoom = Zoom.of(frame, size, display)
    found = _end_to_end(output, zoom, 7, confidence, has_corners=False).take(slice(0, max(0, limit)))
    return _or_nothing(found, [_corners(found, found.rest[:, 0]), found.ids.tolist(), found.scores.tolist()])


# ---- poses ----------------------------------------------------------------------------------------------------------


def _keypoints(found: Found, zoom: Zoom, points: int, dimensions: int) -> list[Array]:
    if points <= 0 or dimensions not in (2, 3):
        raise HalError("ValueError", "invalid keypoint dimensions")
    factors = np.array(([zoom.x, zoom.y, 1] if dimensions == 3 else [zoom.x, zoom.y]) * points, np.float32)
    return list((found.rest[:, : points * dimensions] * factors).astype(np.float32))


def yolov8_pose_postprocess(
    output: Any, frame: Any, size: Any, display: Any, classes: int, points: int, dimensions: int, confidence: float,
    overlap: float, limit: int,
) -> list[Any]:  # fmt: skip
    """[boxes, ids, scores, keypoints (points · dimensions floats each)] of (candidates, 5 + points · dimensions)."""
    zoom = Zoom.of(frame, size, display)
    rows = records(output, cells(*zoom.input_hw), 5 + points * dimensions)
    found = _scored(rows, zoom, 1, confidence, False).suppressed(overlap).take(slice(0, max(0, limit)))
    return _or_nothing(found, [*found.answer(), _keypoints(found, zoom, points, dimensions)])


def yolo26_pose_postprocess(
    output: Any, frame: Any, size: Any, display: Any, classes: int, points: int, dimensions: int, confidence: float,
    limit: int,
) -> list[Any]:  # fmt: skip
    """The same for 300 records x1, y1, x2, y2, score, class, keypoints."""
    zoom = Zoom.of(frame, size, display)
    found = _end_to_end(output, zoom, 6 + points * dimensions, confidence).take(slice(0, max(0, limit)))
    return _or_nothing(found, [*found.answer(), _keypoints(found, zoom, points, dimensions)])


def yolo_license_plate_det_postprocess(
    output: Any, frame: Any, size: Any, display: Any, confidence: float, overlap: float, limit: int
) -> list[Any]:
    """[corners (8 floats each), boxes (4 floats), scores] in frame pixels of (candidates, 13): box, score, 4 corners."""
    zoom = Zoom.of(frame, size, display)
    rows = records(output, cells(*zoom.input_hw), 13)
    rows = rows[rows[:, 4] > confidence]
    extent = rows[:, 2:4] / zoom.gain
    boxes = np.concatenate([np.maximum(rows[:, :2] / zoom.gain - extent / 2, 0), extent], axis=1).astype(np.float32)
    corners, scores = (rows[:, 5:] / zoom.gain).astype(np.float32), rows[:, 4]
    is_real = (extent > 0).all(axis=1)
    boxes, corners, scores = boxes[is_real], corners[is_real], scores[is_real]
    kept = suppress_rects(boxes.astype(np.int32), scores, overlap)[: max(0, limit)]
    return [list(corners[kept]), list(boxes[kept]), scores[kept].tolist()]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        yolov5_det_postprocess, yolov8_det_postprocess, yolo26_det_postprocess, yolov5_seg_postprocess,
        yolov8_seg_postprocess, yolo26_seg_postprocess, yolo_obb_postprocess, yolo26_obb_postprocess,
        yolov8_pose_postprocess, yolo26_pose_postprocess, yolo_license_plate_det_postprocess,
    )
}  # fmt: skip
