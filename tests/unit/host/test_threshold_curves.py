"""The recommended threshold is as good as the best; curves count answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snaploop_host.domain.threshold_curves import GRID, curve_at, curve_points, f1_of, precision_recall, recommended

SCORES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.integers(0, 5))
def test_recommended_is_within_a_hundredth_of_the_best(answers, missed):
    hits = np.array([score for score, right in answers if right])
    curve = precision_recall(hits, np.array([score for score, _ in answers]), len(hits) + missed or 1)
    f1 = f1_of(*curve)
    threshold = recommended(f1)
    at = np.interp(threshold, GRID, f1)
    steps = np.abs(GRID - threshold) <= 0.0015  # three digits and a step of the grid
    assert max(at, f1[steps].max()) >= 0.99 * f1.max() - 1e-9


def test_recommended_lies_in_the_widest_plateau_and_within_limits():
    f1 = np.interp(GRID, [0, 0.1, 0.11, 0.5, 0.51, 0.9, 0.91, 1], [1, 1, 0.2, 0.2, 1, 1, 0.2, 0.2])
    assert recommended(f1) == pytest.approx(0.705, abs=0.002)
    assert recommended(f1, 0.1, 0.4) == 0.4
    assert recommended(np.zeros(len(GRID))) == 0.25


@settings(max_examples=40, deadline=None)
@given(SCORES, st.integers(0, 999))
def test_precision_and_recall_are_counted(answers, place):
    threshold = GRID[place]
    hits = np.array([score for score, right in answers if right])
    precision, recall = precision_recall(hits, np.array([score for score, _ in answers]), len(answers))
    given_answers = [right for score, right in answers if score >= threshold]
    assert recall[place] == pytest.approx(sum(given_answers) / len(answers))
    assert precision[place] == pytest.approx(sum(given_answers) / len(given_answers) if given_answers else 1)


def test_between_kept_points():
    line = np.linspace(1, 0, len(GRID))
    curve = curve_points(line, line, line)
    assert curve_at(curve, 0.255).recall == pytest.approx(0.745)
    with pytest.raises(ValueError, match="no threshold curve"):
        curve_at((), 0.5)
