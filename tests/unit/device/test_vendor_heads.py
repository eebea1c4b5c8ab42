"""Heads of the vendor's packages: older detectors by the firmware's C functions, full-size segmentation, models without a golden answer."""

import numpy as np
import pytest

from fakes.device_board import FakeKpu, anchor_heads, raw_heads, segmap_outputs
from fakes.device_host import FakeHost
from snaploop_device.inference import decoder_for, placement_for
from snaploop_shared import manifest as manifests
from snaploop_shared.errors import RecordError

ANCHORS = [10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326]


class Model:
    labels, input_w, input_h, score_permille, iou_permille = ["a", "b"], 320, 192, 400, 500

    def __init__(self, head):
        self.head, self.anchors = head, ANCHORS if head == "anchorbase" else []


def heads(head, boxes, score=0.9):
    return anchor_heads(boxes, 320, 192, 2, ANCHORS if head == "anchorbase" else None, score)


def detector(head):
    model = Model(head)
    return decoder_for(model, placement_for(model, 640, 360), FakeKpu())


@pytest.mark.parametrize("head", ["anchorbase", "anchorfree"])
def test_known_boxes_come_back_in_input_and_photo_px(head):
    boxes = [(0, 40, 40, 30, 60), (1, 180, 20, 120, 130)]
    found = detector(head).in_input(heads(head, boxes).__getitem__)
    assert np.abs(np.subtract(sorted((one[0], *one[2:]) for one in found), boxes)).max() <= 1
    assert all(abs(one[1] - 900) < 10 for one in found)
    (found,) = detector(head).in_photo(heads(head, [(1, 100, 56, 40, 40)]).__getitem__)
    assert found[0] == 1 and np.abs(np.subtract(found[2:], (200, 100, 80, 80))).max() <= 2  # 6 rows of padding above


@pytest.mark.parametrize("head", ["anchorbase", "anchorfree"])
def test_outputs_of_another_model_are_refused_before_the_c_function_reads_them(head):
    with pytest.raises(ValueError, match="manifest says"):
        detector(head).in_input(raw_heads([], 320, 192, 2).__getitem__)


@pytest.mark.parametrize("head", ["anchorbase", "anchorfree"])
def test_such_a_model_goes_live_in_the_app(make_rig, head):
    host = FakeHost()
    rig = make_rig(host=host)
    rig.until(lambda: rig.state.classes)
    rig.board.kpu.golden_outputs = lambda network: heads(head, [(1, 100, 50, 40, 40)])
    rig.board.kpu.live_outputs = lambda network: heads(head, [(0, 100, 56, 40, 40)])
    extra = {"anchors": ANCHORS} if head == "anchorbase" else {}
    digest = host.publish(1, head=head, **extra)
    rig.tap("tab:live")
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial and rig.state.detections)
    assert np.abs(np.subtract(rig.state.detections[0][2:], (200, 100, 80, 80))).max() <= 2


def test_full_size_regions_are_those_of_every_fourth_pixel():
    cells = np.kron(np.random.default_rng(0).integers(0, 3, (12, 20)), np.ones((4, 4))).astype(np.uint8)

    class Wanted:
        labels, input_w, input_h, score_permille, head = ["background", "road", "line"], 320, 192, 0, "segmap"

    coarse = decoder_for(Wanted, placement_for(Wanted, 640, 360))
    expected = coarse.in_photo(segmap_outputs(cells, 3).__getitem__)
    Wanted.head = "segfull"
    full = decoder_for(Wanted, placement_for(Wanted, 640, 360))
    logits = segmap_outputs(cells.repeat(4, 0).repeat(4, 1), 3)[1]
    assert full.in_photo([logits].__getitem__) == expected
    assert full.in_input([logits].__getitem__) == coarse.in_input(segmap_outputs(cells, 3).__getitem__)
    with pytest.raises(ValueError, match="manifest says 320x192 pixels of 3 labels"):
        full.in_input([logits[:, :4]].__getitem__)


def test_a_model_without_golden_answer_is_tried_on_live_frames_alone(make_rig):
    host = FakeHost()
    rig = make_rig(host=host)
    rig.until(lambda: rig.state.classes)
    rig.board.kpu.golden_outputs = None  # nobody may ask
    digest = host.publish(1, golden=b"")
    rig.tap("tab:live")
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
    assert (rig.root / "models" / digest[:12] / "golden.bin").read_bytes() == b""
    rig.until(lambda: host.deployments and host.deployments[-1]["state"] == "confirmed")


def test_an_anchor_head_without_anchors_is_no_manifest():
    host = FakeHost()
    digest = host.publish(1, head="anchorbase", anchors=ANCHORS)
    assert manifests.parse(host.manifests[digest]).anchors == ANCHORS
    for anchors in ({}, {"anchors": ANCHORS[:6]}):
        digest = host.publish(2, head="anchorbase", **anchors)
        with pytest.raises(RecordError, match="anchors"):
            manifests.parse(host.manifests[digest])
