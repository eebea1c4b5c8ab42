"""Training pictures made different every epoch: scale, shift, mirror, colour, and four pictures in one.

Everything happens straight on the model's own canvas (for example 320×192), in one interpolation from the original pixels,
which is why an epoch costs so little. Boxes are (N, 4) left, top, right, bottom; pictures are RGB uint8, H×W×3.
Called by `picture_dataset`. Only NumPy and OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from snaploop_shared.letterbox import PAD_VALUE, placement

from ...domain.geometry import FloatArray, IntArray
from ..job_spec import Parameters

SMALLEST_SIDE_PX = 2  # a box thinner than this after cutting teaches nothing
SMALLEST_LEFT = 0.15  # share of a box that must stay inside the canvas, else the box is dropped


@dataclass(frozen=True)
class Example:
    """One annotated picture: image H×W×3 uint8 RGB, boxes_xyxy (N, 4) float32 px of that image, classes (N,) int."""

    image: np.ndarray
    boxes_xyxy: FloatArray
    classes: IntArray


@dataclass(frozen=True)
class Augmentation:
    """How far pictures may be changed.

    No vertical mirror and no rotation: boards stand upright, and "red on top" is a clue worth keeping.
    Hue moves little because colour is often what tells the classes apart.
    """

    scale: float = 0.5  # size factor 1-scale … 1+scale
    shift: float = 0.1  # of the canvas
    mirror: float = 0.5  # probability
    hue: float = 0.015  # of the full circle
    saturation: float = 0.5
    brightness: float = 0.4

    def times(self, factor: float) -> Augmentation:
        """The same with colours changed so much more; saturation and brightness by all of it at most."""
        return replace(
            self,
            hue=self.hue * factor,
            saturation=min(1.0, self.saturation * factor),
            brightness=min(1.0, self.brightness * factor),
        )


def augmentation_of(parameters: Parameters, zoom_share: float = 1.0) -> Augmentation:
    """What a job's parameters say; `zoom_share` of its scale and shift."""
    return Augmentation(
        scale=parameters.scale * zoom_share,
        shift=parameters.shift * zoom_share,
        mirror=parameters.mirror,
        hue=parameters.hue,
        saturation=parameters.saturation,
        brightness=parameters.brightness,
    )


