"""Average precision: hand-worked cases, and equality with ultralytics' own functions where that library is installed."""

import importlib.util

import numpy as np
import pytest

from snaploop_host.domain.detection_decode import Detections
from snaploop_host.domain.detection_metrics import IOU_LIMITS, Truth, match, score_detections
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
