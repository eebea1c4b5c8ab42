"""Classification against scikit-learn, the curve against plain counting, and draws against scoring the drawn pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'snaploop[train]'")

from sklearn import metrics as sklearn_metrics

from snaploop_host.domain.classification_metrics import (
    ClassProbabilities,
    TrueClass,
    classification_qualities,
    score_classification,
    tally_classification,
)
from snaploop_host.domain.threshold_curves import curve_at

CLASSES = 4


def example(seed, pictures):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, CLASSES, pictures)
    logits = rng.normal(0, 1, (pictures, CLASSES)) + 1.2 * np.eye(CLASSES)[true]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return (
        [ClassProbabilities(row) for row in probabilities],
        [TrueClass(int(one)) for one in true],
        probabilities,
        true,
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30))
def test_equal_to_scikit_learn(seed, pictures):
    answers, truths, probabilities, true = example(seed, pictures)
    said, present = probabilities.argmax(axis=1), np.unique(true)
    score = score_classification(answers, truths)
    rates = sklearn_metrics.precision_recall_fscore_support(true, said, labels=present, zero_division=0)
    assert score.values["top1"] == pytest.approx(sklearn_metrics.accuracy_score(true, said))
    assert score.values["macro_f1"] == pytest.approx(
        sklearn_metrics.f1_score(true, said, labels=present, average="macro", zero_division=0)
    )
    assert np.array_equal(score.confusion, sklearn_metrics.confusion_matrix(true, said, labels=range(CLASSES)))
    assert [(one.index, one.examples) for one in score.classes] == list(zip(present, rates[3], strict=True))
    for name, theirs in zip(("precision", "recall", "f1"), rates[:3], strict=True):
        assert [one.values[name] for one in score.classes] == pytest.approx(list(theirs))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_curve_counts_the_answers_that_are_given(seed, pictures):
    answers, truths, probabilities, true = example(seed, pictures)
    winning, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    curve = score_classification(answers, truths).curve
    for threshold in (0.0, 1.0):  # where the kept points and the grid they come from coincide
        given_answers = winning >= threshold
        point = curve_at(curve, threshold)
        assert point.precision == pytest.approx(right[given_answers].mean() if given_answers.any() else 1)
        assert point.recall == pytest.approx((right & given_answers).sum() / pictures)
    recalls = [point.recall for point in curve]
    assert recalls == sorted(recalls, reverse=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 20))
def test_draws_score_like_the_drawn_pictures(seed, pictures):
    answers, truths, _, _ = example(seed, pictures)
    tally = tally_classification(answers, truths)
    drawn = np.random.default_rng(seed).integers(0, pictures, pictures)
    redrawn = score_classification([answers[one] for one in drawn], [truths[one] for one in drawn])
    values = tally.resample(np.bincount(drawn, minlength=pictures)[None].astype(float))
    assert {name: one[0] for name, one in values.items()} == pytest.approx(redrawn.values)


def test_sure_and_right_everywhere_leaves_the_threshold_in_the_middle():
    answers = [ClassProbabilities(np.eye(3)[index]) for index in (0, 1, 2)]
    score = score_classification(answers, [TrueClass(index) for index in (0, 1, 2)])
    assert score.values == {"top1": 1.0, "macro_f1": 1.0}
    assert score.best_threshold == pytest.approx(0.5)


def test_quality_is_the_probability_of_the_truth_and_no_number_counts_as_none():
    answers = [ClassProbabilities(np.array([0.2, 0.8])), ClassProbabilities(np.array([np.nan, np.nan]))]
    truths = [TrueClass(1), TrueClass(1)]
    assert classification_qualities(answers, truths).tolist() == [0.8, 0.0]
    assert score_classification(answers, truths).values["top1"] == 0.5


def test_refusals():
    answer = ClassProbabilities(np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="no validation picture has a class"):
        score_classification([], [])
    with pytest.raises(ValueError, match="2 pictures classified against 1"):
        score_classification([answer, answer], [TrueClass(0)])
    with pytest.raises(ValueError, match="class is 2, but the model knows 2"):
        score_classification([answer], [TrueClass(2)])
