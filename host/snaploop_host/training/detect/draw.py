"""Validation pictures for people: what was labelled (white) and what the simulated kmodel found (coloured).

Called by `training.job`; the files go into the report and the model page.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from snaploop_shared import palette

from ...domain.detection_decode import Detections
from ...domain.detection_metrics import Truth
from ..typefaces import write

ENLARGED = 2  # the model input is small; twice its size reads well on a page
TEXT_PX = 14


def draw_findings(pixels: np.ndarray, truth: Truth, found: Detections, labels: tuple[str, ...], file: Path) -> None:
    """Write a JPEG of a model input (3×H×W uint8 RGB), twice as large, with true boxes thin and white and detections in colour."""
    image = cv2.resize(
        np.ascontiguousarray(pixels.transpose(1, 2, 0)), None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_LINEAR
    )
    colour_of = palette.colours(labels)
    for box in truth.boxes_xyxy:
        cv2.rectangle(image, *_corners(box), (255, 255, 255), 1)
    for box, score, cls in zip(found.boxes_xyxy, found.scores, found.classes, strict=True):
        colour = colour_of[labels[int(cls)]]
        corner, opposite = _corners(box)
        cv2.rectangle(image, corner, opposite, colour, 2)
        place = (corner[0], max(TEXT_PX, corner[1] - 4))
        write(image, f"{labels[int(cls)]} {score:.2f}", place, colour, TEXT_PX, edge_px=1)
    cv2.imwrite(str(file), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


def _corners(box: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    x0, y0, x1, y1 = (round(float(value) * ENLARGED) for value in box)
    return (x0, y0), (x1, y1)
