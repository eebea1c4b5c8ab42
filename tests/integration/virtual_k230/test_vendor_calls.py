"""What the vendor's examples call and nothing else of ours does: on the interpreter, as a script writes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from virtual_k230 import VirtualK230


@pytest.fixture(scope="module")
def board() -> Iterator[VirtualK230]:
    with VirtualK230(profile="C") as board:
        board.power_cut()
        yield board


def test_arrays_from_a_file_and_inverse_angles(board: VirtualK230) -> None:
    said = board.run_code("""
import ulab.numpy as np
with open("/sdcard/priors.bin", "wb") as file:
    file.write(np.array([1, 2, 3, 4, 5, 6], dtype=np.float).tobytes())
print(np.fromfile("/sdcard/priors.bin", dtype=np.float).reshape((3, 2)).tolist())
print(np.fromfile("/sdcard/priors.bin", dtype=np.uint8, count=4, offset=4).tolist(), np.fromfile("/sdcard/priors.bin").shape)
print(round(np.acos(0.5) * 180 / np.pi, 3), [round(x, 3) for x in np.asin(np.array([0.5])).tolist()], round(np.atanh(0.5), 3))
try:
    np.arccos(1.0)
except AttributeError as error:
    print("as on the board")
try:
    np.fromfile("/sdcard/none.bin")
except OSError as error:
    print(error.args[0])
""").splitlines()
    assert said == [
        "[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]",
        "[0, 0, 0, 64] (6,)",
        "60.0 [0.524] 0.549",
        "as on the board",
        "2",
    ]


def test_features_of_a_picture(board: VirtualK230) -> None:
    said = board.run_code("""
import image
cascade = image.HaarCascade("frontalface", stages=25)
print(cascade)
picture = image.Image(120, 90, image.GRAYSCALE)
picture.draw_line(0, 10, 119, 80, color=255, thickness=3)
print(picture.find_features(cascade, threshold=0.5, scale_factor=1.25))
first, second = picture.find_lbp((0, 0, 60, 60)), picture.find_lbp((60, 30, 60, 60))
print(image.match_descriptor(first, first), image.match_descriptor(first, second) >= 0)
line = picture.get_regression([(200, 255)])
print(line.x1(), line.line()[2], line.magnitude() > 10, picture.get_regression([(100, 101)]))
copy = picture.copy()
copy.find_edges(image.EDGE_SIMPLE, threshold=(100, 255))
print(copy.find_hog().get_statistics().max() > 50, picture.find_datamatrices(), picture.find_barcodes())
for wrong in (lambda: image.match_descriptor(1, 2), lambda: picture.find_features("frontalface"), lambda: image.HaarCascade("eye")):
    try:
        wrong()
    except (TypeError, NotImplementedError) as error:
        print(error)
""").splitlines()
    assert said == [
        '{"width":24, "height":24, "n_stages":20}',
        "[]",
        "0 True",
        "0 119 True None",
        "True [] []",
        "match_descriptor takes two LBP descriptors",
        "find_features takes a HaarCascade",
        "virtual K230 has the cascade 'frontalface' only, not 'eye'",
    ]


def test_a_camera_without_lens_motor_and_a_board_without_sound(board: VirtualK230) -> None:
    said = board.run_code("""
from media.sensor import *
from media.pyaudio import *
import media.wave as wave
sensor = Sensor(id=2)
sensor.reset()
print(sensor.auto_focus(True))
try:
    sensor.focus_pos()
except RuntimeError as error:
    print(error)
sensor.set_framesize(width=320, height=240)
sensor.set_pixformat(Sensor.RGB565)
sensor.run()
print(sensor.focus_pos(), sensor.focus_caps())
gain = k_sensor_gain()
gain.gain[0] = 20
sensor.again(gain)
print(sensor.again().gain[0])
try:
    sensor.auto_focus()
except RuntimeError as error:
    print(error)
sensor.stop()
try:
    PyAudio().open(format=paInt16, channels=1, rate=16000, input=True, frames_per_buffer=4800)
except OSError as error:
    print(error)
out = wave.open("/sdcard/tone.wav", "wb")
out.set_channels(1)
out.set_sampwidth(2)
out.set_framerate(16000)
out.write_frames(bytes(range(100)))
out.write_frames(bytes(20))
out.close()
sound = wave.open("/sdcard/tone.wav", "rb")
print(sound.get_channels(), sound.get_sampwidth(), sound.get_framerate(), sound.get_nframes())
print(sound.read_frames(3) == bytes(range(6)), len(sound.read_frames(1000)), sound.read_frames(1))
sound.close()
""").splitlines()
    assert [line for line in said if not line.startswith("find sensor")] == [
        "None",
        "can't get sensor fd",
        "None None",
        "20.0",
        "call should before Sensor.run()",
        "virtual K230 has no microphone and no loudspeaker; sound needs a real board",
        "1 2 16000 60",
        "True 114 b''",
    ]


def test_a_grey_crop_goes_through_a_step_built_for_colour(board: VirtualK230) -> None:
    said = board.run_code("""
