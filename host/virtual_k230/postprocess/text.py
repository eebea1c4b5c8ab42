"""Finding text: quadrilaterals round it, and the picture inside them straightened."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ..arrays import Array
from ..hal import HalError
from .arguments import array_of, floats, pair


def corners_of(points: Array) -> Array:
    """The corners of the smallest rectangle round some points, (4, 2) float: top left, top right, bottom right, bottom left."""
    rectangle = cv2.boxPoints(cv2.minAreaRect(points.astype(np.int32).reshape(-1, 1, 2)))
    by_x = rectangle[np.argsort(rectangle[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.stack([left[0], right[0], right[1], left[1]]).astype(np.float32)


def straighten(picture: Array, corners: Array) -> Array:
    """What is inside the corners, as an upright picture whose longer side lies flat; empty for a flat rectangle."""
    across, down = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[1])
    width, height = float(max(across, down)), float(min(across, down))
    if int(width) < 1 or int(height) < 1:
        return picture[:0, :0]
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    return np.asarray(cv2.warpPerspective(picture, matrix, (int(width), int(height))))


def ocr_rec_preprocess(picture: Any, size: Any, boxes: Any) -> list[Any]:
    """[[crop (1, 1, h, w) uint8 grey], [8 floats, corners in order]] of a (3, h, w) RGB picture and boxes of 8 floats."""
    high, wide = pair(size)
    values = array_of(picture, np.uint8).reshape(-1)
    if values.size < 3 * high * wide:
        raise HalError("ValueError", "OCR image buffer is too small")
    if not isinstance(boxes, list):
        raise HalError("TypeError", "expected list")
    points = [floats(box).reshape(-1) for box in boxes]
    if any(box.size < 8 for box in points):
        raise HalError("ValueError", "OCR box must contain 8 floats")
    rgb = np.ascontiguousarray(values[: 3 * high * wide].reshape(3, high, wide).transpose(1, 2, 0))
    crops, corners = [], []
    for box in points:
        ordered = corners_of(box[:8].reshape(4, 2))
        crop = straighten(rgb, ordered)
        grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if crop.size else np.zeros((1, 1), np.uint8)
        crops.append(np.asarray(grey)[None, None])
        corners.append(ordered.reshape(-1))
    return [crops, corners]


FUNCTIONS = {"ocr_rec_preprocess": ocr_rec_preprocess}