def letterbox(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture as the board's ai2d places it in a width×height input: aspect kept, centred, padded with 114.

    Bilinear with half-pixel centres and no smoothing, as the hardware does; calibration and evaluation use this function too.

    Returns:
        height×width×3 uint8, the channel order of `image`.
    """
    place = placement(image.shape[1], image.shape[0], width, height)
    canvas = np.full((height, width, 3), PAD_VALUE, np.uint8)
    resized = image
    if (place.width, place.height) != (image.shape[1], image.shape[0]):
        resized = cv2.resize(image, (place.width, place.height), interpolation=cv2.INTER_LINEAR)
    canvas[place.top : place.top + place.height, place.left : place.left + place.width] = resized
    return canvas


def letterbox_boxes(boxes_xyxy: FloatArray, source_w: int, source_h: int, width: int, height: int) -> FloatArray:
    """Boxes of a picture, in px of the input in which `letterbox` placed it; (N, 4) float32."""
    place = placement(source_w, source_h, width, height)
    factor = np.array([place.width / source_w, place.height / source_h] * 2)
    return (boxes_xyxy * factor + np.array([place.left, place.top] * 2)).astype(np.float32)


def place_randomly(example: Example, width: int, height: int, rules: Augmentation, rng: np.random.Generator) -> Example:
    """The picture on a width×height canvas, scaled, shifted and perhaps mirrored; gaps are 114."""
    source_h, source_w = example.image.shape[:2]
    fit = min(width / source_w, height / source_h)
    factor = fit * rng.uniform(1 - rules.scale, 1 + rules.scale)
    left = (width - source_w * factor) / 2 + rng.uniform(-rules.shift, rules.shift) * width
    top = (height - source_h * factor) / 2 + rng.uniform(-rules.shift, rules.shift) * height
    return _warp(example, width, height, factor, left, top, mirror=rng.random() < rules.mirror)


def mosaic(examples: list[Example], width: int, height: int, rules: Augmentation, rng: np.random.Generator) -> Example:
    """Four pictures around a random centre, each cut to its corner: more objects and surroundings per training step."""
    centre_x = round(width * rng.uniform(0.35, 0.65))
    centre_y = round(height * rng.uniform(0.35, 0.65))
    canvas = np.empty((height, width, 3), np.uint8)
    boxes, classes = [], []
    corners = [
        (0, 0, centre_x, centre_y),
        (centre_x, 0, width, centre_y),
        (0, centre_y, centre_x, height),
        (centre_x, centre_y, width, height),
    ]
    for example, (x0, y0, x1, y1) in zip(examples, corners, strict=True):
        source_h, source_w = example.image.shape[:2]
        factor = min(width / source_w, height / source_h) * rng.uniform(1 - rules.scale, 1 + rules.scale / 2)
        room_x, room_y = (x1 - x0) - source_w * factor, (y1 - y0) - source_h * factor
        left = rng.uniform(min(room_x, 0), max(room_x, 0))
        top = rng.uniform(min(room_y, 0), max(room_y, 0))
        part = _warp(example, x1 - x0, y1 - y0, factor, left, top, mirror=rng.random() < rules.mirror)
        canvas[y0:y1, x0:x1] = part.image
        boxes.append(part.boxes_xyxy + np.array([x0, y0, x0, y0], np.float32))
        classes.append(part.classes)
    return Example(canvas, np.concatenate(boxes), np.concatenate(classes))


def recolour(image: np.ndarray, rules: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """The picture under other light: hue turned a little, saturation and brightness scaled."""
    hue, saturation, brightness = rng.uniform(-1, 1, 3) * (rules.hue, rules.saturation, rules.brightness)
    steps = np.arange(256)
    tables = (
        ((steps + hue * 180) % 180).astype(np.uint8),  # OpenCV's 8-bit hue has 180 steps
        np.clip(steps * (1 + saturation), 0, 255).astype(np.uint8),
        np.clip(steps * (1 + brightness), 0, 255).astype(np.uint8),
    )
    planes = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
    changed = cv2.merge([cv2.LUT(plane, table) for plane, table in zip(planes, tables, strict=True)])
    return cv2.cvtColor(changed, cv2.COLOR_HSV2RGB)


def _warp(example: Example, width: int, height: int, factor: float, left: float, top: float, mirror: bool) -> Example:
    """The picture scaled by `factor` with its corner at (left, top) of the canvas, then mirrored on its own axis."""
    source_w = example.image.shape[1]
    sign, offset = (-factor, left + source_w * factor) if mirror else (factor, left)
    # The half pixels put source pixel centres onto canvas pixel centres, as in `letterbox`.
    matrix = np.array([[sign, 0, offset + sign * 0.5 - 0.5], [0, factor, top + factor * 0.5 - 0.5]], np.float64)
    image = cv2.warpAffine(
        example.image,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(PAD_VALUE,) * 3,
    )
    moved = example.boxes_xyxy * np.array([sign, factor] * 2, np.float32) + np.array([offset, top] * 2, np.float32)
    if mirror:
        moved = moved[:, [2, 1, 0, 3]]
    cut = np.clip(moved, 0, np.array([width, height] * 2, np.float32)).astype(np.float32)
    sides = cut[:, 2:] - cut[:, :2]
    left_over = sides.prod(axis=1) / np.maximum((moved[:, 2:] - moved[:, :2]).prod(axis=1), 1e-6)
    keep = (sides.min(axis=1) >= SMALLEST_SIDE_PX) & (left_over >= SMALLEST_LEFT)
    return Example(image, cut[keep], example.classes[keep])
