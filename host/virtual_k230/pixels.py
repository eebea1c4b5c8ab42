"""Pixel formats of the board: how each lies in memory and how it becomes RGB and back.

A picture is a NumPy array in its own format, so that `to_numpy_ref` can share memory with it:
RGB565 (h, w) uint16 · RGB888, BGR888 (h, w, 3) · ARGB8888, ABGR8888, RGBA8888, BGRA8888 (h, w, 4) in the order of the
letters · RGBP888 (3, h, w) · GRAYSCALE (h, w) · BINARY (h, w) of 0 and 255 ·
YUV420 (3h/2, w) NV12 · JPEG and PNG (n,) the compressed stream; all
uint8 except RGB565. The order of the four bytes of 32-bit formats on the real board is unconfirmed; here as named.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .hal import HalError

Pixels = NDArray[Any]

BINARY, GRAYSCALE, RGB565, BAYER, YUV422, JPEG, PNG = 1, 2, 3, 4, 5, 6, 7
ARGB8888, ABGR8888, RGBA8888, BGRA8888, RGB888, BGR888, RGBP888, YUV420 = 8, 9, 10, 11, 12, 13, 14, 15

NAMES = {
    BINARY: "BINARY", GRAYSCALE: "GRAYSCALE", RGB565: "RGB565", JPEG: "JPEG", PNG: "PNG", ARGB8888: "ARGB8888", ABGR8888: "ABGR8888",
    RGBA8888: "RGBA8888", BGRA8888: "BGRA8888", RGB888: "RGB888", BGR888: "BGR888", RGBP888: "RGBP888",
    YUV420: "YUV420",
}  # fmt: skip

COMPRESSED = frozenset({JPEG, PNG})
# Where alpha, red, green and blue lie among the four bytes.
CHANNELS_ARGB = {ARGB8888: (0, 1, 2, 3), ABGR8888: (0, 3, 2, 1), RGBA8888: (3, 0, 1, 2), BGRA8888: (3, 2, 1, 0)}


def blank(width: int, height: int, pixel_format: int) -> Pixels:
    """Zeroed memory for a picture.

    Raises:
        HalError: ValueError for a format without a fixed size or one that is not emulated.
    """
    if width <= 0 or height <= 0:
        raise HalError("ValueError", f"image size {width}x{height} must be positive")
    if pixel_format == RGB565:
        return np.zeros((height, width), np.uint16)
    if pixel_format in (GRAYSCALE, BINARY):
        return np.zeros((height, width), np.uint8)
    if pixel_format in (RGB888, BGR888):
        return np.zeros((height, width, 3), np.uint8)
    if pixel_format in CHANNELS_ARGB:
        return np.zeros((height, width, 4), np.uint8)
    if pixel_format == RGBP888:
        return np.zeros((3, height, width), np.uint8)
    if pixel_format == YUV420:
        return np.zeros((height * 3 // 2, width), np.uint8)
    raise HalError("ValueError", "image format not support")


def from_rgb(rgb: Pixels, pixel_format: int) -> Pixels:
    """HxWx3 uint8 RGB in another format (a new array, or the same one for RGB888)."""
    if pixel_format == RGB888:
        return rgb
    if pixel_format == RGB565:
        # OpenCV calls "BGR565" what has red in the five highest bits, as the panel wants it.
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR565).view(np.uint16)[:, :, 0]
    if pixel_format == GRAYSCALE:
        return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    if pixel_format == BINARY:
        return np.where(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) >= 128, 255, 0).astype(np.uint8)
    if pixel_format == RGBP888:
        return np.ascontiguousarray(rgb.transpose(2, 0, 1))
    if pixel_format == BGR888:
        return np.ascontiguousarray(rgb[:, :, ::-1])
    if pixel_format in CHANNELS_ARGB:
        full = np.empty((*rgb.shape[:2], 4), np.uint8)
        a, r, g, b = CHANNELS_ARGB[pixel_format]
        full[:, :, a] = 255
        full[:, :, r], full[:, :, g], full[:, :, b] = rgb[:, :, 0], rgb[:, :, 1], rgb[:, :, 2]
        return full
    if pixel_format == YUV420:
        return _nv12(rgb)
    raise HalError("ValueError", "image format not support")


def to_rgb(pixels: Pixels, pixel_format: int) -> Pixels:
    """HxWx3 uint8 RGB of a picture in any format; alpha is dropped.

    Raises:
        HalError: OSError when a compressed stream is broken, ValueError for a format that is not emulated.
    """
    if pixel_format == RGB888:
        return pixels
    if pixel_format == RGB565:
        pairs = np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape, 2)
        return np.asarray(cv2.cvtColor(pairs, cv2.COLOR_BGR5652RGB))
    if pixel_format in (GRAYSCALE, BINARY):
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_GRAY2RGB))
    if pixel_format == RGBP888:
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))
    if pixel_format == BGR888:
        return np.ascontiguousarray(pixels[:, :, ::-1])
    if pixel_format in CHANNELS_ARGB:
        return np.ascontiguousarray(pixels[:, :, list(CHANNELS_ARGB[pixel_format][1:])])
    if pixel_format == YUV420:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_YUV2RGB_NV12))
    if pixel_format in COMPRESSED:
        bgr = cv2.imdecode(np.ascontiguousarray(pixels), cv2.IMREAD_COLOR) if len(pixels) else None
        if bgr is None:
            raise HalError("OSError", f"{NAMES[pixel_format]} image is damaged")
        return np.ascontiguousarray(bgr[:, :, ::-1])
    raise HalError("ValueError", "image format not support")


def to_rgba(pixels: Pixels, pixel_format: int) -> Pixels:
    """HxWx4 uint8 RGBA, as the panel composes it; formats without alpha are opaque."""
    if pixel_format in CHANNELS_ARGB:
        a, r, g, b = CHANNELS_ARGB[pixel_format]
        return np.ascontiguousarray(pixels[:, :, [r, g, b, a]])
    return np.asarray(cv2.cvtColor(to_rgb(pixels, pixel_format), cv2.COLOR_RGB2RGBA))


def numpy_view(pixels: Pixels, pixel_format: int) -> Pixels:
    """The uint8 view that `to_numpy_ref` gives, sharing the picture's memory.

    Raises:
        HalError: ValueError for formats that the board refuses.
    """
    if pixel_format == RGB565:
        return pixels.view(np.uint8).reshape(*pixels.shape, 2)
    if pixel_format in (RGB888, BGR888, RGBP888, GRAYSCALE) or pixel_format in CHANNELS_ARGB:
        return pixels
    raise HalError("ValueError", "image format not support")


def from_bytes(data: bytes | bytearray | memoryview, width: int, height: int, pixel_format: int) -> Pixels:
    """A picture made of raw bytes.

    Raises:
        HalError: ValueError when there are fewer bytes than the picture needs.
    """
    raw = np.frombuffer(bytes(data), np.uint8).copy()
    if pixel_format in COMPRESSED:
        return raw
    pixels = blank(width, height, pixel_format)
    if raw.size < pixels.nbytes:
        raise HalError("ValueError", f"image data has {raw.size} bytes, {width}x{height} needs {pixels.nbytes}")
    pixels.view(np.uint8).reshape(-1)[:] = raw[: pixels.nbytes]
    return pixels


def colour_value(colour_argb: tuple[int, int, int, int], pixel_format: int) -> Any:
    """An ARGB colour as OpenCV wants it for drawing on a picture of this format.

    Raises:
        HalError: ValueError for formats that cannot be drawn on.
    """
    _, r, g, b = colour_argb
    if pixel_format == RGB565:
        return (r >> 3) << 11 | (g >> 2) << 5 | b >> 3
    if pixel_format == BINARY:
        return 255 if 0.299 * r + 0.587 * g + 0.114 * b >= 128 else 0
    if pixel_format == GRAYSCALE:
        return round(0.299 * r + 0.587 * g + 0.114 * b)
    if pixel_format == RGB888:
        return (r, g, b)
    if pixel_format == BGR888:
        return (b, g, r)
    if pixel_format in CHANNELS_ARGB:
        value = [0, 0, 0, 0]
        for channel, amount in zip(CHANNELS_ARGB[pixel_format], colour_argb, strict=True):
            value[channel] = amount
        return tuple(value)
    raise HalError("ValueError", "image format not support drawing")


def _nv12(rgb: Pixels) -> Pixels:
    """Luma plane and interleaved, half-sized chroma."""
    height, width = rgb.shape[:2]
    planar = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    quarter = height * width // 4
    chroma = planar.reshape(-1)[height * width :]
    nv12 = np.empty_like(planar)
    nv12[:height] = planar[:height]
    both = nv12.reshape(-1)[height * width :]
    both[0::2], both[1::2] = chroma[:quarter], chroma[quarter : 2 * quarter]
    return nv12
