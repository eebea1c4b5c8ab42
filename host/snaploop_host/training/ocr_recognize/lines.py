"""Lines of text cut out of photos: as the board cuts them for evaluation, and as other hands and other light would for training.

`write_lines` puts each line with its surroundings into one PNG; inside it the label is the rectangle that leaves the border.
Called by `ocr_recognize.task` and `ocr_recognize.train`. Pictures are RGB uint8, H×W×3.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...domain.text_labels import is_readable, steps_needed
from ...domain.text_metrics import TrueReading
from ..detect.augment import Augmentation, recolour
from ..errors import BadDatasetError
from ..job_spec import Photo, TrainingJob
from ..ocr.quads import crop_size, into_corner, quad_of, read_rgb, straighten
from ..photo_check import check_photo
from ..task import Pixels
from .dictionary import labels_of
from .size import HEIGHT_PX, STEP_PX

PAD = 0  # as the vendor's scripts pad
BORDER = 0.5  # of the line's height: surroundings that training moves the cut in
WIDEST_PX, NARROWEST_PX = 640, 96
USUAL_SHARE = 0.95  # of the lines fit into the input without getting lower
STEPS_PER_CHARACTER = 2  # below that neighbours melt together
LOOSE_PROBABILITY = 0.3
COLOURS = Augmentation(hue=0.05, saturation=0.4, brightness=0.4)


@dataclass(frozen=True)
class Line:
    """One line: the picture's file, its border in px, its size without it, what it says, and the photo it is from."""

    file: str
    border: int
    size_wh: tuple[int, int]
    text: str
    photo: str


def input_width(job: TrainingJob) -> int:
    """The width that nearly all lines need at 32 px of height, and that the longest text needs; `imgsz` overrules it.

    Raises:
        BadDatasetError: a text is too long for the width.
    """
    boxes = [(photo, box) for photo in job.train + job.val for box in photo.boxes if is_readable(box.text) and box.text]
    longest = max(((steps_needed(box.text.strip()), box.text, photo.name) for photo, box in boxes), default=(1, "", ""))
    needed = STEPS_PER_CHARACTER * longest[0] * STEP_PX
    width = job.parameters.imgsz
    if width is None:
        shapes = sorted(size[0] / size[1] for size in (crop_size(quad_of(box, photo)) for photo, box in boxes))
        usual = shapes[min(len(shapes) - 1, int(USUAL_SHARE * len(shapes)))] * HEIGHT_PX if shapes else 0
        width = min(max(32 * math.ceil(max(usual, needed) / 32), NARROWEST_PX), WIDEST_PX)
    if needed > width:
        raise BadDatasetError(
            f"photo {longest[2]}: {longest[1]!r} needs an input {needed} px wide, it is {width}: "
            "mark it as two texts, or train with a larger imgsz"
        )
    return width


def write_lines(job: TrainingJob, folder: Path) -> list[str]:
    """Check photos and labels, write every line and `folder`/train.json and val.json; notes worth showing.

    Raises:
        BadDatasetError: a photo or a label that cannot be used, or a side without a line.
    """
    silent = 0
    for side, photos in (("train", job.train), ("val", job.val)):
        (folder / side).mkdir(parents=True, exist_ok=True)
        entries: list[dict[str, object]] = []
        for photo in photos:
            check_photo(photo)
            silent += sum(not box.text.strip() for box in photo.boxes)
            entries += _cut(photo, folder / side, len(entries))
        if not entries:
            name = "training" if side == "train" else "validation"
            raise BadDatasetError(
                f"none of the {len(photos)} {name} photos says what is written in it: type the text of each box in the dashboard"
            )
        (folder / f"{side}.json").write_text(json.dumps(entries))
    return [f"{silent} boxes without a text are left out: type what is written there"] if silent else []


def read_lines(folder: Path, side: str) -> list[Line]:
    """What `write_lines` wrote."""
    return [
        Line(entry["file"], entry["border"], (entry["size"][0], entry["size"][1]), entry["text"], entry["photo"])
        for entry in json.loads((folder / f"{side}.json").read_text())
    ]


def cut(image: np.ndarray, line: Line) -> np.ndarray:
    """The line without its border."""
    width, height = line.size_wh
    return image[line.border : line.border + height, line.border : line.border + width]


