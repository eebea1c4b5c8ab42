"""Cosines of raw outputs: against plain Python, by channel group, and in the odd cases."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaploop_host.domain.output_cosines import OutputCosine, cosine, output_cosines

NUMBERS = st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=8)


@given(NUMBERS)
def test_equal_to_the_definition(pairs):
    one, other = zip(*pairs, strict=True)
    lengths = math.sqrt(math.fsum(x * x for x in one)), math.sqrt(math.fsum(x * x for x in other))
    if min(lengths) < 1e-6:
        return
    expected = math.fsum(a * b for a, b in pairs) / lengths[0] / lengths[1]
    assert cosine(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-9)


def test_quiet_channels_show_in_a_group_of_their_own():
    floats = np.zeros((1, 3, 2, 2), np.float32)
    floats[0, :2], floats[0, 2] = 100.0, 1.0
    ruined = floats.copy()
    ruined[0, 2] = -1.0
    whole = output_cosines([[floats]], [[ruined]])
    assert whole == (OutputCosine(0, "", pytest.approx(1, abs=1e-3), pytest.approx(1, abs=1e-3)),)
    parts = output_cosines([[floats]], [[ruined]], {0: {"box": (0, 2), "class": (2, 3)}})
    assert [(one.group, round(one.mean, 6)) for one in parts] == [("box", 1.0), ("class", -1.0)]


def test_mean_and_least_over_pictures():
    up, across = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    assert output_cosines([[up, up], [up, up]], [[up, up], [across, up]]) == (
        OutputCosine(0, "", 0.5, 0.0),
        OutputCosine(1, "", 1.0, 1.0),
    )


def test_nothing_and_no_numbers():
    zeros, ones = np.zeros(3), np.ones(3)
    assert cosine(zeros, zeros) == 1.0
    assert cosine(zeros, ones) == 0.0
    assert cosine(ones, ones * np.nan) == 0.0


def test_refusals():
    one, other = np.ones((1, 2)), np.ones((1, 3))
    with pytest.raises(ValueError, match="1 pictures of the float model against 0"):
        output_cosines([[one]], [])
    with pytest.raises(ValueError, match="picture 0: float outputs"):
        output_cosines([[one]], [[other]])
    with pytest.raises(ValueError, match="output 0 has no channel axis"):
        output_cosines([[np.ones(2)]], [[np.ones(2)]], {0: {"box": (0, 1)}})
