"""Validation pictures for people: what was outlined and what the simulated kmodel says, side by side. Called by `task`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from snaploop_shared import palette

from ...domain.segmentation_metrics import IGNORED, ClassMap
from ..detect.draw import ENLARGED
from ..task import Pixels
from ..typefaces import width_of, write

OPACITY = 0.5
LEGEND_PX, LETTERS_PX = 20, 13
STRIPE_PX = 5  # of the hatching over areas that do not count
STRIPES = (0.25, 0.6)  # how bright the picture is in a dark and in a light stripe
VOID_NAME = "not counted"


def draw_regions(pixels: Pixels, truth: ClassMap, answer: ClassMap, labels: Sequence[str], file: Path) -> None:
    """Write a JPEG: left the model input (3×H×W uint8 RGB) with the true regions, right with the model's, below the names.

    Args:
        pixels: the model input.
        truth: class of each pixel, 0 background.
        answer: the same, from the model.
        labels: name of each class, the background's first.
        file: where to.
    """
    picture = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    colours = list(palette.colours(list(labels[1:])).values())
    sheet = cv2.hconcat([tinted(picture, one.classes, colours) for one in (truth, answer)])
    legend = np.full((LEGEND_PX, sheet.shape[1], 3), 24, np.uint8)
    swatches = [
        (name, np.full((10, 10, 3), colour, np.uint8)) for name, colour in zip(labels[1:], colours, strict=True)
    ]
    if (truth.classes == IGNORED).any():
        swatches.append((VOID_NAME, _hatched(np.full((10, 10, 3), 255, np.uint8))))
    at = 6
    for name, swatch in swatches:
        room = legend[5:15, at : at + 10]
        room[:] = swatch[:, : room.shape[1]]
        write(legend, name, (at + 16, 15), (230, 230, 230), LETTERS_PX)
        at += 30 + width_of(name, LETTERS_PX)
    cv2.imwrite(
        str(file), cv2.cvtColor(cv2.vconcat([sheet, legend]), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88]
    )


def tinted(picture: np.ndarray, classes: np.ndarray, colours: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """The picture, twice as large, with each class from 1 on in its colour, and hatched where `classes` is IGNORED."""
    is_void = classes == IGNORED
    tints = np.array([(0, 0, 0), *colours], np.uint8)
    mixed = cv2.addWeighted(picture, 1 - OPACITY, tints[np.where(is_void, 0, classes).astype(np.int64)], OPACITY, 0)
    tinted = np.where((classes > 0)[..., None] & ~is_void[..., None], mixed, picture)
    large = np.asarray(cv2.resize(tinted, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_NEAREST))
    return np.where(is_void.repeat(ENLARGED, 0).repeat(ENLARGED, 1)[..., None], _hatched(large), large)


def _hatched(picture: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(picture.shape[:2])
    light = ((rows + columns) // STRIPE_PX) % 2
    return (picture * np.array(STRIPES)[light][..., None]).astype(np.uint8)
