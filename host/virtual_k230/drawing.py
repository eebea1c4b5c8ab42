"""What `draw_line`, `draw_rectangle`, … do to the pixels of an image, and the record they leave.

Each draw call is remembered with plain values, colours as (a, r, g, b); that is how tests and the demo read what the
screen says. `image.py` calls `draw`.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from . import pixels as px
from .hal import HalError

Call = tuple[Any, ...]
Colour = tuple[int, int, int, int]

_WHITE = (255, 255, 255)
_FIRST_FOREIGN = 0x80  # Pillow's own font has ASCII only
_FONT_FOLDERS = ("/usr/share/fonts", "~/.local/share/fonts", "~/.fonts", "/System/Library/Fonts", "/Library/Fonts")
_WIDE_FONTS = (
    "*SourceHanSans*", "NotoSansCJK*", "NotoSansSC*", "wqy-*", "DroidSansFallback*", "PingFang*", "STHeiti*", "Hiragino Sans GB*",
    "DejaVuSans.ttf", "NotoSans-Regular*", "LiberationSans-Regular*", "Arial*",
)  # fmt: skip


def whole(value: Any) -> int:
    """An integer argument; the board's C code refuses floats."""
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, int):
        kind = {float: "float", str: "str", type(None): "NoneType", list: "tuple"}.get(
            type(value), type(value).__name__
        )
        raise HalError("TypeError", f"can't convert {kind} to int")
    return value


def colour_argb(colour: Any) -> Colour:
    """(r,g,b), (a,r,g,b) or a grey value as (a, r, g, b), each 0..255."""
    if isinstance(colour, int):
        return (255, colour & 255, colour & 255, colour & 255)
    if isinstance(colour, list | tuple) and len(colour) in (3, 4):
        parts = [whole(part) & 255 for part in colour]
        a, r, g, b = parts if len(parts) == 4 else [255, *parts]
        return (a, r, g, b)
    raise HalError("ValueError", "color must be (r,g,b) or (a,r,g,b)")


def _take(args: list[Any], options: dict[str, Any], names: tuple[str, ...], defaults: tuple[Any, ...]) -> list[Any]:
    """Positional and keyword arguments in the order of `names`; the last ones have defaults."""
    if args and isinstance(args[0], list | tuple):  # OpenMV's tuple form: draw_rectangle((x, y, w, h), …)
        args = [*args[0], *args[1:]]
    if len(args) > len(names):
        raise HalError("TypeError", "function takes too many positional arguments")
    values: list[Any] = list(args)
    first_default = len(names) - len(defaults)
    for position in range(len(args), len(names)):
        name = names[position]
        if name in options:
            values.append(options[name])
        elif position >= first_default:
            values.append(defaults[position - first_default])
        else:
            raise HalError("TypeError", f"'{name}' argument required")
    return values


def _thick(value: Any, fill: Any = False) -> int:
    return -1 if fill else max(1, whole(value))


def _line(target: Any, fmt: int, args: list[Any], options: dict[str, Any]) -> Call:
    x0, y0, x1, y1, colour, thickness = _take(
        args, options, ("x0", "y0", "x1", "y1", "color", "thickness"), (_WHITE, 1)
    )
    points = [whole(v) for v in (x0, y0, x1, y1)]
    argb = colour_argb(colour)
    cv2.line(target, tuple(points[:2]), tuple(points[2:]), px.colour_value(argb, fmt), _thick(thickness))
    return ("line", *points, argb, thickness)


def _rectangle(target: Any, fmt: int, args: list[Any], options: dict[str, Any]) -> Call:
    names = ("x", "y", "w", "h", "color", "thickness", "fill")
    x, y, w, h, colour, thickness, fill = _take(args, options, names, (_WHITE, 1, False))
    x, y, w, h = (whole(v) for v in (x, y, w, h))
    argb = colour_argb(colour)
    if w > 0 and h > 0:
        corner = (x + w - 1, y + h - 1)
        cv2.rectangle(target, (x, y), corner, px.colour_value(argb, fmt), _thick(thickness, fill))
    return ("rectangle", x, y, w, h, argb, thickness, bool(fill))


def _circle(target: Any, fmt: int, args: list[Any], options: dict[str, Any]) -> Call:
    names = ("x", "y", "r", "color", "thickness", "fill")
    x, y, r, colour, thickness, fill = _take(args, options, names, (_WHITE, 1, False))
    x, y, r = (whole(v) for v in (x, y, r))
    argb = colour_argb(colour)
    if r >= 0:
        cv2.circle(target, (x, y), r, px.colour_value(argb, fmt), _thick(thickness, fill))
    return ("circle", x, y, r, argb, thickness, bool(fill))


