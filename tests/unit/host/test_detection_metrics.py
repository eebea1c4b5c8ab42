"""Average precision: hand-worked cases, and equality with ultralytics' own functions where that library is installed."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snaploop_host.domain.detection_decode import Detections
from snaploop_host.domain.detection_metrics import (
    IOU_LIMITS,
    Truth,
    confusion,
    detection_qualities,
    match,
    score_detections,
    tally_detections,
)
from snaploop_host.domain.threshold_curves import curve_at
from snaploop_host.training.ultralytics_runtime import isolate_ultralytics


def detections(boxes, scores, classes):
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes, int))


def truth(boxes, classes):
    return Truth(np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, int))


def test_perfect_detections_score_one():
    score = score_detections([detections([[0, 0, 10, 10]], [0.9], [0])], [truth([[0, 0, 10, 10]], [0])])
    assert score.values["map50"] == pytest.approx(
        0.995
    )  # the envelope's own ceiling: 101 points, the last one falls to zero
    assert score.values["map50_95"] == pytest.approx(0.995)
    assert 0.1 <= score.best_threshold <= 0.4
    assert curve_at(score.curve, score.best_threshold).f1 == pytest.approx(1.0)


def test_half_of_the_boxes_found_gives_about_half():
    score = score_detections(
        [detections([[0, 0, 10, 10]], [0.9], [0])], [truth([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 0])]
    )
    assert score.values["map50"] == pytest.approx(0.5, abs=0.01)


def test_loose_box_counts_at_50_but_not_at_75():
    score = score_detections([detections([[0, 0, 10, 6]], [0.9], [0])], [truth([[0, 0, 10, 10]], [0])])
    assert score.values["map50"] > 0.99
    assert score.values["map50_95"] == pytest.approx(0.995 * 3 / 10, abs=1e-6)  # IoU 0.6 passes 0.50, 0.55 and 0.60


def test_second_detection_of_one_box_is_false():
    hits = match(detections([[0, 0, 10, 10], [0, 0, 10, 9]], [0.9, 0.8], [0, 0]), truth([[0, 0, 10, 10]], [0]))
    assert hits[0].all()
    assert not hits[1].any()


def test_wrong_class_is_no_hit_and_class_without_truth_is_not_averaged():
    score = score_detections([detections([[0, 0, 10, 10]] * 2, [0.9, 0.8], [1, 0])], [truth([[0, 0, 10, 10]], [0])])
    assert [entry.index for entry in score.classes] == [0]
    assert score.values["map50"] > 0.99


def test_no_true_box_is_refused_with_a_mend():
    with pytest.raises(ValueError, match="label some"):
        score_detections([detections([], [], [])], [truth([], [])])


def test_equal_to_ultralytics_on_random_scenes(tmp_path):
    if importlib.util.find_spec("ultralytics") is None:
        pytest.skip("ultralytics is not installed: pip install 'snaploop[train]'")
    isolate_ultralytics(tmp_path)
    from ultralytics.utils import metrics

    rng = np.random.default_rng(7)
    found, truths = [], []
    for _ in range(30):
        corners = rng.uniform(0, 200, (6, 2))
        true = np.concatenate([corners, corners + rng.uniform(15, 60, (6, 2))], axis=1)
        classes = rng.integers(0, 3, 6)
        moved = np.concatenate([true + rng.normal(0, 3, true.shape), rng.uniform(0, 40, (2, 4)) + [0, 0, 50, 50]])
        found.append(detections(moved, rng.uniform(0.01, 1, 8), np.concatenate([classes, [0, 1]])))
        truths.append(truth(true, classes))
    ours = score_detections(found, truths)
    hits = np.concatenate([match(one, true) for one, true in zip(found, truths, strict=True)])
    theirs = metrics.ap_per_class(
        hits,
        np.concatenate([one.scores for one in found]),
        np.concatenate([one.classes for one in found]),
        np.concatenate([one.classes for one in truths]),
    )[5]
    assert theirs.shape == (3, len(IOU_LIMITS))
    assert ours.values["map50"] == pytest.approx(theirs[:, 0].mean(), abs=1e-6)
    assert ours.values["map50_95"] == pytest.approx(theirs.mean(), abs=1e-6)
    assert 0.2 < ours.values["map50_95"] < 0.95  # the scenes are neither trivial nor hopeless


def scenes(seed, pictures, classes=3):
    """Pictures of apart boxes with jitter, wrong names, misses and inventions."""
    rng = np.random.default_rng(seed)
    found, truths = [], []
    for _ in range(pictures):
        count = rng.integers(1, 5)
        corners = np.stack([50.0 * np.arange(count), np.zeros(count)], axis=1)
        true = np.concatenate([corners, corners + rng.uniform(20, 40, (count, 2))], axis=1)
        names = rng.integers(0, classes, count)
        seen = np.flatnonzero(rng.random(count) < 0.8)
        wrong = rng.uniform(0, 200, (rng.integers(0, 4), 2))
        boxes = np.concatenate(
            [true[seen] + rng.normal(0, 2, (len(seen), 4)), np.concatenate([wrong, wrong + 30], axis=1)]
        )
        said = np.where(rng.random(len(seen)) < 0.8, names[seen], rng.integers(0, classes, len(seen)))
        said = np.concatenate([said, rng.integers(0, classes, len(wrong))]).astype(int)
        found.append(detections(boxes, rng.uniform(0.05, 1, len(boxes)), said))
        truths.append(truth(true, names))
    return found, truths


def iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared)


def confusion_one_by_one(found, truths, threshold, classes):
    """The rule of `confusion` in plain Python: own class first, then any, best overlap first."""
    table = [[0] * (classes + 1) for _ in range(classes + 1)]
    for seen, true in zip(found, truths, strict=True):
        shown = [
            (box, int(cls))
            for box, score, cls in zip(seen.boxes_xyxy.tolist(), seen.scores, seen.classes, strict=True)
            if score >= threshold
        ]
        left = list(zip(true.boxes_xyxy.tolist(), true.classes.tolist(), strict=True))
        for same_only in (True, False):
            while True:
                pairs = [
                    (iou(one[0], other[0]), one, other)
                    for one in shown
                    for other in left
                    if one[1] == other[1] or not same_only
                ]
                best = max(pairs, key=lambda pair: pair[0], default=(0, None, None))
                if best[0] < 0.5:
                    break
                table[best[2][1]][best[1][1]] += 1
                shown.remove(best[1])
                left.remove(best[2])
        for _, cls in left:
            table[cls][classes] += 1
        for _, cls in shown:
            table[classes][cls] += 1
    return table


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([0.0, 0.3]))
def test_confusion_equal_to_pairing_one_by_one(seed, pictures, threshold):
    found, truths = scenes(seed, pictures)
    ours = confusion(found, truths, threshold, 3)
    assert ours.tolist() == confusion_one_by_one(found, truths, threshold, 3)
    assert ours[:3].sum() == sum(len(one.classes) for one in truths)
    assert ours[:, :3].sum() == sum(len(one.above(threshold).scores) for one in found)


def test_score_carries_confusion_curve_and_class_rates():
    found, truths = scenes(11, 12)
    score = score_detections(found, truths, class_count=5)
    assert np.array(score.confusion).shape == (6, 6)
    assert np.array_equal(score.confusion, confusion(found, truths, score.best_threshold, 5))
    assert len(score.curve) == 101
    for one in score.classes:
        assert one.values["recall"] == pytest.approx(score.confusion[one.index][one.index] / one.examples)
    assert list(score.values) == ["map50_95", "map50"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12))
def test_draws_score_like_the_drawn_pictures(seed, pictures):
    """Within the sampling of the area at 101 recalls, and the order of a picture's copies among themselves."""
    found, truths = scenes(seed, pictures)
    drawn = np.random.default_rng(seed).integers(0, pictures, pictures)
    redrawn = score_detections([found[one] for one in drawn], [truths[one] for one in drawn])
    counts = np.bincount(drawn, minlength=pictures)[None].astype(float)
    values = tally_detections(found, truths).resample(counts)
    assert values["map50"][0] == pytest.approx(redrawn.values["map50"], abs=0.08)
    assert values["map50_95"][0] == pytest.approx(redrawn.values["map50_95"], abs=0.08)


def test_quality_of_right_missed_invented_and_empty_pictures():
    box = [0, 0, 10, 10]
    found = [detections([box], [0.9], [0]), detections([], [], []), detections([box], [0.9], [0])]
    found += [detections([box], [0.1], [0]), detections([box], [0.9], [1]), detections([[0, 0, 10, 8]], [0.9], [0])]
    truths = [truth([box], [0]), truth([box], [0]), truth([], []), truth([], []), truth([box], [0]), truth([box], [0])]
    assert detection_qualities(found, truths, 0.3) == pytest.approx([1, 0, 0, 1, 0, 0.8])
