"""Images that OpenMV makes of other images: pooled, bitmap, rainbow, polar; masks, similarity and displacement.

Facts: public OpenMV documentation. A BINARY image is kept as 0 and 255 in one byte per pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from . import pixels as px
from .arrays import Array
from .hal import HalError
from .image import Image

_PALETTES = {"to_rainbow": cv2.COLORMAP_RAINBOW, "to_ironbow": cv2.COLORMAP_INFERNO}


def _pool(rgb: Array, args: list[Any], options: dict[str, Any], bias: float | None) -> Array:
    x_div = int(args[0] if args else options["x_div"])
    y_div = int(args[1] if len(args) > 1 else options["y_div"])
    height, width = rgb.shape[0] // y_div, rgb.shape[1] // x_div
    if x_div < 1 or y_div < 1 or not height or not width:
        raise HalError("ValueError", f"cells of {x_div}x{y_div} pixels do not fit the image")
    cells = rgb[: height * y_div, : width * x_div].reshape(height, y_div, width, x_div, 3)
    if bias is None:
        return cells.mean(axis=(1, 3)).astype(np.uint8)
    low, high = cells.min(axis=(1, 3)).astype(float), cells.max(axis=(1, 3)).astype(float)
    return (low + (high - low) * bias).astype(np.uint8)


def _midpoint_pool(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    return _pool(rgb, args, options, float(args[2] if len(args) > 2 else options.get("bias", 0.5)))


def _polar(rgb: Array, options: dict[str, Any], flag: int) -> Array:
    height, width = rgb.shape[:2]
    centre, radius = (width / 2, height / 2), float(np.hypot(width, height) / 2)
    flags = flag | cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS
    if options.get("reverse"):
        return np.asarray(
            cv2.warpPolar(
                cv2.rotate(rgb, cv2.ROTATE_90_CLOCKWISE), (width, height), centre, radius, flags | cv2.WARP_INVERSE_MAP
            )
        )
    return np.asarray(
        cv2.rotate(cv2.warpPolar(rgb, (height, width), centre, radius, flags), cv2.ROTATE_90_COUNTERCLOCKWISE)
    )


def _without_light(rgb: Array) -> Array:
    """Illumination-invariant: each channel by the geometric mean of all."""
    values = rgb.astype(np.float32) + 1
    ratio = values / np.cbrt(values.prod(axis=2, keepdims=True))
    return np.clip(ratio * 128, 0, 255).astype(np.uint8)


def _only_colour(rgb: Array) -> Array:
    """Chromaticity: each channel's share of the sum."""
    values = rgb.astype(np.float32)
    return (values * 255 / np.maximum(values.sum(axis=2, keepdims=True), 1)).astype(np.uint8)


def _morph(rgb: Array, args: list[Any], options: dict[str, Any]) -> Array:
    side = 2 * int(args[0]) + 1
    kernel = np.array(args[1], np.float32)
    if kernel.size != side * side:
        raise HalError("ValueError", f"the kernel needs {side * side} numbers")
    factor = options.get("mul", args[2] if len(args) > 2 else None) or 1 / (kernel.sum() or 1)
    changed = cv2.filter2D(rgb, cv2.CV_32F, kernel.reshape(side, side) * factor, borderType=cv2.BORDER_REPLICATE)
    return np.clip(changed + float(options.get("add", 0)), 0, 255).astype(np.uint8)


def _mask(rgb: Array, args: list[Any], draw: Callable[[Array, list[int]], Any]) -> Array:
    kept = np.zeros(rgb.shape[:2], np.uint8)
    draw(kept, [int(value) for value in args])
    return np.where(kept[:, :, None] > 0, rgb, 0).astype(np.uint8)


