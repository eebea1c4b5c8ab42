"""Validation lines for people: the line, what it says (white) and what the simulated kmodel read (green or red).

Called by `ocr_recognize.task`. Pillow writes the letters: OpenCV has only Latin ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ...domain.text_metrics import Reading, TrueReading
from ..typefaces import typefaces

ENLARGED = 3
LINE_PX = 34
RIGHT_RGB, WRONG_RGB = (70, 200, 90), (230, 60, 60)


def draw_reading(pixels: np.ndarray, truth: TrueReading, reading: Reading, file: Path) -> None:
    """Write a JPEG of a model input (3×32×W uint8 RGB), three times as large."""
    line = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    line = line.resize((line.width * ENLARGED, line.height * ENLARGED), Image.Resampling.BILINEAR)
    image = Image.new("RGB", (line.width, line.height + 2 * LINE_PX), (30, 30, 30))
    image.paste(line)
    draw, font = ImageDraw.Draw(image), typefaces(24)[-1]  # DejaVu has more letters than Pillow's own
    is_right = reading.text == truth.text
    draw.text((8, line.height + 2), truth.text, fill=(255, 255, 255), font=font)
    said = f"{reading.text}  {reading.score:.2f}"
    draw.text((8, line.height + LINE_PX), said, fill=RIGHT_RGB if is_right else WRONG_RGB, font=font)
    image.save(file, quality=88)
