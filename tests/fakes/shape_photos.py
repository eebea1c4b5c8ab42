"""Photos that small classifiers learn within a minute: coloured shapes before soft, grainy grounds, at random places and sizes."""

from __future__ import annotations

import cv2
import numpy as np

NAMES = ("circle", "square", "triangle")
_RGB = ((220, 60, 50), (60, 190, 80), (60, 90, 220))
SIZE = (320, 180)  # the shape of the board's pictures


def photo(rng: np.random.Generator, shown: tuple[str, ...], size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture H×W×3 uint8 RGB with one of each of these shapes."""
    width, height = size
    coarse = rng.integers(40, 215, (rng.integers(3, 7), rng.integers(4, 8), 3)).astype(np.uint8)
    soft = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) * 0.5 + 60
    image = np.clip(soft + rng.normal(0, 6, soft.shape), 0, 255).astype(np.uint8)
    columns = rng.permutation([width // 4, width // 2, 3 * width // 4])
    for name, column in zip(shown, columns, strict=False):
        share = rng.uniform(0.26, 0.36) if len(shown) == 1 else rng.uniform(0.18, 0.24)
        kind, r = NAMES.index(name), int(height * share)
        x, y = int(column + rng.integers(-12, 13)), int(height * rng.uniform(0.35, 0.65))
        colour = tuple(int(np.clip(value + rng.integers(-25, 26), 0, 255)) for value in _RGB[kind])
        if kind == 0:
            cv2.circle(image, (x, y), r, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(image, (x - r, y - r), (x + r, y + r), colour, -1)
        else:
            cv2.fillPoly(image, [np.array([(x, y - r), (x + r, y + r), (x - r, y + r)])], colour, cv2.LINE_AA)
    return image


def jpeg(image: np.ndarray) -> bytes:
    """An RGB picture as a JPEG file's bytes."""
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
