"""The built-in scene: traffic lights over real photographs, with their true boxes.

It gives a newcomer without a board something to photograph, label and detect that is a real learning problem: up to
three lights a picture, red, yellow or green by the colour of the one lamp that is lit, moved, scaled, turned, and lit
differently, in front of photographs that scikit-image and scikit-learn carry inside their wheels. Nothing is
downloaded. Picture `index` of `seed` is always the same picture. `camera.py` shows it to the virtual sensor.
"""

from __future__ import annotations

import importlib.util
import logging
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Rgb = NDArray[np.uint8]

LABELS = ("red", "yellow", "green")
SENSOR_SIZE_PX = (1280, 720)
"""Width and height of a rendered picture: the aspect of the usual sensor modes, twice the 640x360 photo window."""

HOUSING_HEIGHT_PX = (120, 320)
"""Shortest and tallest housing in a 1280x720 picture (60 to 160 in 640x360)."""

_LIT_RGB = {"red": (255, 46, 36), "yellow": (255, 205, 40), "green": (40, 240, 110)}
_DARK_RGB = {"red": (62, 14, 12), "yellow": (60, 46, 12), "green": (10, 48, 24)}
_HOUSINGS_RGB = ((22, 23, 25), (36, 38, 40), (16, 34, 26), (44, 40, 32), (28, 28, 46))
_SUPERSAMPLE = 2
_CACHE_PICTURES = 24

# Photographs with natural content; textures and microscope pictures of the same folders are left out.
_PHOTOGRAPHS = {
    "skimage": ("data", ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "motorcycle_right.png",
                         "rocket.jpg", "camera.png", "brick.png", "grass.png", "gravel.png")),
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
}  # fmt: skip


@dataclass(frozen=True)
class TrueBox:
    """One object that is really in the picture.

    Attributes:
        label: "red", "yellow" or "green".
        x, y, w, h: left, top, width, height as fractions 0..1 of the picture.
    """

    label: str
    x: float
    y: float
    w: float
    h: float

    def as_json(self) -> dict[str, str | float]:
        """The box as the control API sends it."""
        return {"label": self.label, "x": self.x, "y": self.y, "w": self.w, "h": self.h}


def photograph_paths() -> list[Path]:
    """The background photographs that are installed, in a fixed order.

    Raises:
        RuntimeError: neither scikit-image nor scikit-learn is installed, or their wheels carry no pictures.
    """
    found = []
    for package, (folder, names) in _PHOTOGRAPHS.items():
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue
        root = Path(next(iter(spec.submodule_search_locations))) / folder
        found += [root / name for name in names if (root / name).is_file()]
    if not found:
        raise RuntimeError(
            "the built-in scene needs the sample photographs of scikit-image and scikit-learn; "
            "install them: pip install scikit-image scikit-learn"
        )
    return found


class TrafficLightScene:
    """Endless, repeatable pictures of traffic lights.

    Args:
        seed: another seed is another world; training and checking pictures may share a seed as long as indexes differ.
        size_px: width, height of the pictures.
    """

    name = "scene:traffic_lights"

    def __init__(self, seed: int = 0, size_px: tuple[int, int] = SENSOR_SIZE_PX) -> None:
        self.seed = seed
        self.size_px = size_px
        self._paths = photograph_paths()
        self._photographs: dict[Path, Rgb] = {}
        self._rendered: OrderedDict[int, tuple[Rgb, list[TrueBox]]] = OrderedDict()

    def render(self, index: int) -> tuple[Rgb, list[TrueBox]]:
        """Picture `index` (0, 1, 2, … without end): HxWx3 uint8 RGB, not to be written to, and what is in it."""
        if index in self._rendered:
            self._rendered.move_to_end(index)
            return self._rendered[index]
        picture = self._draw(index)
        self._rendered[index] = picture
        if len(self._rendered) > _CACHE_PICTURES:
            self._rendered.popitem(last=False)
        return picture

    def _draw(self, index: int) -> tuple[Rgb, list[TrueBox]]:
        rng = np.random.default_rng([self.seed, index])
        canvas = self._background(rng).astype(np.float32)
        width, height = self.size_px
        scale = height / SENSOR_SIZE_PX[1]
        taken: list[tuple[int, int, int, int]] = []
        boxes = []
        wanted = int(rng.choice([1, 2, 2, 3]))
        # The first light cycles through the classes, so any dozen consecutive pictures shows each class often enough.
        labels = [LABELS[index % 3], *(str(label) for label in rng.choice(LABELS, size=wanted - 1))]
        for label in labels:
            patch, alpha, (bx, by, bw, bh) = _light_patch(rng, label, scale)
            place = _free_place(rng, (bw, bh), taken, self.size_px)
            if place is None:
                continue
            left, top = place
            taken.append((left, top, bw, bh))
            _blend(canvas, patch, alpha, left - bx, top - by)
            boxes.append(TrueBox(label, left / width, top / height, bw / width, bh / height))
        picture = _light_differently(rng, canvas, scale)
        picture.setflags(write=False)
        return picture, boxes

    def _background(self, rng: np.random.Generator) -> Rgb:
        """A random crop of a random photograph, mirrored half of the time, blown up to the picture size."""
        photograph = self._photograph(self._paths[int(rng.integers(len(self._paths)))])
        width, height = self.size_px
        full_h, full_w = photograph.shape[:2]
        # The largest crop of our aspect, then zoomed in by up to 1.7.
        crop_w = min(full_w, full_h * width / height) / rng.uniform(1.0, 1.7)
        crop_h = crop_w * height / width
        left = rng.uniform(0, full_w - crop_w)
        top = rng.uniform(0, full_h - crop_h)
        crop = photograph[int(top) : int(top + crop_h), int(left) : int(left + crop_w)]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        return np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)

    def _photograph(self, path: Path) -> Rgb:
        if path not in self._photographs:
            bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if bgr is None:
                raise RuntimeError(f"cannot read the sample photograph {path}; reinstall the package it belongs to")
            self._photographs[path] = np.ascontiguousarray(bgr[:, :, ::-1])
        return self._photographs[path]


