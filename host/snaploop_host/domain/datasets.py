"""Dataset versions: an immutable list of annotated photos with a stored split, and the rule that makes the split.

The rule: photos that were taken one after another (names <boot>-<sequence>) show nearly the same scene, so blocks of them stay on
one side. A photo keeps the side that it had in the version before; new blocks go where they bring validation nearest to
VAL_SHARE of each class's boxes, of the photos, and of each set of classes that several photos show together: else the few
photos that show everything would fill validation, and a model that always says everything would look good. Validation gets a
box of every class that at least two blocks show, and training never loses its last block with a class. Deterministic: no
random numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from .samples import Box, Polygon, Sample

TRAIN = "train"
VAL = "val"
VAL_SHARE = 0.25  # of boxes and photos; a board's first dataset is small, and a gate on fewer than a handful of photos says little
BURST_BLOCK = (
    3  # this many neighbouring photos stay together; larger blocks leave small datasets nothing to choose from
)

COMMON_SET = 4  # photos that must show a set of classes before its share counts: a quarter of fewer is no whole photo

_BOARD_NAME = re.compile(r"(.+)-(\d+)")
_BACKGROUND = "\0background"  # counts photos without boxes like a class; NUL cannot be in a class name
_PHOTOS = "\0photos"  # counts all photos


@dataclass(frozen=True, slots=True)
class DatasetItem:
    """One photo of a dataset version, with the boxes and void areas it had when the version was made."""

    sample_id: int
    name: str
    photo: str
    width_px: int
    height_px: int
    boxes: tuple[Box, ...]
    split: str
    void: tuple[Polygon, ...] = ()


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
    held = _Held(blocks.values(), [blocks[key] for key, side in sides.items() if side == VAL])
    open_keys = [key for key in blocks if key not in sides]
    in_training = Counter(kind for key in blocks if sides.get(key) != VAL for kind in blocks[key].kinds)
    while open_keys:
        allowed = [key for key in open_keys if all(in_training[kind] > 1 for kind in blocks[key].kinds)]
        chosen = max(allowed, key=lambda key: held.gain(blocks[key]), default=None)
        if chosen is None or held.gain(blocks[chosen]) < 1e-9:
            break  # every other block is training's last with a class, or takes validation further away
        open_keys.remove(chosen)
        sides[chosen] = VAL
        held.add(blocks[chosen])
        in_training.subtract(blocks[chosen].kinds)
    found = {photo: sides.get(key, TRAIN) for key, block in blocks.items() for photo in block.photos}
    return _with_both_sides(found, before)


@dataclass(slots=True)
class _Block:
    """Photos that stay together.

    Attributes:
        kinds: the classes they show, `_BACKGROUND` for a photo that shows none.
        content: how many boxes of each kind, how many photos of each set of kinds, and how many `_PHOTOS`.
    """

    photos: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    content: Counter[str | frozenset[str]] = field(default_factory=Counter)


def _blocks(samples: Iterable[Sample]) -> dict[str, _Block]:
    blocks: dict[str, _Block] = {}
    for sample in samples:
        shown = [box.class_name for box in sample.boxes] or [_BACKGROUND]
        block = blocks.setdefault(burst_block(sample.source, sample.name), _Block())
        block.photos.append(sample.photo)
        block.kinds.update(shown)
        block.content.update([*shown, frozenset(shown), _PHOTOS])
    in_order = sorted(blocks, key=lambda key: sha256(key.encode()).digest())  # ties are broken by this order
    return {key: blocks[key] for key in in_order}


class _Held:
    """What validation holds, measured in shares of what there is."""

    def __init__(self, everything: Iterable[_Block], held: Iterable[_Block]) -> None:
        self._total, self._held = (_added(blocks) for blocks in (everything, held))

    def add(self, block: _Block) -> None:
        """Hold this block too."""
        self._held.update(block.content)

    def gain(self, block: _Block) -> float:
        """How much nearer this block would bring validation to its shares, in shares."""
        return sum(
            self._away(kind, self._held[kind]) - self._away(kind, self._held[kind] + count)
            for kind, count in block.content.items()
        )

    def _away(self, kind: str | frozenset[str], held: int) -> float:
        """How far this many are from their share; a class that is not there at all weighs one more."""
        total = self._total[kind]
        if isinstance(kind, frozenset):
            return abs(held / total - VAL_SHARE) if total >= COMMON_SET else 0.0
        return abs(held / total - VAL_SHARE) + (held == 0 and kind not in (_BACKGROUND, _PHOTOS))


def _added(blocks: Iterable[_Block]) -> Counter[str | frozenset[str]]:
    content: Counter[str | frozenset[str]] = Counter()
    for block in blocks:
        content.update(block.content)
    return content


def _with_both_sides(found: dict[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """The same sides, but with something on both where there are two photos: the last resort for tiny sets of one block."""
    for side, other in ((VAL, TRAIN), (TRAIN, VAL)):
        if len(found) >= 2 and side not in found.values():
            movable = [photo for photo in found if photo not in before] or list(found)
            found[max(movable)] = side
            assert other in found.values()
    return found
