"""Sixteen bits go where rounding shows, never to both sides of a layer; and the rounding itself is nncase's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaploop_host.compiling.float_runs import rounded
from snaploop_host.compiling.mixed_scheme import choose_wide, ranges_of, widen

SCHEME = {
    "Version": "1.0",
    "Outputs": [
        {"Name": "x", "DataType": "u8", "DataRange": [{"Min": -1.0, "Max": 2.0}], "DataRangeMode": "by_tensor"},
        {
            "Name": "w",
            "DataType": "u8",
            "DataRange": [{"Min": 0.0, "Max": 1.0}, {"Min": -3.0, "Max": 1.0}],
            "DataRangeMode": "by_channel",
        },
    ],
}


def test_ranges_are_read_and_types_written():
    ranges = ranges_of(SCHEME)
    assert ranges["x"].tolist() == [-1, 2]
    assert ranges["w"].tolist() == [[0, 1], [-3, 1]]
    edited = widen(SCHEME, ["x"])
    assert [entry["DataType"] for entry in edited["Outputs"]] == ["i16", "u8"]
    assert SCHEME["Outputs"][0]["DataType"] == "u8"


def test_worst_first_and_only_one_side_of_a_layer():
    errors = {"x": 1.0, "w": 0.9, "y": 0.5, "v": 0.001}
    assert choose_wide(errors, [("x", "w"), ("y", "v")]) == ["x", "y"]
    assert choose_wide({"w": 1.0, "v": 0.01}, []) == ["w"]  # 90 % is mended
    assert choose_wide({"w": 0.0}, []) == []


@given(
    errors=st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1), min_size=1),
    layers=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("efgh"))),
)
def test_no_layer_gets_sixteen_bits_twice(errors, layers):
    chosen = choose_wide(errors, layers)
    assert not any(one in chosen and other in chosen for one, other in layers)
    assert sorted((errors[name] for name in chosen), reverse=True) == [errors[name] for name in chosen]


@pytest.mark.parametrize("limits", [np.array([-1.0, 3.0]), np.array([[0.0, 1.0], [-2.0, 5.0]])])
def test_rounding_stays_within_half_a_step_and_keeps_zero(limits):
    values = np.random.default_rng(0).uniform(0, 1, (2, 50)).astype(np.float32)
    values[:, 0] = 0
    result = rounded(values, limits)
    step = (limits[..., 1] - limits[..., 0]) / 255
    assert (np.abs(result - values) <= np.reshape(step, (-1, 1)) * 0.5001 + 1e-6).all()
    assert (result[:, 0] == 0).all()
    assert rounded(np.float32([[9.0], [9.0]]), limits).max() <= np.max(limits) + np.max(step)


def test_weights_of_a_matmul_are_rounded_column_by_column():
    limits = np.array([[0.0, 1.0], [-2.0, 5.0]])
    values = np.random.default_rng(0).uniform(-1, 1, (5, 2)).astype(np.float32)  # two outputs of five inputs
    assert (rounded(values, limits) == rounded(values.T, limits).T).all()
