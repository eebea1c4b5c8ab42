"""At the shutter: holding it shoots on, hints about blur and repetition, what a board without touch shows."""

import cv2
import numpy as np
import pytest

from snaploop_device import layout
from snaploop_device.photo_hints import BLUR_PERMILLE, SAME_BITS, PhotoHints, fingerprint, sharpness_permille
from virtual_k230.scene import TrafficLightScene


def frames(count):
    """Frames of the virtual camera as 3xHxW uint8."""
    scene = TrafficLightScene(5)
    return [
        np.ascontiguousarray(cv2.resize(scene.render(100 * n)[0], (640, 360)).transpose(2, 0, 1)) for n in range(count)
    ]


def test_holding_the_shutter_takes_a_burst(rig):
    x, y, w, h = rig.rects()["shutter"]
    rig.board.touch.waiting = [("down", x + w // 2, y + h // 2)]
    rig.until(lambda: rig.state.photos == 4)
    assert rig.state.screen == layout.CAPTURE
    rig.board.touch.waiting = [("up", x + w // 2, y + h // 2)]
    rig.steps(2)
    taken = rig.state.photos
    rig.board.clock.ms += 3000
    rig.steps(5)
    assert rig.state.photos == taken and rig.state.screen == layout.CAPTURE
    assert "photos saved" in rig.state.message and rig.board.display.photo is None


def test_a_short_press_is_one_photo(rig):
    rig.tap("shutter")
    rig.board.clock.ms += 2000
    rig.steps(5)
    assert rig.state.photos == 1


def test_a_failing_camera_ends_the_burst(rig):
    x, y, w, h = rig.rects()["shutter"]
    rig.board.touch.waiting = [("down", x + w // 2, y + h // 2)]
    rig.until(lambda: rig.state.photos == 2)
    rig.board.camera.fails = True
    rig.board.clock.ms += 500
    rig.steps(3)
    rig.board.camera.fails = False
    rig.board.clock.ms += 2000
    rig.steps(5)
    assert rig.state.photos == 2


@pytest.mark.parametrize("number", range(4))
def test_sharp_and_blurred_frames_are_told_apart(number):
    frame = frames(4)[number]
    sharp = sharpness_permille(frame[1])
    blurred = sharpness_permille(cv2.GaussianBlur(frame[1], (0, 0), 3))
    assert blurred < BLUR_PERMILLE < sharp, (blurred, sharp)


def test_a_flat_frame_is_not_judged():
    assert sharpness_permille(np.full((360, 640), 90, np.uint8)) is None


def test_the_same_view_is_noticed_and_another_is_not():
    first, *_, other = frames(4)
    noise = np.random.default_rng(1).normal(0, 3, first.shape)
    again = np.clip(first + noise, 0, 255).astype(np.uint8)
    hints = PhotoHints()
    assert hints.judge(first, "b1-000001") == ""
    assert "b1-000001" in hints.judge(again, "b1-000002")
    turned = np.ascontiguousarray(other[:, :, ::-1])
    assert bin(fingerprint(first[1]) ^ fingerprint(turned[1])).count("1") > SAME_BITS
    assert "looks like" not in hints.judge(turned, "b1-000003")


def test_hint_is_shown_and_the_photo_kept(rig):
    rig.board.camera.ai = frames(1)[0]
    rig.tap("shutter")
    rig.tap("save")
    rig.tap("shutter")
    assert "looks like b1-000001" in rig.state.message and rig.state.photos == 2


def test_board_without_touch_shows_live_when_a_model_is_there(rig):
    rig.state.has_touch = False
    rig.state.dirty = True
    rig.steps(2)
    assert any("no touch panel" in text for text in rig.board.display.canvas.texts())
    rig.app.models._network = object()
    rig.app._step_screen()
    rig.app.models._network = None
    assert rig.state.screen == layout.LIVE
