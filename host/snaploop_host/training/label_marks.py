"""Labels drawn into a picture for people: boxes, quads and words. Pictures are H×W×3 uint8 RGB; called by the tasks' previews."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from snaploop_shared import palette

from .task import Pixels
from .typefaces import font_for

LEAST_WIDTH_PX = 220  # model inputs are small; marks need room
TEXT_SHARE = 0.055  # height of words, of the picture's width


def enlarged(picture: np.ndarray) -> tuple[Pixels, int]:
    """The picture at a whole multiple of its size, wide enough for marks, and that multiple."""
    factor = max(1, -(-LEAST_WIDTH_PX // picture.shape[1]))
    size = (picture.shape[1] * factor, picture.shape[0] * factor)
    return np.asarray(
        cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_NEAREST), np.uint8
    ), factor


def with_polygons(
    picture: np.ndarray, polygons: Sequence[np.ndarray], classes: Sequence[int], names: Sequence[str]
) -> Pixels:
    """Closed lines through corners (N, 2) in px, in the colours of their classes, with the names where there is room."""
    large, factor = enlarged(picture)
    colours = palette.colours(list(names))
    image = Image.fromarray(large)
    draw = ImageDraw.Draw(image)
    text_px = round(TEXT_SHARE * image.width)
    for corners, cls in zip(polygons, classes, strict=True):
        name = names[cls]
        colour = tuple(colours[name])
        points = [(float(x) * factor, float(y) * factor) for x, y in corners]
        draw.line([*points, points[0]], colour, 2)
        left, top = min(x for x, _ in points), min(y for _, y in points)
        draw.text((left + 2, max(0.0, top - text_px - 3)), name, colour, font_for(name, text_px))
    return np.asarray(image, np.uint8)


def with_boxes(picture: np.ndarray, boxes_xyxy: np.ndarray, classes: Sequence[int], names: Sequence[str]) -> Pixels:
    """The same for upright boxes (N, 4)."""
    polygons = [np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) for x0, y0, x1, y1 in boxes_xyxy]
    return with_polygons(picture, polygons, classes, names)


def with_caption(picture: np.ndarray, text: str) -> Pixels:
    """A bar with words below the picture."""
    large, _ = enlarged(picture)
    text_px = round(TEXT_SHARE * large.shape[1])
    bar = Image.new("RGB", (large.shape[1], text_px * 3 // 2), (0, 0, 0))
    ImageDraw.Draw(bar).text((4, 1), text, (255, 255, 255), font_for(text, text_px))
    return np.vstack([large, np.asarray(bar, np.uint8)])
