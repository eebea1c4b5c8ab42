"""Validation pictures for people: what was outlined and what the simulated kmodel says, side by side. Called by `task`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from snaploop_shared import palette

from ...domain.segmentation_metrics import ClassMap
from ..detect.draw import ENLARGED
from ..task import Pixels

OPACITY = 0.5
LEGEND_PX = 20


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
    at = 6
    for name, colour in zip(labels[1:], colours, strict=True):
        cv2.rectangle(legend, (at, 5), (at + 10, 15), colour, -1)
        cv2.putText(legend, name, (at + 16, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (230, 230, 230), 1, cv2.LINE_AA)
        at += 30 + cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
    cv2.imwrite(
        str(file), cv2.cvtColor(cv2.vconcat([sheet, legend]), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88]
    )


def tinted(picture: np.ndarray, classes: np.ndarray, colours: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """The picture, twice as large, with each class from 1 on in its colour."""
    tints = np.array([(0, 0, 0), *colours], np.uint8)
    mixed = cv2.addWeighted(picture, 1 - OPACITY, tints[classes.astype(np.int64)], OPACITY, 0)
    tinted = np.where(classes[..., None] > 0, mixed, picture)
    return np.asarray(cv2.resize(tinted, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_NEAREST))
