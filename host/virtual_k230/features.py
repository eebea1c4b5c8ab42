"""Feature detectors of `image.Image` that OpenMV has and CanMV inherits: faces, gradients, binary patterns, a line through all.

scikit-image finds faces (its cascade of local binary patterns stands in for OpenMV's Haar cascade: other scores, the same
faces); the rest is computed here as OpenMV describes it. Facts: public OpenMV documentation, vendor's public examples.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from . import pixels as px
from .arrays import Array
from .detectors import Fields, line_fields, plain_fields, region, threshold_mask, with_roi
from .hal import HalError
from .handles import handles_of

_LBP_GRID, _LBP_BINS = 7, 59
_HOG_ANGLES = 9
_FACE_PX, _FACE_STAGES = 24, 20


class Cascade:
    """A `HaarCascade` of the script."""

    def __init__(self) -> None:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade as SkimageCascade

        self._cascade = SkimageCascade(lbp_frontal_face_cascade_filename())

    def find(self, grey: Array, threshold: float, scale_factor: float) -> list[list[int]]:
        """x, y, w, h of faces in a grey picture. A higher threshold (0..1) asks for more neighbours that agree."""
        side = min(grey.shape)
        if side < _FACE_PX:
            return []
        found = self._cascade.detect_multi_scale(
            grey, scale_factor=max(1.05, scale_factor), step_ratio=1, min_size=(_FACE_PX, _FACE_PX),
            max_size=(side, side), min_neighbor_number=max(1, round(8 * threshold)),
        )  # fmt: skip
        return [[int(face["c"]), int(face["r"]), int(face["width"]), int(face["height"])] for face in found]


def _uniform_codes() -> Array:
    """For each of 256 patterns its bin: 58 with at most two changes round the ring, and one for all others."""
    bins, following = np.full(256, _LBP_BINS - 1), 0
    for code in range(256):
        ring = [code >> bit & 1 for bit in range(8)]
        if sum(ring[i] != ring[i - 1] for i in range(8)) <= 2:
            bins[code] = following
            following += 1
    return bins


_UNIFORM = _uniform_codes()


def lbp_descriptor(grey: Array) -> Array:
    """(7, 7, 59) counts of uniform local binary patterns in 7 x 7 cells of a grey picture.

    Raises:
        HalError: ValueError when the region is smaller than its cells.
    """
    if min(grey.shape) < _LBP_GRID + 2:
        raise HalError("ValueError", f"find_lbp needs {_LBP_GRID + 2}x{_LBP_GRID + 2} pixels or more")
    inner = grey[1:-1, 1:-1]
    code = np.zeros(inner.shape, np.int32)
    high, wide = grey.shape
    for bit, (dy, dx) in enumerate(((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))):
        code |= (grey[dy : high - 2 + dy, dx : wide - 2 + dx] >= inner).astype(np.int32) << bit
    binned = _UNIFORM[code]
    rows = np.array_split(binned, _LBP_GRID)
    cells = [
        np.bincount(cell.reshape(-1), minlength=_LBP_BINS) for row in rows for cell in np.array_split(row, _LBP_GRID, 1)
    ]
    return np.array(cells).reshape(_LBP_GRID, _LBP_GRID, _LBP_BINS)


def lbp_distance(first: Array, second: Array) -> int:
    """How unlike two descriptors are: chi-square of their counts; 0 for the same picture."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    return int(((a - b) ** 2 / np.maximum(a + b, 1)).sum())


def hog_picture(grey: Array, cell: int) -> Array:
    """A grey picture that shows in each cell a stroke for every direction of gradient, the brighter the stronger.

    Raises:
        HalError: ValueError when the picture has no whole cell.
    """
    rows, columns = grey.shape[0] // cell, grey.shape[1] // cell
    if cell < 2 or not rows or not columns:
        raise HalError("ValueError", f"cells of {cell} pixels do not fit the image")
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=1)
    strength = cv2.magnitude(dx, dy)[: rows * cell, : columns * cell]
    turn = np.degrees(np.arctan2(dy, dx))[: rows * cell, : columns * cell] % 180
    number = (turn * _HOG_ANGLES / 180).astype(int) % _HOG_ANGLES
    strokes = np.zeros((rows, columns, _HOG_ANGLES), np.float32)
    for angle in range(_HOG_ANGLES):
        strokes[:, :, angle] = np.where(number == angle, strength, 0).reshape(rows, cell, columns, cell).sum((1, 3))
    shown = strokes / max(float(np.linalg.norm(strokes, axis=2).max()), 1e-6) * 255
    picture = np.zeros(grey.shape, np.uint8)
    for row, column, angle in np.argwhere(shown >= 8):
        # An edge runs across its gradient, so the stroke is turned by 90 degrees.
        along = math.radians((angle + 0.5) * 180 / _HOG_ANGLES + 90)
        x, y = (column + 0.5) * cell, (row + 0.5) * cell
        reach_x, reach_y = math.cos(along) * cell / 2, math.sin(along) * cell / 2
        ends = (round(x - reach_x), round(y - reach_y)), (round(x + reach_x), round(y + reach_y))
        cv2.line(picture, *ends, int(shown[row, column, angle]), 1)
    return picture


