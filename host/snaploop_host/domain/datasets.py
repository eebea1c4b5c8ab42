"""Dataset versions: an immutable list of annotated photos with a stored split, and the rule that makes the split.

The rule: photos that were taken one after another (names <boot>-<sequence>) show nearly the same scene, so blocks of them stay on
one side. A photo keeps the side that it had in the version before; new blocks go where they bring each class's share of
boxes in the validation set nearest to VAL_SHARE. Validation gets a box of every class that at least two blocks show, and
training never loses its last block with a class. Deterministic: no random numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from .samples import Box, Sample

TRAIN = "train"
VAL = "val"
VAL_SHARE = 0.25  # of boxes and photos; a board's first dataset is small, and a gate on fewer than a handful of photos says little
BURST_BLOCK = (
    3  # this many neighbouring photos stay together; larger blocks leave small datasets nothing to choose from
)

_BOARD_NAME = re.compile(r"(.+)-(\d+)")
_BACKGROUND = "\0background"  # counts photos without boxes like a class; NUL cannot be in a class name


@dataclass(frozen=True, slots=True)
class DatasetItem:
    """One photo of a dataset version, with the boxes it had when the version was made."""

    sample_id: int
    name: str
    photo: str
    width_px: int
    height_px: int
    boxes: tuple[Box, ...]
    split: str


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """An immutable list of items; `classes` in the order of class indices."""

    id: int
    project_id: int
    classes: tuple[str, ...]
    items: tuple[DatasetItem, ...]
    created_at_s: float

    def side(self, split: str) -> tuple[DatasetItem, ...]:
        """The items of one side."""
        return tuple(item for item in self.items if item.split == split)


def burst_block(source: str, name: str) -> str:
    """The block that a photo belongs to: neighbours in a boot share one, any other photo is a block of its own."""
    matched = _BOARD_NAME.fullmatch(name)
    if matched is None:
        return f"{source}/{name}"
    return f"{source}/{matched[1]}/{int(matched[2]) // BURST_BLOCK}"


def split_samples(samples: Iterable[Sample], before: Mapping[str, str]) -> dict[str, str]:
    """The side of every sample.

    Args:
        samples: all samples of the version to be.
        before: photo digest → side, of the project's last version; empty for the first.

    Returns:
        Photo digest → TRAIN or VAL. Both sides hold something when there are two samples or more.
    """
    blocks = _blocks(samples)
    sides = {key: before[photo] for key, block in blocks.items() for photo in block.photos if photo in before}
    total: Counter[str] = sum((block.content for block in blocks.values()), Counter())
    open_keys = [key for key in blocks if key not in sides]
    held = sum((blocks[key].content for key, side in sides.items() if side == VAL), Counter())
    in_training = Counter(kind for key in blocks if sides.get(key) != VAL for kind in blocks[key].content)
    while open_keys:
        chosen = _best_for_validation(open_keys, blocks, held, total, in_training)
        if chosen is None:
            break
        open_keys.remove(chosen)
        sides[chosen] = VAL
        held = held + blocks[chosen].content
        in_training.subtract(blocks[chosen].content.keys())
    found = {photo: sides.get(key, TRAIN) for key, block in blocks.items() for photo in block.photos}
    return _with_both_sides(found, before)


@dataclass(frozen=True, slots=True)
class _Block:
    """Photos that stay together, and how many boxes of each class they show."""

    photos: tuple[str, ...]
    content: Counter[str]


def _blocks(samples: Iterable[Sample]) -> dict[str, _Block]:
    photos: dict[str, list[str]] = {}
    content: dict[str, Counter[str]] = {}
    for sample in samples:
        key = burst_block(sample.source, sample.name)
        photos.setdefault(key, []).append(sample.photo)
        shown = [box.class_name for box in sample.boxes] or [_BACKGROUND]
        content.setdefault(key, Counter()).update(shown)
    in_order = sorted(photos, key=lambda key: sha256(key.encode()).digest())  # ties are broken by this order
    return {key: _Block(tuple(photos[key]), content[key]) for key in in_order}


def _best_for_validation(
    keys: list[str], blocks: Mapping[str, _Block], held: Counter[str], total: Counter[str], in_training: Counter[str]
) -> str | None:
    """The block that brings validation nearest to its share of every class; None when each would take it further away."""

    def distance(content: Counter[str]) -> float:
        """How far validation is from its share, in shares; a class that is not there at all weighs one more."""
        away = 0.0
        for kind, count in total.items():
            away += abs((held[kind] + content[kind]) / count - VAL_SHARE)
            if held[kind] + content[kind] == 0 and kind != _BACKGROUND:
                away += 1.0
        return away

    best, best_distance = None, distance(Counter())
    for key in keys:
        content = blocks[key].content
        if any(in_training[kind] <= 1 for kind in content):
            continue  # training's last block with this class
        now = distance(content)
        if now < best_distance - 1e-9:
            best, best_distance = key, now
    return best


def _with_both_sides(found: dict[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """The same sides, but with something on both where there are two photos: the last resort for tiny sets of one block."""
    for side, other in ((VAL, TRAIN), (TRAIN, VAL)):
        if len(found) >= 2 and side not in found.values():
            movable = [photo for photo in found if photo not in before] or list(found)
            found[max(movable)] = side
            assert other in found.values()
    return found
