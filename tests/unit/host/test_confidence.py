"""Intervals: known values, how often they hold the truth, speed, and the words people read."""

import numpy as np
import pytest

from snaploop_host.domain.classification_metrics import ClassProbabilities, TrueClass, tally_classification
from snaploop_host.domain.confidence import (
    Interval,
    Tally,
    loss_intervals,
    loss_text,
    score_intervals,
    share_interval,
    share_loss_interval,
    tally_of,
    unseen_text,
)
from snaploop_host.domain.detection_decode import Detections
from snaploop_host.domain.detection_metrics import Truth, tally_detections
from snaploop_host.domain.scores import Score


def mean_tally(values):
    """A metric that is a plain mean over pictures: its interval is known from textbooks."""
    return Tally(
        len(values), {"mean": float(values.mean())}, lambda counts: {"mean": counts @ values / counts.sum(axis=1)}
    )


def test_wilson_known_values():
    """9 of 10 by the formula in Wilson (1927), as every calculator prints it: 59.6…98.2 %."""
    found = share_interval(9, 10)
    assert (found.low, found.high) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert share_interval(24, 24).low == pytest.approx(0.862, abs=1e-3)
    with pytest.raises(ValueError, match="at least one picture"):
        share_interval(0, 0)


def test_no_difference_on_few_pictures_is_no_proof():
    right = np.ones(24, bool)
    found = share_loss_interval(right, right)
    assert found.value == 0
    assert found.high == pytest.approx(-found.low) == pytest.approx(0.1066, abs=1e-3)


def test_loss_of_shares_holds_the_truth_often_enough():
    """100 true losses of 3 points, 60 pictures each; 95 % nominal, so fewer than 90 would be wrong."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        luck = rng.random(60)
        found = share_loss_interval(luck > 0.05, luck > 0.08)
        held += found.low <= 0.03 <= found.high
    assert held >= 90


def test_bootstrap_is_the_textbook_interval_of_a_mean():
    values = np.random.default_rng(2).normal(0.6, 0.1, 100)
    found = score_intervals(mean_tally(values), resamples=4000)["mean"]
    half = 1.984 * values.std(ddof=1) / 10  # Student's t with 99 degrees of freedom
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.0015)
    assert found.spread == pytest.approx(values.std(), rel=0.1)


def test_bootstrapped_loss_holds_the_truth_often_enough():
    """Skewed losses, mostly 0 and now and then a ruined picture, as quantisation makes them; 12 pictures."""
    rng = np.random.default_rng(9)
    held = 0
    for trial in range(100):
        before = rng.uniform(0.7, 1, 12)
        lost = rng.exponential(0.03, 12)
        found = loss_intervals(mean_tally(before), mean_tally(before - lost), resamples=300, seed=trial)["mean"]
        held += found.low <= 0.03 <= found.high
    assert held >= 85  # nominal 95; the bootstrap of 12 skewed values is known to fall short by up to ten


def test_same_pictures_make_a_far_narrower_loss_than_two_scores():
    rng = np.random.default_rng(4)
    before = rng.uniform(0, 1, 50)
    after = before - rng.normal(0.01, 0.005, 50)
    loss = loss_intervals(mean_tally(before), mean_tally(after))["mean"]
    assert loss.half_width < score_intervals(mean_tally(before))["mean"].half_width / 10
    assert loss.value == pytest.approx(0.01, abs=0.002)


def test_one_picture_says_nothing_and_perfect_ones_are_counted():
    assert loss_intervals(mean_tally(np.array([0.9])), mean_tally(np.array([0.8])))["mean"].low == -1
    perfect = score_intervals(mean_tally(np.ones(24)))["mean"]
    assert (perfect.low, perfect.high) == pytest.approx((0.862, 1.0), abs=1e-3)


def scene(pictures, noise):
    rng = np.random.default_rng(6)
    found, truths = [], []
    for _ in range(pictures):
        corners = rng.uniform(0, 200, (6, 2))
        true = np.concatenate([corners, corners + rng.uniform(15, 60, (6, 2))], axis=1)
        classes = rng.integers(0, 5, 6)
        wrong = np.tile(rng.uniform(0, 200, (40, 2)), 2) + [0, 0, 30, 30]
        boxes = np.concatenate([true + noise * rng.normal(0, 1, true.shape), wrong]).astype(np.float32)
        scores = np.concatenate([rng.uniform(0.2, 1, 6), rng.uniform(0.001, 0.5, 40)]).astype(np.float32)
        found.append(Detections(boxes, scores, np.concatenate([classes, rng.integers(0, 5, 40)])))
        truths.append(Truth(true, classes))
    return found, truths


def test_intervals_of_two_hundred_pictures_of_detections_are_the_same_each_time():
    floats, kmodels = (tally_detections(*scene(200, noise)) for noise in (3.0, 3.3))
    first = loss_intervals(floats, kmodels)
    assert first == loss_intervals(floats, kmodels)  # seeded
    assert 0 < first["map50_95"].low < first["map50_95"].value < first["map50_95"].high


def test_any_metric_through_a_function_of_indices():
    rng = np.random.default_rng(1)
    true, logits = rng.integers(0, 3, 30), rng.normal(0, 1, (30, 3))
    answers, truths = [ClassProbabilities(row) for row in np.exp(logits)], [TrueClass(int(one)) for one in true]
    quick = tally_classification(answers, truths)

    def score_pictures(indices):
        return Score(len(indices), {"top1": float((logits[indices].argmax(axis=1) == true[indices]).mean())})

    counts = rng.multinomial(30, [1 / 30] * 30, size=5).astype(float)
    slow = tally_of(score_pictures, 30)
    assert slow.resample(counts)["top1"] == pytest.approx(quick.resample(counts)["top1"])
    assert slow.values["top1"] == quick.values["top1"]


def test_shares_take_the_closed_form_and_order_stays():
    answers = [ClassProbabilities(np.array([0.9, 0.1]))] * 9 + [ClassProbabilities(np.array([0.1, 0.9]))]
    tally = tally_classification(answers, [TrueClass(0)] * 10)
    found = score_intervals(tally)
    assert list(found) == ["top1", "macro_f1"]
    assert found["top1"] == share_interval(9, 10)
    assert list(loss_intervals(tally, tally)) == ["top1", "macro_f1"]


def test_rare_failures_are_unseen_one_time_in_twenty():
    for pictures in (5, 24, 180):
        share = Interval(0, 0, 0, pictures).unseen_share
        assert (1 - share) ** pictures == pytest.approx(0.05)


def test_different_pictures_are_refused():
    with pytest.raises(ValueError, match="3 pictures of the float model against 2 of the kmodel"):
        loss_intervals(mean_tally(np.ones(3)), mean_tally(np.ones(2)))


def test_words():
    assert (
        loss_text("map50_95", Interval(0.004, -0.003, 0.012, 24), 180)
        == "kmodel loses 0.4 points of mAP50-95 (95 %: −0.3…1.2) on 24 of 180 pictures"
    )
    assert (
        loss_text("top1", Interval(-0.01, -0.03, 0.005, 24), 24)
        == "kmodel gains 1.0 points of top-1 accuracy (95 %: −0.5…3.0) on 24 pictures"
    )
    assert (
        loss_text("map50", Interval(0.0, 0.0, 0.0, 24), 180)
        == "kmodel and float have the same mAP50 on 24 of 180 pictures (95 %: less than 12 % of pictures differ)"
    )
    assert unseen_text(Interval(0.004, -0.003, 0.012, 24)) == "what spoils less than 12 % of pictures may not show"
