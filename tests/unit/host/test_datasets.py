"""The split: bursts stay together, classes reach validation, nobody changes sides."""

from __future__ import annotations

import random

import pytest

from snaploop_host.domain.datasets import BURST_BLOCK, TRAIN, VAL, VAL_SHARE, burst_block, split_samples
from snaploop_host.domain.samples import LABELLED, Box, Sample


def sample(number, name, classes, source="board"):
    boxes = tuple(Box(one, 0, 0, 5, 5) for one in classes)
    return Sample(number, 1, name, f"{number:064x}", 100, 64, 36, 1, LABELLED, boxes, source, "usb", 0.0)


def shots(count, boot="b1", classes=("red", "yellow", "green"), start=0):
    chance = random.Random(boot)
    return [
        sample(start + number, f"{boot}-{start + number:06}", chance.choices(classes, k=chance.randint(1, 3)))
        for number in range(count)
    ]


def held(samples, sides):
    return [one for one in samples if sides[one.photo] == VAL]


@pytest.mark.parametrize("count", [8, 12, 24, 36, 96, 200])
def test_validation_gets_its_share_of_photos_and_every_class(count):
    samples = shots(count)
    sides = split_samples(samples, {})
    share = len(held(samples, sides)) / count
    assert VAL_SHARE - 0.15 < share < VAL_SHARE + 0.2
    for name in ("red", "yellow", "green"):
        assert any(box.class_name == name for one in held(samples, sides) for box in one.boxes)
        assert any(box.class_name == name for one in samples if sides[one.photo] == TRAIN for box in one.boxes)


def test_neighbours_in_a_boot_stay_on_one_side():
    samples = shots(60)
    sides = split_samples(samples, {})
    for start in range(0, 60, BURST_BLOCK):
        assert len({sides[one.photo] for one in samples[start : start + BURST_BLOCK]}) == 1


def test_blocks_are_per_boot_and_per_board():
    assert burst_block("a", "b1-000001") == burst_block("a", "b1-000002")
    assert burst_block("a", "b1-000001") != burst_block("a", "b2-000001")
    assert burst_block("a", "b1-000001") != burst_block("c", "b1-000001")
    assert burst_block("import", "cat_1.jpg") != burst_block("import", "cat_2.jpg")


@pytest.mark.parametrize("more", [1, 2, 5, 12, 60])
def test_photos_keep_their_side_when_more_come(more):
    first = shots(24)
    before = split_samples(first, {})
    samples = first + shots(more, boot="b2", start=24)
    after = split_samples(samples, before)
    assert {photo: after[photo] for photo in before} == before
    assert set(after) == {one.photo for one in samples}


def test_new_photo_of_a_known_burst_joins_its_side():
    first = shots(10)  # ends within a block
    before = split_samples(first, {})
    late = shots(2, start=10)
    after = split_samples(first + late, before)
    assert after[late[0].photo] == before[first[9].photo]


def test_class_in_a_single_block_stays_in_training():
    samples = shots(30, classes=("red",)) + [sample(99, "b9-000000", ["rare"])]
    assert split_samples(samples, {})[samples[-1].photo] == TRAIN


def test_rare_class_in_two_blocks_is_on_both_sides():
    samples = shots(30, classes=("red",)) + [sample(98, "b8-000000", ["rare"]), sample(99, "b9-000000", ["rare"])]
    sides = split_samples(samples, {})
    assert {sides[samples[-1].photo], sides[samples[-2].photo]} == {TRAIN, VAL}


def test_background_photos_are_on_both_sides():
    samples = shots(20) + [sample(100 + number, f"sky_{number}.jpg", []) for number in range(12)]
    assert {split_samples(samples, {})[one.photo] for one in samples[20:]} == {TRAIN, VAL}


def test_two_photos_of_one_burst_still_give_two_sides():
    assert sorted(split_samples(shots(2), {}).values()) == [TRAIN, VAL]


def test_same_photos_give_the_same_split_in_any_order():
    samples = shots(40)
    shuffled = samples[:]
    random.Random(1).shuffle(shuffled)
    assert split_samples(samples, {}) == split_samples(shuffled, {})


def test_sets_of_classes_that_many_photos_show_get_their_share_too():
    """Were only boxes counted, the seven photos that show all three classes would be validation."""
    names = ("circle", "square", "triangle")
    shown = [[name for bit, name in enumerate(names) if number >> bit & 1] for number in range(1, 49)]
    samples = [sample(number, f"p{number:03}.jpg", classes) for number, classes in enumerate(shown)]
    sides = split_samples(samples, {})
    for classes in ([], ["circle"], ["square"], ["circle", "triangle"], list(names)):
        photos = [one for one in samples if [box.class_name for box in one.boxes] == classes]
        assert 1 <= len(held(photos, sides)) <= 2, classes
    assert 11 <= len(held(samples, sides)) <= 13
