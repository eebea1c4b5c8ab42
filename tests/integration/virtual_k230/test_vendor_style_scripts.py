"""Own small scripts in the style of the vendor's examples: what they get by star imports, drawing, collecting pictures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image

from virtual_k230.board import VirtualK230

DRAWING = """
import time, os, gc, sys, urandom
from media.display import *
from media.media import *
try:
    Display.init(Display.LT9611, width=1280, height=720, to_ide=True)
    clock = time.clock()
    img = image.Image(1280, 720, image.ARGB8888)
    for frame in range(20):
        clock.tick()
        os.exitpoint()
        img.clear()
        for i in range(5):
            x, y = urandom.getrandbits(30) % 1280, urandom.getrandbits(30) % 720
            img.draw_arrow(x, y, 640, 360, color=(255, 255, 0), size=30, thickness=2)
            img.draw_cross(x, y, color=(255, 0, 0), width=1, think_ness=1)
        Display.show_image(img)
        clock.fps()
    print("drawn")
finally:
    Display.deinit()
    os.exitpoint(os.EXITPOINT_ENABLE_SLEEP)
"""

COLLECTING = """
from media.display import *
from media.media import *
from media.sensor import *
import time, os, gc
from machine import Pin, FPIOA
board = os.uname()[-1]
key_pin, pressed = (53, 1) if board == "k230_canmv_lckfb" else (21, 0)
Display.init(Display.ST7701, width=ALIGN_UP(800, 16), height=480, to_ide=True, osd_num=1)
sensor = Sensor(fps=30)
sensor.reset()
print(board, sensor.width(None), sensor.height(None))
sensor.set_framesize(w=1280, h=720, chn=CAM_CHN_ID_0)
sensor.set_pixformat(Sensor.RGB888)
sensor.set_framesize(w=800, h=480, chn=CAM_CHN_ID_2)
sensor.set_pixformat(Sensor.RGB888, chn=CAM_CHN_ID_2)
{media_init}
sensor.run()
FPIOA().set_function(key_pin, FPIOA.GPIO0 + key_pin)
key = Pin(key_pin, Pin.IN, Pin.PULL_DOWN if pressed else Pin.PULL_UP)
for number in range(3):
    photo, preview = sensor.snapshot(chn=CAM_CHN_ID_0), sensor.snapshot(chn=CAM_CHN_ID_2)
    photo.to_jpeg().save("/data/1_%d.jpg" % number, quality=99)
    preview.draw_string_advanced(0, 0, 48, "Save: %d" % number, color=(0, 0, 255))
    preview.draw_rectangle(200, 40, 400, 400, color=(255, 0, 0), thickness=2, fill=False)
    Display.show_image(preview)
print(key.value() == pressed, sorted(os.listdir("/data")))
sensor.stop()
Display.deinit()
"""

POOLING = """
import image
img = image.Image(64, 48, image.RGB565)
img.draw_rectangle(16, 12, 32, 24, color=(255, 255, 255), fill=True)
small = img.mean_pooled(4, 4)
print(small.width(), small.height(), small.get_pixel(0, 0), small.get_pixel(8, 6))
bits = small.to_bitmap()
print(bits.format() == image.BINARY, bits.get_pixel(0, 0), bits.get_pixel(8, 6))
canvas = image.Image(100, 100, image.RGB888)
canvas.draw_image(img, 10, 10, mask=img.to_grayscale())
canvas.draw_image(small, 80, 80, x_scale=1.0, y_scale=1.0, alpha=128)
print(canvas.get_pixel(12, 12), canvas.get_pixel(40, 30), canvas.get_pixel(88, 86)[0] > 100)
print(img.get_similarity(img.copy())["mean"], img.to_rainbow().width(), img.copy().mask_circle().get_pixel(0, 0))
moved = image.Image(64, 48, image.GRAYSCALE)
moved.draw_circle(37, 22, 8, color=(255, 255, 255), fill=True)
there = image.Image(64, 48, image.GRAYSCALE)
there.draw_circle(32, 24, 8, color=(255, 255, 255), fill=True)
found = moved.find_displacement(there)
print(round(found.x_translation()), round(found.y_translation()))
try:
    img.get_similarity(canvas)
except ValueError as error:
    print(error)
img.midpoint_pool(2, 2)
print(img.width(), img.height())
for change in (img.linpolar, img.logpolar, img.chrominvar, img.illuminvar, img.cartoon):
    change()
"""


@pytest.fixture(params=["A", "C"])
def board(request: pytest.FixtureRequest) -> Iterator[VirtualK230]:
    board = VirtualK230(profile=request.param, board_id="k230_canmv_lckfb")
    yield board
    board.close()


def test_star_imports_bring_image_and_a_drawing_example_runs(board: VirtualK230) -> None:
    assert board.run_code(DRAWING).endswith("drawn\n")
    assert board.frames == 0


def test_a_collector_saves_pictures_and_shows_the_last(board: VirtualK230) -> None:
    media_init = "MediaManager.init()" if board.profile == "A" else ""
    printed = board.run_code(COLLECTING.format(media_init=media_init))
    assert "k230_canmv_lckfb 1920 1080" in printed
    assert printed.endswith("False ['1_0.jpg', '1_1.jpg', '1_2.jpg']\n")
    assert Image.open(board.host_path("/data/1_2.jpg")).size == (1280, 720)


def test_an_older_firmware_wants_the_media_manager(board: VirtualK230) -> None:
    printed = board.run_code(COLLECTING.format(media_init=""))
    assert ("OSError: buffer_init, vb config failed(-1610317806)" in printed) == (board.profile == "A")


def test_images_made_of_images(board: VirtualK230) -> None:
    assert board.run_code(POOLING).split("\n") == [
        "16 12 (0, 0, 0) (248, 252, 248)",
        "True 0 1",
        "(0, 0, 0) (248, 252, 248) True",
        "1.0 64 (0, 0, 0)",
        "5 -2",
        "images must have the same size and format",
        "32 24",
        "",
    ]
