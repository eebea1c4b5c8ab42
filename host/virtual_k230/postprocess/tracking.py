"""aidemo's single-object tracker: where NanoTrack's two heads put the object that was followed so far."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..hal import HalError

_GRID = 16
_WINDOW_SHARE, _LEARNING_RATE, _PENALTY, _SMALLEST = 0.46, 0.34, 0.16, 10.0


def _padded(width: Any, height: Any) -> Any:
    pad = (width + height) / 2
    return np.sqrt((width + pad) * (height + pad))


def _change(ratio: Any) -> Any:
    return np.maximum(ratio, 1 / ratio)


def nanotracker_postprocess(
    scores: Any, reach: Any, sensor_hw: Any, confidence: float, state: Any, crop_size: int, context: float,
    scale: float | None = None,
) -> list[Any]:  # fmt: skip
    """[[x, y, w, h, score], [centre x, centre y, w, h]] in sensor pixels; [[], []] when the object is lost.

    Args:
        scores: (1, 2, 16, 16) float logits, background and object.
        reach: (1, 4, 16, 16) float distances left, top, right, bottom in search pixels.
        sensor_hw: [height, width].
        confidence: the object must score more.
        state: centre x, y, w, h so far.
        crop_size: side of the template in its input.
        context: margin round the object, as share of its size.
        scale: search pixels per sensor pixel, by default from the state.
    """
    for output, channels in ((scores, 2), (reach, 4)):
        if not isinstance(output, np.ndarray):
            raise HalError("TypeError", "outputs must be ndarrays")
        if output.dtype != np.float32 or output.shape != (1, channels, _GRID, _GRID) or not output.flags.c_contiguous:
            raise HalError("ValueError", "invalid NanoTracker outputs")
    if not isinstance(sensor_hw, list) or not isinstance(state, list):
        raise HalError("TypeError", "sizes must be lists")
    if len(sensor_hw) < 2 or len(state) < 4:
        raise HalError("ValueError", "invalid NanoTracker state")
    centre_x, centre_y, width, height = (float(value) for value in state[:4])
    if min(sensor_hw[:2]) <= 0 or crop_size <= 0 or width <= 0 or height <= 0 or context < 0:
        raise HalError("ValueError", "invalid NanoTracker arguments")
    if scale is not None and not scale > 0:
        raise HalError("ValueError", "invalid NanoTracker scale")
    margin = context * (width + height)
    zoom = scale if scale is not None else crop_size / math.sqrt((width + margin) * (height + margin))
    left, top, right, bottom = reach[0].reshape(4, -1).astype(np.float64)
    wide, high = left + right, top + bottom
    with np.errstate(all="ignore"):
        stretch = _change(_padded(wide, high) / _padded(width * zoom, height * zoom))
        aspect = _change(width / height / (wide / high))
        penalty = np.exp(-(aspect * stretch - 1) * _PENALTY)
        logits = scores[0].reshape(2, -1).astype(np.float64)
        raw = 1 / (1 + np.exp(logits[0] - logits[1]))
        window = np.outer(np.hanning(_GRID), np.hanning(_GRID)).reshape(-1)
        rank = penalty * raw * (1 - _WINDOW_SHARE) + window * _WINDOW_SHARE
    rank[~(np.isfinite(rank) & (left > 0) & (top > 0) & (right > 0) & (bottom > 0))] = -np.inf
    best = int(rank.argmax())
    if not np.isfinite(rank[best]):
        return [[], []]
    column, row = best % _GRID, best // _GRID
    rate = penalty[best] * raw[best] * _LEARNING_RATE
    new_x = centre_x + ((column - _GRID // 2) * _GRID + (right[best] - left[best]) / 2) / zoom
    new_y = centre_y + ((row - _GRID // 2) * _GRID + (bottom[best] - top[best]) / 2) / zoom
    new_w = width * (1 - rate) + wide[best] / zoom * rate
    new_h = height * (1 - rate) + high[best] / zoom * rate
    sensor_h, sensor_w = sensor_hw[:2]
    new_x, new_y = min(max(new_x, 0.0), sensor_w), min(max(new_y, 0.0), sensor_h)
    new_w, new_h = max(_SMALLEST, min(new_w, sensor_w)), max(_SMALLEST, min(new_h, sensor_h))
    if not raw[best] > confidence:
        return [[], []]
    x, y = max(0, int(new_x - new_w / 2)), max(0, int(new_y - new_h / 2))
    return [[x, y, int(new_w), int(new_h), float(raw[best])], [float(v) for v in (new_x, new_y, new_w, new_h)]]


FUNCTIONS = {"nanotracker_postprocess": nanotracker_postprocess}