def regression(inside: Array, grey: Array, left: int, top: int, is_robust: bool) -> Fields | None:
    """The line through the pixels of a mask, across its whole region; None for fewer than two pixels.

    Its magnitude is 0 for a round cloud and grows the thinner the cloud is.
    """
    points = np.argwhere(inside)[:, ::-1].astype(np.float32)
    if len(points) < 2:
        return None
    spread = np.linalg.eigvalsh(np.cov(points.T))
    if is_robust:  # the middle of many pairs' slopes would do as well; a Huber fit also ignores what lies far off
        dx, dy, x0, y0 = cv2.fitLine(points, cv2.DIST_HUBER, 0, 0.01, 0.01).reshape(4)
    else:
        dx, dy, x0, y0 = cv2.fitLine(points, cv2.DIST_L2, 0, 0.01, 0.01).reshape(4)
    high, wide = inside.shape
    reach = wide + high
    _, a, b = cv2.clipLine(
        (0, 0, wide, high), (round(float(x0 - reach * dx)), round(float(y0 - reach * dy))),
        (round(float(x0 + reach * dx)), round(float(y0 + reach * dy))),
    )  # fmt: skip
    fields = line_fields((*a, *b), grey.astype(np.float32), left, top)
    fields[5] = ("magnitude", int(math.sqrt(spread[1] / max(spread[0], 1e-3)) - 1))
    return fields


class FeatureOps:
    """The operations of one board's images."""

    def __init__(self, board: Any) -> None:
        self._images = board.images
        self._handles = handles_of(board)

    def cascade(self, name: str, stages: int) -> list[int]:
        """image.HaarCascade(): handle, width, height and stages.

        Raises:
            HalError: NotImplementedError for any but the built-in face cascade.
        """
        if name != "frontalface":
            raise HalError("NotImplementedError", f"virtual K230 has the cascade 'frontalface' only, not {name!r}")
        return [
            self._handles.put(Cascade()),
            _FACE_PX,
            _FACE_PX,
            min(stages, _FACE_STAGES) if stages > 0 else _FACE_STAGES,
        ]

    def faces(self, handle: int, cascade: int, threshold: float, scale_factor: float, roi: Any) -> list[list[int]]:
        """find_features(): rectangles in pixels of the image."""
        left, top, rgb = region(self._images.get(handle), {"roi": roi})
        grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        found = self._handles.get(cascade, Cascade).find(grey, threshold, scale_factor)
        return [[x + left, y + top, w, h] for x, y, w, h in found]

    def lbp(self, handle: int, roi: Any) -> int:
        """find_lbp(): handle of a descriptor."""
        _, _, rgb = region(self._images.get(handle), {"roi": roi})
        return self._handles.put(lbp_descriptor(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))))

    def match(self, first: int, second: int) -> int:
        """match_descriptor() of two LBP descriptors."""
        return lbp_distance(self._handles.get(first, np.ndarray), self._handles.get(second, np.ndarray))

    def hog(self, handle: int, roi: Any, size: int) -> None:
        """find_hog(): the region becomes the picture of its gradients."""
        image = self._images.get(handle)
        left, top, rgb = region(image, {"roi": roi})
        shown = hog_picture(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)), size)
        whole = np.ascontiguousarray(image.rgb()).copy()
        whole[top : top + shown.shape[0], left : left + shown.shape[1]] = shown[:, :, None]
        image.writable()[...] = px.from_rgb(whole, image.format)

    def regression(self, handle: int, args: list[Any], options: dict[str, Any]) -> Any:
        """get_regression(thresholds): the fields of a line, or None."""
        image = self._images.get(handle)
        if not args or not isinstance(args[0], list):
            raise HalError("TypeError", "get_regression takes a list of thresholds")
        left, top, rgb = region(image, with_roi(args[1:], options))
        inside = np.any([threshold_mask(image, rgb, threshold) for threshold in args[0]], axis=0)
        inside = inside ^ bool(options.get("invert"))
        steps = int(options.get("y_stride", 1)), int(options.get("x_stride", 2))
        sparse = np.zeros_like(inside)
        sparse[:: steps[0], :: steps[1]] = inside[:: steps[0], :: steps[1]]
        if sparse.sum() < int(options.get("pixels_threshold", 10)):
            return None
        grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        fields = regression(sparse, grey, left, top, bool(options.get("robust")))
        return None if fields is None else plain_fields(fields)


def register(hal: Any, board: Any) -> None:
    """Give the board's images these operations; after image.register()."""
    ops = FeatureOps(board)
    for name in ("cascade", "faces", "lbp", "match", "hog", "regression"):
        hal.op(f"image.{name}", getattr(ops, name))
