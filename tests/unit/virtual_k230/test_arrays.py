"""ulab.numpy's Python side: ulab's types, limits and texts where they differ from NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.virtual_parts import VirtualParts, error_of
from virtual_k230.arrays import BOOL, FLOAT, INT16, UINT8, UINT16, code_of


@pytest.fixture
def parts():
    return VirtualParts()


def _binary(parts, name, left, right):
    pack = lambda v: {"h": parts.array(v, v.dtype)} if isinstance(v, np.ndarray) else v  # noqa: E731
    return parts.numpy(parts.call("np.binary", name, pack(left), pack(right)))


def test_making_arrays(parts):
    numbers = np.array([1, 300, -1, 2.5])
    make = lambda code: parts.numpy(parts.call("np.make", [2, 2], code, blob=numbers.tobytes()))  # noqa: E731
    assert make(FLOAT).tolist() == [[1, 300], [-1, 2.5]]
    assert make(UINT8).tolist() == [[1, 44], [255, 2]]
    assert make(BOOL).all()
    assert parts.numpy(parts.call("np.full", [3], FLOAT, 0)).dtype == np.float32
    assert parts.numpy(parts.call("np.arange", 0, 5, 1, None)).dtype == np.int16
    assert parts.numpy(parts.call("np.arange", 0, 1, 0.25, None)).tolist() == [0, 0.25, 0.5, 0.75]
    assert error_of(parts.call, "np.full", [1] * 5, FLOAT, 0)[0] == "ValueError"
    assert error_of(parts.call, "np.full", [1], ord("i"), 0)[0] == "TypeError"


def test_frombuffer(parts):
    call = lambda *args: parts.call("np.frombuffer", *args, blob=bytes(range(9)))  # noqa: E731
    assert parts.numpy(call(UINT16, 2, 1)).tolist() == [0x0201, 0x0403]
    assert error_of(call, UINT16, -1, 0) == ("ValueError", "buffer size must be a multiple of element size")
    assert error_of(call, FLOAT, 3, 0)[0] == "ValueError"
    assert error_of(call, UINT8, -1, 10)[0] == "ValueError"


@pytest.mark.parametrize(
    "left, right, result",
    [
        ("uint8", "uint8", "uint8"), ("uint8", "int8", "int16"), ("uint8", "int16", "int16"), ("uint8", "uint16", "uint16"),
        ("int8", "uint16", "uint16"), ("uint16", "int16", "float32"), ("int16", "float32", "float32"), ("bool", "uint8", "uint8"),
    ],
)  # fmt: skip
def test_types_of_sums_are_ulabs(parts, left, right, result):
    assert _binary(parts, "+", np.ones(3, left), np.ones(3, right)).dtype == result
    assert _binary(parts, "+", np.ones(3, right), np.ones(3, left)).dtype == result


@pytest.mark.parametrize(
    "array, scalar, result",
    [("uint8", 255, "uint8"), ("uint8", 256, "uint16"), ("uint8", -1, "int16"), ("int8", 127, "int8"), ("uint8", 0.5, "float32"),
     ("int16", 40000, "float32"), ("float32", 1, "float32")],
)  # fmt: skip
def test_scalars_take_the_smallest_type(parts, array, scalar, result):
    assert _binary(parts, "+", np.ones(3, array), scalar).dtype == result


def test_integer_arithmetic_wraps_and_division_is_float(parts):
    assert _binary(parts, "*", np.array([200], np.uint8), 2).tolist() == [144]
    assert _binary(parts, "-", 1, np.array([3], np.uint8)).tolist() == [254]
    assert _binary(parts, "/", np.array([3], np.uint8), 2).tolist() == [1.5]
    compared = _binary(parts, ">=", np.array([[1.0, 2.0]], np.float32), 2)
    assert compared.dtype == np.bool_ and compared.tolist() == [[False, True]]
    wrong = error_of(parts.call, "np.binary", "+", {"h": parts.array([1, 2])}, {"h": parts.array([1, 2, 3])})
    assert wrong == ("ValueError", "operands could not be broadcast together")


def test_in_place_keeps_the_type_and_the_memory(parts):
    handle = parts.array([[1, 2], [3, 4]], np.uint8)
    view = parts.call("np.getitem", handle, 1)
    parts.call("np.inplace", "+", view[0], 10)
    assert parts.board.arrays.get(handle).tolist() == [[1, 2], [13, 14]]
    assert error_of(parts.call, "np.inplace", "*", handle, 0.5) == ("TypeError", "cannot cast output with casting rule")
    assert error_of(parts.call, "np.inplace", "/", handle, 2)[0] == "TypeError"


def test_indexing_as_ulab(parts):
    handle = parts.array(np.arange(24).reshape(2, 3, 4))
    item = lambda index: parts.call("np.getitem", handle, index)  # noqa: E731
    assert item({"t": [1, 2, 3]}) == 23
    assert parts.numpy(item({"t": [[None, None, None], 1]})).tolist() == [[4, 5, 6, 7], [16, 17, 18, 19]]
    assert parts.numpy(item([1, None, None])).shape == (1, 3, 4)
    assert parts.numpy(item({"t": [-1, [None, None, -1], 0]})).tolist() == [20, 16, 12]
    assert error_of(item, 5) == ("IndexError", "index is out of bounds")
    assert error_of(item, {"t": [0, 0, 0, 0]}) == ("IndexError", "too many indices")


def test_boolean_masks_are_one_dimensional_and_index_arrays_are_refused(parts):
    handle = parts.array([5, 6, 7])
    mask = parts.array([True, False, True], np.bool_)
    assert parts.numpy(parts.call("np.getitem", handle, {"h": mask})).tolist() == [5, 7]
    parts.call("np.setitem", handle, {"h": mask}, 0)
    assert parts.board.arrays.get(handle).tolist() == [0, 6, 0]
    refused = ("NotImplementedError", "operation is implemented for 1D Boolean arrays only")
    assert error_of(parts.call, "np.getitem", handle, {"h": parts.array([0, 1], np.uint16)}) == refused
    square = parts.array(np.ones((2, 2)))
    assert error_of(parts.call, "np.getitem", square, {"h": parts.array(np.ones((2, 2)), np.bool_)}) == refused
    short = parts.array([True], np.bool_)
    assert error_of(parts.call, "np.getitem", handle, {"h": short}) == (
        "IndexError",
        "array and index length must be equal",
    )


def test_assignment_writes_through_views(parts):
    handle = parts.array(np.zeros((2, 3)), np.uint8)
    parts.call("np.setitem", handle, {"t": [[None, None, None], 1]}, {"h": parts.array([7.9, 300])})
    assert parts.board.arrays.get(handle).tolist() == [[0, 7, 0], [0, 44, 0]]
    assert error_of(parts.call, "np.setitem", handle, 0, {"h": parts.array([1, 2])})[0] == "ValueError"


def test_reductions(parts):
    handle = parts.array([[200, 100], [100, 50]], np.uint8)
    reduce = lambda name, axis=None: parts.call("np.reduce", name, handle, axis)  # noqa: E731
    assert (reduce("max"), reduce("sum"), reduce("mean"), reduce("argmin")) == (200, 450, 112.5, 3)
    assert parts.numpy(reduce("sum", 0)).tolist() == [44, 150]  # the type stays uint8, as on the board
    assert parts.numpy(reduce("argmax", 1)).dtype == np.int16
    assert parts.numpy(reduce("mean", -1)).dtype == np.float32
    assert error_of(reduce, "max", 2)[0] == "ValueError"
    empty = parts.array([])
    assert error_of(parts.call, "np.reduce", "max", empty, None)[0] == "ValueError"
    assert parts.call("np.reduce", "max", parts.array([1.0, float("inf")]), None) == {"f": "inf"}


def test_sorting_needs_an_axis(parts):
    handle = parts.array([3, 1, 2])
    assert error_of(parts.call, "np.sort", "argsort", handle, None, True)[0] == "NotImplementedError"
    order = parts.numpy(parts.call("np.sort", "argsort", handle, 0, True))
    assert order.dtype == np.uint16 and order.tolist() == [1, 2, 0]


def test_detection_decoding_as_the_board_app_does_it(parts):
    """Threshold, find survivors, softmax over 16 bins, expectation by dot: the hot path of live detection."""
    logits = np.full((1, 3, 4, 5), -9, np.float32)
    logits[0, 2, 1, 3] = 2
    box = np.random.default_rng(0).standard_normal((1, 64, 4, 5)).astype(np.float32)
    classes = parts.call("np.reshape", parts.array(logits), [3, 20])[0]
    best = parts.call("np.reduce", "max", classes, 0)[0]
    mask = parts.call("np.binary", ">", {"h": best}, 0)[0]
    found = parts.call("np.nonzero", mask)["t"]
    assert parts.numpy(found[0]).tolist() == [8] and found[0][1] == UINT16
    flat = parts.call("np.reshape", parts.array(box), [64, 20])[0]
    column = parts.call("np.getitem", flat, {"t": [[None, None, None], 8]})[0]
    bins = parts.call("np.reshape", column, [4, 16])[0]
    weights = parts.call("np.math", "exp", bins)[0]
    ranks = parts.call("np.arange", 0, 16, 1, FLOAT)[0]
    top = parts.numpy(parts.call("np.dot", weights, ranks))
    total = parts.numpy(parts.call("np.reduce", "sum", weights, 1))
    wanted = np.exp(box[0, :, 1, 3].reshape(4, 16))
    assert np.allclose(top / total, wanted @ np.arange(16) / wanted.sum(axis=1), atol=1e-4)


def test_joining_shaping_and_choosing(parts):
    a, b = parts.array([[1, 2]]), parts.array([[3, 4]])
    joined = parts.call("np.concatenate", [a, b], 0)
    assert parts.numpy(joined).tolist() == [[1, 2], [3, 4]]
    assert parts.numpy(parts.call("np.transform", "transpose", joined[0], None)).tolist() == [[1, 3], [2, 4]]
    assert parts.numpy(parts.call("np.transform", "flatten", joined[0], "C")).tolist() == [1, 2, 3, 4]
    assert parts.numpy(parts.call("np.clip", joined[0], 2, 3)).tolist() == [[2, 2], [3, 3]]
    mask = parts.call("np.binary", ">", {"h": joined[0]}, 2)[0]
    assert parts.numpy(parts.call("np.where", {"h": mask}, {"h": joined[0]}, 0)).tolist() == [[0, 0], [3, 4]]
    assert error_of(parts.call, "np.concatenate", [a, parts.array([1, 2])], 0)[0] == "ValueError"
    assert error_of(parts.call, "np.reshape", a, [3])[0] == "ValueError"
    assert error_of(parts.call, "np.dot", a, b)[0] == "ValueError"


def test_raw_bytes_and_text(parts):
    handle = parts.array([[1.5, 2], [3, 4]])
    turned = parts.call("np.transform", "transpose", handle, None)[0]
    parts.call("np.data", turned)
    assert parts.blob == np.array([1.5, 3, 2, 4], np.float32).tobytes()
    assert parts.call("np.text", handle) == "array([[1.5, 2.0],\n [3.0, 4.0]], dtype=float32)"
    assert parts.call("np.text", parts.array([1, 2], np.int16)) == "array([1, 2], dtype=int16)"


def test_tensors_of_other_types_become_float(parts):
    from virtual_k230.arrays import fit

    assert fit(np.zeros((1, 2), np.int32)).dtype == np.float32
    assert code_of(fit(np.zeros(2, np.int16))) == INT16
    assert error_of(fit, np.zeros((1,) * 5))[0] == "ValueError"


def test_reshaping_what_is_not_dense_makes_a_dense_copy(parts):
    flat = parts.array(np.arange(24).reshape(12, 2))
    column = parts.call("np.getitem", flat, {"t": [[None, None, None], 0]})[0]
    reshaped = parts.numpy(parts.call("np.reshape", column, [-1]))
    assert reshaped.flags.c_contiguous and reshaped.tolist() == list(range(0, 24, 2))
