"""From a mask with a class number in every pixel to outlines: polygons along the pixels' edges, in photo px.

An outline has no hole: where background shows through, the region is cut in two there. What else lies in it is a smaller region, which
training draws on top (training/segment/masks.py).
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

SMALLEST_PX = 4  # specks of a labelling tool
MOST_POINTS = 200
_TIGHTEST_PX = 0.9  # how far a simplified outline may leave the pixels' edges; grows until MOST_POINTS are enough
_DEEPEST = 12  # cuts of one region


def outlines(mask: Image.Image, classes: Container[int]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """(number, polygon) of every region, large ones first.

    Args:
        mask: one byte a pixel.
        classes: the numbers to look for, that of void areas among them; all others are background.
    """
    import cv2

    pixels = np.asarray(mask)
    is_something = np.isin(pixels, [number for number in range(1, 256) if number in classes])
    found = []
    for number in range(1, 256):
        if number not in classes or not (pixels == number).any():
            continue
        for region in _regions(cv2, pixels == number):
            for part in _without_holes(cv2, region, is_something, 0):
                found += [(int(part.sum()), number, points) for points in _traced(cv2, part)]
    for _, number, points in sorted(found, key=lambda one: -one[0]):
        yield number, points


def _regions(cv2: Any, region: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.bool_]]:
    """The parts that hang together by their sides."""
    count, labels = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)
    for number in range(1, count):
        part = labels == number
        if part.sum() >= SMALLEST_PX:
            yield part


def _without_holes(
    cv2: Any, region: npt.NDArray[np.bool_], is_something: npt.NDArray[np.bool_], depth: int
) -> Iterator[npt.NDArray[np.bool_]]:
    """The region, cut until no background is enclosed."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~region).astype(np.uint8), connectivity=8)
    height, width = region.shape
    for number in range(1, count):
        left, top, wide, high, area = (int(value) for value in stats[number])
        is_open = left == 0 or top == 0 or left + wide == width or top + high == height
        if is_open or area < SMALLEST_PX or depth >= _DEEPEST or is_something[labels == number].all():
            continue
        for side in (slice(0, left + wide // 2), slice(left + wide // 2, width)):
            half = np.zeros_like(region)
            half[:, side] = region[:, side]
            for part in _regions(cv2, half):
                yield from _without_holes(cv2, part, is_something, depth + 1)
        return
    yield region


def _traced(cv2: Any, region: npt.NDArray[np.bool_]) -> Iterator[list[tuple[int, int]]]:
    """The outer edge of each part: doubled, so that OpenCV's pixel centres become edges."""
    doubled = region.astype(np.uint8).repeat(2, 0).repeat(2, 1)
    edges, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for edge in edges:
        corners = (edge.reshape(-1, 2) + 1) // 2
        slack = _TIGHTEST_PX
        points = cv2.approxPolyDP(corners.astype(np.int32), slack, True).reshape(-1, 2)
        while len(points) > MOST_POINTS:
            slack *= 1.5
            points = cv2.approxPolyDP(corners.astype(np.int32), slack, True).reshape(-1, 2)
        if len(points) >= 3:
            yield [(int(x), int(y)) for x, y in points]
