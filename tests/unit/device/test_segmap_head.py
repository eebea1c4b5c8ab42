"""Head "segmap": from known regions to runs, shares, outlines, and a swap in the app."""

import cv2
import numpy as np
import pytest

from fakes.device_board import segmap_outputs
from fakes.device_host import FakeHost
from snaploop_device.inference import decoder_for, looks_alike, placement_for
from snaploop_device.outputs import NotFiniteError
from snaploop_device.segments import outlines, runs_of

ACROSS, DOWN = 80, 48


class Model:
    labels, input_w, input_h, score_permille, head = ["background", "road", "line"], 320, 192, 0, "segmap"


def decoder():
    return decoder_for(Model, placement_for(Model, 640, 360))


def painted(cells):
    """The cells as runs say."""
    canvas = np.zeros((DOWN, ACROSS), np.uint8)
    for index in (1, 2):
        for x, y, w, h in runs_of(cells.tobytes(), ACROSS, index):
            assert not canvas[y : y + h, x : x + w].any()
            canvas[y : y + h, x : x + w] = index
    return canvas


def test_runs_cover_exactly_the_cells_whatever_their_form():
    rng = np.random.default_rng(0)
    for _ in range(20):
        cells = np.kron(rng.integers(0, 3, (12, 20)), np.ones((4, 4))).astype(np.uint8)
        assert (painted(cells) == cells).all()
    noise = rng.integers(0, 3, (DOWN, ACROSS)).astype(np.uint8)
    assert (painted(noise) == noise).all()
    assert runs_of(bytes(ACROSS * DOWN), ACROSS, 1) == []


def test_a_rectangle_is_one_run_in_photo_px():
    cells = np.zeros((DOWN, ACROSS), np.uint8)
    cells[10:20, 8:16] = 2
    (found,) = decoder().in_photo(segmap_outputs(cells, 3).__getitem__)
    assert found == (2, 20, 64, 75, 64, 75, [(64, 75, 64, 75)])
    assert decoder().in_input(segmap_outputs(cells, 3).__getitem__) == [979, 0, 20]


def test_largest_first_and_small_ones_hidden_by_the_slider():
    cells = np.zeros((DOWN, ACROSS), np.uint8)
    cells[:20] = 2
    cells[40:42, :8] = 1
    segmenter = decoder()
    assert [one[0] for one in segmenter.in_photo(segmap_outputs(cells, 3).__getitem__)] == [2, 1]
    segmenter.set_score(100)
    assert [one[0] for one in segmenter.in_photo(segmap_outputs(cells, 3).__getitem__)] == [2]


def test_a_region_that_moved_is_drawn_anew():
    cells = np.zeros((DOWN, ACROSS), np.uint8)
    cells[10:20, 10:20] = 1
    before = decoder().in_photo(segmap_outputs(cells, 3).__getitem__)
    cells[15, 19] = 0
    assert looks_alike(before, before)
    assert not looks_alike(decoder().in_photo(segmap_outputs(cells, 3).__getitem__), before)


def test_outputs_of_another_model_are_refused():
    with pytest.raises(ValueError, match="manifest says 80x48 cells of 3 labels"):
        decoder().in_input(segmap_outputs(np.zeros((DOWN, ACROSS), np.uint8), 4).__getitem__)


def test_not_finite_is_refused_on_trial():
    outputs = segmap_outputs(np.zeros((DOWN, ACROSS), np.uint8), 3)
    outputs[1][0, 3, 3, 1] = np.nan
    with pytest.raises(NotFiniteError, match="class scores are not finite"):
        decoder().in_input(outputs.__getitem__)


def test_outlines_follow_each_part_by_itself():
    picture = np.zeros((DOWN, ACROSS), np.uint8)
    cv2.circle(picture, (20, 24), 14, 1, -1)
    cv2.fillPoly(picture, [np.array([(50, 40), (75, 40), (62, 8)])], 1)
    picture[2, 2] = 1  # a speck
    (found,) = decoder().in_photo(segmap_outputs(picture, 3).__getitem__)
    drawn = outlines(found[6], 640, 360)
    assert len(drawn) == 2 and all(3 <= len(points) <= 48 for points in drawn)
    filled = np.zeros((360, 640), np.uint8)
    for points in drawn:
        cv2.fillPoly(filled, [np.array(points)], 1)
    picture[2, 2] = 0
    wanted = cv2.resize(picture, (640, 360), interpolation=cv2.INTER_NEAREST)
    assert (filled & wanted).sum() / (filled | wanted).sum() > 0.93


def test_a_segmentation_goes_live_in_the_app_and_proposes_outlines(make_rig):
    host = FakeHost(task="segment")
    rig = make_rig(host=host)
    rig.until(lambda: rig.state.classes)
    golden, live = np.zeros((DOWN, ACROSS), np.uint8), np.zeros((DOWN, ACROSS), np.uint8)
    golden[:, :40] = 1
    live[10:30, 20:50] = 2
    rig.board.kpu.golden_outputs = lambda network: segmap_outputs(golden, 3)
    rig.board.kpu.live_outputs = lambda network: segmap_outputs(live, 3)
    answer = {"shares_permille": [500, 500, 0]}
    labels = ["background", *rig.state.classes]
    digest = host.publish(1, task="segment", head="segmap", labels=labels, answer=answer, score=0)
    rig.tap("tab:live")
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial and rig.state.detections)
    assert rig.state.detections[0][:6] == (2, 156, 160, 75, 240, 150)
    network = rig.board.kpu.loaded[-1]
    assert (network.placement.width, network.placement.height, network.placement.top) == (320, 192, 0)  # stretched
    drawn = [
        one for one in rig.board.display.overlay.shown if one[0] == "rectangle" and one[1:5] == (160, 75, 240, 150)
    ]
    assert drawn
    rig.tap("tab:capture")
    rig.tap("shutter")
    rig.until(lambda: rig.state.labelling.proposals)
    (proposal,) = rig.state.labelling.proposals
    assert proposal.class_name == rig.state.classes[1] and len(proposal.points) >= 4
    assert abs(proposal.x - 160) <= 1 and abs(proposal.w - 240) <= 2

    rig.board.kpu.golden_outputs = lambda network: segmap_outputs(live, 3)
    rig.tap("discard" if "discard" in rig.rects() else "tab:live")
    host.publish(2, task="segment", head="segmap", labels=labels, answer=answer, score=0)
    rig.until(lambda: host.deployments[-1]["state"] == "refused")
    assert "covers 843 of 1000 with background" in host.deployments[-1]["text"]


def test_a_proposed_outline_is_dashed_along_its_sides():
    from fakes.device_board import FakeCanvas
    from snaploop_device.screens.label import DASH_PX, _dashed_outline

    canvas = FakeCanvas()
    _dashed_outline(canvas, [(0, 0), (100, 0), (100, 50), (3, 50)], (1, 2, 3))
    lines = [call[1:5] for call in canvas.calls]
    lengths = [max(abs(x1 - x0), abs(y1 - y0)) for x0, y0, x1, y1 in lines]
    assert 0.4 < sum(lengths) / 297 < 0.6 and max(lengths) <= DASH_PX
    assert all(y0 == y1 == 0 or x0 == x1 == 100 or y0 == y1 == 50 or x0 <= 3 for x0, y0, x1, y1 in lines)
