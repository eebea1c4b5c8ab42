"""The pictures of a YOLO-layout split, decoded once, and batches of them for the trainer.

Reads `images/<split>` and `labels/<split>` as `yolo_layout` writes them. Pictures stay in memory (as RGB, not larger than the
model needs) up to a limit; beyond it they are decoded again each time. Called by `trainer` and by evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from .augment import Augmentation, Example, letterbox, letterbox_boxes, mosaic, place_randomly, recolour

CACHE_BYTES = 768 * 2**20  # 1100 pictures of 640×360; leaves room for torch and the compiler within 4 GiB
LARGEST_ENLARGEMENT = 2.0  # pictures are kept at no more than twice the canvas, the most that scaling up ever shows
RARE_SHARE = 0.3  # a class in less than this share of the pictures is drawn more often into mosaics


class PictureSplit:
    """The annotated pictures of one split; index gives an `Example` in the picture's own px."""

    def __init__(self, root: Path, split: str, canvas_w: int, canvas_h: int) -> None:
        """List `root/images/split` and read its labels; pictures are decoded when first asked for.

        Raises:
            FileNotFoundError: the split has no picture.
        """
        self.paths = sorted((root / "images" / split).iterdir())
        if not self.paths:
            raise FileNotFoundError(f"{root}/images/{split} holds no picture: take more photos or change the split")
        self.canvas_w, self.canvas_h = canvas_w, canvas_h
        self.rows = [_read_rows(root / "labels" / split / f"{path.stem}.txt") for path in self.paths]
        self._kept: dict[int, np.ndarray] = {}
        self._kept_bytes = 0

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.paths)

    def __getitem__(self, index: int) -> Example:
        """The decoded picture and its boxes."""
        image = self._image(index)
        return Example(image, self._boxes_xyxy(index, image), self.rows[index][:, 0].astype(np.int64))

    def letterboxed(self, index: int) -> Example:
        """The picture and its boxes as the board would feed them to the model: one resize from the original, not kept."""
        image = read_rgb(self.paths[index])
        height, width = image.shape[:2]
        boxes = letterbox_boxes(self._boxes_xyxy(index, image), width, height, self.canvas_w, self.canvas_h)
        return Example(letterbox(image, self.canvas_w, self.canvas_h), boxes, self.rows[index][:, 0].astype(np.int64))

    def _boxes_xyxy(self, index: int, image: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) float32 in px of `image`, which may be the photo at any size."""
        size = np.array(image.shape[1::-1])
        centre, extent = self.rows[index][:, 1:3] * size, self.rows[index][:, 3:5] * size
        return np.concatenate([centre - extent / 2, centre + extent / 2], axis=1).astype(np.float32)

    def _image(self, index: int) -> np.ndarray:
        if index in self._kept:
            return self._kept[index]
        image = read_rgb(self.paths[index])
        enlargement = min(image.shape[1] / self.canvas_w, image.shape[0] / self.canvas_h)
        if enlargement > LARGEST_ENLARGEMENT:
            factor = LARGEST_ENLARGEMENT / enlargement
            image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        if self._kept_bytes + image.nbytes <= CACHE_BYTES:
            self._kept[index] = image
            self._kept_bytes += image.nbytes
        return image


class TrainingBatches:
    """Shuffled, augmented batches on the model's canvas; what the trainer calls its train loader.

    Everything random follows from (seed, epoch, picture), so a resumed run sees the pictures it would have seen.
    Each batch is a dict: img (B, 3, H, W) uint8, cls (N, 1), bboxes (N, 4) centre x, y, w, h in 0…1, batch_idx (N,) float32.
    """

    num_workers = 0
    drop_last = False

    def __init__(
        self, split: PictureSplit, batch_size: int, seed: int, rules: Augmentation, mosaic_share: float
    ) -> None:
        """Prepare batches over `split`; call `start_epoch` before each pass."""
        self.split, self.batch_size, self.seed, self.rules, self.mosaic_share = (
            split,
            batch_size,
            seed,
            rules,
            mosaic_share,
        )
        self.epoch = 0
        self.dataset = _Labelled(split)
        self.sampler = range(len(split))
        self._partner_odds = _partner_odds(split)

    def __len__(self) -> int:
        """Batches per epoch."""
        return math.ceil(len(self.split) / self.batch_size)

    def start_epoch(self, epoch: int, mosaic_share: float | None = None) -> None:
        """Choose the epoch whose randomness the next pass uses, and perhaps another share of mosaics."""
        self.epoch = epoch
        if mosaic_share is not None:
            self.mosaic_share = mosaic_share

    def reset(self) -> None:
        """Nothing to do: a pass keeps no state (the trainer asks for this when mosaics end)."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """One shuffled pass over the split."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.split))
        for start in range(0, len(order), self.batch_size):
            yield collate([self.example(int(index)) for index in order[start : start + self.batch_size]])

    def example(self, index: int) -> Example:
        """One picture of this epoch, changed."""
        rng = np.random.default_rng([self.seed, self.epoch, index])
        width, height = self.split.canvas_w, self.split.canvas_h
        if rng.random() < self.mosaic_share:
            partners = rng.choice(len(self.split), 3, p=self._partner_odds)
            made = mosaic(
                [self.split[index], *(self.split[int(other)] for other in partners)], width, height, self.rules, rng
            )
        else:
            made = place_randomly(self.split[index], width, height, self.rules, rng)
        return Example(recolour(made.image, self.rules, rng), made.boxes_xyxy, made.classes)