def _light_patch(
    rng: np.random.Generator, label: str, scale: float
) -> tuple[Rgb, NDArray[np.float32], tuple[int, int, int, int]]:
    """One traffic light: RGB patch, its opacity 0..1, and the box of the housing inside the patch (x, y, w, h)."""
    # Log-uniform, since distance is: small ones are as frequent as large ones.
    low, high = (length * scale for length in HOUSING_HEIGHT_PX)
    tall = float(np.exp(rng.uniform(np.log(low), np.log(high)))) * 0.94
    wide = tall * rng.uniform(0.38, 0.46)
    angle_deg = rng.uniform(-8, 8)
    side = int(tall * 1.5) + 8
    big = side * _SUPERSAMPLE
    centre = big / 2
    half_w, half_h = wide * _SUPERSAMPLE / 2, tall * _SUPERSAMPLE / 2

    patch: NDArray[Any] = np.zeros((big, big, 3), np.uint8)
    solid: NDArray[Any] = np.zeros((big, big), np.uint8)
    corner = int(half_w * rng.uniform(0.25, 0.6))
    _rounded_box(solid, centre, half_w, half_h, corner, (255,))
    body = np.clip(np.array(_HOUSINGS_RGB[int(rng.integers(len(_HOUSINGS_RGB)))]) + rng.integers(-8, 9, 3), 4, 80)
    # The rim is paler than the front, so that the housing's outline shows on dark ground too.
    patch[:] = np.clip(body + rng.integers(30, 90), 0, 255)
    _rounded_box(patch, centre, half_w * 0.92, half_h * 0.965, corner, tuple(int(v) for v in body * 0.7))

    radius = int(half_w * rng.uniform(0.62, 0.72))
    halo: NDArray[Any] = np.zeros((side, side), np.float32)  # so soft that it needs no finer grid
    for row, name in enumerate(LABELS):
        spot = (int(centre), int(centre + (row - 1) * half_h * 0.62))
        is_lit = name == label
        cv2.circle(patch, spot, int(radius * 1.12), tuple(int(v * 0.5) for v in body), -1)
        cv2.circle(patch, spot, radius, _LIT_RGB[name] if is_lit else _DARK_RGB[name], -1)
        if is_lit:
            # A bright heart that is paler than the rim, as an overexposed lamp looks.
            pale = tuple(int(v + (255 - v) * rng.uniform(0.3, 0.8)) for v in _LIT_RGB[name])
            cv2.circle(patch, spot, int(radius * rng.uniform(0.3, 0.6)), pale, -1)
            there = (spot[0] // _SUPERSAMPLE, spot[1] // _SUPERSAMPLE)
            cv2.circle(halo, there, int(radius * 1.5 / _SUPERSAMPLE), 1.0, -1)
        else:
            cv2.ellipse(patch, spot, (int(radius * 0.6), int(radius * 0.6)), 0, 200, 290, (96, 96, 100), 2)
    patch = cv2.GaussianBlur(patch, (0, 0), max(0.8, radius * 0.05))
    halo = cv2.GaussianBlur(halo, (0, 0), max(1.0, radius * 0.45 / _SUPERSAMPLE))
    glow = cv2.resize(halo, (big, big))[:, :, None] * float(rng.uniform(0.15, 0.5))
    patch = np.clip(patch + glow * np.array(_LIT_RGB[label], np.float32) * 0.6, 0, 255).astype(np.uint8)

    turn = cv2.getRotationMatrix2D((centre, centre), angle_deg, 1.0)
    patch = cv2.warpAffine(patch, turn, (big, big), borderMode=cv2.BORDER_REPLICATE)
    solid = cv2.warpAffine(solid, turn, (big, big))
    patch = cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA)
    solid = cv2.resize(solid, (side, side), interpolation=cv2.INTER_AREA)
    x, y, w, h = cv2.boundingRect((solid > 127).astype(np.uint8))
    cover = (solid / 255).astype(np.float32)
    return patch.astype(np.uint8, copy=False), cover, (int(x), int(y), int(w), int(h))


