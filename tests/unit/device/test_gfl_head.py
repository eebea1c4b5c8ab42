"""Head "gfl": decoded by the firmware's C function (as the virtual board has it), from known boxes to a swap in the app."""

import numpy as np
import pytest

from fakes.device_board import FakeKpu, gfl_heads, raw_heads
from fakes.device_host import FakeHost
from snaploop_device.inference import DECODERS, FirmwareDetector, NotFiniteError, decoder_for
from snaploop_shared.letterbox import placement
from snaploop_shared.manifest import HEADS


class Model:
    def __init__(self, labels=("a", "b"), w=320, h=192, score=400, iou=500):
        self.labels, self.input_w, self.input_h, self.score_permille, self.iou_permille = list(labels), w, h, score, iou
        self.head = "gfl"


def detector(**arguments):
    model = Model(**arguments)
    return decoder_for(model, placement(640, 360, model.input_w, model.input_h), FakeKpu())


def test_every_head_of_the_contract_has_a_decoder():
    assert {head for heads in HEADS.values() for head in heads} == set(DECODERS)
    assert isinstance(detector(), FirmwareDetector)


def test_known_boxes_come_back_best_first():
    outputs = gfl_heads([(0, 40, 40, 30, 60), (0, 8, 8, 290, 170)], 320, 192, 2, 0.8)
    outputs[1] = gfl_heads([(1, 180, 20, 120, 130)], 320, 192, 2, 0.95)[1]
    found = detector().in_input(outputs.__getitem__)
    assert [one[0] for one in found] == [1, 0, 0]
    wanted = [(0, 8, 8, 290, 170), (0, 40, 40, 30, 60), (1, 180, 20, 120, 130)]
    assert np.abs(np.subtract(sorted((one[0], *one[2:]) for one in found), wanted)).max() <= 1  # e^x is approximated
    assert abs(found[0][1] - 950) < 15 and all(abs(one[1] - 800) < 30 for one in found[1:])


def test_photo_px_undo_the_letterbox_and_end_at_the_photo():
    (found,) = detector().in_photo(gfl_heads([(1, 100, 56, 40, 40)], 320, 192, 2).__getitem__)
    assert found[0] == 1 and np.abs(np.subtract(found[2:], (200, 100, 80, 80))).max() <= 1
    (edge,) = detector().in_photo(gfl_heads([(0, 294, 10, 50, 60)], 320, 192, 2).__getitem__)
    assert edge[2] + edge[4] == 640


def test_the_same_boxes_as_the_other_head_in_the_photo():
    boxes = [(0, 40, 40, 30, 60), (1, 200, 20, 90, 100)]
    model = Model()
    model.head = "dfl6"
    other = decoder_for(model, placement(640, 360, 320, 192)).in_photo(raw_heads(boxes, 320, 192, 2).__getitem__)
    ours = detector().in_photo(gfl_heads(boxes, 320, 192, 2).__getitem__)
    for one, two in zip(sorted(ours), sorted(other), strict=True):
        assert one[0] == two[0] and np.abs(np.subtract(one[2:], two[2:])).max() <= 1


def test_threshold_follows_the_slider():
    found = detector()
    outputs = gfl_heads([(0, 40, 40, 30, 60)], 320, 192, 2, 0.6)
    assert found.in_input(outputs.__getitem__)
    found.set_score(700)
    assert found.in_input(outputs.__getitem__) == []


def test_outputs_of_another_model_are_refused_before_the_c_function_reads_them():
    with pytest.raises(ValueError, match="manifest says"):
        detector().in_input(gfl_heads([], 320, 192, 3).__getitem__)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_is_refused_on_trial(bad):
    outputs = gfl_heads([], 320, 192, 2)
    outputs[2][0, 0, 0, 5] = bad
    with pytest.raises(NotFiniteError):
        detector().in_input(outputs.__getitem__)


def test_a_gfl_model_goes_live_in_the_app(make_rig):
    host = FakeHost()
    rig = make_rig(host=host)
    rig.until(lambda: rig.state.classes)
    rig.board.kpu.golden_outputs = lambda network: gfl_heads([(1, 100, 50, 40, 40)], 320, 192, 2)
    rig.board.kpu.live_outputs = lambda network: gfl_heads([(0, 100, 56, 40, 40)], 320, 192, 2)
    digest = host.publish(1, head="gfl")
    rig.tap("tab:live")
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial and rig.state.detections)
    assert np.abs(np.subtract(rig.state.detections[0][2:], (200, 100, 80, 80))).max() <= 1
    assert rig.app.models.garbage > 2  # collected more often: all outputs are fetched with every frame
    rig.board.kpu.golden_outputs = lambda network: gfl_heads([(1, 200, 50, 40, 40)], 320, 192, 2)
    host.publish(2, head="gfl")
    rig.until(lambda: host.deployments[-1]["state"] == "refused")
    assert rig.app.models.active == digest
