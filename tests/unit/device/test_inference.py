"""The decoder: known boxes come back, it agrees with the host's, and broken outputs are refused."""

import numpy as np
import pytest

from fakes.device_board import raw_heads
from fakes.dfl6_decode import decode_raw_heads
from snaploop_device.inference import Detector, NotFiniteError
from snaploop_shared.letterbox import placement


class Model:
    def __init__(self, labels=("a", "b"), w=320, h=192, score=400, iou=500):
        self.labels, self.input_w, self.input_h, self.score_permille, self.iou_permille = list(labels), w, h, score, iou


def detector(**arguments):
    model = Model(**arguments)
    return Detector(model, placement(640, 360, model.input_w, model.input_h))


def test_known_boxes_come_back():
    boxes = [(0, 40, 40, 30, 60), (1, 200, 20, 90, 100), (0, 8, 8, 290, 170)]
    found = detector().in_input(raw_heads(boxes, 320, 192, 2).__getitem__)
    assert sorted((one[0], *one[2:]) for one in found) == sorted(boxes)
    assert all(890 <= one[1] <= 910 for one in found)


def test_photo_px_undo_the_letterbox():
    (found,) = detector().in_photo(raw_heads([(1, 100, 56, 40, 40)], 320, 192, 2).__getitem__)
    assert found[0] == 1 and found[2:] == (200, 100, 80, 80)


def test_agrees_with_the_host_on_noise():
    rng = np.random.default_rng(5)
    outputs = []
    for stride in (8, 16, 32):
        outputs.append(rng.normal(0, 1.5, (1, 64, 192 // stride, 320 // stride)).astype(np.float32))
        outputs.append(rng.normal(-4, 1.6, (1, 2, 192 // stride, 320 // stride)).astype(np.float32))
    ours = detector().in_input(outputs.__getitem__)
    theirs = decode_raw_heads(outputs, 0.4, 0.5)
    assert 3 <= len(ours) == len(theirs.scores)
    for mine, score, index, corners in zip(ours, theirs.scores, theirs.classes, theirs.boxes_xyxy, strict=True):
        assert mine[0] == index and abs(mine[1] - score * 1000) <= 1
        x, y, w, h = mine[2:]
        assert np.abs(np.array([x, y, x + w, y + h]) - corners).max() <= 1


def test_suppression_is_per_class():
    outputs = raw_heads([(0, 40, 40, 60, 60)], 320, 192, 2)
    other = raw_heads([(1, 40, 40, 60, 60)], 320, 192, 2)
    outputs[1] = np.maximum(outputs[1], other[1])
    again = detector().in_input(outputs.__getitem__)
    assert len(again) == 1  # one cell gives its best class only
    shifted = raw_heads([(0, 44, 40, 60, 60), (1, 40, 40, 60, 60)], 320, 192, 2)
    kept = detector().in_input(shifted.__getitem__)
    assert len(kept) <= 2


def test_single_class():
    (found,) = detector(labels=("only",)).in_input(raw_heads([(0, 40, 40, 30, 60)], 320, 192, 1).__getitem__)
    assert found[0] == 0 and found[2:] == (40, 40, 30, 60)


def test_box_tensors_are_only_fetched_when_needed():
    outputs = raw_heads([(0, 40, 40, 30, 60)], 320, 192, 2)
    fetched = []
    detector().in_input(lambda index: fetched.append(index) or outputs[index])
    assert sorted(fetched) == [0, 1, 3, 5]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused(bad):
    outputs = raw_heads([(0, 40, 40, 30, 60)], 320, 192, 2)
    outputs[3][0, 0, 0, 0] = bad
    if bad != -np.inf:
        with pytest.raises(NotFiniteError):
            detector().in_input(outputs.__getitem__)
    outputs = raw_heads([(0, 40, 40, 30, 60)], 320, 192, 2)
    outputs[0][:] = np.nan
    with pytest.raises(NotFiniteError):
        detector().in_input(outputs.__getitem__)


def test_outputs_of_another_model_are_refused():
    outputs = raw_heads([(0, 40, 40, 30, 60)], 320, 192, 3)
    with pytest.raises(ValueError, match="manifest says 2 channels"):
        detector().in_input(outputs.__getitem__)


def test_model_that_fires_everywhere_is_bounded():
    outputs = raw_heads([], 320, 192, 2)
    for level in range(3):
        outputs[2 * level + 1][:] = 5
    assert len(detector().in_input(outputs.__getitem__)) <= 50
