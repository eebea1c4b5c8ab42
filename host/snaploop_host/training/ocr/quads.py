"""Labelled text as four corners, and what is inside them as an upright picture, the way the firmware cuts it out.

A quad is (4, 2) float32, x and y in px of whatever picture the caller means: top left, top right, bottom right, bottom left.
Called by the two text tasks.
"""

from __future__ import annotations

import cv2
import numpy as np

from snaploop_shared.letterbox import corner_placement

from ...domain.geometry import FloatArray
from ..errors import BadDatasetError
from ..job_spec import Box, Photo

BORDER_SLACK_PX = 1.5  # rounding on the way from finger to file
SMALLEST_SIDE_PX = 3.0


def ordered(corners: FloatArray) -> FloatArray:
    """The corners from the top left clockwise by the firmware's rule: the two leftmost are the left side, the upper of them its top."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.stack([left[0], right[0], right[1], left[1]]).astype(np.float32)


def sides(quad: FloatArray) -> tuple[float, float]:
    """How wide (top and bottom) and how high (left and right) the quad is on average, px."""
    top_left, top_right, bottom_right, bottom_left = quad
    across = (np.linalg.norm(top_right - top_left) + np.linalg.norm(bottom_right - bottom_left)) / 2
    down = (np.linalg.norm(bottom_left - top_left) + np.linalg.norm(bottom_right - top_right)) / 2
    return float(across), float(down)


def quad_of(box: Box, photo: Photo) -> FloatArray:
    """The label's four corners; a plain box is a rectangle, of a polygon it is the smallest rectangle around it.

    Raises:
        BadDatasetError: it lies outside the photo or has no area; the message names photo and box.
    """
    x, y, width, height = box.box_xywh_px
    corners = np.array(box.points_px or [(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float32)
    if len(corners) != 4:
        corners = np.asarray(cv2.boxPoints(cv2.minAreaRect(corners)), np.float32)
    low, high = corners.min(axis=0), corners.max(axis=0)
    where = f"photo {photo.name} ({photo.width}x{photo.height}): text at x={low[0]:g} y={low[1]:g}"
    if min(*low, photo.width - high[0], photo.height - high[1]) < -BORDER_SLACK_PX:
        raise BadDatasetError(f"{where} lies outside the photo: correct or delete it on the board or in the dashboard")
    quad = ordered(corners.clip(0, (photo.width, photo.height)))
    if min(sides(quad)) < SMALLEST_SIDE_PX:
        raise BadDatasetError(f"{where} is thinner than {SMALLEST_SIDE_PX:g} px: delete it and draw it again")
    return quad


def crop_size(quad: FloatArray) -> tuple[int, int]:
    """Width and height of the upright picture that the firmware makes of it: as wide as its longer side, as high as the shorter."""
    across = float(np.linalg.norm(quad[1] - quad[0]))
    down = float(np.linalg.norm(quad[2] - quad[1]))
    return max(1, int(max(across, down))), max(1, int(min(across, down)))


def straighten(image: np.ndarray, quad: FloatArray, border: int = 0) -> np.ndarray:
    """What is inside the quad as an upright picture of `crop_size`, with so many px of its surroundings on every side."""
    width, height = crop_size(quad)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) + border
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    whole = (width + 2 * border, height + 2 * border)
    return np.asarray(cv2.warpPerspective(image, matrix, whole, borderMode=cv2.BORDER_REPLICATE))


def into_corner(image: np.ndarray, width: int, height: int, pad: int) -> np.ndarray:
    """The picture in the top left corner of a width×height input, aspect kept, as the board's ai2d places it; H×W×3 uint8."""
    place = corner_placement(image.shape[1], image.shape[0], width, height, pad)
    canvas = np.full((height, width, 3), pad, np.uint8)
    canvas[: place.height, : place.width] = cv2.resize(
        image, (place.width, place.height), interpolation=cv2.INTER_LINEAR
    )
    return canvas


def read_rgb(photo_file: str) -> np.ndarray:
    """A photo that was checked before, H×W×3 uint8 RGB.

    Raises:
        BadDatasetError: it is gone.
    """
    image = cv2.imread(photo_file, cv2.IMREAD_COLOR)
    if image is None:
        raise BadDatasetError(f"{photo_file} cannot be read any more: restore it and train again")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
