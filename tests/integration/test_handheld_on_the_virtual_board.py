"""The app on every firmware generation and panel of the virtual board: the photo on the card is the frame on the screen, no touch is
lost while it is saved (how long that takes: `snaploop bench board`), a monitor without touch shows live boxes, About says what was found.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from fakes.desk import PANEL, Desk, says, tap, texts, wait
from fakes.twin_model import make_twin, picture, put_on_card
from snaploop_device import layout

FIRMWARE = {"A": ("v1.2", "2.9.0"), "B": ("v1.", "2.9.0"), "C": ("v1.6", "2.9.0"), "D": ("v1.8", "2.11.0")}
LEAST_JPEG_QUALITY = 90
# A board with nothing but a monitor: its driver finds no controller (k230-platform §4).
NO_TOUCH = """
import machine
class _NoTouch(machine.TOUCH):
    def __init__(self, dev):
        raise RuntimeError("Open Touch Device(0) failed")
machine.TOUCH = _NoTouch
"""


def quality_of(path: Path) -> int:
    """The JPEG quality whose standard tables are nearest to the file's."""
    with Image.open(path) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        found = np.array(image.quantization[0])
    best = {}
    for quality in range(50, 101):
        ok, data = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert ok
        probe = path.with_suffix(".probe")
        probe.write_bytes(data.tobytes())
        with Image.open(probe) as image:
            best[quality] = int(np.abs(np.array(image.quantization[0]) - found).sum())
        probe.unlink()
    return min(best, key=best.__getitem__)


def photo_pixels(board) -> np.ndarray:
    """What lies frozen on the screen, RGB."""
    return np.asarray(board.display.layer("OSD0"))[: layout.PHOTO_H, : layout.PHOTO_W, :3]


@pytest.mark.parametrize("profile", list(FIRMWARE))
def test_the_frame_on_the_screen_is_the_photo_on_the_card_and_about_says_what_runs(tmp_path, profile):
    desk = Desk(tmp_path)
    desk.install()
    with desk.board(profile=profile) as board:
        says(board, "0")
        board.camera.show(4)
        tap(board, "capture", "shutter", ())
        (path,) = wait("a photo", lambda: list(desk.samples.glob("*.jpg")), board)
        says(board, "saved b1-000001")
        release, nncase = FIRMWARE[profile]
        assert quality_of(path) >= LEAST_JPEG_QUALITY
        tap(board, "capture", "tab:label", ())
        wait("the photo is shown again", lambda: photo_pixels(board).any(), board)
        stored = np.asarray(Image.open(path).convert("RGB")).astype(int)
        truth = board.camera.scaled(layout.PHOTO_W, layout.PHOTO_H).astype(int)
        assert np.abs(stored - truth).mean() < 6  # RGB565 and JPEG
        assert np.abs(stored - photo_pixels(board)).mean() < 5
        tap(board, "label", "tab:sync", ())
        tap(board, "sync", "about", ())
        says(board, "About this board")
        told = " ".join(texts(board))
        for fact in (release, nncase, "k230_canmv_hiwonder", "800x480, touch", "heap free", "1 photos"):
            assert fact in told, (fact, told)
        board.stop()
        wait("the prompt", lambda: board.log.rstrip().endswith(">>>"), board)
        assert "Error" not in board.log.replace("KeyboardInterrupt", "")


def test_touches_while_a_photo_is_saved_are_not_lost(tmp_path):
    desk = Desk(tmp_path)
    desk.install()
    x, y, w, h = layout.button_rects("capture", *PANEL)["shutter"]
    with desk.board() as board:
        says(board, "0")
        for _ in range(6):  # six quick taps, all queued before the first photo is stored
            board.touch(x + w // 2, y + h // 2)
        wait("six photos", lambda: len(list(desk.samples.glob("*.jpg"))) == 6, board)


def test_an_hdmi_monitor_without_touch_shows_live_boxes(tmp_path):
    desk = Desk(tmp_path)
    desk.install(main=NO_TOUCH, panel=["LT9611", 1920, 1080])
    root = tmp_path / "data/snaploop"
    twin = make_twin(tmp_path / "twin", ("red", "green"), "gfl")
    put_on_card(root, bytes.fromhex(json.loads((root / "config.json").read_text())["key"]), twin)
    views = tmp_path / "views"
    views.mkdir()
    Image.fromarray(picture([("red", 4, 3)])).save(views / "0.png")
    with desk.board(camera=views, kpu="onnx", onnx_twins={twin.digest: twin.onnx}) as board:
        says(board, "red 1")
        assert board.display.screen().size == (1920, 1080)
        assert any(call[0] == "rectangle" and not call[7] for call in board.drawn("OSD1"))
        assert "no touch panel" in board.log


def test_six_hundred_and_forty_pixels_are_a_panel_too(tmp_path):
    desk = Desk(tmp_path)
    desk.install(panel=[640, 480])
    with desk.board() as board:
        says(board, "0 photos")
        x, y, w, h = layout.button_rects("capture", 640, 480)["shutter"]
        board.touch(x + w // 2, y + h // 2)
        wait("a photo", lambda: list(desk.samples.glob("*.jpg")), board)
        for screen in layout.TABS[1:]:
            before = layout.CAPTURE if screen == layout.LABEL else layout.TABS[layout.TABS.index(screen) - 1]
            if before == layout.LABEL:
                x, y, w, h = layout.button_rects("label", 640, 480)["back"]
                board.touch(x + w // 2, y + h // 2)
                says(board, "1 photo")
                before = layout.CAPTURE
            x, y, w, h = layout.button_rects(before, 640, 480)["tab:" + screen]
            board.touch(x + w // 2, y + h // 2)
            says(board, {"label": "Save", "gallery": "1/1 >", "sync": "Wi-Fi", "live": "FPS"}[screen])
        assert board.display.screen().size == (640, 480)
