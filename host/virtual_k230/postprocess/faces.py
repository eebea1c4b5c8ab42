"""aidemo's decoders for faces, people and licence plates of the SSD kind (priors, two boxes a cell) and their drawings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..arrays import Array
from ..hal import HalError
from .arguments import cells, floats, pair
from .boxes import suppress, suppress_centred, suppress_rects
from .palette import RGB

_VARIANCES = (0.1, 0.2)  # how far one unit of the head moves and stretches a prior
_BOXES_PER_CELL = 2
_PLATE_SIZES = ((8, 16, 32), ((16, 32), (64, 128), (256, 512)))
"""Strides and prior sizes of the plate detector: RetinaFace's defaults; the vendor's own table is not published."""
_GAZE_BINS, _GAZE_STEP_DEG, _GAZE_START_DEG = 90, 4, -180
_MESH_POINTS, _MESH_INPUT, _MESH_STEP = 38365, 120, 12
_PARSE_ZOOM = 2.7  # the face crop that the parser saw is this much larger than the box
_PERSON_POINTS = 17


def _unfold(outputs: list[Any], channels: int) -> Array:
    """Three NCHW heads of two boxes a cell as (priors, channels), in the order of the priors."""
    rows = []
    for output in outputs:
        values = floats(output).reshape(-1)
        if values.size % (_BOXES_PER_CELL * channels):
            raise HalError("ValueError", f"output of {values.size} values is no head of {channels} channels")
        rows.append(values.reshape(_BOXES_PER_CELL, channels, -1).transpose(2, 0, 1).reshape(-1, channels))
    return np.concatenate(rows)


def _decode(outputs: Any, priors: Array, points: int, confidence: float, overlap: float) -> tuple[Array, Array, Array]:
    """Boxes (centre x, y, w, h), landmarks (2 · points) and scores, in shares of the input, best first."""
    if not isinstance(outputs, list) or len(outputs) < 9:
        raise HalError("ValueError", "nine outputs are needed: three of boxes, of scores and of landmarks")
    logits = _unfold(outputs[3:6], 2)
    scores = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    if len(scores) != len(priors):
        raise HalError("ValueError", f"{len(scores)} candidates but {len(priors)} anchors")
    chosen = np.flatnonzero(scores >= confidence)
    boxes, marks = _unfold(outputs[0:3], 4)[chosen], _unfold(outputs[6:9], 2 * points)[chosen]
    prior = priors[chosen]
    centre = prior[:, :2] + boxes[:, :2] * _VARIANCES[0] * prior[:, 2:]
    extent = prior[:, 2:] * np.exp(boxes[:, 2:] * _VARIANCES[1])
    found = np.concatenate([centre, extent], axis=1)
    landmarks = np.tile(prior[:, :2], points) + marks * _VARIANCES[0] * np.tile(prior[:, 2:], points)
    kept = suppress_centred(found, scores[chosen], overlap)
    return found[kept], landmarks[kept], scores[chosen][kept]


def face_det_post_process(
    confidence: float, overlap: float, net_len: float, anchors: Any, frame_wh: Any, outputs: Any
) -> list[Any]:
    """[boxes (n, 4) x y w h, landmarks (n, 10), scores (n, 1)] in frame pixels; [] without a face.

    `frame_wh` is [width, height]; the frame was letterboxed into the top left of the square input.
    """
    width, height = pair(frame_wh)
    priors = floats(anchors).reshape(-1, 4)
    boxes, marks, scores = _decode(outputs, priors, 5, confidence, overlap)
    if not len(boxes):
        return []
    side = max(width, height)
    low = np.clip((boxes[:, :2] - boxes[:, 2:] / 2) * side, 0, [width, height])
    high = np.clip((boxes[:, :2] + boxes[:, 2:] / 2) * side, 0, [width, height])
    rects = np.concatenate([low, high - low], axis=1).astype(np.float32)
    return [rects, (marks * side).astype(np.float32), scores.reshape(-1, 1).astype(np.float32)]


def _plate_priors(side: int) -> Array:
    rows = []
    for stride, sizes in zip(*_PLATE_SIZES, strict=True):
        n = side // stride
        y, x = np.mgrid[0:n, 0:n]
        for_cell = [
            np.stack([(x + 0.5) / n, (y + 0.5) / n, np.full((n, n), s / side), np.full((n, n), s / side)], -1)
            for s in sizes
        ]
        rows.append(np.stack(for_cell, axis=2).reshape(-1, 4))
    return np.concatenate(rows).astype(np.float32)


def licence_det_postprocess(outputs: Any, frame: Any, size: Any, confidence: float, overlap: float) -> list[Any]:
    """Four corners (8 floats, frame pixels) of each plate; sizes are [height, width]."""
    (frame_h, frame_w), (high, wide) = pair(frame), pair(size)
    _, marks, _ = _decode(outputs, _plate_priors(high), 4, confidence, overlap)
    gain = min(wide / frame_w, high / frame_h)
    return list((marks * np.array([wide, high] * 4, np.float32) / gain).astype(np.float32))


def person_kp_postprocess(output: Any, frame: Any, size: Any, confidence: float, overlap: float) -> list[Any]:
    """[boxes (x1 y1 x2 y2 int16), keypoints (17, 3) x y score, scores] in frame pixels; the frame sat centred.

    `output` is (1, 56, candidates): box, score, 17 keypoints.
    """
    (frame_h, frame_w), (high, wide) = pair(frame), pair(size)
    n, length = cells(high, wide), 5 + 3 * _PERSON_POINTS
    values = floats(output).reshape(-1)
    if values.size < n * length:
        raise HalError("ValueError", f"output has {values.size} values, not {length}x{n}")
    rows = values[: n * length].reshape(length, n).T
    rows = rows[rows[:, 4] > confidence]
    gain = min(wide / frame_w, high / frame_h)
    shift_x = _half_up((wide - int(gain * frame_w)) / 2)
    shift_y = _half_up((high - int(gain * frame_h)) / 2)
    x, y = (rows[:, 0] - shift_x) / gain, (rows[:, 1] - shift_y) / gain
    w, h = rows[:, 2] / gain, rows[:, 3] / gain
    left = np.maximum((x - w / 2 + 0.5).astype(np.int32), 0)
    top = np.maximum((y - h / 2 + 0.5).astype(np.int32), 0)
    corners = np.stack([left, top, left + (w + 0.5).astype(np.int32), top + (h + 0.5).astype(np.int32)], axis=1)
    kept = suppress(corners.reshape(-1, 4), rows[:, 4], np.zeros(len(rows), np.int32), overlap, is_agnostic=True)
    points = rows[kept, 5:].reshape(-1, _PERSON_POINTS, 3).copy()
    points[..., 0] = (points[..., 0] - shift_x) / gain
    points[..., 1] = (points[..., 1] - shift_y) / gain
    return [list(corners[kept].astype(np.int16)), list(points.astype(np.float32)), rows[kept, 4].tolist()]


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)


def yunet_postprocess(
    outputs: Any, frame: Any, size: Any, display: Any, strides: Any, confidence: float, overlap: float, limit: int
) -> list[Any]:
    """[boxes (x y w h int16, display pixels), scores] of YuNet's twelve outputs: classes, objectness, boxes, landmarks."""
    if not isinstance(outputs, list) or len(outputs) < 12:
        raise HalError("ValueError", "YuNet has twelve outputs")
    (frame_h, frame_w), (high, wide), (display_h, display_w) = pair(frame), pair(size), pair(display)
    gain = min(wide / frame_w, high / frame_h)
    zoom = np.array([display_w / frame_w / gain, display_h / frame_h / gain] * 2)
    rects, scores = [], []
    for number, stride in enumerate(strides[:3]):
        rows, columns = high // stride, wide // stride
        n = rows * columns
        classes, objects = (floats(outputs[number + k]).reshape(-1)[:n].clip(0, 1) for k in (0, 3))
        box = floats(outputs[number + 6]).reshape(-1)[: 4 * n].reshape(n, 4)
        score = np.sqrt(classes * objects)
        chosen = np.flatnonzero(score > confidence)
        grid = np.stack([chosen % columns, chosen // columns], axis=1)
        centre = (grid + box[chosen, :2]) * stride
        extent = np.exp(box[chosen, 2:]) * stride
        low = np.maximum(centre - extent / 2, 0)
        rects.append((np.concatenate([low, extent], axis=1) * zoom).astype(np.int32))
        scores.append(score[chosen])
    all_rects, all_scores = np.concatenate(rects), np.concatenate(scores)
    is_real = (all_rects[:, 2:] > 0).all(axis=1)
    all_rects, all_scores = all_rects[is_real], all_scores[is_real]
    kept = suppress_rects(all_rects, all_scores, overlap)[: max(0, limit)]
    return [list(all_rects[kept].astype(np.int16)), all_scores[kept].tolist()]


def eye_gaze_post_process(outputs: Any) -> list[float]:
    """[pitch, yaw] in radians: the mean of each output's 90 angle bins of 4 degrees."""
    angles = []
    for output in outputs[:2]:
        logits = floats(output).reshape(-1)[:_GAZE_BINS].astype(np.float64)
        weights = np.exp(logits - logits.max())
        mean = float((weights / weights.sum() * np.arange(len(logits))).sum())
        angles.append(math.radians(mean * _GAZE_STEP_DEG + _GAZE_START_DEG))
    return angles


def face_parse_post_process(picture: Any, frame_wh: Any, osd_wh: Any, net_len: float, box: Any, output: Any) -> None:
    """Paint the parts of a face (1, H, W, classes) into an ARGB picture of OSD size, round the face's box x y w h."""
    (frame_w, frame_h), (wide, high) = pair(frame_wh), pair(osd_wh)
    x, y, w, h = (float(value) for value in box)
    x, w, y, h = x / frame_w * wide, w / frame_w * wide, y / frame_h * high, h / frame_h * high
    scale = int(net_len) * 2.0 / (_PARSE_ZOOM * max(w, h))
    matrix = np.array([[scale, 0, net_len / 2 - scale * (x + w / 2)], [0, scale, net_len / 2 - scale * (y + h / 2)]])
    classes = floats(output).reshape(output.shape[-3:]).argmax(axis=-1)
    colours = np.array(
        [(0, 0, 0, 0), *((255, *RGB[2 if n == 1 else 1 if n == 2 else n]) for n in range(1, 80))], np.uint8
    )
    painted = cv2.warpAffine(colours[classes], cv2.invertAffineTransform(matrix), (wide, high))
    picture[...] = cv2.add(np.ascontiguousarray(picture), painted)


def face_mesh_post_process(roi: Any, vertices: Any) -> None:
    """Move a mesh's vertices (x, y, z rows of one array, in place) from the 120-pixel input to the face's box x y w h."""
    x, y, w, h = (float(value) for value in floats(roi).reshape(-1)[:4])
    rows = floats(vertices).reshape(-1)
    n = _MESH_POINTS if rows.size >= 3 * _MESH_POINTS else rows.size // 3
    scale_x, scale_y = w / _MESH_INPUT, h / _MESH_INPUT
    rows[:n] = (rows[:n] - 1) * scale_x + x
    rows[n : 2 * n] = (_MESH_INPUT - rows[n : 2 * n]) * scale_y + y
    depth = (rows[2 * n : 3 * n] - 1) * (scale_x + scale_y) / 2
    rows[2 * n : 3 * n] = depth - depth.min()


def face_draw_mesh(picture: Any, vertices: Any) -> None:
    """Dot every twelfth vertex of a mesh into an ARGB picture, in place."""
    rows = floats(vertices).reshape(-1)
    n = _MESH_POINTS if rows.size >= 3 * _MESH_POINTS else rows.size // 3
    drawn = np.ascontiguousarray(picture)
    for x, y in zip(rows[:n:_MESH_STEP].tolist(), rows[n : 2 * n : _MESH_STEP].tolist(), strict=True):
        cv2.circle(drawn, (int(x), int(y)), 2, (200, 0, 0, 255), 4)
    if drawn is not picture:
        picture[...] = drawn


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        face_det_post_process, licence_det_postprocess, person_kp_postprocess, yunet_postprocess, eye_gaze_post_process,
        face_parse_post_process, face_mesh_post_process, face_draw_mesh,
    )
}  # fmt: skip