import nncase_runtime as nn
import ulab.numpy as np
step = nn.ai2d()
step.set_dtype(nn.ai2d_format.NCHW_FMT, nn.ai2d_format.NCHW_FMT, np.uint8, np.uint8)
step.set_resize_param(True, nn.interp_method.tf_bilinear, nn.interp_mode.half_pixel)
built = step.build([1, 3, 8, 8], [1, 3, 4, 4])
out = nn.from_numpy(np.ones((1, 3, 4, 4), dtype=np.uint8))
built.run(nn.from_numpy(np.ones((1, 1, 8, 8), dtype=np.uint8) * 7), out)
print(out.to_numpy().shape, np.min(out.to_numpy()), np.max(out.to_numpy()))
try:
    built.run(nn.from_numpy(np.ones((1, 1, 8, 9), dtype=np.uint8)), out)
except RuntimeError as error:
    print(error)
""").splitlines()
    assert said == ["(1, 3, 4, 4) 7 7", "AI2D run failed."]


def test_a_picture_takes_over_an_array_and_turns_by_quarters(board: VirtualK230) -> None:
    said = board.run_code("""
import image
import ulab.numpy as np
osd = image.Image(16, 8, image.ARGB8888)
frame = np.zeros((8, 16, 4), dtype=np.uint8)
frame[2:4, 3:6, 3] = 200
frame[2:4, 3:6, 0] = 255
print(osd.copy_from(frame).to_numpy_ref()[2][3].tolist())
try:
    osd.copy_from(np.zeros((4, 4, 4), dtype=np.uint8))
except ValueError as error:
    print(type(error))
picture = image.Image(30, 10, image.RGB565)
picture.set_pixel(0, 0, (255, 0, 0))
picture.replace(vflip=True, hmirror=False, transpose=True)
print(picture.width(), picture.height(), picture.get_pixel(9, 0), picture.get_pixel(0, 0))
""").splitlines()
    assert said == [
        "[255, 0, 0, 200]",
        "<class 'ValueError'>",
        "10 30 (248, 0, 0) (0, 0, 0)",
    ]


def test_a_touch_controller_of_ones_own_needs_no_size_and_feels_the_same_finger(board: VirtualK230) -> None:
    board.touch_events([("down", 30, 40)])
    said = board.run_code("""
from machine import I2C, TOUCH
try:
    TOUCH(1)
except ValueError as error:
    print(error)
own = TOUCH(1, i2c=I2C(2, scl=11, sda=12), rst=2, int=3)
print(own)
point = own.read(5)[0]
print(point.event == TOUCH.EVENT_DOWN, point.x, point.y, own.read(5))
""").splitlines()
    assert said == [
        "Custom Touch Device should set i2c",
        "Touch(index=1, rotate=-1, range=800x480, initialized)",
        "True 30 40 ()",
    ]


def test_every_image_is_true(board: VirtualK230) -> None:
    assert (
        board.run_code("""
import image
import ulab.numpy as np
mask = image.Image(8, 8, image.ARGB8888, alloc=image.ALLOC_REF, data=np.zeros((8, 8, 4), dtype=np.uint8))
print("drawn" if mask else "left out", "drawn" if image.Image(8, 8, image.RGB565) else "left out")
""")
        == "drawn drawn\n"
    )


def test_cv_lite_as_its_examples_use_it(board: VirtualK230) -> None:
    said = board.run_code("""
import cv_lite, image
import ulab.numpy as np
picture = image.Image(160, 120, image.RGB888)
picture.draw_rectangle(40, 30, 60, 40, color=(255, 255, 255), fill=True)
pixels = picture.to_numpy_ref()
rects = cv_lite.rgb888_find_rectangles_with_corners([120, 160], pixels, 50, 150, 0.04, 0.001, 0.3, 5)
print(len(rects[0]), abs(rects[0][0] - 40) < 4)
mask = image.Image(160, 120, image.GRAYSCALE, alloc=image.ALLOC_REF, data=cv_lite.rgb888_erode([120, 160], pixels, 3, 1, 100))
print(mask.get_pixel(60, 50), mask.get_pixel(40, 30), mask.get_pixel(5, 5))
hats = cv_lite.rgb888_blackhat([120, 160], pixels, 3, 1, 100)
print(image.Image(160, 120, image.GRAYSCALE, alloc=image.ALLOC_REF, data=hats).width())
cv_lite.save_image("/sdcard/shot.png", [120, 160], pixels.copy())
again = cv_lite.load_image("/sdcard/shot.png")
print(again.shape, again[0][50][60][0], np.argmax(cv_lite.rgb888_calc_histogram([120, 160], pixels)[2]))
try:
    cv_lite.rgb888_erode([120, 160], pixels)
except TypeError as error:
    print(error)
""").splitlines()
    assert said == [
        "12 True",
        "255 0 0",
        "160",
        "(1, 120, 160, 3) 255 0",
        "function takes 5 positional arguments but 2 were given",
    ]


def test_the_old_firmware_has_no_cv_lite_and_asks_for_the_size_of_a_touch_panel() -> None:
    with VirtualK230(profile="A") as old:
        old.power_cut()
        said = old.run_code("""
from machine import TOUCH
try:
    import cv_lite
except ImportError as error:
    print(error)
for options in ({}, {"range_x": 8}, {"range_x": 8, "range_y": 8}):
    try:
        TOUCH(1, **options)
    except (ValueError, RuntimeError) as error:
        print(error)
""").splitlines()
        assert said == [
            "no module named 'cv_lite'",
            "Custom Touch Device should set range_x",
            "Custom Touch Device should set range_y",
            "Custom Touch Device should set i2c",
        ]
