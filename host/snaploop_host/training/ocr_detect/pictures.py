"""Photos with their text as the network sees them: plain for evaluation, turned, scaled and recoloured for training.

Called by `ocr_detect.task` and `ocr_detect.train`. Pictures are RGB uint8, H×W×3; quads in px of the model input.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from snaploop_shared.letterbox import PAD_VALUE, corner_placement

from ...domain.geometry import FloatArray
from ...domain.text_labels import is_readable
from ...domain.text_metrics import TrueText
from ..detect.augment import Augmentation, recolour
from ..errors import BadDatasetError
from ..job_spec import Photo, TrainingJob
from ..ocr.quads import into_corner, quad_of, read_rgb, sides
from ..photo_check import check_photo
from ..task import Pixels
from .text_map import LEAST_HEIGHT_PX

TURN_DEGREES = 8.0
STRETCH = 0.15
BLUR_PROBABILITY = 0.25
COLOURS = Augmentation(hue=0.1, saturation=0.5, brightness=0.5)
SPLITS = ("train", "val")


@dataclass(frozen=True)
class TextPhoto:
    """One photo's file, quads in photo px, and which of them must be found."""

    image: str
    size_wh: tuple[int, int]
    quads: list[FloatArray]
    to_find: list[bool]


def write_split(job: TrainingJob, folder: Path) -> list[str]:
    """Check every photo and label, write `folder`/train.json and val.json, and return notes worth showing.

    Raises:
        BadDatasetError: a photo or a label that cannot be used, or a side without text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for side, photos in zip(SPLITS, (job.train, job.val), strict=True):
        entries = [_entry(photo) for photo in photos]
        if not any(counts for entry in entries for counts in entry["to_find"]):
            name = "training" if side == "train" else "validation"
            raise BadDatasetError(
                f"none of the {len(photos)} {name} photos has a text marked: mark texts in more photos"
            )
        (folder / f"{side}.json").write_text(json.dumps(entries))
    return []


def too_small(job: TrainingJob, size_wh: tuple[int, int]) -> str:
    """A sentence about text that gets too low in the model's input, "" when there is none."""
    small = total = 0
    for photo in job.train + job.val:
        gain = min(size_wh[0] / photo.width, size_wh[1] / photo.height)
        heights = [sides(quad_of(box, photo))[1] * gain for box in photo.boxes if is_readable(box.text)]
        total += len(heights)
        small += sum(height < LEAST_HEIGHT_PX for height in heights)
    if not small:
        return ""
    return (
        f"{small} of {total} texts are lower than {LEAST_HEIGHT_PX:g} px in the model's input of {size_wh[0]}x{size_wh[1]} and are "
        "not learnt: go closer, or train with a larger imgsz"
    )


def read_split(folder: Path, side: str) -> list[TextPhoto]:
    """What `write_split` wrote."""
    return [
        TextPhoto(
            entry["image"],
            (entry["size"][0], entry["size"][1]),
            [np.array(quad, np.float32) for quad in entry["quads"]],
            entry["to_find"],
        )
        for entry in json.loads((folder / f"{side}.json").read_text())
    ]


class PlacedPhotos:
    """See `training.task.Examples`: photos in the top left corner of the model's input, padded with 114."""

    def __init__(self, photos: list[TextPhoto], size_wh: tuple[int, int]) -> None:
        """Over the photos of one side."""
        self.photos, self.size_wh = photos, size_wh

    def __len__(self) -> int:
        """How many."""
        return len(self.photos)

    def pixels(self, index: int) -> Pixels:
        """The model input (3, H, W)."""
        return into_corner(read_rgb(self.photos[index].image), *self.size_wh, PAD_VALUE).transpose(2, 0, 1)

    def truth(self, index: int) -> TrueText:
        """Its quads in px of the model input; text that is too small counts as unreadable."""
        photo = self.photos[index]
        place = corner_placement(*photo.size_wh, *self.size_wh)
        scale = np.array([place.width / photo.size_wh[0], place.height / photo.size_wh[1]], np.float32)
        quads = [quad * scale for quad in photo.quads]
        ignored = [
            not counts or sides(quad)[1] < LEAST_HEIGHT_PX for quad, counts in zip(quads, photo.to_find, strict=True)
        ]
        return TrueText(quads, np.array(ignored, bool))

    def classes(self, index: int) -> set[int]:
        """0 where there is text."""
        return {0} if any(self.photos[index].to_find) else set()


def changed(
    image: np.ndarray,
    quads: list[FloatArray],
    size_wh: tuple[int, int],
    scale: float,
    shift: float,
    rng: np.random.Generator,
    distort: float = 1.0,
) -> tuple[np.ndarray, list[FloatArray]]:
    """The picture on the model's canvas as another camera position and another light would give it; never mirrored: text is not.

    Args:
        image: the photo.
        quads: in photo px.
        size_wh: the canvas.
        scale: `Parameters.scale`.
        shift: `Parameters.shift`.
        rng: chooses.
        distort: `Parameters.distort`.
    """
    width, height = size_wh
    source_h, source_w = image.shape[:2]
    fit = min(width / source_w, height / source_h)
    factor = fit * math.exp(rng.uniform(math.log(1 - scale), math.log(1 + scale)))
    stretch = math.exp(distort * rng.uniform(-STRETCH, STRETCH))
    turn = math.radians(distort * rng.uniform(-TURN_DEGREES, TURN_DEGREES)) * (rng.random() < 0.6)
    linear = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) @ np.diag(
        [factor * stretch, factor / stretch]
    )
    seen = np.array([source_w, source_h]) * fit / 2  # where a photo's middle comes to lie on a board
    middle = seen + rng.uniform(-shift, shift, 2) * size_wh
    offset = middle - linear @ np.array([source_w / 2, source_h / 2])
    # Half pixels: centres of pixels onto centres of pixels, as in the plain placement.
    pixel_offset = offset + linear @ np.array([0.5, 0.5]) - 0.5
    matrix = np.concatenate([linear, pixel_offset[:, None]], axis=1)
    canvas = cv2.warpAffine(
        image,
        matrix,
        size_wh,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(PAD_VALUE,) * 3,
    )
    moved = [(quad @ linear.T + offset).astype(np.float32) for quad in quads]
    canvas = recolour(np.asarray(canvas), COLOURS.times(distort), rng)
    if rng.random() < BLUR_PROBABILITY * distort:
        canvas = cv2.GaussianBlur(canvas, (3, 3), float(rng.uniform(0.4, 1.2)))
    return np.asarray(canvas), moved


def _entry(photo: Photo) -> dict[str, Any]:
    check_photo(photo)
    return {
        "image": str(photo.image.resolve()),
        "size": [photo.width, photo.height],
        "quads": [quad_of(box, photo).tolist() for box in photo.boxes],
        "to_find": [is_readable(box.text) for box in photo.boxes],
    }