def _rounded_box(
    target: Rgb, centre: float, half_w: float, half_h: float, corner: int, colour: tuple[int, ...]
) -> None:
    """Fill a box with round corners around the middle of the square picture `target`."""
    left, right = int(centre - half_w), int(centre + half_w)
    top, bottom = int(centre - half_h), int(centre + half_h)
    cv2.rectangle(target, (left + corner, top), (right - corner, bottom), colour, -1)
    cv2.rectangle(target, (left, top + corner), (right, bottom - corner), colour, -1)
    for x in (left + corner, right - corner):
        for y in (top + corner, bottom - corner):
            cv2.circle(target, (x, y), corner, colour, -1)


def _free_place(
    rng: np.random.Generator, size: tuple[int, int], taken: list[tuple[int, int, int, int]], picture: tuple[int, int]
) -> tuple[int, int] | None:
    """Left and top of a spot at a distance from all `taken` boxes (x, y, w, h), or None when the picture is crowded."""
    width, height = size
    gap = max(8, picture[1] // 50)
    for _ in range(60):
        left = int(rng.integers(gap, picture[0] - width - gap))
        top = int(rng.integers(gap, picture[1] - height - gap))
        if all(
            left > x + w + gap or x > left + width + gap or top > y + h + gap or y > top + height + gap
            for x, y, w, h in taken
        ):
            return left, top
    return None


def _blend(canvas: NDArray[np.float32], patch: Rgb, alpha: NDArray[np.float32], left: int, top: int) -> None:
    """Lay a patch over the canvas; what sticks out is cut off."""
    height, width = canvas.shape[:2]
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(width, left + patch.shape[1]), min(height, top + patch.shape[0])
    part = patch[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32)
    share = alpha[y0 - top : y1 - top, x0 - left : x1 - left, None]
    canvas[y0:y1, x0:x1] += (part - canvas[y0:y1, x0:x1]) * share


def _light_differently(rng: np.random.Generator, canvas: NDArray[np.float32], scale: float) -> Rgb:
    """Shadow, brightness, colour cast, blur and noise, as a cheap sensor in changing light would add them."""
    height, width = canvas.shape[:2]
    if rng.random() < 0.5:
        edge = rng.uniform(0.15, 0.85) * width
        lean = rng.uniform(-0.4, 0.4) * width
        side = 0 if rng.random() < 0.5 else width
        shadow: NDArray[Any] = np.zeros((height // 8, width // 8), np.float32)
        corners = np.array([[side, 0], [edge - lean, 0], [edge + lean, height], [side, height]]) / 8
        cv2.fillPoly(shadow, [corners.astype(np.int32)], 1.0)
        shadow = cv2.resize(cv2.GaussianBlur(shadow, (0, 0), 3), (width, height))
        canvas *= 1 - (1 - rng.uniform(0.5, 0.8)) * shadow[:, :, None]
    # Gains per colour stay within ±12 %: the lamp's colour decides the class and must stay recognisable.
    gains = rng.uniform(0.7, 1.2) * rng.uniform(0.88, 1.12, 3)
    canvas *= gains.astype(np.float32)
    blur_px = rng.uniform(0, 3.2) * scale
    if blur_px > 0.6:
        cv2.GaussianBlur(canvas, (0, 0), blur_px, dst=canvas)
    noise = rng.standard_normal((height // 2, width // 2, 3), dtype=np.float32) * rng.uniform(0, 11)
    canvas += cv2.resize(noise, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.clip(canvas, 0, 255).astype(np.uint8)
