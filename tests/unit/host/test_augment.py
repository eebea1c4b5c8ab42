"""Boxes must follow their pixels through every augmentation, and the letterbox must be the board's."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'snaploop[train]'")


from snaploop_host.training.detect.augment import (
    Augmentation,
    Example,
    letterbox,
    letterbox_boxes,
    mosaic,
    place_randomly,
    recolour,
)
from snaploop_shared.letterbox import PAD_VALUE, placement


def marked(width=640, height=360, box=(200, 100, 320, 220), shade=255):
    image = np.zeros((height, width, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = shade
    return Example(image, np.array([box], np.float32), np.array([1]))


def bright_extent(image):
    rows, columns = np.nonzero(image[..., 0] > 185)  # above both the padding and the half-way edge pixels
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_box_follows_its_pixels_through_scale_shift_and_mirror():
    rng = np.random.default_rng(0)
    checked = 0
    for _ in range(60):
        made = place_randomly(marked(), 320, 192, Augmentation(), rng)
        assert made.image.shape == (192, 320, 3)
        if len(made.boxes_xyxy):
            assert made.boxes_xyxy[0] == pytest.approx(bright_extent(made.image), abs=1.6)
            checked += 1
    assert checked > 50


def test_boxes_follow_their_pixels_in_mosaics():
    rng = np.random.default_rng(1)
    plain = Example(np.zeros((360, 640, 3), np.uint8), np.empty((0, 4), np.float32), np.empty(0, int))
    checked = 0
    for turn in range(60):
        parts = [plain] * 4
        parts[turn % 4] = marked()
        made = mosaic(parts, 320, 192, Augmentation(), rng)
        assert len(made.boxes_xyxy) == len(made.classes) <= 1
        if len(made.boxes_xyxy):
            assert made.boxes_xyxy[0] == pytest.approx(bright_extent(made.image), abs=1.6)
            checked += 1
    assert checked > 25


def test_box_mostly_outside_is_dropped():
    rng = np.random.default_rng(2)
    rules = Augmentation(scale=0.0, shift=0.0, mirror=0.0)
    kept = place_randomly(marked(box=(0, 0, 60, 60)), 320, 192, rules, rng)
    assert len(kept.boxes_xyxy) == 1
    zoomed = Augmentation(scale=0.5, shift=0.5, mirror=0.0)
    counts = [len(place_randomly(marked(box=(0, 0, 60, 60)), 320, 192, zoomed, rng).boxes_xyxy) for _ in range(40)]
    assert 0 in counts


def test_letterbox_places_as_the_contract_says():
    place = placement(640, 360, 320, 192)
    made = letterbox(np.full((360, 640, 3), 7, np.uint8), 320, 192)
    assert made.shape == (192, 320, 3)
    assert (made[: place.top] == PAD_VALUE).all()
    assert (made[place.top : place.top + place.height] == 7).all()
    boxes = letterbox_boxes(np.array([[0, 0, 640, 360]], np.float32), 640, 360, 320, 192)
    assert boxes[0].tolist() == [place.left, place.top, place.left + place.width, place.top + place.height]


def test_letterbox_is_bilinear_with_half_pixel_centres():
    row = np.repeat(np.arange(0, 64, dtype=np.uint8)[None, :, None], 32, axis=0).repeat(3, axis=2)
    made = letterbox(row, 32, 16)[8, :, 0]
    assert made.tolist() == pytest.approx([2 * index + 0.5 for index in range(32)], abs=0.51)


def test_recolour_keeps_shape_and_changes_light():
    rng = np.random.default_rng(3)
    image = np.full((8, 8, 3), (200, 40, 40), np.uint8)
    made = [recolour(image, Augmentation(), rng) for _ in range(8)]
    assert all(one.shape == image.shape and one.dtype == np.uint8 for one in made)
    assert len({one.tobytes() for one in made}) > 4
    assert all(one[0, 0, 0] > one[0, 0, 2] for one in made)  # red stays red
