"""From labelled outlines to a class for every pixel. Called by the data set and by the prepare stage.

The index in a mask is the class index + 1; 0 is background, everything that nobody outlined; IGNORED are areas that do not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ...domain.segmentation_metrics import IGNORED
from ..errors import BadDatasetError
from ..job_spec import Box, Photo

Mask = npt.NDArray[np.uint8]

LEAST_POINTS = 3
BORDER_SLACK_PX = 1.5  # rounding on the way from finger to file; farther out the outline is of another picture size
FINER = 4  # steps a pixel when outlines are filled


def check_outlines(photo: Photo, classes: Sequence[str]) -> None:
    """Hold every outline against its photo.

    Raises:
        BadDatasetError: a class that is not there, fewer than three points, an outline outside the photo, or one without area.
    """
    for box in photo.boxes:
        where = f"photo {photo.name} ({photo.width}x{photo.height})"
        if not 0 <= box.cls < len(classes):
            raise BadDatasetError(
                f"{where}: outline of class {box.cls}, the project has {len(classes)} classes: delete it and label again"
            )
        where += f": outline of class {classes[box.cls]}"
        mend = "correct or delete it on the board or in the dashboard"
        if 0 < len(box.points_px) < LEAST_POINTS:
            raise BadDatasetError(f"{where} has {len(box.points_px)} points, a region needs {LEAST_POINTS}: {mend}")
        if len(box.box_xywh_px) != 4:
            raise BadDatasetError(f"{where} has the malformed box {list(box.box_xywh_px)}: {mend}")
        corners = outline(box)
        low, high = corners.min(axis=0), corners.max(axis=0)
        if max(*-low, *(high - (photo.width, photo.height))) > BORDER_SLACK_PX:
            raise BadDatasetError(
                f"{where} reaches from {low[0]:g},{low[1]:g} to {high[0]:g},{high[1]:g}, outside the photo: "
                f"was it drawn on the photo in another size? {mend[0].upper()}{mend[1:]}"
            )
        if cv2.contourArea(corners.astype(np.float32)) <= 0:
            raise BadDatasetError(f"{where} has no area: {mend}")
    if any(len(area) < LEAST_POINTS for area in photo.void_px):
        raise BadDatasetError(
            f"photo {photo.name}: a void area has fewer than {LEAST_POINTS} points: import its mask again"
        )


def outline(box: Box) -> npt.NDArray[np.float64]:
    """The corners (N, 2) of a region in photo px; of a box without points its own four."""
    if box.points_px:
        return np.array(box.points_px, np.float64)
    x, y, width, height = box.box_xywh_px
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float64)


def rasterise(photo: Photo) -> Mask:
    """The photo's mask (H, W) in its own px; small regions lie on large ones, void ones too, whatever the order they were drawn in."""
    mask = np.zeros((photo.height, photo.width), np.uint8)
    regions = [(outline(box), box.cls + 1) for box in photo.boxes]
    regions += [(np.array(area, np.float64), IGNORED) for area in photo.void_px]
    regions.sort(key=lambda region: -cv2.contourArea(region[0].astype(np.float32)))
    for corners, value in regions:
        _fill(mask, corners, value)
    return mask


def _fill(mask: Mask, corners: npt.NDArray[np.float64], value: int) -> None:
    """Give `value` to the pixels whose centre lies inside. OpenCV counts the line itself as inside: so in a finer raster."""
    height, width = mask.shape
    left, top = np.floor(corners.min(axis=0)).clip(0, (width, height)).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).clip(0, (width, height)).astype(int)
    if right <= left or bottom <= top:
        return
    fine = np.zeros(((bottom - top) * FINER, (right - left) * FINER), np.uint8)
    # Half a pixel: labels count from a pixel's corner, OpenCV from its centre.
    cv2.fillPoly(fine, [np.rint((corners - (left, top)) * FINER - 0.5).astype(np.int32)], 1)
    mask[top:bottom, left:right][fine[FINER // 2 :: FINER, FINER // 2 :: FINER] > 0] = value
