"""Validation pictures for people: marked text (white) and what the simulated kmodel found (coloured). Called by `ocr_detect.task`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ...domain.text_metrics import FoundText, TrueText

ENLARGED = 2  # the model input is small; twice its size reads well on a page
FOUND_RGB = (70, 200, 90)


def draw_quads(pixels: np.ndarray, truth: TrueText, found: FoundText, threshold: float, file: Path) -> None:
    """Write a JPEG of a model input (3×H×W uint8 RGB), twice as large."""
    image = cv2.resize(np.ascontiguousarray(pixels.transpose(1, 2, 0)), None, fx=ENLARGED, fy=ENLARGED)
    for quad in truth.polygons:
        cv2.polylines(image, [_points(quad)], True, (255, 255, 255), 1, cv2.LINE_AA)
    for quad, score in zip(found.polygons, found.scores, strict=True):
        if score < threshold:
            continue
        points = _points(quad)
        cv2.polylines(image, [points], True, FOUND_RGB, 2, cv2.LINE_AA)
        corner = (int(points[:, 0].min()), max(12, int(points[:, 1].min()) - 4))
        cv2.putText(image, f"{score:.2f}", corner, cv2.FONT_HERSHEY_SIMPLEX, 0.45, FOUND_RGB, 1, cv2.LINE_AA)
    cv2.imwrite(str(file), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


def _points(quad: np.ndarray) -> np.ndarray:
    return np.rint(np.asarray(quad) * ENLARGED).astype(np.int32)
