"""By finger, per task: move and resize, whole-photo classes, outlines, quads; proposals of the model; background and reject."""

import json

import pytest

from snaploop_device import layout
from snaploop_device.labelling import Labelling
from snaploop_shared.sample_record import Box, SampleRecord

DIGEST = "ab" * 32


def records(rig):
    return [json.loads(path.read_text()) for path in sorted((rig.root / "samples").glob("*.json"))]


def set_task(rig, task):
    rig.app.apply(("project", {"name": "p", "task": task, "classes": ["red", "green", "blue"]}, "pc"))


def editing(task="detect", boxes=()):
    return Labelling(SampleRecord("b1-000001", DIGEST, 9, 640, 360, boxes=boxes), ["red", "green"], 0, task)


def drag(one, x0, y0, x1, y1):
    one.press(x0, y0)
    one.move((x0 + x1) // 2, (y0 + y1) // 2)
    one.move(x1, y1)
    return one.release()


def test_selected_box_moves_resizes_and_undoes():
    one = editing()
    assert drag(one, 100, 100, 200, 180) == "box" and one.selected == -1
    assert drag(one, 150, 150, 152, 151) == "selected"
    assert drag(one, 150, 140, 170, 160) == "moved" and one.boxes[0] == Box("red", 120, 120, 100, 80)
    assert drag(one, 234, 214, 264, 224) == "moved" and one.boxes[0] == Box("red", 120, 120, 130, 90)
    assert one.undo() and one.undo() and one.boxes[0] == Box("red", 100, 100, 100, 80)


def test_drag_beside_the_selected_box_draws_a_new_one():
    one = editing()
    drag(one, 100, 100, 200, 180)
    drag(one, 150, 150, 150, 150)
    assert drag(one, 300, 100, 360, 160) == "box" and len(one.boxes) == 2


def test_drag_over_a_box_that_is_not_selected_draws():
    one = editing()
    drag(one, 100, 100, 300, 280)
    assert drag(one, 150, 150, 200, 200) == "box" and len(one.boxes) == 2


def test_classify_is_one_tap(rig):
    set_task(rig, "classify")
    rig.tap("shutter")
    assert rig.state.screen == layout.LABEL
    rig.tap("class:green")
    (record,) = records(rig)
    assert record["state"] == "labelled" and record["boxes"] == [{"class": "green", "xywh_px": [0, 0, 640, 360]}]
    assert rig.state.screen == layout.CAPTURE


def test_class_before_the_shot_labels_it_at_once(rig):
    set_task(rig, "classify")
    rig.tap("class:blue")
    rig.tap("shutter")
    rig.tap("shutter")
    assert [one["boxes"][0]["class"] for one in records(rig)] == ["blue", "blue"]
    assert rig.state.screen == layout.CAPTURE and rig.state.unlabelled == 0
    rig.tap("class:blue")
    rig.tap("shutter")
    assert rig.state.screen == layout.LABEL  # taken back: the class is said afterwards


def test_class_before_the_shot_is_the_class_of_the_first_box(rig):
    rig.tap("class:green")
    rig.tap("shutter")
    rig.drag(10, 10, 90, 90)
    rig.tap("save")
    assert records(rig)[0]["boxes"][0]["class"] == "green"


def test_multilabel_toggles(rig):
    set_task(rig, "multilabel")
    rig.tap("shutter")
    for name in ("red", "green", "blue", "green"):
        rig.tap("class:" + name)
    rig.tap("save")
    assert [box["class"] for box in records(rig)[0]["boxes"]] == ["red", "blue"]


def test_whole_photo_tasks_want_a_class_or_empty(rig):
    set_task(rig, "multilabel")
    rig.tap("shutter")
    rig.tap("save")
    assert "class first" in rig.state.message and rig.state.screen == layout.LABEL
    rig.tap("empty")
    assert records(rig)[0]["state"] == "labelled" and records(rig)[0]["boxes"] == []


def test_segment_traces_an_outline(rig):
    set_task(rig, "segment")
    rig.tap("shutter")
    events = [("down", 100, 100)] + [("move", x, 100) for x in range(110, 201, 10)]
    events += [("move", 200, y) for y in range(110, 201, 10)] + [("move", 100, 200), ("up", 100, 110)]
    rig.board.touch.waiting = events
    rig.steps(2)
    rig.tap("save")
    (box,) = records(rig)[0]["boxes"]
    assert box["xywh_px"] == [100, 100, 101, 101] and 4 <= len(box["points_px"]) <= 6


def test_ocr_corners_are_pulled_one_by_one(rig):
    set_task(rig, "ocr_detect")
    rig.tap("shutter")
    rig.drag(100, 100, 200, 150)
    rig.board.touch.tap((150, 124, 2, 2))
    rig.steps(2)
    rig.drag(199, 149, 219, 169)
    rig.tap("save")
    assert records(rig)[0]["boxes"][0]["points_px"] == [[100, 100], [199, 100], [219, 169], [100, 149]]


def test_proposals_are_accepted_by_tap_and_replaced_by_drawing():
    one = editing()
    near, far = Box("red", 100, 100, 100, 80), Box("green", 400, 100, 60, 60)
    assert one.propose([near, far, Box("unknown", 0, 0, 50, 50)]) and len(one.proposals) == 2
    assert drag(one, 420, 120, 420, 120) == "accepted" and one.boxes == [far] and one.selected == 0
    one.selected = -1
    assert drag(one, 104, 98, 204, 184) == "box" and one.proposals == []
    one.undo()
    assert one.proposals == [near]
    assert one.accept_all() == 1 and one.boxes == [far, near]


def test_proposals_come_too_late_for_a_quick_finger():
    one = editing()
    drag(one, 10, 10, 60, 60)
    assert not one.propose([Box("red", 100, 100, 100, 80)])


def test_unaccepted_proposals_are_not_saved_by_accident(rig):
    rig.tap("shutter")
    rig.state.labelling.propose([Box("red", 100, 100, 100, 80)])
    rig.tap("save")
    assert "accept or draw" in rig.state.message and rig.state.screen == layout.LABEL
    rig.tap("accept")
    rig.tap("save")
    assert records(rig)[0]["boxes"] == [{"class": "red", "xywh_px": [100, 100, 100, 80]}]


def test_background_is_a_state_of_its_own(rig):
    rig.tap("shutter")
    rig.drag(10, 10, 90, 90)
    rig.tap("empty")
    assert rig.state.screen == layout.LABEL and "boxes on it" in rig.state.message
    rig.tap("undo")
    rig.tap("empty")
    assert records(rig)[0]["state"] == "labelled" and "background" in rig.state.message
    rig.tap("tab:label")
    assert any("background" in text for text in rig.board.display.overlay.texts())


@pytest.mark.parametrize("task", ["detect", "classify", "multilabel", "segment", "ocr_detect"])
def test_every_task_says_what_to_do(rig, task):
    set_task(rig, task)
    rig.tap("shutter")
    assert any("Save" in text or "Tap the class" in text for text in rig.board.display.overlay.texts())


def test_lines_through_the_fingertip_while_dragging(rig):
    rig.tap("shutter")
    rig.board.touch.waiting = [("down", 10, 20), ("move", 110, 90)]
    rig.steps(1)
    lines = [call[1:5] for call in rig.board.display.overlay.shown if call[0] == "line"]
    assert (110, 0, 110, 359) in lines and (0, 90, 639, 90) in lines


def test_dragging_redraws_only_the_picture(rig):
    rig.tap("shutter")
    rig.board.touch.waiting = [("down", 10, 20)]
    rig.steps(1)
    shows = rig.board.display.canvas.shows
    rig.board.touch.waiting = [("move", 110, 90)]
    rig.steps(1)
    assert rig.board.display.canvas.shows == shows
