"""A validation picture with its vector, for people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..task import Pixels
from ..typefaces import write

SIDE_PX, BAR_PX, TEXT_PX, LETTERS_PX = 320, 5, 24, 15
SHOWN = SIDE_PX // BAR_PX  # numbers of the vector
HEIGHT_PX = 60  # of the bars, half of it up and half down
UP_RGB, DOWN_RGB = (70, 200, 90), (240, 130, 40)


def draw_vector(pixels: Pixels, name: str, vector: np.ndarray, file: Path) -> None:
    """Write a JPEG of a model input (3×H×W uint8 RGB), 320 px wide, with its label and the first numbers of its vector as bars."""
    image = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    height = round(image.shape[0] * SIDE_PX / image.shape[1])
    image = cv2.resize(image, (SIDE_PX, height), interpolation=cv2.INTER_LINEAR)
    strip = np.zeros((TEXT_PX + HEIGHT_PX, SIDE_PX, 3), np.uint8)
    write(strip, f"labelled {name}", (6, 17), (255, 255, 255), LETTERS_PX)
    shown = vector[:SHOWN] / max(float(np.abs(vector).max()), 1e-12)
    middle = TEXT_PX + HEIGHT_PX // 2
    for index, value in enumerate(np.nan_to_num(shown)):
        end = middle - round(float(value) * (HEIGHT_PX // 2 - 2))
        left = index * BAR_PX
        cv2.rectangle(strip, (left, middle), (left + BAR_PX - 2, end), UP_RGB if value > 0 else DOWN_RGB, -1)
    both = cv2.cvtColor(np.vstack([image, strip]), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(file), both, [cv2.IMWRITE_JPEG_QUALITY, 88])
