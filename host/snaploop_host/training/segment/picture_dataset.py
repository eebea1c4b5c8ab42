"""Photos with their masks: as the board would feed them to the model, and changed anew in every epoch for training.

Photos stay decoded in memory up to a limit. Pictures are RGB uint8, H×W×3; masks (H, W) as `masks` makes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch

from ...domain.segmentation_metrics import IGNORED, ClassMap
from ..detect.augment import Augmentation, recolour
from ..detect.picture_dataset import CACHE_BYTES, read_rgb
from ..job_spec import Photo
from ..task import Pixels
from .masks import Mask, rasterise

MOST_TIMES_INPUT = 4  # photos are kept for training at no more than this


class MaskedPhotos:
    """The pictures of one side; see `training.task.Examples`."""

    def __init__(self, photos: Sequence[Photo], width: int, height: int) -> None:
        """Over these photos, for a width×height model input."""
        self.photos, self.width, self.height = photos, width, height
        self._kept: dict[int, tuple[Pixels, Mask]] = {}
        self._kept_bytes = 0

    def __len__(self) -> int:
        """How many."""
        return len(self.photos)

    def kept(self, index: int) -> tuple[Pixels, Mask]:
        """The photo and its mask in the photo's own px, or smaller where that is far more than the model ever sees; for training."""
        if index in self._kept:
            return self._kept[index]
        image, mask = read_rgb(self.photos[index].image), rasterise(self.photos[index])
        most = (MOST_TIMES_INPUT * self.width, MOST_TIMES_INPUT * self.height)
        if image.shape[1] > most[0] and image.shape[0] > most[1]:
            image = np.asarray(cv2.resize(image, most, interpolation=cv2.INTER_AREA), np.uint8)
            mask = np.asarray(cv2.resize(mask, most, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        both = image, mask
        size = image.nbytes + mask.nbytes
        if self._kept_bytes + size <= CACHE_BYTES:
            self._kept[index] = both
            self._kept_bytes += size
        return both

    def pixels(self, index: int) -> Pixels:
        """The photo stretched to the model input (3, H, W), bilinear with half-pixel centres and no smoothing as ai2d does it."""
        image = read_rgb(self.photos[index].image)
        if image.shape[:2] != (self.height, self.width):
            image = np.asarray(cv2.resize(image, (self.width, self.height), interpolation=cv2.INTER_LINEAR), np.uint8)
        return image.transpose(2, 0, 1)

    def truth(self, index: int) -> ClassMap:
        """The class of every pixel of the model input, IGNORED in void areas."""
        mask = rasterise(self.photos[index])
        small = cv2.resize(mask, (self.width, self.height), interpolation=cv2.INTER_NEAREST_EXACT)
        return ClassMap(np.asarray(small, np.uint8))

    def classes(self, index: int) -> set[int]:
        """Class indices of the mask that the picture holds, background included."""
        return set(np.unique(self.truth(index).classes).tolist()) - {IGNORED}


class TrainingBatches:
    """Shuffled and changed batches, see `torch_loop.Batches`; what comes with the pixels is the masks (B, H, W) int64.

    All that is random follows from (seed, epoch, picture): a resumed run sees what it would have seen.
    """

    def __init__(self, photos: MaskedPhotos, batch_size: int, seed: int, rules: Augmentation) -> None:
        """Over these photos."""
        self.photos, self.seed, self.rules = photos, seed, rules
        self.batch_size = min(batch_size, len(photos))

    def __len__(self) -> int:
        """Batches of an epoch."""
        return math.ceil(len(self.photos) / self.batch_size)

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One pass in an order of its own. A short last batch is filled up with others: the layers normalise over a batch."""
        order = np.random.default_rng([self.seed, number]).permutation(len(self.photos))
        order = np.resize(order, len(self) * self.batch_size)
        for start in range(first * self.batch_size, len(order), self.batch_size):
            examples = [self.example(int(index), number) for index in order[start : start + self.batch_size]]
            pixels = torch.from_numpy(np.stack([image for image, _ in examples])).permute(0, 3, 1, 2)
            yield pixels, torch.from_numpy(np.stack([mask for _, mask in examples]).astype(np.int64))

    def example(self, index: int, epoch: int) -> tuple[Pixels, Mask]:
        """One photo of this epoch, changed, and its mask."""
        rng = np.random.default_rng([self.seed, epoch, index])
        image, mask = place_randomly(*self.photos.kept(index), self.photos.width, self.photos.height, self.rules, rng)
        return recolour(image, self.rules, rng), mask


def place_randomly(
    image: Pixels, mask: Mask, width: int, height: int, rules: Augmentation, rng: np.random.Generator
) -> tuple[Pixels, Mask]:
    """Picture and mask stretched to width×height, then scaled, shifted and perhaps mirrored alike; gaps are filled by reflection."""
    source_h, source_w = image.shape[:2]
    zoom = rng.uniform(1 - rules.scale, 1 + rules.scale)
    across, down = zoom * width / source_w, zoom * height / source_h
    left = (width - source_w * across) / 2 + rng.uniform(-rules.shift, rules.shift) * width
    top = (height - source_h * down) / 2 + rng.uniform(-rules.shift, rules.shift) * height
    if rng.random() < rules.mirror:
        left, across = left + source_w * across, -across
    # The half pixels put source pixel centres onto canvas pixel centres.
    matrix = np.array([[across, 0, left + across * 0.5 - 0.5], [0, down, top + down * 0.5 - 0.5]], np.float64)

    def warp(picture: np.ndarray, interpolation: int) -> np.ndarray:
        return cv2.warpAffine(picture, matrix, (width, height), flags=interpolation, borderMode=cv2.BORDER_REFLECT_101)

    return warp(image, cv2.INTER_LINEAR), warp(mask, cv2.INTER_NEAREST)
