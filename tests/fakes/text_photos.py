"""Photos of lines of text with their labels, drawn with the fonts that Pillow and matplotlib bring: for tests of the two text tasks."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = (320, 180)
DIGITS = "0123456789"


def draw_photo(
    rng: np.random.Generator,
    size: tuple[int, int] = SIZE,
    texts: int = 2,
    alphabet: str = DIGITS,
    lengths: tuple[int, int] = (3, 6),
    heights_px: tuple[int, int] = (20, 34),
) -> tuple[Image.Image, list[tuple[np.ndarray, str]]]:
    """A picture and what is written in it: (quad (4, 2) from the top left clockwise, text) each."""
    width, height = size
    shade = rng.integers(60, 200, 3)
    paper = np.ones((height, width, 3)) * shade + np.linspace(-30, 30, width)[None, :, None] * rng.uniform(-1, 1)
    paper += rng.normal(0, 6, paper.shape)
    image = Image.fromarray(paper.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(6):  # things that are no text
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(5, 60), rng.integers(5, 60)
        colour = tuple(map(int, rng.integers(0, 255, 3)))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)((x, y, x + w, y + h), outline=colour, width=3)
    found = []
    rows = np.linspace(0, height, texts + 1)
    for top, bottom in itertools.pairwise(rows):
        text = "".join(rng.choice(list(alphabet), rng.integers(lengths[0], lengths[1] + 1)))
        font: Any = ImageFont.load_default(int(rng.integers(*heights_px)))
        box = font.getbbox(text)
        w, h = box[2] - box[0] + 8, box[3] - box[1] + 8
        plate_colour, ink = ((245, 245, 240), (15, 15, 40)) if rng.random() < 0.6 else ((20, 40, 110), (250, 250, 230))
        plate = Image.new("RGBA", (int(w), int(h)), (*plate_colour, 255))
        ImageDraw.Draw(plate).text((4 - box[0], 4 - box[1]), text, fill=ink, font=font)
        angle = rng.uniform(-6, 6)
        centre = np.array([rng.uniform(w / 2 + 8, width - w / 2 - 8), (top + bottom) / 2 + rng.uniform(-6, 6)])
        turned = plate.rotate(angle, expand=True, resample=Image.Resampling.BICUBIC)
        image.paste(turned, tuple(int(v) for v in np.round(centre - np.array(turned.size) / 2)), turned)
        matrix = cv2.getRotationMatrix2D((0, 0), angle, 1)[:, :2]
        corners = np.array([(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)])
        found.append((corners @ matrix.T + centre, text))
    return image, found


def write_text_photos(folder: Path, count: int, seed: int, **how: Any) -> list[dict[str, Any]]:
    """Write photos into `folder`; entries of job.json's dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    entries = []
    for number in range(count):
        image, found = draw_photo(rng, **how)
        file = folder / f"{number:04d}.jpg"
        image.save(file, quality=92)
        boxes = []
        for quad, text in found:
            points = np.rint(quad).clip(0, np.array(image.size) - 1).astype(int)
            x, y = points.min(axis=0)
            w, h = points.max(axis=0) - (x, y) + 1
            boxes.append(
                {
                    "class": 0,
                    "box_xywh_px": [int(x), int(y), int(w), int(h)],
                    "points_px": points.tolist(),
                    "text": text,
                }
            )
        entries.append(
            {"image": str(file), "name": file.name, "width": image.width, "height": image.height, "boxes": boxes}
        )
    return entries
