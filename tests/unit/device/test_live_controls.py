"""Live: threshold slider, freeze, hard examples, pin; About; proposals from the live model."""

import pytest
from tests.unit.device.test_models import go_live

from snaploop_device import layout
from snaploop_device.inference import looks_alike


@pytest.fixture
def live(rig, host):
    go_live(rig, host)
    rig.until(lambda: rig.state.detections)
    return rig


def test_slider_changes_what_is_shown_and_follows_the_finger(live):
    x, y, w, h = live.rects()["slider"]
    live.board.touch.waiting = [("down", x + w // 2, y + h // 2), ("move", x + w - 1, 40), ("up", x + w - 1, 40)]
    live.steps(3)
    assert live.state.score_permille == layout.SCORE_HIGH_PERMILLE and live.state.pressed == ""
    live.until(lambda: live.state.detections == [])  # the fake model is 90 % sure
    live.board.touch.tap((x, y, 2, 2))
    live.steps(3)
    assert live.state.score_permille == layout.SCORE_LOW_PERMILLE
    live.until(lambda: live.state.detections)


def test_slider_arithmetic_goes_there_and_back():
    rect = layout.button_rects(layout.LIVE, 800, 480)["slider"]
    for permille in range(50, 951, 50):
        assert abs(layout.slider_score(rect, layout.slider_x(rect, permille)) - permille) <= 10


def test_freeze_stops_the_video_and_keep_makes_a_labelled_example(live):
    live.tap("keep")
    assert live.state.screen == layout.LIVE and not live.state.is_frozen
    live.tap("freeze")
    runs = live.board.kpu.runs
    live.steps(5)
    assert live.board.kpu.runs == runs and live.board.display.photo is not None
    live.tap("keep")
    assert live.state.screen == layout.LABEL and len(live.state.labelling.proposals) == 1
    live.tap("accept")
    live.tap("save")
    assert live.state.screen == layout.LIVE and live.state.class_counts == {"red": 1}
    live.steps(3)
    assert live.board.kpu.runs > runs and live.board.display.photo is None


def test_freeze_again_goes_on(live):
    live.tap("freeze")
    live.tap("freeze")
    assert not live.state.is_frozen and live.board.display.photo is None


def test_leaving_live_thaws(live):
    live.tap("freeze")
    live.tap("tab:capture")
    assert not live.state.is_frozen and live.board.display.photo is None


def test_pinned_model_stays_over_a_restart(live):
    live.tap("pin")
    live.app.models.offer({"digest": "cd" * 32, "serial": 99}, live.app.now_ms)
    assert live.app.models.next_request(live.app.now_ms) is None or live.app.models._offer is None
    live.restart()
    assert live.state.is_pinned and live.app.models.is_pinned
    live.tap("tab:live")
    live.tap("pin")
    assert not live.app.models.is_pinned and not (live.root / "pinned").exists()


def test_the_model_proposes_on_a_new_photo_when_the_finger_rests(live):
    live.tap("tab:capture")
    live.tap("shutter")
    assert live.state.labelling.proposals == []
    live.board.clock.ms += 300
    live.steps(2)
    assert [box.class_name for box in live.state.labelling.proposals] == ["red"]
    live.tap("accept")
    assert len(live.state.labelling.boxes) == 1


def test_a_quick_finger_is_not_kept_waiting_by_the_model(live):
    live.tap("tab:capture")
    runs = live.board.kpu.runs
    live.tap("shutter")
    live.drag(10, 10, 90, 90)
    live.board.clock.ms += 300
    live.steps(3)
    assert live.board.kpu.runs == runs and live.state.labelling.proposals == []


def test_trembling_boxes_are_not_drawn_again():
    shown = [(0, 900, 100, 100, 50, 50)]
    assert looks_alike([(0, 915, 101, 99, 52, 50)], shown)
    assert not looks_alike([(0, 900, 103, 100, 50, 50)], shown)
    assert not looks_alike([(1, 900, 100, 100, 50, 50)], shown) and not looks_alike([], shown)


def test_about_says_what_hello_says(live):
    live.tap("tab:sync")
    live.tap("about")
    texts = " | ".join(live.board.display.canvas.texts())
    for fact in ("k230_canmv_fake", "v1.5", "2.11.0", "800x480", "heap free", "10.0.0.1"):
        assert fact in texts, fact
    live.tap("close")
    assert live.state.screen == layout.SYNC
