"""Validation pictures for people: the model input with what is true and what the kmodel says in a bar below it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..task import Pixels
from ..typefaces import write

LEAST_WIDTH_PX = 320  # model inputs are small; text needs room
LINE_PX, TEXT_PX = 22, 15
RIGHT_RGB, WRONG_RGB, PLAIN_RGB = (70, 200, 90), (230, 60, 60), (255, 255, 255)
Line = tuple[str, tuple[int, int, int]]


def draw_lines(pixels: Pixels, lines: Sequence[Line], file: Path) -> None:
    """Write a JPEG of a model input (3×H×W uint8 RGB), enlarged, with lines of text in RGB colours under it."""
    image = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    factor = max(1, -(-LEAST_WIDTH_PX // image.shape[1]))
    image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    bar = np.zeros((LINE_PX * len(lines) + 8, image.shape[1], 3), np.uint8)
    for number, (text, colour) in enumerate(lines, 1):
        write(bar, text, (6, LINE_PX * number - 4), colour, TEXT_PX)
    both = cv2.cvtColor(np.vstack([image, bar]), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(file), both, [cv2.IMWRITE_JPEG_QUALITY, 88])
