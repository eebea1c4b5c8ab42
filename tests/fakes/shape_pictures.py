"""Pictures for segmentation: red discs and blue squares on busy grey grounds, with their outlines. Deterministic for a seed."""

from __future__ import annotations

import cv2
import numpy as np

CLASSES = ("disc", "square")
COLOURS_RGB = ((205, 55, 45), (45, 80, 210))
PHOTO = (640, 360)
Outline = tuple[int, np.ndarray]  # class index, corners (N, 2) in px


def draw_scene(rng: np.random.Generator) -> tuple[np.ndarray, list[Outline]]:
    """One picture (360×640×3 uint8 RGB) with one to three shapes that do not touch."""
    height = PHOTO[1]
    coarse = rng.integers(60, 200, (5, 8, 1)).repeat(3, 2).astype(np.uint8)
    image = cv2.resize(coarse, PHOTO, interpolation=cv2.INTER_CUBIC)
    for _ in range(6):
        ends = [tuple(int(value) for value in rng.integers(0, PHOTO)) for _ in range(2)]
        cv2.line(image, *ends, [int(rng.integers(20, 240))] * 3, int(rng.integers(2, 9)))
    shapes: list[Outline] = []
    places = rng.permutation(3)[: rng.integers(1, 4)]
    for place in places:
        cls, radius = int(rng.integers(2)), rng.uniform(50, 95)
        centre = (
            place * 213 + rng.uniform(radius, max(radius + 1, 213 - radius)),
            rng.uniform(radius, height - radius),
        )
        corners = shape(cls, centre, radius, rng.uniform(0, 1.5))
        paint(image, cls, corners)
        shapes.append((cls, corners))
    light = rng.uniform(0.7, 1.15)
    return np.clip(image * light + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8), shapes


def shape(cls: int, centre: tuple[float, float], radius: float, angle: float = 0.0) -> np.ndarray:
    """The corners of a disc (24 of them) or a square, whole px inside the photo."""
    count = (24, 4)[cls]
    turns = angle + np.arange(count) * 2 * np.pi / count
    corners = np.array(centre) + radius * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return np.rint(corners).clip(0, (PHOTO[0] - 1, PHOTO[1] - 1)).astype(int)


def paint(image: np.ndarray, cls: int, corners: np.ndarray) -> None:
    """Fill the shape."""
    cv2.fillPoly(image, [corners.astype(np.int32)], COLOURS_RGB[cls])


def jpeg(image: np.ndarray) -> bytes:
    """RGB to JPEG."""
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
