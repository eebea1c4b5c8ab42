"""media.display's Python side: init rules, layers, composition, and the record of what was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.virtual_parts import VirtualParts, error_of
from virtual_k230 import pixels as px


def _init(parts, kind="ST7701", width=800, height=480, osd_num=2):
    return parts.call("display.init", kind, width, height, 0, osd_num, True, 90)


def _image(parts, width, height, pixel_format):
    return parts.call("image.new", width, height, pixel_format)[0]


@pytest.mark.parametrize(
    "profile, lcd, hdmi",
    [
        ("B", ("ValueError", "ST7701 unsupport 1024x600"), ("ValueError", "LT9611 unsupport 1280x720@40")),
        ("D", ("RuntimeError", "ST7701 not support 1024x600@60"), ("RuntimeError", "LT9611 not support 1280x720@40")),
    ],
)
def test_sizes_that_the_panel_does_not_have_are_refused(profile, lcd, hdmi):
    parts = VirtualParts(profile=profile)
    assert error_of(_init, parts, width=1024, height=600) == lcd
    assert error_of(parts.call, "display.init", "LT9611", 1280, 720, 40, 1, False, 90) == hdmi
    assert _init(parts, width=0, height=0) == [800, 480, 60]


@pytest.mark.parametrize("profile, size", [("B", [640, 480, 60]), ("D", [800, 480, 60])])
def test_one_side_alone_is_completed_on_old_firmware_and_ignored_on_new(profile, size):
    assert _init(VirtualParts(profile=profile), width=640, height=0) == size


def test_virt_takes_any_size_and_hdmi_does_not_fit_a_kit_with_an_lcd():
    assert _init(VirtualParts(), "VIRT", 333, 222) == [333, 222, 90]
    assert _init(VirtualParts(), "LT9611", 0, 0) == [1920, 1080, 30]
    parts = VirtualParts(profile="D", panel=(800, 480))
    assert error_of(_init, parts, "LT9611", 0, 0) == ("RuntimeError", "init panel failed")


def test_video_layers_take_yuv_only():
    parts = VirtualParts()
    error = error_of(parts.call, "display.bind_layer", "VIDEO1", 2, 0, [0, 0, 640, 360], "RGB565")
    assert error == ("AssertionError", "bind video layer only support format PIXEL_FORMAT_YUV_SEMIPLANAR_420")


def test_show_image_rules():
    parts = VirtualParts()
    osd = _image(parts, 640, 360, px.ARGB8888)
    assert error_of(parts.call, "display.show_image", osd, 0, 0, "OSD0", None) == (
        "RuntimeError", "show image without init")  # fmt: skip
    _init(parts)
    too_far = error_of(parts.call, "display.show_image", osd, 161, 0, "OSD0", None)
    assert too_far == ("ValueError", "image exceed the panel resolution")
    planar = _image(parts, 64, 64, px.RGBP888)
    assert error_of(parts.call, "display.show_image", planar, 0, 0, "OSD0", None) == (
        "ValueError",
        "unsupport image format",
    )
    assert error_of(parts.call, "display.show_image", osd, 0, 0, "VIDEO1", None)[0] == "ValueError"


def test_layers_beyond_osd_num_stay_dark(caplog):
    parts = VirtualParts()
    _init(parts, osd_num=1)
    osd = _image(parts, 800, 480, px.RGB888)
    parts.call("image.draw", osd, "rectangle", [0, 0, 800, 480], {"color": [255, 255, 255], "fill": True})
    parts.call("display.show_image", osd, 0, 0, "OSD3", None)
    parts.call("display.show_image", osd, 0, 0, "OSD1", None)
    assert parts.board.display.shown("OSD1") == (0, 0)
    assert parts.board.display.shown("OSD3")[0] == 1
    assert "not reserved" in caplog.text


def test_the_screen_is_video_below_osd_with_transparency():
    parts = VirtualParts()
    parts.call("display.bind_layer", "VIDEO1", 2, 0, [80, 60, 640, 360], "YUV420SP")
    parts.start_sensor(chn0="YUV420SP")
    osd = _image(parts, 800, 480, px.ARGB8888)
    parts.call("image.draw", osd, "rectangle", [100, 100, 50, 50], {"color": [255, 255, 0, 0], "fill": True})
    parts.call("image.draw", osd, "rectangle", [200, 100, 50, 50], {"color": [128, 0, 0, 0], "fill": True})
    parts.call("display.show_image", osd, 0, 0, "OSD1", None)
    screen = np.asarray(parts.board.display.screen())
    video = parts.board.camera.scaled(640, 360)
    assert screen.shape == (480, 800, 3)
    assert not screen[:60].any() and not screen[:, :80].any()
    assert (screen[100:150, 100:150] == (255, 0, 0)).all()
    half = video[45:85, 125:165].astype(int) // 2
    assert np.abs(screen[105:145, 205:245].astype(int) - half).max() <= 3
    assert np.array_equal(screen[300:400, 300:400], video[240:340, 220:320])
    assert parts.board.display.layer("OSD1")[110, 110].tolist() == [255, 0, 0, 255]
    parts.call("display.disable_layer", "OSD1")
    assert not (np.asarray(parts.board.display.screen())[100:150, 100:150] == (255, 0, 0)).all()
    parts.call("display.deinit")
    assert not np.asarray(parts.board.display.screen()).any()


def test_live_video_follows_the_camera_without_any_call():
    parts = VirtualParts()
    parts.call("display.bind_layer", "VIDEO1", 2, 0, [0, 0, 640, 360], "YUV420SP")
    parts.start_sensor(chn0="YUV420SP")
    before = np.asarray(parts.board.display.screen())
    parts.board.camera.next()
    assert not np.array_equal(before, np.asarray(parts.board.display.screen()))


def test_what_is_shown_is_a_copy_with_its_draw_calls_frame_and_time():
    parts = VirtualParts()
    parts.start_sensor(chn1="RGB565")
    osd = _image(parts, 800, 480, px.ARGB8888)
    parts.call("image.draw", osd, "rectangle", [1, 2, 30, 40], {"color": [9, 8, 7], "thickness": 3})
    parts.call("image.draw_string", osd, 10, 400, 24, "red 87", [255, 1, 2, 3], None)
    parts.call("sensor.snapshot", 2, 1)
    parts.call("display.show_image", osd, 0, 0, "OSD1", None)
    parts.call("image.clear", osd)
    parts.call("image.draw", osd, "circle", [5, 5, 2], {})
    display = parts.board.display
    assert display.drawn("OSD1") == [
        ["rectangle", 1, 2, 30, 40, (255, 9, 8, 7), 3, False],
        ["string", 10, 400, 24, "red 87", (255, 1, 2, 3)],
    ]
    assert display.layer("OSD1")[2, 1].tolist() == [9, 8, 7, 255]
    assert display.shown("OSD1") == (1, 1)
    parts.call("sensor.snapshot", 2, 1)
    parts.call("display.show_image", osd, 0, 0, "OSD1", None)
    assert display.drawn("OSD1") == [["circle", 5, 5, 2, (255, 255, 255, 255), 1, False]]
    assert [frame for _, frame in display.history("OSD1")] == [1, 2]


def test_a_frame_shown_frozen_survives_the_next_snapshot():
    parts = VirtualParts()
    parts.start_sensor(chn1="RGB565")
    photo = parts.call("sensor.snapshot", 2, 1)[0]
    parts.call("display.show_image", photo, 0, 0, "OSD0", None)
    frozen = parts.board.display.layer("OSD0").copy()
    parts.board.camera.next()
    parts.call("sensor.snapshot", 2, 1)
    assert np.array_equal(parts.board.display.layer("OSD0"), frozen)
    assert frozen[:360, :640].any()


def test_an_image_with_a_numpy_view_keeps_sharing_after_it_was_shown():
    parts = VirtualParts()
    _init(parts)
    osd = _image(parts, 64, 64, px.RGB888)
    view = parts.numpy(parts.call("image.numpy_ref", osd))
    parts.call("display.show_image", osd, 0, 0, "OSD0", None)
    view[:] = 200
    assert not parts.board.display.layer("OSD0")[:64, :64, 0].any()
    parts.call("display.show_image", osd, 0, 0, "OSD0", None)
    assert (parts.board.display.layer("OSD0")[:64, :64, 0] == 200).all()


def test_a_reset_darkens_the_panel_frees_everything_and_leaves_a_board_that_starts_again():
    parts = VirtualParts()
    for _ in range(2):
        parts.start_sensor(chn1="RGB565")
        osd = _image(parts, 800, 480, px.ARGB8888)
        parts.call("image.draw", osd, "line", [0, 0, 99, 99], {})
        parts.call("display.show_image", osd, 0, 0, "OSD1", None)
        assert np.asarray(parts.board.display.screen()).any()
        parts.reset()
        assert not np.asarray(parts.board.display.screen()).any()
        assert len(parts.board.handles) == 0
        assert parts.board.display.drawn("OSD1") == []
    assert parts.board.display.shown("OSD1")[0] == 2


def test_images_are_shown_turned_and_mirrored():
    parts = VirtualParts()
    parts.call("display.init", "ST7701", 800, 480, 0, 2, True, 90)
    handle = parts.call("image.new", 40, 20, px.RGB565)[0]
    parts.call("image.draw", handle, "rectangle", [0, 0, 10, 5], {"color": [255, 0, 0], "fill": True})

    def red(turns, mirror):
        parts.call("display.show_image", handle, 0, 0, "OSD0", None, turns, mirror)
        reds = np.argwhere(np.asarray(parts.board.display.screen())[:, :, 0] > 200)
        return [int(v) for v in (*reds.min(axis=0), *reds.max(axis=0) + 1)]  # top, left, bottom, right

    assert red(0, 0) == [0, 0, 5, 10]
    assert red(1, 0) == [0, 15, 10, 20]
    assert red(2, 0) == [15, 30, 20, 40]
    assert red(3, 0) == [30, 0, 40, 5]
    assert red(0, 1) == [0, 30, 5, 40]
    assert red(0, 3) == [15, 30, 20, 40]
    info = parts.call("display.writeback_dump")
    assert info[1:4] == [800, 480, px.RGB888]
    high = parts.call("image.new", 470, 10, px.RGB565)[0]
    parts.call("display.show_image", high, 0, 0, "OSD0", None, 1, 0)
    wide = parts.call("image.new", 500, 10, px.RGB565)[0]
    name, text = error_of(parts.call, "display.show_image", wide, 0, 0, "OSD0", None, 1, 0)
    assert (name, text) == ("ValueError", "image exceed the panel resolution")


def test_the_screen_is_written_back_only_when_it_was_asked_for():
    parts = VirtualParts()
    parts.call("display.init", "ST7701", 800, 480, 0, 2, False, 90)
    assert parts.call("display.writeback_dump") is None
    assert not parts.call("display.writeback", None)
    assert parts.call("display.writeback", True)
    assert parts.call("display.writeback_dump")[1:3] == [800, 480]
