"""By finger: shoot, label, save, undo, reject, go back; what the card holds afterwards."""

import json

import pytest

from snaploop_device import layout
from snaploop_shared.portable import sha256_hex


def records(rig):
    return [json.loads(path.read_text()) for path in sorted((rig.root / "samples").glob("*.json"))]


def test_photo_is_stored_and_label_opens_with_it(rig):
    rig.tap("shutter")
    assert rig.state.screen == layout.LABEL
    (record,) = records(rig)
    photo = (rig.root / "samples" / (record["name"] + ".jpg")).read_bytes()
    assert record["photo"] == sha256_hex(photo) and record["size"] == len(photo)
    assert (record["name"], record["w"], record["h"], record["state"], record["rev"]) == (
        "b1-000001",
        640,
        360,
        "new",
        0,
    )
    assert rig.board.display.photo.jpeg(92) == photo  # the frozen frame is the stored frame


def test_drag_makes_a_clipped_box_in_the_class_colour(rig):
    rig.tap("shutter")
    rig.tap("class:green")
    rig.drag(600, 300, 790, 200)
    assert (
        "rectangle",
        600,
        200,
        40,
        100,
        rig.state.colour_of(rig.state.classes[1]),
        3,
        False,
    ) in rig.board.display.overlay.shown
    rig.tap("save")
    (record,) = records(rig)
    assert record["boxes"] == [{"class": "green", "xywh_px": [600, 200, 40, 100]}]
    assert record["state"] == "labelled" and record["rev"] == 1
    assert rig.state.screen == layout.CAPTURE and rig.board.display.photo is None
    assert rig.state.class_counts == {"green": 1}


def test_box_being_dragged_is_shown(rig):
    rig.tap("shutter")
    rig.board.touch.waiting = [("down", 10, 20), ("move", 110, 90)]
    rig.steps(1)
    assert (
        "rectangle",
        10,
        20,
        100,
        70,
        rig.state.colour_of(rig.state.classes[0]),
        3,
        False,
    ) in rig.board.display.overlay.shown


def test_undo_select_delete_and_change_of_class(rig):
    rig.tap("shutter")
    rig.drag(10, 10, 100, 100)
    rig.drag(200, 10, 300, 100)
    editing = rig.state.labelling
    rig.tap("undo")
    assert len(editing.boxes) == 1
    rig.board.touch.tap((40, 40, 2, 2))
    rig.steps(2)
    assert editing.selected == 0
    rig.tap("class:green")
    assert editing.boxes[0].class_name == "green"
    rig.tap("delete")
    assert editing.boxes == []
    rig.tap("undo")
    assert editing.boxes[0].class_name == "green"
    rig.tap("undo")
    assert editing.boxes[0].class_name == "red"


def test_thin_drag_is_refused_in_words(rig):
    rig.tap("shutter")
    rig.drag(10, 10, 100, 12)
    assert rig.state.labelling.boxes == [] and "too small" in rig.state.message


def test_reject_and_background(rig):
    rig.tap("shutter")
    rig.tap("reject")
    rig.tap("shutter")
    rig.tap("save")
    assert [(one["state"], one["boxes"]) for one in records(rig)] == [("rejected", []), ("labelled", [])]


def test_unsaved_boxes_survive_a_look_at_another_screen_and_a_new_shot(rig):
    rig.tap("shutter")
    rig.drag(10, 10, 100, 100)
    rig.tap("tab:capture")
    assert rig.board.display.photo is None
    rig.tap("tab:label")
    assert len(rig.state.labelling.boxes) == 1 and rig.board.display.photo is not None
    rig.tap("tab:capture")
    rig.tap("shutter")
    assert records(rig)[0]["boxes"][0]["xywh_px"] == [10, 10, 90, 90]


def test_label_tab_works_through_the_new_photos(make_rig, host):
    rig = make_rig(host=host, label_at_once=False)
    rig.until(lambda: rig.state.classes)
    for _ in range(3):
        rig.tap("shutter")
    assert rig.state.screen == layout.CAPTURE and rig.state.unlabelled == 3
    rig.tap("tab:label")
    names = []
    while rig.state.screen == layout.LABEL:
        names.append(rig.state.labelling.record.name)
        rig.drag(10, 10, 60, 60)
        rig.tap("save")
    assert names == ["b1-000001", "b1-000002", "b1-000003"] and rig.state.unlabelled == 0


def test_older_and_newer(rig):
    for _ in range(2):
        rig.shoot_and_label("red", (10, 10, 50, 50))
    rig.tap("tab:label")
    assert rig.state.labelling.record.name == "b1-000002"
    rig.tap("older")
    assert rig.state.labelling.record.name == "b1-000001"
    rig.tap("older")
    assert "oldest" in rig.state.message
    rig.tap("newer")
    assert rig.state.labelling.record.name == "b1-000002"


def test_slide_off_a_button_does_nothing(rig):
    rig.tap("shutter")
    x, y, _w, _h = rig.rects()["save"]
    rig.board.touch.waiting = [("down", x + 5, y + 5), ("move", 300, 100), ("up", 300, 100)]
    rig.steps(2)
    assert rig.state.screen == layout.LABEL and rig.state.pressed == ""


def test_camera_failure_is_one_line(rig):
    rig.board.camera.fails = True
    rig.tap("shutter")
    assert "snapshot chn(1) failed" in rig.state.message
    assert rig.state.screen == layout.CAPTURE and records(rig) == []
    assert "snapshot" in (rig.root / "log.txt").read_text()


def test_unpaired_board_can_photograph(make_rig):
    rig = make_rig(paired=False)
    rig.tap("shutter")
    assert len(records(rig)) == 1 and rig.state.screen == layout.CAPTURE
    assert any("install" in text or "saved" in text for text in rig.board.display.canvas.texts())


@pytest.mark.parametrize("width", [640, 800])
def test_every_screen_draws_inside_the_panel(make_rig, host, width):
    rig = make_rig(host=host, width=width)
    rig.until(lambda: rig.state.classes)
    rig.tap("shutter")
    rig.drag(10, 10, 630, 350)
    for screen in (layout.LABEL, layout.GALLERY, layout.SYNC, layout.ABOUT, layout.LIVE, layout.CAPTURE):
        rig.app.apply(("open", screen))
        rig.steps(2)
        for call in rig.board.display.canvas.shown + rig.board.display.overlay.shown:
            if call[0] == "rectangle":
                assert call[1] >= 0 and call[2] >= 0 and call[1] + call[3] <= width and call[2] + call[4] <= 480, call
            elif call[0] == "text":
                assert 0 <= call[1] < width and 0 <= call[2] < 480, call


def test_nothing_is_drawn_when_nothing_changed(rig):
    rig.until(lambda: not rig.state.dirty and rig.state.usb == "connected")
    rig.steps(200)
    shows = rig.board.display.canvas.shows
    rig.steps(20)
    assert rig.board.display.canvas.shows == shows


def test_close_releases_the_board_even_when_start_fails(tmp_path):
    from fakes.device_board import FakeBoard
    from snaploop_device.app import App

    board = FakeBoard()
    board.open = lambda panel: (_ for _ in ()).throw(RuntimeError("init panel failed"))
    with pytest.raises(RuntimeError, match="panel"):
        App(board, str(tmp_path / "card")).run()
    assert board.closes == 1
