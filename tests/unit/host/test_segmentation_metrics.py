"""Pixel scores against a slow pixel-by-pixel count; draws against scoring the drawn pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snaploop_host.domain.segmentation_metrics import (
    IGNORED,
    ClassMap,
    score_segmentation,
    segmentation_qualities,
    tally_segmentation,
)

CLASSES = 3


def example(seed, pictures, side=5):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, rng.integers(1, CLASSES + 1), (pictures, side, side + 1))
    said = np.where(rng.random(true.shape) < 0.3, rng.integers(0, CLASSES, true.shape), true)
    true = np.where(rng.random(true.shape) < 0.2, IGNORED, true)
    true[:, 0, 0] = 0
    return [ClassMap(one.astype(np.uint8)) for one in said], [ClassMap(one.astype(np.uint8)) for one in true]


def counted(answers, truths):
    """IoU per class with a true pixel, share of right pixels, confusion: one pixel at a time."""
    table = [[0] * CLASSES for _ in range(CLASSES)]
    for answer, truth in zip(answers, truths, strict=True):
        for said, true in zip(answer.classes.ravel().tolist(), truth.classes.ravel().tolist(), strict=True):
            if true != 255:
                table[true][said] += 1
    ious = {}
    for one in range(CLASSES):
        truly, sayingly = sum(table[one]), sum(row[one] for row in table)
        if truly:
            ious[one] = table[one][one] / (truly + sayingly - table[one][one])
    return ious, sum(table[one][one] for one in range(CLASSES)) / sum(map(sum, table)), table


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_equal_to_counting_pixel_by_pixel(seed, pictures):
    answers, truths = example(seed, pictures)
    ious, right, table = counted(answers, truths)
    score = score_segmentation(answers, truths, CLASSES)
    assert {one.index: one.values["iou"] for one in score.classes} == pytest.approx(ious)
    assert score.values == pytest.approx({"miou": sum(ious.values()) / len(ious), "pixel_accuracy": right})
    assert [list(row) for row in score.confusion] == table
    held = {index: sum((truth.classes == index).any() for truth in truths) for index in ious}
    assert {one.index: one.examples for one in score.classes} == held


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 8))
def test_draws_score_like_the_drawn_pictures(seed, pictures):
    answers, truths = example(seed, pictures)
    drawn = np.random.default_rng(seed).integers(0, pictures, pictures)
    redrawn = score_segmentation([answers[one] for one in drawn], [truths[one] for one in drawn], CLASSES)
    counts = np.bincount(drawn, minlength=pictures)[None].astype(float)
    values = tally_segmentation(answers, truths, CLASSES).resample(counts)
    assert {name: one[0] for name, one in values.items()} == pytest.approx(redrawn.values)


def test_quality_of_a_right_a_half_right_and_an_unlabelled_picture():
    true = np.zeros((2, 2), np.uint8)
    half = np.array([[0, 0], [1, 1]], np.uint8)
    unknown = np.full((2, 2), IGNORED, np.uint8)
    answers = [ClassMap(true), ClassMap(half), ClassMap(half)]
    truths = [ClassMap(true), ClassMap(true), ClassMap(unknown)]
    assert segmentation_qualities(answers, truths, 2) == pytest.approx([1.0, 0.25, 1.0])


def test_refusals():
    one, other = ClassMap(np.zeros((2, 2), np.uint8)), ClassMap(np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match=r"picture 0: the answer is \(2, 2\), the truth \(2, 3\)"):
        score_segmentation([one], [other], 2)
    with pytest.raises(ValueError, match="the answer has class 7 of 2"):
        score_segmentation([ClassMap(np.full((2, 2), 7))], [one], 2)
    with pytest.raises(ValueError, match="the truth has class 7 of 2"):
        score_segmentation([one], [ClassMap(np.full((2, 2), 7))], 2)
    with pytest.raises(ValueError, match="no validation picture has a labelled pixel"):
        score_segmentation([one], [ClassMap(np.full((2, 2), IGNORED))], 2)
    with pytest.raises(ValueError, match="1 pictures of answers against 0"):
        score_segmentation([one], [], 2)
