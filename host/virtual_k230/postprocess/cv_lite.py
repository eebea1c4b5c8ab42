"""cv_lite: the firmware's OpenCV functions (since v1.4) on pictures that a script holds as arrays.

Every function takes [height, width] and a uint8 array of that size first: (h, w[, 1]) grey or (h, w, 3) red, green, blue.
Facts: argument order, counts and shapes of results from the vendor's public sources and examples; the sums are OpenCV's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..arrays import Array
from ..hal import HalError
from .arguments import array_of, pair

_OTSU = 0
_OPERATIONS = {
    "erode": cv2.MORPH_ERODE, "dilate": cv2.MORPH_DILATE, "open": cv2.MORPH_OPEN, "close": cv2.MORPH_CLOSE,
    "gradient": cv2.MORPH_GRADIENT, "tophat": cv2.MORPH_TOPHAT, "blackhat": cv2.MORPH_BLACKHAT,
}  # fmt: skip


def _picture(size: Any, values: Any, channels: int) -> Array:
    """(h, w, 3) RGB, or (h, w) grey.

    Raises:
        HalError: TypeError or ValueError when the array is none of that size.
    """
    high, wide = pair(size)
    pixels = array_of(values, np.uint8).reshape(-1)
    if pixels.size != high * wide * channels:
        raise HalError("ValueError", f"the picture has {pixels.size} bytes, {wide}x{high}x{channels} were expected")
    return pixels.reshape((high, wide, 3) if channels == 3 else (high, wide))


def _grey(size: Any, values: Any, channels: int) -> Array:
    pixels = _picture(size, values, channels)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)) if channels == 3 else pixels


def _flat(rows: Any) -> list[int]:
    return [round(float(value)) for row in rows for value in row]


def _odd(size: int, name: str) -> int:
    if size < 1 or size % 2 == 0:
        raise HalError("ValueError", f"{name} must be odd")
    return int(size)


# ---- finding --------------------------------------------------------------------------------------------------------


def _boxes(mask: Array, least_area: int, kernel: int) -> list[int]:
    """x, y, w, h of every outer outline of enough area, one after the other."""
    thinned = cv2.erode(mask, np.ones((max(1, kernel),) * 2, np.uint8))
    outlines, _ = cv2.findContours(thinned, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return _flat(cv2.boundingRect(outline) for outline in outlines if cv2.contourArea(outline) >= least_area)


def grayscale_find_blobs(size: Any, values: Any, low: int, high: int, least_area: int, kernel: int) -> list[int]:
    """[x, y, w, h, …] of regions between two grey levels."""
    return _boxes(np.asarray(cv2.inRange(_picture(size, values, 1), int(low), int(high))), least_area, kernel)


def rgb888_find_blobs(size: Any, values: Any, bounds: Any, least_area: int, kernel: int) -> list[int]:
    """The same between [r_min, r_max, g_min, g_max, b_min, b_max]."""
    if not isinstance(bounds, list) or len(bounds) < 6:
        raise HalError("ValueError", "six thresholds are needed")
    mask = cv2.inRange(_picture(size, values, 3), np.array(bounds[0:6:2]), np.array(bounds[1:6:2]))
    return _boxes(np.asarray(mask), least_area, kernel)


def _circles(channels: int) -> Callable[..., list[int]]:
    def find(size: Any, values: Any, dp: int, apart: int, canny: int, votes: int, least: int, most: int) -> list[int]:
        """[x, y, r, …]."""
        grey = _grey(size, values, channels)
        found = cv2.HoughCircles(grey, cv2.HOUGH_GRADIENT, dp, apart, None, canny, votes, least, most)
        return [] if found is None else _flat(found.reshape(-1, 3))

    return find


def _quads(grey: Array, low: int, high: int, epsilon: float, share: float, most_cos: float, blur: int) -> list[Array]:
    """(4, 2) corners of rectangle-like outlines, largest first."""
    soft = cv2.GaussianBlur(grey, (_odd(blur, "blur size"),) * 2, 0)
    outlines, _ = cv2.findContours(cv2.Canny(soft, low, high), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for outline in outlines:
        quad = cv2.approxPolyDP(outline, epsilon * cv2.arcLength(outline, True), True).reshape(-1, 2)
        if len(quad) != 4 or not cv2.isContourConvex(quad) or cv2.contourArea(quad) < share * grey.size:
            continue
        sides = (np.roll(quad, -1, axis=0) - quad).astype(np.float64)
        lengths = np.linalg.norm(sides, axis=1)
        cosines = np.abs((sides * np.roll(sides, -1, axis=0)).sum(axis=1) / (lengths * np.roll(lengths, -1)))
        if cosines.max() <= most_cos:
            found.append(quad)
    return sorted(found, key=cv2.contourArea, reverse=True)


def _rectangles(channels: int, has_corners: bool) -> Callable[..., list[Any]]:
    def find(
        size: Any, values: Any, low: int, high: int, epsilon: float, share: float, most_cos: float, blur: int
    ) -> list[Any]:
        """[x, y, w, h, …]; with corners a list [x, y, w, h, x1, y1, … y4] each."""
        quads = _quads(_grey(size, values, channels), low, high, epsilon, share, most_cos, blur)
        rows = [[*cv2.boundingRect(quad), *(quad.reshape(-1) if has_corners else ())] for quad in quads]
        return [_flat([row]) for row in rows] if has_corners else _flat(rows)

    return find


def _lines(edges: Array, rho: float, theta: float, votes: int, least: float, gap: float) -> list[int]:
    found = cv2.HoughLinesP(edges, rho, theta, votes, None, least, gap)
    return [] if found is None else _flat(found.reshape(-1, 4))


def _find_lines(channels: int) -> Callable[..., list[int]]:
    def find(
        size: Any, values: Any, low: int, high: int, blur: int, rho: float, theta: float, votes: int, least: float,
        gap: float,
    ) -> list[int]:  # fmt: skip
        """[x1, y1, x2, y2, …]."""
        soft = cv2.GaussianBlur(_grey(size, values, channels), (_odd(blur, "blur size"),) * 2, 0)
        return _lines(np.asarray(cv2.Canny(soft, low, high)), rho, theta, votes, least, gap)

    return find


def grayscale_find_lines_sobel(
    size: Any, values: Any, least_slope: int, blur: int, rho: float, theta: float, votes: int, least: float, gap: float
) -> list[int]:
    """The same on pixels steeper than `least_slope`."""
    soft = cv2.GaussianBlur(_picture(size, values, 1), (_odd(blur, "blur size"),) * 2, 0)
    slope = cv2.magnitude(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
    return _lines((slope > least_slope).astype(np.uint8) * 255, rho, theta, votes, least, gap)


def _corners(channels: int) -> Callable[..., list[int]]:
    def find(size: Any, values: Any, most: int, quality: float, apart: float) -> list[int]:
        """[x, y, …]."""
        found = cv2.goodFeaturesToTrack(_grey(size, values, channels), most, quality, apart)
        return [] if found is None else _flat(found.reshape(-1, 2))

    return find


def rgb888_calc_histogram(size: Any, values: Any) -> list[list[int]]:
    """256 counts of blue, green and red."""
    pixels = _picture(size, values, 3)
    return [np.bincount(pixels[:, :, channel].reshape(-1), minlength=256).tolist() for channel in (2, 1, 0)]


# ---- changing -------------------------------------------------------------------------------------------------------


def _edges(channels: int) -> Callable[..., Array]:
    def find(size: Any, values: Any, low: int, high: int) -> Array:
        """(h, w, 1)."""
        return np.asarray(cv2.Canny(_grey(size, values, channels), low, high))[:, :, None]

    return find


def _binary(channels: int) -> Callable[..., Array]:
    def cut(size: Any, values: Any, threshold: int, most: int) -> Array:
        """(h, w, 1)."""
        return np.asarray(cv2.threshold(_grey(size, values, channels), threshold, most, cv2.THRESH_BINARY)[1])[
            :, :, None
        ]

    return cut


def _morphology(name: str) -> Callable[..., Array]:
    def change(size: Any, values: Any, kernel: int, times: int, threshold: int) -> Array:
        """One channel, black and white: (h, w, 1) of erode, (1, h, w, 1) of the others. Threshold 0 is Otsu's."""
        method = cv2.THRESH_BINARY | (cv2.THRESH_OTSU if threshold == _OTSU else 0)
        mask = cv2.threshold(_grey(size, values, 3), threshold, 255, method)[1]
        square = np.ones((_odd(kernel, "kernel size"),) * 2, np.uint8)
        changed = np.asarray(cv2.morphologyEx(mask, _OPERATIONS[name], square, iterations=times))[:, :, None]
        return changed if name == "erode" else changed[None]

    return change


