"""A made-up detection set for benches and tests: traffic lights, lit red, yellow or green, over busy backgrounds.

Not used by the demo (its pictures come from the virtual board's camera). Deterministic for a seed; needs NumPy and OpenCV.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

CLASSES = ("red", "yellow", "green")
LIT_RGB = ((255, 40, 30), (255, 200, 30), (40, 230, 80))
UNLIT_RGB = (45, 42, 40)


def draw_scene(
    rng: np.random.Generator, width: int, height: int, background: np.ndarray | None = None
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """One picture (H×W×3 uint8 RGB) and its boxes as job.json has them, one to three lights that do not overlap."""
    image = _background(rng, width, height) if background is None else _crop(rng, background, width, height)
    boxes: list[dict[str, Any]] = []
    taken: list[tuple[int, int, int, int]] = []
    wanted = int(rng.integers(1, 4))
    for _ in range(60):
        if len(boxes) == wanted:
            break
        h = int(height * rng.uniform(0.18, 0.5))
        w = int(h * rng.uniform(0.36, 0.46))
        x, y = int(rng.integers(0, width - w)), int(rng.integers(0, height - h))
        if any(x < ox + ow + 4 and ox < x + w + 4 and y < oy + oh + 4 and oy < y + h + 4 for ox, oy, ow, oh in taken):
            continue
        cls = int(rng.integers(0, 3))
        _draw_light(image, rng, x, y, w, h, cls)
        taken.append((x, y, w, h))
        boxes.append({"class": cls, "box_xywh_px": [x, y, w, h]})
    light = rng.uniform(0.55, 1.25)
    noise = rng.normal(0, rng.uniform(0, 8), image.shape)
    return np.clip(image * light + noise, 0, 255).astype(np.uint8), boxes


def write_pictures(
    folder: Path, count: int, seed: int, size: tuple[int, int] = (640, 360), backgrounds: list[np.ndarray] | None = None
) -> list[dict[str, Any]]:
    """`count` JPEGs in `folder` and their records for job.json's dataset lists."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    records = []
    for index in range(count):
        background = backgrounds[int(rng.integers(len(backgrounds)))] if backgrounds else None
        image, boxes = draw_scene(rng, *size, background)
        path = folder / f"{index:04d}.jpg"
        cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
        records.append({"image": str(path.resolve()), "width": size[0], "height": size[1], "boxes": boxes})
    return records


def _background(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Blurred colour noise with a few hard-edged shapes, some of them round and coloured like lamps."""
    coarse = rng.integers(20, 235, (rng.integers(3, 8), rng.integers(4, 12), 3)).astype(np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(rng.integers(5, 14)):
        colour = tuple(int(value) for value in rng.integers(0, 255, 3))
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        if rng.random() < 0.5:
            size = rng.integers(10, 160, 2)
            cv2.rectangle(image, (x, y), (x + int(size[0]), y + int(size[1])), colour, -1)
        else:
            cv2.circle(image, (x, y), int(rng.integers(4, 50)), colour, -1, cv2.LINE_AA)
    return image


def _crop(rng: np.random.Generator, picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A random part of a real picture, at least half of it, filling width×height."""
    share = rng.uniform(0.5, 1.0)
    full_h, full_w = picture.shape[:2]
    crop_w = min(full_w, full_h * width / height) * share
    crop_h = crop_w * height / width
    x, y = int(rng.uniform(0, full_w - crop_w)), int(rng.uniform(0, full_h - crop_h))
    return cv2.resize(picture[y : y + int(crop_h), x : x + int(crop_w)], (width, height), interpolation=cv2.INTER_AREA)


def _draw_light(image: np.ndarray, rng: np.random.Generator, x: int, y: int, w: int, h: int, cls: int) -> None:
    shade = int(rng.integers(15, 70))
    cv2.rectangle(image, (x, y), (x + w - 1, y + h - 1), (shade, shade, shade), -1)
    radius = max(2, int(min(w, h / 3) * 0.36))
    for lamp in range(3):
        centre = (x + w // 2, y + h * (2 * lamp + 1) // 6)
        colour = LIT_RGB[lamp] if lamp == cls else UNLIT_RGB
        cv2.circle(image, centre, radius, colour, -1, cv2.LINE_AA)