class _Labelled:
    """What ultralytics wants to know of a data set: its labels, to count objects per picture."""

    def __init__(self, split: PictureSplit) -> None:
        self.labels = [{"cls": rows[:, :1], "bboxes": rows[:, 1:]} for rows in split.rows]

    def __len__(self) -> int:
        return len(self.labels)


def collate(examples: list[Example]) -> dict[str, Any]:
    """Examples on one canvas as a batch dict, see `TrainingBatches`."""
    height, width = examples[0].image.shape[:2]
    boxes = np.concatenate([example.boxes_xyxy for example in examples])
    centres = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
    centres /= np.array([width, height] * 2, np.float32)
    owners = np.repeat(np.arange(len(examples)), [len(example.classes) for example in examples])
    classes = np.concatenate([example.classes for example in examples])
    return {
        "img": torch.from_numpy(np.stack([example.image for example in examples])).permute(
            0, 3, 1, 2
        ),  # stays NHWC in memory
        "cls": torch.from_numpy(classes.astype(np.float32))[:, None],
        "bboxes": torch.from_numpy(centres.astype(np.float32)),
        "batch_idx": torch.from_numpy(owners.astype(np.float32)),
    }


def read_rgb(path: Path) -> np.ndarray:
    """The picture as H×W×3 uint8 RGB, turned as its EXIF says.

    Raises:
        ValueError: the file is not a picture that OpenCV can decode.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(
            f"{path.resolve()} cannot be decoded as a picture: remove it from the project or take it again"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _read_rows(path: Path) -> np.ndarray:
    """Rows class, centre x, y, w, h in 0…1 of one label file; (0, 5) for a picture without objects."""
    rows = [[float(value) for value in line.split()] for line in path.read_text().splitlines()]
    return np.array(rows, np.float64).reshape(-1, 5)


def _partner_odds(split: PictureSplit) -> np.ndarray:
    """How likely each picture is to be drawn into a mosaic: more for those that hold a class few pictures have."""
    holds = [set(rows[:, 0].astype(int)) for rows in split.rows]
    share = {cls: sum(cls in one for one in holds) / len(holds) for one in holds for cls in one}
    weights = [max((max(1.0, (RARE_SHARE / share[cls]) ** 0.5) for cls in one), default=0.5) for one in holds]
    return np.array(weights) / sum(weights)
