"""The map of where text is: what the network learns to draw, and how quads come out of it again.

The firmware (aicube.ocr_post_process, k230-platform §6.3) binarises the map, takes the outline of every region whose mean is high
enough, and grows the smallest rectangle around it: by 1.5 times area over circumference, and then by 2.5 % of the width and 15 % of the
height on each side. What is drawn for a label here is exactly the region that this rule turns back into the label, so that boards,
stock scripts and our scores see the labelled quads and not something near them. `decode_map` is the same rule.
Pixels are counted by their centres: a filled region of corners (x, y) has an outline through these very corners.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from ...domain.geometry import FloatArray
from ...domain.text_metrics import FoundText
from ..ocr.quads import ordered, sides

MASK_THRESHOLD = 0.5  # as the vendor's scripts begin; snaploop_shared.manifest.TEXT_MASK_PERMILLE says it to boards
UNCLIP = 1.5
MARGIN_ACROSS, MARGIN_DOWN = 0.025, 0.15
LEAST_HEIGHT_PX = 5.0  # text that is lower than this in the model's input cannot be told from noise
MOST_REGIONS = 200
FLOOR = 0.1  # regions whose mean is below are not worth keeping, even for a curve

Map = npt.NDArray[np.float32]


def core_of(quad: FloatArray) -> FloatArray:
    """The quad's inner part that `decode_map` grows to the quad again, (4, 2) px."""
    across, down = sides(quad)
    wide, high = across / (1 + 2 * MARGIN_ACROSS), down / (1 + 2 * MARGIN_DOWN)
    # Shrunk by d on every side, area and circumference give d back: 0.75 (w - 2d)(h - 2d) = d (w + h - 4d).
    half = 2.5 * (wide + high)
    shrink = (half - math.sqrt(half * half - 21 * wide * high)) / 14
    share_x, share_y = (wide - 2 * shrink) / across, (high - 2 * shrink) / down
    low_x, low_y = (1 - share_x) / 2, (1 - share_y) / 2
    top_left, top_right, bottom_right, bottom_left = quad
    corners = []
    for x, y in ((low_x, low_y), (1 - low_x, low_y), (1 - low_x, 1 - low_y), (low_x, 1 - low_y)):
        top, bottom = top_left + x * (top_right - top_left), bottom_left + x * (bottom_right - bottom_left)
        corners.append(top + y * (bottom - top))
    return np.array(corners, np.float32)


def draw_maps(quads: list[FloatArray], to_find: list[bool], width: int, height: int) -> npt.NDArray[np.uint8]:
    """What the network should answer, (3, H, W) uint8 0 or 1: cores, whole labels, and where the loss counts."""
    cores, texts = np.zeros((2, height, width), np.uint8)
    counts_here = np.ones((height, width), np.uint8)
    for quad, counts in zip(quads, to_find, strict=True):
        outline = np.rint(quad).astype(np.int32)
        if not counts or sides(quad)[1] < LEAST_HEIGHT_PX:
            cv2.fillPoly(counts_here, [outline], 0)
            continue
        cv2.fillPoly(texts, [outline], 1)
        cv2.fillPoly(cores, [np.rint(core_of(quad)).astype(np.int32)], 1)
    return np.stack([cores, texts, counts_here])


def decode_map(chances: Map, floor: float = FLOOR) -> FoundText:
    """The quads in a map (H, W) of how likely a pixel is text: px of the model input, with the mean over each region as score."""
    height, width = chances.shape
    regions, _ = cv2.findContours((chances > MASK_THRESHOLD).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    quads, scores = [], []
    for region in sorted(regions, key=cv2.contourArea, reverse=True)[:MOST_REGIONS]:
        if len(region) < 4:
            continue
        inside = np.zeros((height, width), np.uint8)
        cv2.fillPoly(inside, [region], 1)
        score = cv2.mean(chances, inside)[0]
        outline = cv2.arcLength(region, True)
        if score < floor or outline <= 0:
            continue
        margin = cv2.contourArea(region) * UNCLIP / outline
        centre, (wide, high), angle = cv2.minAreaRect(region)
        corners = np.asarray(cv2.boxPoints((centre, (wide + 2 * margin, high + 2 * margin), angle)), np.float32)
        quads.append(_grown(ordered(corners.clip(0, (width, height)))).clip(0, (width, height)))
        scores.append(score)
    return FoundText(quads, np.array(scores, np.float32))


def _grown(quad: FloatArray) -> FloatArray:
    """The corners moved apart by the margins of the firmware's crop."""
    top_left, top_right, bottom_right, bottom_left = quad
    grown = []
    for corner, beside, below in (
        (top_left, top_right, bottom_left),
        (top_right, top_left, bottom_right),
        (bottom_right, bottom_left, top_right),
        (bottom_left, bottom_right, top_left),
    ):
        x = corner[0] + MARGIN_ACROSS * (corner[0] - beside[0])
        y = corner[1] + MARGIN_DOWN * (corner[1] - below[1])
        grown.append((x, y))
    return np.array(grown, np.float32)