def _scaled(pixels: Array, gains: Any) -> Array:
    return np.clip(pixels * np.asarray(gains, np.float32), 0, 255).astype(np.uint8)


def rgb888_adjust_exposure(size: Any, values: Any, gain: float) -> Array:
    """(h, w, 3), every channel times `gain`."""
    return _scaled(_picture(size, values, 3), gain)


def _grey_world(pixels: Array) -> Array:
    means = pixels.reshape(-1, 3).mean(axis=0)
    return np.asarray(means.mean() / np.maximum(means, 1e-3))


def rgb888_white_balance_gray_world(size: Any, values: Any) -> Array:
    """(h, w, 3): all channels get the same mean."""
    pixels = _picture(size, values, 3)
    return _scaled(pixels, _grey_world(pixels))


def rgb888_white_balance_gray_world_fast_ex(size: Any, values: Any, most: float = 2.5, boost: float = 1.05) -> Array:
    """The same with no gain above `most`, and brighter by `boost`."""
    pixels = _picture(size, values, 3)
    return _scaled(pixels, np.minimum(_grey_world(pixels), most) * boost)


def rgb888_white_balance_gray_world_adjustable(size: Any, values: Any, share: float) -> Array:
    """The same, only so far: 0 not at all, 1 wholly."""
    pixels = _picture(size, values, 3)
    return _scaled(pixels, 1 + (_grey_world(pixels) - 1) * share)


