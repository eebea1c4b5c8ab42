"""Boxes as arrays: order changes, overlap, and non-maximum suppression. Pure NumPy, no I/O.

Used by decoding, scoring and the training data set. Boxes are float arrays of shape (N, 4), in px of whatever picture the caller
means, origin top left; every name says the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]


def xywh_to_xyxy(boxes_xywh: FloatArray) -> FloatArray:
    """Corner boxes (left, top, right, bottom) of boxes given as left, top, width, height; (N, 4) each."""
    return np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)


def xyxy_to_xywh(boxes_xyxy: FloatArray) -> FloatArray:
    """Boxes as left, top, width, height from corner boxes; (N, 4) each."""
    return np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], axis=1)


def clip_xyxy(boxes_xyxy: FloatArray, width: float, height: float) -> FloatArray:
    """The boxes cut off at the borders of a width×height picture; a box outside it gets no area."""
    limits = np.array([width, height, width, height], dtype=boxes_xyxy.dtype)
    return np.clip(boxes_xyxy, 0, limits)


def pairwise_iou(first_xyxy: FloatArray, second_xyxy: FloatArray) -> FloatArray:
    """Intersection over union of every pair: (N, 4) and (M, 4) give (N, M) in 0…1; boxes without area give 0."""
    top_left = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    bottom_right = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    shared = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
    area_first = np.prod(first_xyxy[:, 2:] - first_xyxy[:, :2], axis=1)
    area_second = np.prod(second_xyxy[:, 2:] - second_xyxy[:, :2], axis=1)
    union = area_first[:, None] + area_second[None, :] - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 0.0)


def suppress_overlaps(boxes_xyxy: FloatArray, scores: FloatArray, classes: IntArray, iou_limit: float) -> IntArray:
    """Indices of the boxes that survive greedy non-maximum suppression within each class, best score first.

    A box goes when a better box of its class overlaps it by more than `iou_limit`.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, labels = boxes_xyxy[order], classes[order]
    alive = np.ones(len(order), dtype=bool)
    for index in range(len(order)):
        if not alive[index]:
            continue
        rivals = index + 1 + np.flatnonzero(alive[index + 1 :] & (labels[index + 1 :] == labels[index]))
        if len(rivals):
            overlaps = pairwise_iou(boxes[index : index + 1], boxes[rivals])[0]
            alive[rivals[overlaps > iou_limit]] = False
    return order[alive]


def polygon_area(points: Sequence[tuple[int, int]]) -> float:
    """Px² inside a polygon of corners (x, y); 0 of a line, however long."""
    return (
        abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, (*points[1:], *points[:1]), strict=True))) / 2
    )