def _ellipse(target: Any, fmt: int, args: list[Any], options: dict[str, Any]) -> Call:
    names = ("cx", "cy", "rx", "ry", "rotation", "color", "thickness", "fill")
    cx, cy, rx, ry, rotation, colour, thickness, fill = _take(args, options, names, (0, _WHITE, 1, False))
    cx, cy, rx, ry, rotation = (whole(v) for v in (cx, cy, rx, ry, rotation))
    argb = colour_argb(colour)
    value = px.colour_value(argb, fmt)
    cv2.ellipse(target, (cx, cy), (max(0, rx), max(0, ry)), rotation, 0, 360, value, _thick(thickness, fill))
    return ("ellipse", cx, cy, rx, ry, rotation, argb, thickness, bool(fill))


def _cross(target: Any, fmt: int, args: list[Any], options: dict[str, Any]) -> Call:
    x, y, colour, size, thickness = _take(args, options, ("x", "y", "color", "size", "thickness"), (_WHITE, 5, 1))
    x, y, size = (whole(v) for v in (x, y, size))
    argb = colour_argb(colour)
    value = px.colour_value(argb, fmt)
    cv2.line(target, (x - size, y), (x + size, y), value, _thick(thickness))
    cv2.line(target, (x, y - size), (x, y + size), value, _thick(thickness))
    return ("cross", x, y, argb, size, thickness)


def _arrow(target: Any, fmt: int, args: list[Any], options: dict[str, Any]) -> Call:
    names = ("x0", "y0", "x1", "y1", "color", "size", "thickness")
    x0, y0, x1, y1, colour, size, thickness = _take(args, options, names, (_WHITE, 10, 1))
    x0, y0, x1, y1, size = (whole(v) for v in (x0, y0, x1, y1, size))
    argb = colour_argb(colour)
    value = px.colour_value(argb, fmt)
    length = math.hypot(x1 - x0, y1 - y0)
    if length > 0:
        cv2.arrowedLine(target, (x0, y0), (x1, y1), value, _thick(thickness), tipLength=min(1.0, size / length))
    return ("arrow", x0, y0, x1, y1, argb, size, thickness)


@lru_cache(maxsize=64)
def font_of(size: int, path: Path | None) -> Any:
    """A TrueType font: this file, or the one that Pillow carries (ASCII only)."""
    if path is not None:
        return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