class Lines:
    """See `training.task.Examples`: lines in the input's top left corner, padded with 0."""

    def __init__(self, lines: list[Line], width: int, characters: str) -> None:
        """Over the lines of one side."""
        self.lines, self.width = lines, width
        self.index = {character: number for number, character in enumerate(labels_of(characters)) if character}

    def __len__(self) -> int:
        """How many."""
        return len(self.lines)

    def pixels(self, index: int) -> Pixels:
        """The model input (3, 32, W)."""
        line = self.lines[index]
        return into_corner(cut(read_rgb(line.file), line), self.width, HEIGHT_PX, PAD).transpose(2, 0, 1)

    def truth(self, index: int) -> TrueReading:
        """What it says."""
        return TrueReading(self.lines[index].text)

    def classes(self, index: int) -> set[int]:
        """The indices of its characters: so every character gets its turn."""
        return {self.index[character] for character in self.lines[index].text}


def changed(
    image: np.ndarray, inner: tuple[int, int, int, int], width: int, rng: np.random.Generator, distort: float = 1.0
) -> tuple[np.ndarray, tuple[float, float]]:
    """The line on the model's canvas, cut a little differently, turned, blurred and in other colours.

    Args:
        image: with surroundings.
        inner: left, top, width, height of the line in it.
        width: of the model's input.
        rng: chooses.
        distort: `Parameters.distort`.

    Returns:
        (32, W, 3) uint8, and (factor, offset): x of `image` lies at factor · x + offset.
    """
    left, top, across, down = inner
    # Some lines loosely: on the board they are held into a strip, not marked.
    low, high = -0.12 * down, (0.6 if rng.random() < LOOSE_PROBABILITY * distort else 0.15) * down
    margins = rng.uniform((low / 2, low, low / 2, low), (high, high, high, high))
    margins = margins * np.where(margins < 0, min(distort, 1.0), distort)  # never so tight that a letter is lost
    quad = np.array(
        [
            (left - margins[0], top - margins[1]),
            (left + across + margins[2], top - margins[1]),
            (left + across + margins[2], top + down + margins[3]),
            (left - margins[0], top + down + margins[3]),
        ]
    )
    quad += distort * rng.uniform(-0.06, 0.06, (4, 2)) * down  # a quad drawn by hand
    shape = float(np.linalg.norm(quad[1] - quad[0]) / max(1.0, np.linalg.norm(quad[3] - quad[0])))
    shape *= math.exp(distort * rng.uniform(-0.15, 0.15))
    target_w = min(float(width), HEIGHT_PX * shape)
    target_h = min(float(HEIGHT_PX), target_w / shape)
    target = np.array([(0, 0), (target_w, 0), (target_w, target_h), (0, target_h)])
    canvas = np.zeros((HEIGHT_PX, width, 3), np.uint8)
    seen_w, seen_h = max(1, round(target_w)), max(1, round(target_h))
    matrix = cv2.getPerspectiveTransform((quad - 0.5).astype(np.float32), (target - 0.5).astype(np.float32))
    seen = cv2.warpPerspective(image, matrix, (seen_w, seen_h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = recolour(np.asarray(seen), COLOURS.times(distort), rng)
    if rng.random() < 0.3 * distort:
        seen = np.asarray(cv2.GaussianBlur(seen, (3, 3), float(rng.uniform(0.4, 1.0))))
    if rng.random() < 0.2 * distort:
        seen = 255 - seen
    noise = rng.normal(0, rng.uniform(0, 10) * distort, seen.shape)
    contrast = 1 + distort * (rng.uniform(0.6, 1.2) - 1)
    canvas[:seen_h, :seen_w] = ((seen - 128.0) * contrast + 128 + noise).clip(0, 255)
    factor = target_w / float(
        quad[1, 0] - quad[0, 0]
    )  # turned and skewed so little that this is where a character goes
    return canvas, (factor, -factor * float(quad[0, 0] + quad[3, 0]) / 2)


def _cut(photo: Photo, folder: Path, first: int) -> list[dict[str, object]]:
    """Write the lines of a photo."""
    boxes = [box for box in photo.boxes if box.text.strip() and is_readable(box.text)]
    if not boxes:
        return []
    image = read_rgb(str(photo.image))
    entries: list[dict[str, object]] = []
    for number, box in enumerate(boxes, first):
        quad = quad_of(box, photo)
        size = crop_size(quad)
        border = math.ceil(BORDER * size[1])
        file = folder / f"{number:05d}.png"
        cv2.imwrite(str(file), cv2.cvtColor(straighten(image, quad, border), cv2.COLOR_RGB2BGR))
        text = box.text.strip()
        entries.append({"file": str(file), "border": border, "size": size, "text": text, "photo": photo.name})
    return entries
