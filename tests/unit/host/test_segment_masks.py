"""Masks from outlines, what is refused, training pictures, the loss, and what a segmentation project may be."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from snaploop_host.domain.projects import check_classes, model_labels
from snaploop_host.errors import BadInputError
from snaploop_host.training.errors import BadDatasetError
from snaploop_host.training.job_spec import Box, Photo

pytest.importorskip("torch")

from snaploop_host.training.detect.augment import Augmentation
from snaploop_host.training.segment.loss import BalancedLoss, class_weights
from snaploop_host.training.segment.masks import check_outlines, rasterise
from snaploop_host.training.segment.picture_dataset import MaskedPhotos, TrainingBatches, place_randomly

CLASSES = ("disc", "bar")


def photo(*boxes, size=(64, 48), image=Path("x.png")):
    return Photo("x", image, *size, boxes)


def test_a_box_without_points_fills_its_rectangle_and_the_index_is_one_up():
    mask = rasterise(photo(Box(1, (10, 5, 20, 8))))
    assert (mask[5:13, 10:30] == 2).all()
    assert (mask > 0).sum() == 20 * 8


def test_an_outline_covers_its_area_to_a_pixel_of_its_edge():
    angles = np.arange(40) * 2 * np.pi / 40
    points = tuple(zip(*(32 + 15 * np.cos(angles), 24 + 15 * np.sin(angles)), strict=True))
    mask = rasterise(photo(Box(0, (17, 9, 30, 30), points)))
    ys, xs = np.mgrid[:48, :64] + 0.5
    far = np.hypot(xs - 32, ys - 24)
    assert (mask[far < 14] == 1).all() and (mask[far > 16] == 0).all()


@pytest.mark.parametrize("order", [1, -1])
def test_small_regions_lie_on_large_ones_in_any_order(order):
    boxes = [Box(0, (0, 0, 64, 48)), Box(1, (20, 20, 4, 4))][::order]
    mask = rasterise(photo(*boxes))
    assert (mask[20:24, 20:24] == 2).all() and (mask == 1).sum() == 64 * 48 - 16


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (Box(2, (0, 0, 9, 9)), "outline of class 2, the project has 2 classes: delete it and label again"),
        (Box(0, (0, 0, 9, 9), ((1, 1), (8, 8))), "outline of class disc has 2 points, a region needs 3: correct or delete"),
        (Box(0, (0, 0, 9, 9), ((1, 1), (5, 5), (8, 8))), "outline of class disc has no area: correct or delete"),
        (Box(1, (5, 5, 0, 9)), "outline of class bar has no area"),
        (Box(1, (5, 5, 9)), "outline of class bar has the malformed box"),
        (Box(1, (0, 0, 640, 360), ((0, 0), (639, 0), (639, 359))),
            "reaches from 0,0 to 639,359, outside the photo: was it drawn on the photo in another size?"),
    ],
)  # fmt: skip
def test_unusable_outlines_are_named_with_the_mend(box, words):
    with pytest.raises(BadDatasetError) as caught:
        check_outlines(photo(box), CLASSES)
    assert words in str(caught.value) and "photo x (64x48)" in str(caught.value)


def test_an_outline_out_by_rounding_is_taken():
    check_outlines(photo(Box(0, (-1, 0, 66, 48), ((-1, 0), (65, 0), (30, 49)))), CLASSES)


@pytest.fixture
def photos(tmp_path):
    """Two photos: a red disc, and nothing."""
    image = np.full((48, 64, 3), 90, np.uint8)
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), image)
    cv2.circle(image, (32, 24), 10, (0, 0, 255), -1)
    disc = tmp_path / "disc.png"
    cv2.imwrite(str(disc), image)
    angles = np.arange(24) * 2 * np.pi / 24
    points = tuple(zip(*(32.5 + 10.5 * np.cos(angles), 24.5 + 10.5 * np.sin(angles)), strict=True))
    return [photo(Box(0, (22, 14, 21, 21), points), image=disc), photo(image=empty)]


def test_photos_are_stretched_and_so_are_their_masks(photos):
    examples = MaskedPhotos(photos, 96, 96)
    pixels, truth = examples.pixels(0), examples.truth(0).classes
    assert pixels.shape == (3, 96, 96) and truth.shape == (96, 96)
    red = pixels[0].astype(int) - pixels[2] > 80
    assert (red != (truth == 1)).mean() < 0.01
    assert examples.classes(0) == {0, 1} and examples.classes(1) == {0}


def test_changed_pictures_and_masks_stay_on_each_other(photos):
    image, mask = MaskedPhotos(photos, 96, 96).kept(0)
    rules = Augmentation(scale=0.4, shift=0.2)
    for seed in range(20):
        moved, moved_mask = place_randomly(image, mask, 96, 64, rules, np.random.default_rng(seed))
        red = moved[..., 0].astype(int) - moved[..., 2] > 80
        assert (red != (moved_mask == 1)).mean() < 0.02


def test_an_epoch_is_the_same_again_and_goes_on_in_the_middle(photos):
    batches = TrainingBatches(MaskedPhotos(photos * 3, 96, 96), 4, 0, Augmentation())
    first = list(batches.epoch(5))
    assert len(first) == len(batches) == 2 and all(pixels.shape == (4, 3, 96, 96) for pixels, _ in first)
    (second,) = batches.epoch(5, first=1)
    assert (second[0] == first[1][0]).all() and (second[1] == first[1][1]).all()
    assert not (next(iter(batches.epoch(6)))[0] == first[0][0]).all()


def test_rare_classes_weigh_more_and_the_right_answer_costs_least(photos):
    import torch

    examples = MaskedPhotos(photos, 64, 64)
    weights = class_weights(examples, 3)
    assert weights[1] > 3 * weights[0] and weights[2] == 1
    mask = torch.from_numpy(examples.truth(0).classes.astype(np.int64))[None]
    right = torch.nn.functional.one_hot(mask, 3).permute(0, 3, 1, 2).float() * 10
    wrong = torch.zeros_like(right)
    wrong[:, 0] = 10
    loss = BalancedLoss(weights)
    costs = [sum(float(term) for term in loss(torch.cat([one, one], 1), mask).values()) for one in (right, wrong)]
    assert costs[0] < 0.05 and costs[1] > 1


def test_the_background_is_a_label_of_the_model_and_no_class_of_the_project():
    assert model_labels("segment", ("a",)) == ("background", "a")
    assert model_labels("detect", ("a",)) == ("a",)
    assert check_classes(("background",)) == ("background",)
    with pytest.raises(BadInputError, match="class 'Background': a segmentation has it by itself"):
        check_classes(("a", "Background"), "segment")


def test_photos_far_larger_than_the_input_are_kept_smaller_with_their_masks(photos):
    image, mask = MaskedPhotos(photos, 8, 8).kept(0)
    assert image.shape == (32, 32, 3) and mask.shape == (32, 32)
    assert abs((mask == 1).mean() - np.pi * 10.5**2 / (64 * 48)) < 0.01