@lru_cache(maxsize=1)
def wide_font() -> Path | None:
    """A font of this PC for a card without /sdcard/res/font, Chinese ones first as the firmware's is; None if none is found."""
    found = importlib.util.find_spec("matplotlib")  # brings a font of Latin, Greek and Cyrillic letters
    brought = (str(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"),) if found and found.origin else ()
    folders = [Path(folder).expanduser() for folder in (*_FONT_FOLDERS, *brought)]
    for name in _WIDE_FONTS:
        for folder in folders:
            for path in sorted(folder.rglob(name)):
                return path
    return None


@lru_cache(maxsize=1024)
def _text_mask(text: str, size: int, path: Path | None) -> NDArray[np.uint8]:
    """Coverage 0..255 of a (multi-line) text whose top left corner is the array's."""
    if path is None and any(ord(letter) >= _FIRST_FOREIGN for letter in text):
        path = wide_font()
    font = font_of(size, path)
    probe = ImageDraw.Draw(PilImage.new("L", (1, 1)))
    _, _, right, bottom = probe.multiline_textbbox((0, 0), text, font=font, spacing=size // 4)
    page = PilImage.new("L", (max(1, math.ceil(right) + 1), max(1, math.ceil(bottom) + 1)))
    ImageDraw.Draw(page).multiline_text((0, 0), text, fill=255, font=font, spacing=size // 4)
    return np.asarray(page)


def draw_text(target: Any, fmt: int, x: int, y: int, size: int, text: str, argb: Colour, font: Path | None) -> Call:
    """Write `text` with its top left corner at (x, y); letters are `size` px high."""
    if size <= 0:
        raise HalError("ValueError", "char_size must be positive")
    value = px.colour_value(argb, fmt)
    if text.strip():
        mask = _text_mask(text, size, font)
        height, width = target.shape[:2]
        left, top = max(0, x), max(0, y)
        right, bottom = min(width, x + mask.shape[1]), min(height, y + mask.shape[0])
        if right > left and bottom > top:
            cover = mask[top - y : bottom - y, left - x : right - x]
            _blend(target[top:bottom, left:right], fmt, cover, argb, value)
    return ("string", x, y, size, text, argb)


def _blend(region: Any, fmt: int, cover: NDArray[np.uint8], argb: Colour, value: Any) -> None:
    """Lay a colour over a part of a picture, in the strength that `cover` says."""
    if fmt == px.RGB565:
        rgb = px.to_rgb(region, fmt).astype(np.uint16)
        share = cover[:, :, None].astype(np.uint16)
        mixed = (rgb * (255 - share) + np.array(argb[1:], np.uint16) * share) // 255
        region[:] = px.from_rgb(mixed.astype(np.uint8), fmt)
        return
    share = cover.astype(np.uint16) if region.ndim == 2 else cover[:, :, None].astype(np.uint16)
    colour = np.array(value, np.uint16)
    mixed = (region * (255 - share) + colour * share) // 255
    if fmt in px.CHANNELS_ARGB:
        # On transparent ground the letter's edge keeps its colour and only its opacity fades.
        alpha = px.CHANNELS_ARGB[fmt][0]
        on_nothing = (region[:, :, alpha] == 0) & (cover > 0)
        opacity = mixed[:, :, alpha].copy()
        mixed[on_nothing] = colour
        mixed[:, :, alpha] = opacity
    region[:] = mixed.astype(np.uint8)


def paste(
    target: Any, fmt: int, source: Any, source_fmt: int, x: int, y: int, x_scale: float, y_scale: float, alpha: int,
    mask: Any = None,
) -> Call:  # fmt: skip
    """Lay another picture over this one with its own transparency times alpha/256; only where `mask` (h, w of source) is not 0."""
    if fmt == source_fmt and fmt in px.CHANNELS_ARGB and (x_scale, y_scale, mask) == (1, 1, None) and alpha >= 255:
        high, wide = source.shape[:2]
        if (source[:, :, px.CHANNELS_ARGB[fmt][0]] == 255).all():
            left, top, right, bottom = (
                max(0, x),
                max(0, y),
                min(target.shape[1], x + wide),
                min(target.shape[0], y + high),
            )
            if right > left and bottom > top:
                target[top:bottom, left:right] = source[top - y : bottom - y, left - x : right - x]
            return ("image", x, y, wide, high)
    rgba = px.to_rgba(source, source_fmt)
    if mask is not None:
        rgba = np.dstack([rgba[:, :, :3], np.where(mask > 0, rgba[:, :, 3], 0).astype(np.uint8)])
    if (x_scale, y_scale) != (1, 1):
        size = (max(1, round(rgba.shape[1] * x_scale)), max(1, round(rgba.shape[0] * y_scale)))
        rgba = cv2.resize(rgba, size, interpolation=cv2.INTER_LINEAR)
    high, wide = rgba.shape[:2]
    height, width = target.shape[:2]
    left, top, right, bottom = max(0, x), max(0, y), min(width, x + wide), min(height, y + high)
    if right > left and bottom > top:
        part = rgba[top - y : bottom - y, left - x : right - x]
        region = target[top:bottom, left:right]
        opaque = alpha >= 255 and bool((part[:, :, 3] == 255).all())
        if opaque:
            region[:] = px.from_rgb(np.ascontiguousarray(part[:, :, :3]), fmt)
        else:
            share = (part[:, :, 3:].astype(np.uint32) * (256 if alpha >= 255 else alpha)) >> 8
            below = px.to_rgba(region, fmt).astype(np.uint32)
            mixed = (below[:, :, :3] * (255 - share) + part[:, :, :3] * share) // 255
            region[:] = px.from_rgb(mixed.astype(np.uint8), fmt)
            if fmt in px.CHANNELS_ARGB:
                channel = px.CHANNELS_ARGB[fmt][0]
                region[:, :, channel] = np.maximum(below[:, :, 3], share[:, :, 0]).astype(np.uint8)
    return ("image", x, y, wide, high)


def moved(call: Call, x: int, y: int) -> Call:
    """The record of a call as if all of it had been drawn so much further to the right and down."""
    shifted = list(call)
    for first in (1, 3) if call[0] in ("line", "arrow") else (1,):
        shifted[first] += x
        shifted[first + 1] += y
    return tuple(shifted)


SHAPES: dict[str, Callable[[Any, int, list[Any], dict[str, Any]], Call]] = {
    "line": _line,
    "rectangle": _rectangle,
    "circle": _circle,
    "ellipse": _ellipse,
    "cross": _cross,
    "arrow": _arrow,
}
