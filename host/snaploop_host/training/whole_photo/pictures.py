"""Photos in memory: as the board would feed them to the model, and changed anew in every epoch for training. RGB uint8, H×W×3."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch

from ..detect.augment import Augmentation, recolour
from ..detect.picture_dataset import CACHE_BYTES, read_rgb
from ..job_spec import Photo
from ..task import Pixels

LARGEST_ENLARGEMENT = 2.0  # photos are kept at no more than twice the model input, the most that scaling up ever shows
ASPECT = 0.1  # how much wider or higher than it is a thing may be shown: people hold boards at all angles


def stretch(image: Pixels, width: int, height: int) -> Pixels:
    """The picture as the board's ai2d resizes it: bilinear with half-pixel centres and no smoothing; height×width×3."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def vary(image: Pixels, width: int, height: int, rules: Augmentation, rng: np.random.Generator) -> Pixels:
    """The picture stretched to width×height, scaled, shifted and perhaps mirrored, under other light; gaps mirror what is beside them."""
    source_h, source_w = image.shape[:2]
    zoom = (1 + rules.scale) ** rng.uniform(-1, 1)
    wider = (1 + ASPECT) ** rng.uniform(-1, 1)
    x_factor, y_factor = width / source_w * zoom * wider, height / source_h * zoom / wider
    left = (width - source_w * x_factor) / 2 + rng.uniform(-rules.shift, rules.shift) * width
    top = (height - source_h * y_factor) / 2 + rng.uniform(-rules.shift, rules.shift) * height
    if rng.random() < rules.mirror:
        x_factor, left = -x_factor, left + source_w * x_factor
    # The half pixels put source pixel centres onto canvas pixel centres, as in `stretch`.
    matrix = np.array(
        [[x_factor, 0, left + x_factor * 0.5 - 0.5], [0, y_factor, top + y_factor * 0.5 - 0.5]], np.float64
    )
    moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return recolour(moved, rules, rng)


class WholePhotos:
    """The photos of one side; `full` keeps what it decoded, up to a limit."""

    def __init__(self, photos: Sequence[Photo], width: int, height: int) -> None:
        """For a width×height model input."""
        self.photos, self.width, self.height = photos, width, height
        self._kept: dict[int, Pixels] = {}
        self._kept_bytes = 0

    def __len__(self) -> int:
        """How many."""
        return len(self.photos)

    def full(self, index: int) -> Pixels:
        """The photo, made smaller where it is much larger than the model input."""
        if index in self._kept:
            return self._kept[index]
        image = read_rgb(self.photos[index].image)
        enlargement = min(image.shape[1] / self.width, image.shape[0] / self.height)
        if enlargement > LARGEST_ENLARGEMENT:
            factor = LARGEST_ENLARGEMENT / enlargement
            image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        if self._kept_bytes + image.nbytes <= CACHE_BYTES:
            self._kept[index] = image
            self._kept_bytes += image.nbytes
        return image

    def stretched(self, index: int) -> Pixels:
        """The model input (3, H, W): one resize from the photo itself, not kept."""
        return stretch(read_rgb(self.photos[index].image), self.width, self.height).transpose(2, 0, 1)


class VariedBatches:
    """Batches of varied photos, rare classes more often; see `training.torch_loop.Batches`.

    Everything random follows from (seed, epoch, place), so a resumed run sees the pictures it would have seen.
    """

    def __init__(
        self,
        photos: WholePhotos,
        targets: torch.Tensor,
        odds: np.ndarray,
        batch_size: int,
        seed: int,
        rules: Augmentation,
    ) -> None:
        """`targets`: (N, …) for the loss; `odds`: (N,) how often each photo is shown against the others."""
        self.photos, self.targets, self.rules, self.seed = photos, targets, rules, seed
        self.batch_size = batch_size
        self._odds = odds / odds.sum()

    def __len__(self) -> int:
        """Batches per epoch; all are full, since statistics over a rest of one photo mean nothing."""
        return math.ceil(len(self.photos) / self.batch_size)

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches `first` and later of epoch `number`: pixels (B, 3, H, W) uint8, channels last in memory, and targets."""
        order = self._order(number)
        for start in range(first * self.batch_size, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            images = []
            for place, index in enumerate(chosen, start):
                rng = np.random.default_rng([self.seed, number, place])
                images.append(vary(self.photos.full(index), self.photos.width, self.photos.height, self.rules, rng))
            yield torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), self.targets[chosen]

    def _order(self, number: int) -> list[int]:
        """Which photo comes when: each as often as its odds say, rounded up or down by lot (systematic sampling)."""
        rng = np.random.default_rng([self.seed, number])
        count = len(self) * self.batch_size
        shuffled = rng.permutation(len(self._odds))
        ends = np.cumsum(self._odds[shuffled])
        marks = (np.arange(count) + rng.random()) / count
        drawn = shuffled[np.minimum(np.searchsorted(ends, marks, side="right"), len(shuffled) - 1)]
        return [int(index) for index in rng.permutation(drawn)]


def balancing_odds(classes_of: Sequence[set[int]]) -> np.ndarray:
    """How often to show each photo, (N,): a class with a quarter of the photos of another is shown half as often as that, not a quarter.

    A photo counts by its rarest class; photos without any are a class of their own.
    """
    held = [classes or {-1} for classes in classes_of]
    counts = Counter(one for classes in held for one in classes)
    return np.array([max(counts[one] ** -0.5 for one in classes) for classes in held])
