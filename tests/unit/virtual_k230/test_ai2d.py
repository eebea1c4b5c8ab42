"""nncase_runtime.ai2d's Python side: letterbox, crop, affine, and what the unit refuses."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fakes.virtual_parts import VirtualParts, error_of
from virtual_k230 import ai2d

CHW = (1, 3, 90, 160)


@pytest.fixture
def parts():
    return VirtualParts()


def _picture():
    ramp = np.linspace(0, 255, 160, dtype=np.float32)[None, :] * np.ones((90, 1), np.float32)
    return np.stack([ramp, ramp[:, ::-1], np.full_like(ramp, 40)])[None].astype(np.uint8)


def _run(parts, setup, out_shape, source=None):
    source = _picture() if source is None else source
    builder = parts.call("ai2d.build", {"formats": [3, 3], **setup}, list(source.shape), list(out_shape))
    tensors = [parts.call("nn.from_numpy", parts.board.handles.put(a)) for a in (source, np.zeros(out_shape, np.uint8))]
    parts.call("ai2d.run", builder, *tensors)
    return parts.numpy(parts.call("nn.to_numpy", tensors[1]))


def test_letterbox_pads_around_a_half_pixel_bilinear_resize(parts):
    setup = {"pad": [[0, 0, 0, 0, 2, 4, 0, 0], 0, [114, 115, 116]], "resize": [ai2d.TF_BILINEAR, ai2d.HALF_PIXEL]}
    out = _run(parts, setup, (1, 3, 32, 48))
    assert out.shape == (1, 3, 32, 48)
    for channel, value in enumerate((114, 115, 116)):
        assert (out[0, channel, :2] == value).all() and (out[0, channel, 28:] == value).all()
    wanted = cv2.resize(_picture()[0].transpose(1, 2, 0), (48, 26), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(out[0, :, 2:28], wanted.transpose(2, 0, 1))


def test_crop_comes_first_and_plain_copies_work(parts):
    out = _run(parts, {"crop": [100, 10, 48, 32]}, (1, 3, 32, 48))
    assert np.array_equal(out, _picture()[:, :, 10:42, 100:148])


def test_affine_moves_the_picture(parts):
    out = _run(parts, {"affine": [ai2d.CV2_NEAREST, 7, [1, 0, 5, 0, 1, 3]]}, CHW)
    assert np.array_equal(out[0, :, 3:, 5:], _picture()[0, :, :-3, :-5])
    assert (out[0, :, :3] == 7).all()


def test_the_three_ideas_of_pixel_centres_differ_as_they_should(parts):
    source = np.arange(8, dtype=np.uint8).reshape(1, 1, 1, 8).repeat(8, axis=2) * 30
    ends = {}
    for mode in (ai2d.NONE_MODE, ai2d.ALIGN_CORNER, ai2d.HALF_PIXEL):
        out = _run(parts, {"resize": [ai2d.TF_BILINEAR, mode]}, (1, 1, 4, 4), source)
        ends[mode] = out[0, 0, 0].tolist()
    assert ends[ai2d.NONE_MODE] == [0, 60, 120, 180]
    assert ends[ai2d.ALIGN_CORNER] == [0, 70, 140, 210]
    assert ends[ai2d.HALF_PIXEL] == [15, 75, 135, 195]


@pytest.mark.parametrize(
    "setup, in_shape, out_shape",
    [
        ({"affine": [1, 0, [1, 0, 0, 0, 1, 0]], "resize": [1, 2]}, CHW, CHW),
        ({"shift": [1]}, CHW, CHW), ({}, (3, 90, 160), CHW), ({}, CHW, (1, 1, 90, 160)),
        ({"pad": [[0, 0, 0, 0], 0, [0]]}, CHW, CHW),
    ],
)  # fmt: skip
def test_what_the_unit_cannot_do_is_refused_when_built(parts, setup, in_shape, out_shape):
    error = error_of(parts.call, "ai2d.build", {"formats": [3, 3], **setup}, list(in_shape), list(out_shape))
    assert error[0] == "ValueError"


def test_tensors_that_do_not_match_fail_at_run_time(parts):
    builder = parts.call("ai2d.build", {"formats": [3, 3], "resize": [1, 2]}, list(CHW), [1, 3, 32, 48])
    tensor = lambda array: parts.call("nn.from_numpy", parts.board.handles.put(array))  # noqa: E731
    good_out = tensor(np.zeros((1, 3, 32, 48), np.uint8))
    for source, target in (
        (tensor(np.zeros((1, 3, 89, 160), np.uint8)), good_out),
        (tensor(np.zeros(CHW, np.float32)), good_out),
        (tensor(np.zeros(CHW, np.uint8)), tensor(np.zeros((1, 3, 32, 32), np.uint8))),
    ):
        assert error_of(parts.call, "ai2d.run", builder, source, target) == ("RuntimeError", "AI2D run failed.")
    outside = error_of(_run, parts, {"crop": [150, 0, 48, 32]}, (1, 3, 32, 48))
    assert outside[0] == "RuntimeError" and "crop" in outside[1]


def test_of_a_larger_picture_the_first_bytes_are_taken_as_they_lie(parts):
    builder = parts.call("ai2d.build", {"formats": [3, 3], "resize": [1, 2]}, [1, 3, 4, 6], [1, 3, 4, 6])
    frame = np.arange(3 * 8 * 16, dtype=np.uint8).reshape(3, 8, 16)
    source = parts.call("nn.from_numpy", parts.board.handles.put(frame))
    target = parts.call("nn.from_numpy", parts.board.handles.put(np.zeros((1, 3, 4, 6), np.uint8)))
    parts.call("ai2d.run", builder, source, target)
    taken = parts.numpy(parts.call("nn.to_numpy", target))
    assert np.array_equal(taken.reshape(-1), frame.reshape(-1)[:72])
