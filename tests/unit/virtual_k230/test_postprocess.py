"""aidemo's and aicube's Python side: boxes put into heads come out again where they were."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.virtual_parts import VirtualParts, error_of
from virtual_k230.postprocess import decode_aicube, decode_yolov8, suppress

MODEL_WH, FRAME_WH, STRIDES = [320, 320], [640, 360], [8, 16, 32]
GAIN, SHIFT_Y = 0.5, 70  # 640x360 letterboxed centred into 320x320


def test_suppression_keeps_the_best_of_each_class():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [1, 1, 11, 11], [50, 50, 60, 60]], np.float32)
    scores, classes = np.array([0.8, 0.9, 0.7, 0.5]), np.array([0, 0, 1, 0])
    assert suppress(boxes, scores, classes, 0.5, is_agnostic=False) == [1, 2, 3]
    assert suppress(boxes, scores, classes, 0.5, is_agnostic=True) == [1, 3]
    assert suppress(boxes, scores, classes, 0.95, is_agnostic=True) == [1, 0, 3]


def test_yolov8_boxes_return_to_the_display():
    output = np.zeros((100, 7), np.float32)
    output[10] = [100, 80, 40, 20, 0.1, 0.9, 0]  # input pixels of a 320x320 input, frame 640x360 in its top left corner
    output[11] = [101, 80, 40, 20, 0, 0.8, 0]
    output[12] = [200, 100, 20, 20, 0.7, 0, 0]
    found = decode_yolov8(output, [360, 640], [320, 320], [180, 320], 3, 0.5, 0.45, 50)
    assert found is not None
    boxes, labels, scores = found
    assert boxes.dtype == np.int16
    assert boxes.tolist() == [[80, 70, 40, 20], [190, 90, 20, 20]]
    assert labels.tolist() == [1, 0]
    assert scores.tolist() == pytest.approx([0.9, 0.7])
    assert len(decode_yolov8(output, [360, 640], [320, 320], [180, 320], 3, 0.5, 0.45, 1)[0]) == 1
    assert decode_yolov8(output, [360, 640], [320, 320], [180, 320], 3, 0.95, 0.45, 50) is None


def test_yolov8_through_the_board_and_with_a_wrong_shape():
    parts = VirtualParts()
    output = np.zeros((20, 6), np.float32)
    output[3] = [100, 80, 40, 20, 0.1, 0.9]
    sizes = ([360, 640], [320, 320], [360, 640])
    reply = parts.call("aidemo.yolov8_det", parts.array(output), *sizes, 2, 0.5, 0.4, 10)
    assert parts.numpy(reply["t"][0]).tolist() == [[160, 140, 80, 40]]
    assert parts.call("aidemo.yolov8_det", parts.array(output), *sizes, 2, 0.95, 0.4, 10) == []
    assert error_of(parts.call, "aidemo.yolov8_det", parts.array(output), *sizes, 5, 0.5, 0.4, 10)[0] == "ValueError"


def _empty_heads(channels):
    return [np.full((1, MODEL_WH[1] // s, MODEL_WH[0] // s, channels), -9.0, np.float32) for s in STRIDES]


def _frame_box(x1, y1, x2, y2):
    return [x1 / GAIN, (y1 - SHIFT_Y) / GAIN, x2 / GAIN, (y2 - SHIFT_Y) / GAIN]


def test_gfl_head():
    heads = _empty_heads(2 + 68)
    cell = heads[1][0, 8, 5]  # stride 16: the point (80, 128)
    cell[1] = 3.0
    for side, bins in enumerate((1, 2, 3, 1)):
        cell[2 + side * 17 + bins] = 30
    found = decode_aicube("gfldet", heads, MODEL_WH, FRAME_WH, STRIDES, 2, 0.5, 0.5, None, False)
    assert len(found) == 1
    label, score, *box = found[0]
    assert (label, score) == (1, pytest.approx(1 / (1 + np.exp(-3))))
    assert box == pytest.approx(_frame_box(80 - 16, 128 - 32, 80 + 48, 128 + 16), abs=0.01)


def test_anchor_free_head():
    heads = [np.zeros_like(head) for head in _empty_heads(5 + 2)]
    heads[0][0, 15, 10] = [0.5, 0.25, np.log(4), np.log(2), 0.9, 0.1, 1.0]
    found = decode_aicube("anchorfreedet", heads, MODEL_WH, FRAME_WH, STRIDES, 2, 0.5, 0.5, None, False)
    cx, cy = 10.5 * 8, 15.25 * 8
    assert found[0][:2] == [1, pytest.approx(0.9)]
    assert found[0][2:] == pytest.approx(_frame_box(cx - 16, cy - 8, cx + 16, cy + 8), abs=0.01)


def test_anchor_based_head():
    heads = [np.zeros_like(head) for head in _empty_heads(3 * 7)]
    anchors = [float(v) for v in range(10, 28)]
    heads[2][0, 4, 3].reshape(3, 7)[2] = [0.5, 0.5, 0.5, 0.5, 0.8, 1.0, 0.0]
    found = decode_aicube("anchorbasedet", heads, MODEL_WH, FRAME_WH, STRIDES, 2, 0.5, 0.5, anchors, False)
    cx, cy, w, h = 3.5 * 32, 4.5 * 32, 26, 27
    assert found[0][:2] == [0, pytest.approx(0.8)]
    assert found[0][2:] == pytest.approx(_frame_box(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), abs=0.01)


def test_heads_that_do_not_fit_the_model_are_refused():
    parts = VirtualParts()
    handles = [parts.array(head) for head in _empty_heads(9)]
    error = error_of(parts.call, "aicube.det", "gfldet", handles, MODEL_WH, FRAME_WH, STRIDES, 2, 0.5, 0.5, None, False)
    assert error[0] == "ValueError" and "does not fit" in error[1]
