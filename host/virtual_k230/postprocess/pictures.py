"""aidemo's small picture functions: lines and contours into arrays, JPEG round trip, bright spots, sound files."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..arrays import Array
from ..hal import HalError
from .arguments import array_of, pair


def invert_affine_transform(matrix: Any) -> Array:
    """The inverse of a (2, 3) float matrix."""
    if not isinstance(matrix, np.ndarray) or matrix.shape != (2, 3):
        raise HalError("AssertionError", "Error: Assertion failed (rows == 2 && cols == 3) in invert_affine_transform")
    if matrix.dtype != np.float32:
        raise HalError("AssertionError", "Error: Only float data types are supported in invert_affine_transform")
    return np.asarray(cv2.invertAffineTransform(matrix)).astype(np.float32)


def _drawn(picture: Any) -> Array:
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3:
        raise HalError("TypeError", "expected a uint8 picture of (h, w, channels)")
    return np.ascontiguousarray(picture)


def polylines(
    picture: Any, points: Any, is_closed: bool, colour: Any, thickness: int, line_type: int, shift: int
) -> None:
    """A line through points (x, y, x, y, …) into an (h, w, c) picture, in place."""
    target = _drawn(picture)
    line = points.reshape(-1, 2).astype(np.int32)
    cv2.polylines(target, [line], bool(is_closed), colour.reshape(-1).tolist(), thickness, line_type, shift)
    if target is not picture:
        picture[...] = target


def contours(picture: Any, points: Any, index: int, colour: Any, thickness: int, line_type: int) -> None:
    """A contour of points into an (h, w, c) picture, in place; a negative thickness fills it."""
    target = _drawn(picture)
    outline = points.reshape(-1, 1, 2).astype(np.int32)
    cv2.drawContours(target, [outline], index, colour.reshape(-1).tolist(), thickness, line_type)
    if target is not picture:
        picture[...] = target


def rgb888_compress(size: Any, picture: Any, quality: int) -> Array:
    """An RGB888 picture after JPEG compression and back, (h, w, 3)."""
    high, wide = pair(size)
    values = array_of(picture, np.uint8).reshape(-1)
    if values.size < high * wide * 3:
        raise HalError("ValueError", "RGB image buffer is too small")
    bgr = values[: high * wide * 3].reshape(high, wide, 3)[:, :, ::-1]
    _, stream = cv2.imencode(".jpg", np.ascontiguousarray(bgr), [cv2.IMWRITE_JPEG_QUALITY, min(100, max(1, quality))])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR))[:, :, ::-1])


def opencv_grayscale_find_blobs(size: Any, picture: Any, low: int, high: int) -> list[int]:
    """x, y, w, h, x, y, … of the regions of a grey picture between two brightnesses."""
    rows, columns = pair(size)
    grey = array_of(picture, np.uint8).reshape(-1)[: rows * columns].reshape(rows, columns)
    found, _ = cv2.findContours(cv2.inRange(grey, low, high), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [int(value) for outline in found for value in cv2.boundingRect(outline)]


def wav_bytes(samples: Any, n: int, rate: int) -> Array:
    """A mono 16-bit WAV file of the first n samples (-1..1); `aidemo.save_wav` writes it to the card."""
    if not isinstance(samples, list):
        raise HalError("TypeError", "wav must be a list")
    if not 0 < n <= len(samples) or rate <= 0:
        raise HalError("ValueError", "Invalid input")
    sound = (np.clip(np.array(samples[:n], np.float64), -1, 1) * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(sound.tobytes())
    return np.frombuffer(file.getvalue(), np.uint8).copy()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "invert_affine_transform": invert_affine_transform,
    "polylines": polylines,
    "contours": contours,
    "rgb888_compress": rgb888_compress,
    "opencv_grayscale_find_blobs": opencv_grayscale_find_blobs,
    "_wav_bytes": wav_bytes,
}