def rgb888_white_balance_white_patch(size: Any, values: Any) -> Array:
    """(h, w, 3): the brightest value of each channel becomes white."""
    pixels = _picture(size, values, 3)
    return _scaled(pixels, 255 / np.maximum(pixels.reshape(-1, 3).max(axis=0), 1))


def rgb888_white_balance_white_patch_ex(
    size: Any, values: Any, percent: float = 5.0, most: float = 2.5, boost: float = 1.0
) -> Array:
    """The same by the mean of the brightest `percent`, with no gain above `most`, and brighter by `boost`."""
    pixels = _picture(size, values, 3)
    ordered = np.sort(pixels.reshape(-1, 3), axis=0)[-max(1, int(len(pixels.reshape(-1, 3)) * percent / 100)) :]
    return _scaled(pixels, np.minimum(255 / np.maximum(ordered.mean(axis=0), 1), most) * boost)


def rgb888_mean_blur(size: Any, values: Any, kernel: int) -> Array:
    """(h, w, 3)."""
    return np.asarray(cv2.blur(_picture(size, values, 3), (_odd(kernel, "kernel size"),) * 2))


def rgb888_gaussian_blur_fast(size: Any, values: Any, kernel: int) -> Array:
    """(h, w, 3)."""
    return np.asarray(cv2.GaussianBlur(_picture(size, values, 3), (_odd(kernel, "kernel size"),) * 2, 0))


# ---- geometry -------------------------------------------------------------------------------------------------------


def _lens(matrix: Any, bends: Any, n_bends: int) -> tuple[Array, Array]:
    if len(matrix) < 9:
        raise HalError("ValueError", "a camera matrix has nine numbers")
    return np.array(matrix[:9], np.float64).reshape(3, 3), np.array(bends[: int(n_bends)], np.float64)


def rgb888_undistort(size: Any, values: Any, matrix: Any, bends: Any, n_bends: int) -> Array:
    """(1, h, w, 3) with straight lines."""
    return np.asarray(cv2.undistort(_picture(size, values, 3), *_lens(matrix, bends, n_bends)))[None]


def rgb888_undistort_new_cam_mat(size: Any, values: Any, matrix: Any, bends: Any, n_bends: int) -> Array:
    """The same, scaled so that all pixels stay in view."""
    pixels, (camera, lens) = _picture(size, values, 3), _lens(matrix, bends, n_bends)
    wide, high = pixels.shape[1], pixels.shape[0]
    whole, _ = cv2.getOptimalNewCameraMatrix(camera, lens, (wide, high), 1)
    return np.asarray(cv2.undistort(pixels, camera, lens, None, whole))[None]


def _distance(corners: Array, matrix: Any, bends: Any, n_bends: int, wide: float, high: float) -> float:
    real = np.array([[0, 0, 0], [wide, 0, 0], [wide, high, 0], [0, high, 0]], np.float64)
    _, _, shift = cv2.solvePnP(real, corners.astype(np.float64), *_lens(matrix, bends, n_bends))
    return math.sqrt(float((shift**2).sum()))


def rgb888_pnp_distance(
    size: Any, values: Any, roi: Any, matrix: Any, bends: Any, n_bends: int, wide: float, high: float
) -> float:
    """How far off a thing of this real size is that fills x, y, w, h; in the unit of its size."""
    _picture(size, values, 3)
    x, y, w, h = (int(value) for value in roi[:4])
    return _distance(np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]), matrix, bends, n_bends, wide, high)


