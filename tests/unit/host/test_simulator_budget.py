"""How many pictures a time budget allows and what interval that gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaploop_host.domain.simulator_budget import (
    SimulatorBudget,
    expected_half_width,
    pictures_for,
    plan_pictures,
)


@given(st.floats(1, 600), st.floats(0.1, 20), st.integers(1, 8), st.floats(0, 20), st.integers(1, 500))
def test_chosen_pictures_fit_and_one_round_more_would_not(seconds, each, workers, start, available):
    budget = SimulatorBudget(seconds, each, workers, start)
    chosen = budget.pictures(available)
    assert 1 <= chosen <= available
    if chosen > 1:
        assert budget.needed_seconds(chosen) <= seconds + 1e-6 * seconds
    if chosen < available:
        assert budget.needed_seconds(chosen + workers) > seconds * (1 - 1e-6)


@given(st.floats(0.001, 0.2), st.floats(0.01, 0.5))
def test_pictures_for_a_width_give_it(half_width, spread):
    pictures = pictures_for(half_width, spread)
    assert expected_half_width(pictures, spread) <= half_width * (1 + 1e-6)
    if pictures > 1:
        assert expected_half_width(pictures - 1, spread) > half_width * (1 - 1e-6)


def test_plan_in_words():
    plan = plan_pictures(SimulatorBudget(60, 5.0, workers=2), 180)
    assert plan.text() == "24 of 180 pictures in the simulator, about 60 s; the loss will be known within ±4.0 points"
    with pytest.raises(ValueError, match="no validation picture to simulate"):
        plan_pictures(SimulatorBudget(60, 5.0), 0)
