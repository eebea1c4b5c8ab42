"""The filters of `image.Image` that OpenMV has and CanMV inherits: each changes the image itself.

Sizes follow OpenMV: size n means a kernel of 2n + 1 pixels. Facts: public OpenMV documentation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from . import drawing
from . import pixels as px
from .arrays import Array
from .detectors import threshold_mask
from .hal import HalError
from .image import Image

Filter = Callable[[Array, list[Any], dict[str, Any]], Array]
"""filter(rgb, args, options): the new RGB pixels."""


def _argument(args: list[Any], options: dict[str, Any], place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else options.get(name, default)


def _side(args: list[Any], options: dict[str, Any]) -> int:
    size = int(_argument(args, options, 0, "size", 1))
    if size < 0:
        raise HalError("ValueError", "size must be 0 or more")
    return 2 * size + 1


def _kernel(args: list[Any], options: dict[str, Any]) -> Array:
    side = _side(args, options)
    return np.ones((side, side), np.uint8)


def _morphology(operation: int) -> Filter:
    return lambda rgb, args, options: np.asarray(cv2.morphologyEx(rgb, operation, _kernel(args, options)))


def _windows(rgb: Array, side: int) -> Array:
    """(h, w, 3, side * side): each pixel's surroundings, edges repeated."""
    half = side // 2
    padded = np.pad(rgb, ((half, half), (half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))
    return windows.reshape(*rgb.shape, side * side)


def _mode(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    side = _side(args, options)
    values = np.sort(_windows(rgb, side), axis=-1)
    run, best, best_run = np.ones(rgb.shape, int), values[..., 0].copy(), np.ones(rgb.shape, int)
    for i in range(1, side * side):
        run = np.where(values[..., i] == values[..., i - 1], run + 1, 1)
        is_better = run > best_run
        best, best_run = np.where(is_better, values[..., i], best), np.maximum(run, best_run)
    return best.astype(np.uint8)


def _midpoint(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    bias = float(options.get("bias", 0.5))
    low, high = cv2.erode(rgb, _kernel(args, options)), cv2.dilate(rgb, _kernel(args, options))
    return np.asarray(low * (1 - bias) + high * bias).astype(np.uint8)


def _laplacian(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    side = _side(args, options)
    edges = cv2.Laplacian(rgb, cv2.CV_16S, ksize=side)
    return np.clip(rgb - edges if options.get("sharpen") else np.abs(edges), 0, 255).astype(np.uint8)


def _histeq(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    if options.get("adaptive"):
        lab[:, :, 0] = cv2.createCLAHE(float(options.get("clip_limit", 2)), (8, 8)).apply(lab[:, :, 0])
    else:
        lab[:, :, 0] = cv2.equalizeHist(lab[:, :, 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def _gamma(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    gamma = float(_argument(args, options, 0, "gamma", 1.0))
    contrast, brightness = float(options.get("contrast", 1)), float(options.get("brightness", 0))
    levels = np.clip(((np.arange(256) / 255) ** (1 / gamma) * contrast + brightness) * 255, 0, 255).astype(np.uint8)
    return np.asarray(levels[rgb])


def _lens(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    strength, zoom = (
        float(_argument(args, options, 0, "strength", 1.8)),
        float(_argument(args, options, 1, "zoom", 1.0)),
    )
    high, wide = rgb.shape[:2]
    y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
    dx, dy = (x - wide / 2) / zoom, (y - high / 2) / zoom
    r = np.sqrt(dx**2 + dy**2) * 2 * strength / np.hypot(wide, high)
    factor = np.where(r > 1e-6, np.arctan(r) / np.maximum(r, 1e-6), 1)
    return np.asarray(
        cv2.remap(
            rgb,
            (wide / 2 + factor * dx).astype(np.float32),
            (high / 2 + factor * dy).astype(np.float32),
            cv2.INTER_LINEAR,
        )
    )


def _median(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    share = float(_argument(args, options, 1, "percentile", 0.5))
    side = _side(args, options)
    if share == 0.5:
        return np.asarray(cv2.medianBlur(rgb, side))
    place = round(share * (side * side - 1))
    return np.partition(_windows(rgb, side), place, axis=-1)[..., place]


def _gaussian(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    soft = np.asarray(cv2.GaussianBlur(rgb, (_side(args, options),) * 2, 0))
    return np.asarray(cv2.addWeighted(rgb, 2, soft, -1, 0)) if options.get("unsharp") else soft


def _rotation(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    """The picture as a card in space: four corners pulled to the frame's, turned, moved, and seen by a camera.

    The camera stands so far off that `fov` degrees (60) just hold the picture's diagonal, as in OpenMV.
    """
    high, wide = rgb.shape[:2]
    turn_x, turn_y, turn_z = (math.radians(float(options.get(f"{axis}_rotation", 0))) for axis in "xyz")
    move_x, move_y = float(options.get("x_translation", 0)), float(options.get("y_translation", 0))
    fov, zoom = math.radians(float(options.get("fov", 60))), float(options.get("zoom", 1))
    if not 0 < fov < math.pi or zoom <= 0:
        raise HalError("ValueError", "rotation_corr takes a fov of 0 to 180 degrees and a zoom above 0")
    away = math.hypot(wide, high) / 2 / math.tan(fov / 2)
    about_x = np.array([[1, 0, 0], [0, math.cos(turn_x), -math.sin(turn_x)], [0, math.sin(turn_x), math.cos(turn_x)]])
    about_y = np.array([[math.cos(turn_y), 0, -math.sin(turn_y)], [0, 1, 0], [math.sin(turn_y), 0, math.cos(turn_y)]])
    about_z = np.array([[math.cos(turn_z), math.sin(turn_z), 0], [-math.sin(turn_z), math.cos(turn_z), 0], [0, 0, 1]])
    turned = about_x @ about_y @ about_z
    # A point (x, y) of the picture lies at x - w/2, y - h/2, 0; its image is what the camera's matrix makes of it.
    placed = turned @ np.array([[1, 0, -wide / 2], [0, 1, -high / 2], [0, 0, 0]])
    placed += np.array([[0, 0, move_x], [0, 0, move_y], [0, 0, away]])
    matrix = np.array([[away * zoom, 0, wide / 2], [0, away * zoom, high / 2], [0, 0, 1]]) @ placed
    corners = options.get("corners")
    if corners:
        if len(corners) != 4:
            raise HalError("ValueError", "rotation_corr takes four corners")
        frame = np.array([[0, 0], [wide - 1, 0], [wide - 1, high - 1], [0, high - 1]], np.float32)
        matrix = matrix @ cv2.getPerspectiveTransform(np.array(corners, np.float32), frame)
    return np.asarray(cv2.warpPerspective(rgb, matrix, (wide, high)))


def _simple_edges(grey: Array, low: int, high: int) -> Array:
    """Pixels that differ from their neighbours by low to high, without lonely ones."""
    kernel = np.full((3, 3), -1, np.float32)
    kernel[1, 1] = 8
    steep = np.clip(cv2.filter2D(grey, cv2.CV_32F, kernel), 0, 255)
    edges = ((steep >= low) & (steep <= high)).astype(np.float32)
    return np.where((edges > 0) & (cv2.boxFilter(edges, -1, (3, 3), normalize=False) > 2), 255, 0).astype(np.uint8)


def _adaptive(rgb: Array, changed: Array, options: dict[str, Any]) -> Array:
    """White where a pixel is brighter than what the filter made of its surroundings, less `offset`; else black."""
    before, level = (cv2.cvtColor(np.ascontiguousarray(p), cv2.COLOR_RGB2GRAY).astype(int) for p in (rgb, changed))
    white = (level - int(options.get("offset", 0)) < before) ^ bool(options.get("invert"))
    return np.where(white, 255, 0).astype(np.uint8)[:, :, None].repeat(3, 2)


def _mirrored(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    rgb = rgb[:, ::-1] if options.get("hmirror") else rgb
    return rgb[::-1] if options.get("vflip") else rgb


PLAIN: dict[str, Filter] = {
    "invert": lambda rgb, args, options: 255 - rgb,
    "negate": lambda rgb, args, options: 255 - rgb,
    "erode": _morphology(cv2.MORPH_ERODE),
    "dilate": _morphology(cv2.MORPH_DILATE),
    "open": _morphology(cv2.MORPH_OPEN),
    "close": _morphology(cv2.MORPH_CLOSE),
    "top_hat": _morphology(cv2.MORPH_TOPHAT),
    "black_hat": _morphology(cv2.MORPH_BLACKHAT),
    "mean": lambda rgb, args, options: np.asarray(cv2.blur(rgb, (_side(args, options),) * 2)),
    "median": _median,
    "mode": _mode,
    "midpoint": _midpoint,
    "gaussian": _gaussian,
    "laplacian": _laplacian,
    "bilateral": lambda rgb, args, options: np.asarray(
        cv2.bilateralFilter(rgb, _side(args, options), 255 * float(options.get("color_sigma", 0.1)), 2.0)
    ),
    "histeq": _histeq,
    "gamma_corr": _gamma,
    "gamma": _gamma,
    "lens_corr": _lens,
    "rotation_corr": _rotation,
}

_WITH_THRESHOLD = ("mean", "median", "mode", "midpoint", "gaussian", "laplacian", "bilateral")

PAIRS: dict[str, Callable[[Array, Array], Array]] = {
    "b_and": lambda a, b: a & b,
    "b_nand": lambda a, b: ~(a & b),
    "b_or": lambda a, b: a | b,
    "b_nor": lambda a, b: ~(a | b),
    "b_xor": lambda a, b: a ^ b,
    "b_xnor": lambda a, b: ~(a ^ b),
    "difference": lambda a, b: np.asarray(cv2.absdiff(a, b)),
    "add": lambda a, b: np.asarray(cv2.add(a, b)),
    "sub": lambda a, b: np.asarray(cv2.subtract(a, b)),
    "min": np.minimum,
    "max": np.maximum,
    "mul": lambda a, b: (a.astype(np.uint16) * b // 255).astype(np.uint8),
}


class FilterOps:
    """The operation behind every filter of one board's images."""

    def __init__(self, board: Any) -> None:
        self._images = board.images

    def filter(self, handle: int, name: str, args: list[Any], options: dict[str, Any]) -> None:
        """Change an image in place; another image travels as {"h": handle}."""
        image = self._images.get(handle)
        rgb = np.ascontiguousarray(image.rgb())
        if name in PLAIN:
            changed = PLAIN[name](rgb, args, options)
            if options.get("threshold") and name in _WITH_THRESHOLD:
                changed = _adaptive(rgb, changed, options)
        elif name in PAIRS:
            changed = PAIRS[name](rgb, self._other(image, args))
        elif name == "blend":
            share = float(options.get("alpha", 128)) / 256
            changed = np.asarray(cv2.addWeighted(rgb, share, self._other(image, args), 1 - share, 0))
        elif name == "replace":
            changed = _mirrored(self._other(image, args) if args else rgb, args, options)
        elif name == "binary":
            masks = [threshold_mask(image, rgb, threshold) for threshold in args[0]]
            mask = np.any(masks, axis=0) ^ bool(options.get("invert"))
            changed = (
                np.where(mask[:, :, None], 0, rgb)
                if options.get("zero")
                else np.where(mask, 255, 0)[:, :, None].repeat(3, 2)
            )
        elif name == "find_edges":
            low, high = (int(v) for v in options.get("threshold", (100, 200)))
            grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
            edges = _simple_edges(grey, low, high) if options.get("simple") else cv2.Canny(grey, low, high)
            changed = np.asarray(edges)[:, :, None].repeat(3, 2)
        else:
            raise HalError("AttributeError", f"'Image' object has no attribute '{name}'")
        if image.format not in (px.GRAYSCALE, px.RGB565, px.RGB888):
            raise HalError("ValueError", "image format not support")
        image.writable()[...] = px.from_rgb(np.ascontiguousarray(changed, np.uint8), image.format)

    def _other(self, image: Image, args: list[Any]) -> Array:
        if args and isinstance(args[0], dict):
            other = self._images.get(args[0]["h"])
            if (other.width, other.height) != (image.width, image.height):
                raise HalError("ValueError", "images must have the same size and format")
            return np.ascontiguousarray(other.rgb())
        colour = drawing.colour_argb(args[0] if args else 255)[1:]
        return np.full((image.height, image.width, 3), colour, np.uint8)


def register(hal: Any, board: Any) -> None:
    """Give the board's images their filters; after image.register()."""
    hal.op("image.filter", FilterOps(board).filter)