def rgb888_pnp_distance_from_corners(
    size: Any, values: Any, matrix: Any, bends: Any, n_bends: int, wide: float, high: float
) -> list[Any]:
    """[distance, [x, y, w, h], four corners] of the largest rectangle in view; zeros without one."""
    quads = _quads(_grey(size, values, 3), 50, 150, 0.04, 0.001, 0.3, 5)
    if not quads:
        return [0.0, [0, 0, 0, 0], [[0, 0]] * 4]
    by_y = quads[0][np.argsort(quads[0][:, 1], kind="stable")]
    top, bottom = by_y[:2][np.argsort(by_y[:2, 0])], by_y[2:][np.argsort(by_y[2:, 0])]
    corners = np.stack([top[0], top[1], bottom[1], bottom[0]])
    distance = _distance(corners, matrix, bends, n_bends, wide, high)
    return [distance, [int(v) for v in cv2.boundingRect(corners)], corners.tolist()]


def rgb888_perspective_transform(size: Any, values: Any, roi: Any, points: Any, wide: int, high: int) -> Array:
    """(1, high, wide, 3): the region x, y, w, h with its corners moved to eight numbers x1, y1, … y4.

    Raises:
        HalError: ValueError "output shape must be positive".
    """
    if wide <= 0 or high <= 0:
        raise HalError("ValueError", "output shape must be positive")
    x, y, w, h = (int(value) for value in roi[:4])
    source = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, np.array(points[:8], np.float32).reshape(4, 2))
    return np.asarray(cv2.warpPerspective(_picture(size, values, 3), matrix, (int(wide), int(high))))[None]


# ---- files ----------------------------------------------------------------------------------------------------------


def _encoded(path: str, size: Any, values: Any) -> Array:
    """The bytes of the file that save_image() writes; its name tells the format."""
    bgr = cv2.cvtColor(_picture(size, values, 3), cv2.COLOR_RGB2BGR)
    try:
        return np.asarray(cv2.imencode(path[path.rfind(".") :], bgr)[1]).reshape(-1)
    except cv2.error as error:
        raise HalError("ValueError", f"cv_lite writes .jpg, .png and .bmp, not {path}") from error


def _decoded(data: Any) -> Array:
    """(1, h, w, 3) of a picture file's bytes."""
    bgr = cv2.imdecode(array_of(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise HalError("ValueError", "not a picture that OpenCV reads")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))[None]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "grayscale_find_blobs": grayscale_find_blobs,
    "rgb888_find_blobs": rgb888_find_blobs,
    "grayscale_find_circles": _circles(1),
    "rgb888_find_circles": _circles(3),
    "grayscale_find_rectangles": _rectangles(1, False),
    "rgb888_find_rectangles": _rectangles(3, False),
    "grayscale_find_rectangles_with_corners": _rectangles(1, True),
    "rgb888_find_rectangles_with_corners": _rectangles(3, True),
    "grayscale_find_lines": _find_lines(1),
    "rgb888_find_lines": _find_lines(3),
    "grayscale_find_lines_sobel": grayscale_find_lines_sobel,
    "grayscale_find_corners": _corners(1),
    "rgb888_find_corners": _corners(3),
    "rgb888_find_corners_fast": _corners(3),
    "rgb888_calc_histogram": rgb888_calc_histogram,
    "grayscale_find_edges": _edges(1),
    "rgb888_find_edges": _edges(3),
    "grayscale_threshold_binary": _binary(1),
    "rgb888_threshold_binary": _binary(3),
    **{f"rgb888_{name}": _morphology(name) for name in _OPERATIONS},
    "rgb888_adjust_exposure": rgb888_adjust_exposure,
    "rgb888_adjust_exposure_fast": rgb888_adjust_exposure,
    "rgb888_white_balance_gray_world": rgb888_white_balance_gray_world,
    "rgb888_white_balance_gray_world_fast": rgb888_white_balance_gray_world,
    "rgb888_white_balance_gray_world_fast_ex": rgb888_white_balance_gray_world_fast_ex,
    "rgb888_white_balance_gray_world_adjustable": rgb888_white_balance_gray_world_adjustable,
    "rgb888_white_balance_white_patch": rgb888_white_balance_white_patch,
    "rgb888_white_balance_white_patch_ex": rgb888_white_balance_white_patch_ex,
    "rgb888_mean_blur": rgb888_mean_blur,
    "rgb888_mean_blur_fast": rgb888_mean_blur,
    "rgb888_gaussian_blur_fast": rgb888_gaussian_blur_fast,
    "rgb888_undistort": rgb888_undistort,
    "rgb888_undistort_fast": rgb888_undistort,
    "rgb888_undistort_new_cam_mat": rgb888_undistort_new_cam_mat,
    "rgb888_pnp_distance": rgb888_pnp_distance,
    "rgb888_pnp_distance_from_corners": rgb888_pnp_distance_from_corners,
    "rgb888_perspective_transform": rgb888_perspective_transform,
    "_encoded": _encoded,
    "_decoded": _decoded,
}
