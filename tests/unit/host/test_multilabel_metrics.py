"""Label scores against scikit-learn, ties and unseen labels included; draws against scoring the drawn pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'snaploop[train]'")

from sklearn import metrics as sklearn_metrics

from snaploop_host.domain.multilabel_metrics import (
    LabelProbabilities,
    TrueLabels,
    multilabel_qualities,
    score_multilabel,
    tally_multilabel,
)


def example(seed, pictures, labels=3):
    rng = np.random.default_rng(seed)
    present = rng.random((pictures, labels)) < 0.4
    present[0, 0] = True
    scores = np.round(np.clip(rng.normal(0.35, 0.25, present.shape) + 0.3 * present, 0, 1), 1)  # rounded: many ties
    return [LabelProbabilities(row) for row in scores], [TrueLabels(row) for row in present], scores, present


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25))
def test_equal_to_scikit_learn(seed, pictures):
    answers, truths, scores, present = example(seed, pictures)
    seen = np.flatnonzero(present.any(axis=0))
    score = score_multilabel(answers, truths, threshold=0.45)
    theirs = [sklearn_metrics.average_precision_score(present[:, label], scores[:, label]) for label in seen]
    assert [one.values["average_precision"] for one in score.classes] == pytest.approx(theirs)
    assert score.values["mean_ap"] == pytest.approx(np.mean(theirs))
    for one in score.classes:
        rates = sklearn_metrics.precision_recall_fscore_support(
            present[:, one.index], scores[:, one.index] >= 0.45, average="binary", zero_division=0
        )
        assert [one.values[name] for name in ("precision", "recall", "f1")] == pytest.approx(list(rates[:3]))
        assert one.examples == present[:, one.index].sum()
    assert [one.index for one in score.classes] == list(seen)
    assert score.values["macro_f1"] == pytest.approx(np.mean([one.values["f1"] for one in score.classes]))


def test_recommended_threshold_parts_what_can_be_parted():
    answers = [LabelProbabilities(np.array(row)) for row in ([0.7, 0.2], [0.3, 0.6], [0.6, 0.5])]
    truths = [TrueLabels(np.array(row)) for row in ([True, False], [False, True], [True, True])]
    score = score_multilabel(answers, truths)
    assert score.best_threshold == pytest.approx(0.4, abs=0.002)  # the middle of 0.3…0.5
    assert score.values == {"mean_ap": 1.0, "macro_f1": 1.0}
    assert score_multilabel(answers, truths, 0.55).values["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 20))
def test_draws_score_like_the_drawn_pictures(seed, pictures):
    answers, truths, _, present = example(seed, pictures)
    tally = tally_multilabel(answers, truths, 0.4)
    drawn = np.random.default_rng(seed).integers(0, pictures, pictures)
    if not present[drawn].any():
        drawn[0] = 0
    redrawn = score_multilabel([answers[one] for one in drawn], [truths[one] for one in drawn], 0.4)
    values = tally.resample(np.bincount(drawn, minlength=pictures)[None].astype(float))
    assert {name: one[0] for name, one in values.items()} == pytest.approx(redrawn.values)


def test_quality_is_that_of_the_worst_label():
    answers = [LabelProbabilities(np.array([0.9, 0.3])), LabelProbabilities(np.array([0.9, 0.3]))]
    truths = [TrueLabels(np.array([True, False])), TrueLabels(np.array([True, True]))]
    assert multilabel_qualities(answers, truths) == pytest.approx([0.7, 0.3])


def test_refusals():
    answer = LabelProbabilities(np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="no validation picture has a label"):
        score_multilabel([answer], [TrueLabels(np.array([False, False]))])
    with pytest.raises(ValueError, match="1 pictures of answers against 0"):
        score_multilabel([answer], [])
    with pytest.raises(ValueError, match="knows 2 labels, the truth 3"):
        score_multilabel([answer], [TrueLabels(np.array([True, False, True]))])
