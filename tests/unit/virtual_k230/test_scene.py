"""The built-in scene: repeatable, true boxes, and colours that really tell the classes apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from virtual_k230.scene import LABELS, TrafficLightScene


def test_same_seed_and_index_give_the_same_picture_in_any_order():
    one, other = TrafficLightScene(seed=3), TrafficLightScene(seed=3)
    first = [one.render(i) for i in (0, 5)]
    second = [other.render(i) for i in (5, 0)][::-1]
    for (picture, boxes), (again, boxes_again) in zip(first, second, strict=True):
        assert np.array_equal(picture, again)
        assert boxes == boxes_again


def test_other_seeds_and_indexes_give_other_pictures():
    pictures = [TrafficLightScene(0).render(1)[0], TrafficLightScene(0).render(2)[0], TrafficLightScene(1).render(1)[0]]
    for one, other in combinations(pictures, 2):
        assert (one != other).mean() > 0.5


@pytest.mark.slow
def test_boxes_lie_inside_do_not_overlap_and_have_the_promised_sizes():
    scene = TrafficLightScene(0)
    for index in range(25):
        picture, boxes = scene.render(index)
        assert picture.shape == (720, 1280, 3)
        assert picture.dtype == np.uint8
        assert 1 <= len(boxes) <= 3
        for box in boxes:
            assert 0 <= box.x and box.x + box.w <= 1 and 0 <= box.y and box.y + box.h <= 1
            assert 55 <= box.h * 360 <= 165
        for a, b in combinations(boxes, 2):
            apart = a.x + a.w < b.x or b.x + b.w < a.x or a.y + a.h < b.y or b.y + b.h < a.y
            assert apart


@pytest.mark.slow
def test_a_dozen_consecutive_pictures_show_every_class_at_least_four_times():
    scene = TrafficLightScene(0)
    seen = [box.label for index in range(12) for box in scene.render(index)[1]]
    assert all(seen.count(label) >= 4 for label in LABELS)


@pytest.mark.slow
def test_the_lit_lamps_colour_in_the_box_tells_the_class():
    """Naive colour rule on the true boxes: nearly all right, so the problem can be learned, and not by place alone."""
    scene = TrafficLightScene(7)
    right = total = 0
    for index in range(30):
        picture, boxes = scene.render(index)
        for box in boxes:
            left, top = int(box.x * 1280), int(box.y * 720)
            inside = picture[top : top + int(box.h * 720), left : left + int(box.w * 1280)].astype(int)
            rows = np.array_split(inside, 3)
            brightness = [np.percentile(row.max(axis=2), 90) for row in rows]
            right += LABELS[int(np.argmax(brightness))] == box.label
            total += 1
    assert right / total > 0.9