def _rectangle(kept: Array, values: list[int]) -> None:
    height, width = kept.shape
    x, y, w, h = values or [width // 4, height // 4, width // 2, height // 2]
    cv2.rectangle(kept, (x, y), (x + w - 1, y + h - 1), 255, -1)


def _circle(kept: Array, values: list[int]) -> None:
    height, width = kept.shape
    x, y, radius = values or [width // 2, height // 2, min(width, height) // 2]
    cv2.circle(kept, (x, y), radius, 255, -1)


def _ellipse(kept: Array, values: list[int]) -> None:
    height, width = kept.shape
    x, y, rx, ry, turned = values or [width // 2, height // 2, width // 2, height // 2, 0]
    cv2.ellipse(kept, (x, y), (rx, ry), turned, 0, 360, 255, -1)


IN_PLACE: dict[str, Callable[[Array, list[Any], dict[str, Any]], Array]] = {
    "linpolar": lambda rgb, args, options: _polar(rgb, options, cv2.WARP_POLAR_LINEAR),
    "logpolar": lambda rgb, args, options: _polar(rgb, options, cv2.WARP_POLAR_LOG),
    "illuminvar": lambda rgb, args, options: _without_light(rgb),
    "chrominvar": lambda rgb, args, options: _only_colour(rgb),
    "cartoon": lambda rgb, args, options: np.asarray(cv2.pyrMeanShiftFiltering(np.ascontiguousarray(rgb), 8, 30)),
    "morph": _morph,
    "mask_rectangle": lambda rgb, args, options: _mask(rgb, args, _rectangle),
    "mask_circle": lambda rgb, args, options: _mask(rgb, args, _circle),
    "mask_ellipse": lambda rgb, args, options: _mask(rgb, args, _ellipse),
}


class TransformOps:
    """The operations of one board's images."""

    def __init__(self, board: Any) -> None:
        self._images = board.images

    def change(self, handle: int, name: str, args: list[Any], options: dict[str, Any]) -> None:
        """Change an image in place by one of IN_PLACE."""
        image = self._images.get(handle)
        changed = IN_PLACE[name](np.ascontiguousarray(image.rgb()), args, options)
        image.writable()[...] = px.from_rgb(np.ascontiguousarray(changed), image.format)

    def make(self, handle: int, name: str, args: list[Any], options: dict[str, Any]) -> list[int]:
        """A new image: mean_pooled, midpoint_pooled, transposed, to_bitmap, to_rainbow, to_ironbow."""
        image = self._images.get(handle)
        rgb = np.ascontiguousarray(image.rgb())
        if name == "to_bitmap":
            grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
            return self._new(np.where(grey >= 128, 255, 0).astype(np.uint8), px.BINARY)
        if name == "transposed":
            return self._new(px.from_rgb(np.ascontiguousarray(rgb.transpose(1, 0, 2)), image.format), image.format)
        if name in _PALETTES:
            grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
            coloured = np.ascontiguousarray(cv2.applyColorMap(grey, _PALETTES[name])[:, :, ::-1])
            return self._new(px.from_rgb(coloured, px.RGB565), px.RGB565)
        pooled = _midpoint_pool(rgb, args, options) if name == "midpoint_pooled" else _pool(rgb, args, options, None)
        return self._new(px.from_rgb(np.ascontiguousarray(pooled), image.format), image.format)

    def become(self, handle: int, made: int) -> list[int]:
        """The image takes over what `make` made: mean_pool, midpoint_pool and the like."""
        image, new = self._images.get(handle), self._images.get(made)
        image.pixels, image.format, image.is_shared = new.pixels, new.format, False
        image.width, image.height = new.width, new.height
        info: list[int] = self._images.info(image, handle)
        return info

    def similarity(self, handle: int, other: int) -> list[float]:
        """Structural similarity over cells of 8x8 pixels: mean, standard deviation, least and greatest, -1 to 1."""
        grey = [
            cv2.cvtColor(self._images.get(one).rgb(), cv2.COLOR_RGB2GRAY).astype(np.float64) for one in (handle, other)
        ]
        if grey[0].shape != grey[1].shape:
            raise HalError("ValueError", "images must have the same size and format")
        height, width = (side // 8 * 8 for side in grey[0].shape)
        if not height or not width:
            raise HalError("ValueError", "images must be 8x8 pixels or larger")
        a, b = (
            plane[:height, :width].reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
            for plane in grey
        )
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        together = ((a - a.mean(1, keepdims=True)) * (b - b.mean(1, keepdims=True))).mean(1)
        share = (2 * a.mean(1) * b.mean(1) + c1) * (2 * together + c2)
        share /= (a.mean(1) ** 2 + b.mean(1) ** 2 + c1) * (a.var(1) + b.var(1) + c2)
        return [float(share.mean()), float(share.std()), float(share.min()), float(share.max())]

    def displacement(self, handle: int, other: int) -> list[float]:
        """How far this image is moved against the other: x, y in pixels, and how sure that is, 0 to 1."""
        a, b = (
            cv2.cvtColor(self._images.get(one).rgb(), cv2.COLOR_RGB2GRAY).astype(np.float32) for one in (other, handle)
        )
        if a.shape != b.shape:
            raise HalError("ValueError", "images must have the same size and format")
        (x, y), response = cv2.phaseCorrelate(a, b, cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F))
        return [x, y, response]

    def _new(self, pixels: Array, pixel_format: int) -> list[int]:
        info: list[int] = self._images.info(Image(pixels, pixel_format))
        return info


def register(hal: Any, board: Any) -> None:
    """Give the board's images these operations; after image.register()."""
    ops = TransformOps(board)
    hal.op("image.change", ops.change)
    hal.op("image.make", ops.make)
    hal.op("image.become", ops.become)
    hal.op("image.similarity", ops.similarity)
    hal.op("image.displacement", ops.displacement)
