"""media.sensor's Python side: order of calls, error texts, channels, and frames that die with the next one."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.virtual_parts import VirtualParts, error_of

VB_ERROR = ("OSError", "buffer_init, vb config failed(-1610317806)")


def test_reset_must_come_first():
    parts = VirtualParts()
    parts.call("sensor.new", 2, 1920, 1080, 30, False)
    for call in (("sensor.set_framesize", 2, 0, 640, 360, None), ("sensor.run", 2), ("sensor.snapshot", 2, 0)):
        assert error_of(parts.call, *call) == ("AssertionError", "should call reset() first")


def test_a_second_sensor_on_the_same_port_needs_stop():
    parts = VirtualParts()
    parts.call("sensor.new", 2, 1920, 1080, 30, False)
    assert error_of(parts.call, "sensor.new", 2, 1920, 1080, 30, False) == ("OSError", "sensor(2) is already inited.")
    parts.call("sensor.stop", 2)
    parts.call("sensor.new", 2, 1920, 1080, 30, False)
    assert error_of(parts.call, "sensor.new", 3, 1920, 1080, 30, False) == (
        "AssertionError", "invaild sensor id 3, should < 2")  # fmt: skip
    assert error_of(parts.call, "sensor.new", -1, 1920, 1080, 30, False) == (
        "RuntimeError", "Can not found sensor on -1")  # fmt: skip
    parts.board.faults.set("camera.absent", 1)
    assert error_of(parts.call, "sensor.new", 0, 1920, 1080, 30, False) == (
        "RuntimeError", "Can not found sensor on 0")  # fmt: skip
    assert parts.call("sensor.new", 0, 1920, 1080, 30, False) == 1, "the firmware counts sensors, not ports"


def test_width_is_rounded_up_to_16_and_sizes_are_bounded():
    parts = VirtualParts()
    parts.call("sensor.new", 2, 1920, 1080, 30, False)
    parts.call("sensor.reset", 2)
    assert parts.call("sensor.set_framesize", 2, 1, 630, 360, None) == [640, 360]
    for size in ((32, 32), (1936, 1080)):
        assert error_of(parts.call, "sensor.set_framesize", 2, 1, *size, None)[0] == "AssertionError"
    assert error_of(parts.call, "sensor.set_framesize", 2, 1, 640, 360, [0, 0, 320, 180])[0] == "AssertionError"
    assert parts.call("sensor.set_framesize", 2, 1, 640, 640, True) == [640, 640]


@pytest.mark.parametrize("profile", ["A", "B"])
def test_media_manager_is_mandatory_and_last_on_old_firmware(profile):
    parts = VirtualParts(profile=profile)
    parts.call("sensor.new", 2, 1920, 1080, 30, False)
    parts.call("sensor.reset", 2)
    parts.call("sensor.set_framesize", 2, 0, 640, 360, None)
    parts.call("sensor.set_pixformat", 2, 0, "YUV420SP")
    assert error_of(parts.call, "sensor.run", 2) == VB_ERROR
    assert parts.call("media.init") == ""
    assert error_of(parts.call, "display.init", "ST7701", 800, 480, 0, 1, False, 90) == VB_ERROR
    assert error_of(parts.call, "sensor.set_framesize", 2, 1, 640, 360, None) == VB_ERROR
    assert error_of(parts.call, "media.init") == VB_ERROR
    parts.call("sensor.run", 2)


def test_media_manager_is_a_printing_no_op_on_new_firmware():
    parts = VirtualParts(profile="C")
    parts.call("sensor.new", 2, 1920, 1080, 30, False)
    parts.call("sensor.reset", 2)
    parts.call("sensor.run", 2)
    assert "deprecated function" in parts.call("media.init")
    assert "deprecated function" in parts.call("media.deinit")


def test_channels_show_the_same_view_in_their_formats():
    parts = VirtualParts()
    parts.start_sensor(chn0="YUV420SP", chn1="RGB565", chn2="RGBP888")
    images = {c: parts.board.images.get(parts.call("sensor.snapshot", 2, c)[0]) for c in (0, 1, 2)}
    assert images[2].pixels.shape == (3, 360, 640)
    truth = parts.board.camera.scaled(640, 360)
    for image in images.values():
        assert np.abs(image.rgb().astype(int) - truth).mean() < 8
    assert np.array_equal(images[2].rgb(), truth)


def test_channels_of_one_round_share_a_frame_and_the_next_round_is_the_next_frame():
    parts = VirtualParts()
    parts.start_sensor(chn1="RGB565", chn2="RGBP888")
    frames = []
    for _ in range(3):
        parts.call("sensor.snapshot", 2, 2)
        parts.call("sensor.snapshot", 2, 1)
        frames.append(parts.board.camera.frame)
    assert frames == [1, 2, 3]


def test_the_previous_image_of_a_channel_dies_and_the_other_channels_lives():
    parts = VirtualParts()
    parts.start_sensor(chn1="RGB565", chn2="RGBP888")
    first = parts.call("sensor.snapshot", 2, 1)[0]
    other = parts.call("sensor.snapshot", 2, 2)[0]
    second = parts.call("sensor.snapshot", 2, 1)[0]
    assert error_of(parts.call, "image.compress", first, 90, False)[0] == "RuntimeError"
    parts.call("image.compress", second, 90, False)
    parts.call("image.numpy_ref", other)
    parts.call("sensor.stop", 2)
    assert error_of(parts.call, "image.numpy_ref", other)[0] == "RuntimeError"


def test_drawing_on_a_frame_leaves_the_next_frame_clean():
    parts = VirtualParts()
    parts.start_sensor(chn1="RGB565")
    clean = parts.board.images.get(parts.call("sensor.snapshot", 2, 1)[0]).pixels.copy()
    handle = parts.call("sensor.snapshot", 2, 1)[0]
    parts.call("image.draw", handle, "rectangle", [0, 0, 640, 360], {"color": [255, 0, 255], "fill": True})
    assert not np.array_equal(parts.board.images.get(handle).pixels, clean)
    again = parts.board.images.get(parts.call("sensor.snapshot", 2, 1)[0])
    assert np.array_equal(again.pixels, clean)


def test_snapshot_of_an_unconfigured_channel_or_a_stopped_sensor_fails():
    parts = VirtualParts()
    parts.start_sensor(chn1="RGB565")
    assert error_of(parts.call, "sensor.snapshot", 2, 2) == ("RuntimeError", "sensor(0) snapshot chn(2) failed(3)")
    parts.call("sensor.stop", 2)
    assert error_of(parts.call, "sensor.snapshot", 2, 1) == ("AssertionError", "should call reset() first")


def test_mirrors_turn_the_picture():
    parts = VirtualParts()
    parts.call("sensor.new", 2, 1920, 1080, 30, False)
    parts.call("sensor.reset", 2)
    parts.call("sensor.set_mirror", 2, 0, True)
    parts.call("sensor.set_framesize", 2, 2, 640, 360, None)
    parts.call("sensor.set_pixformat", 2, 2, "RGB888")
    parts.call("media.init")
    parts.call("sensor.run", 2)
    image = parts.board.images.get(parts.call("sensor.snapshot", 2, 2)[0])
    assert np.array_equal(image.pixels, parts.board.camera.scaled(640, 360)[:, ::-1])
