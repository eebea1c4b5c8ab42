"""What newer firmware brought, on the interpreter: mot, SPI_LCD; and scalars of ulab's functions."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from virtual_k230 import VirtualK230

FAILS = """
def fails(function, *args, **options):
    try:
        function(*args, **options)
        print("no error")
    except Exception as error:
        print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def board() -> Iterator[VirtualK230]:
    with VirtualK230(profile="C") as board:
        board.power_cut()
        yield board


def test_mot_follows_boxes(board: VirtualK230) -> None:
    said = board.run_code("""
import mot
tracker = mot.ByteTrack(track_thresh=0.5, high_thresh=0.6, min_hits=1, bbox_format="xywh")
print(tracker.update([], [], []), tracker.frame_id())
for step in range(3):
    tracks = tracker.update([[10 + step, 20, 30, 40], (200, 20, 30, 40)], [0.9, 0.8], [0, 1])
print([(t["track_id"], t["class_id"], t["bbox"], t["state"], t["hits"]) for t in tracks], tracks[0]["time_since_update"])
tracker.update([[12, 20, 30, 40]], [0.9], [0])
print(len(tracker.tracks()), len(tracker.tracks(include_lost=True)))
tracker.reset()
print(tracker.frame_id(), tracker.tracks(include_lost=True))
tracker.close()
tracker.close()
deep = mot.DeepSort(feature_dim=2, n_init=1)
print(deep.update([[0, 0, 5, 5]], [0.5], [0], [[1.0, 2.0]])[0]["track_id"])
print(mot.OCSort().update([[0, 0, 5, 5]], [0.5], [3])[0]["class_id"], len(mot.BoTSort().update([[0, 0, 5, 5]], [0.9], [0])))
""").splitlines()
    assert said == [
        "[] 1",
        "[(1, 0, (12.0, 20.0, 30.0, 40.0), 'tracked', 3), (2, 1, (200.0, 20.0, 30.0, 40.0), 'tracked', 3)] 0",
        "1 2",
        "0 []",
        "1",
        "3 1",
    ]


def test_mot_refuses_with_the_firmwares_words(board: VirtualK230) -> None:
    said = board.run_code(
        FAILS
        + """
import mot
fails(mot.ByteTrack, bbox_format="cxcywh")
fails(mot.ByteTrack, match_thresh=1.5)
fails(mot.ByteTrack, match_thresh=float("nan"))
fails(mot.ByteTrack, track_buffer=0)
fails(mot.ByteTrack, track_buffer=1, frame_rate=1)
fails(mot.ByteTrack, high_thresh=0.2)
fails(mot.OCSort, delta_t=0)
fails(mot.DeepSort, feature_dim=0)
fails(mot.BoTSort, reid_enabled=True)
closed = mot.OCSort()
closed.close()
fails(closed.update, [], [], [])
fails(mot.OCSort().update, 5, [], [])
fails(mot.OCSort().update, [[0, 0, float("inf"), 1]], [0.5], [0])
""",
    ).splitlines()
    assert said == [
        "ValueError bbox_format must be 'xyxy' or 'xywh'",
        "ValueError match_thresh must be finite and in [0, 1]",
        "ValueError match_thresh must be finite and in [0, 1]",
        "ValueError track_buffer and frame_rate must be positive",
        "ValueError scaled track_buffer is out of range",
        "ValueError invalid ByteTrack thresholds or lifetime",
        "ValueError age, hits, and delta_t must be positive",
        "ValueError feature_dim, budget, age, and n_init must be positive",
        "ValueError invalid BoTSORT parameters",
        "ValueError tracker is closed",
        "TypeError object 'int' isn't a tuple or list",
        "ValueError box values must be finite",
    ]


def test_an_spi_panel_shows_pictures_of_its_own(board: VirtualK230) -> None:
    said = board.run_code(
        FAILS
        + """
import image
from machine import FPIOA, Pin, SPI, SPI_LCD
fpioa = FPIOA()
fpioa.set_function(15, fpioa.QSPI0_CLK)
fpioa.set_function(19, FPIOA.GPIO19)
cs = Pin(19, Pin.OUT, pull=Pin.PULL_NONE, drive=15)
lcd = SPI_LCD(SPI(1, baudrate=50000000, polarity=1, phase=1, bits=8), cs, cs, None)
fails(lcd.show)
lcd.configure(320, 240, hmirror=False, vflip=True, bgr=False)
own = lcd.init()
print(own.width(), own.height(), own.format() == image.RGB565, lcd.width(), lcd.height(), lcd.vflip(), lcd.bgr(), lcd.get_direction())
lcd.fill((255, 0, 0))
lcd.set(3, 4, (0, 0, 255))
print(lcd.get(3, 4), lcd.light())
lcd.light(50)
lcd.hmirror(True)
lcd.show()
lcd.show(image.Image(20, 10, image.RGB565), 300, 230)
fails(lcd.show, image.Image(20, 11, image.RGB565), 300, 230)
fails(lcd.show, image.Image(20, 10, image.RGBP888))
fails(SPI_LCD, None, cs, type=9)
lcd.configure(4000, 10)
fails(lcd.init)
""",
    ).splitlines()
    assert said == [
        "RuntimeError SPI_LCD: call init() first",
        "320 240 True 320 240 True False 128",
        "(0, 0, 248) 100",
        "ValueError image exceed the panel resolution",
        "ValueError unsupport image format",
        "ValueError SPI_LCD: unsupported type 9",
        "ValueError SPI_LCD not support 4000x10",
    ]


def test_an_spi_panel_is_the_screen_while_no_other_is_on(board: VirtualK230) -> None:
    start = board.console_from(0)[0]
    board.start_source("""
import image, time
from machine import Pin, SPI, SPI_LCD
lcd = SPI_LCD(SPI(1, baudrate=50000000, polarity=1, phase=1, bits=8), Pin(19, Pin.OUT))
lcd.configure(320, 240)
lcd.init()
lcd.fill((255, 0, 0))
lcd.set(3, 4, (0, 0, 255))
lcd.show()
lcd.show(image.Image(20, 10, image.RGB565), 300, 230)
print("shown")
while True:
    time.sleep_ms(20)
""")
    try:
        deadline = time.monotonic() + 180
        while "shown" not in board.console_from(start)[1]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        screen = board.screen()
    finally:
        board.power_cut()
    assert screen.size == (320, 240)
    assert [screen.getpixel(at) for at in ((0, 0), (3, 4), (310, 235))] == [(248, 0, 0), (0, 0, 248), (0, 0, 0)]


def test_functions_of_numbers_answer_as_ulab_not_as_math(board: VirtualK230) -> None:
    said = board.run_code("""
import ulab.numpy as np
print(np.acos(1.0000001), np.sqrt(-1), np.log(0), np.exp(1000.0), 1 / (1 + np.exp(2000)), np.exp(0))
""").splitlines()
    assert said == ["nan nan -inf inf 0.0 1.0"]


def test_what_was_shown_last_is_kept_when_the_script_ends(board: VirtualK230) -> None:
    board.run_code("""
import image
from media.display import *
Display.init(Display.VIRT, width=320, height=240, to_ide=True)
picture = image.Image(320, 240, image.RGB888)
picture.clear()
picture.draw_rectangle(0, 0, 100, 100, color=(255, 0, 0), fill=True)
Display.show_image(picture)
print(len(picture.compressed_for_ide()) > 100, picture.format() == image.RGB888)
""")
    lit = board.display.last_lit
    assert lit is not None
    assert lit.size == (320, 240) and lit.getpixel((5, 5)) == (255, 0, 0)
    assert board.ide.last_shown[:2] == b"\xff\xd8"


def test_modules_of_missing_hardware_say_what_is_missing(board: VirtualK230) -> None:
    said = board.run_code("""
media = ["media." + name for name in ("vencoder", "vdecoder", "player", "mp4format", "uvc", "rtspserver", "opus")]
for name in media[:4] + ["mpp", "multimedia", "lvgl"] + media[4:]:
    try:
        __import__(name)
    except ImportError as error:
        print(error)
""").splitlines()
    missing = [
        "video encoder",
        "video decoder",
        "video decoder",
        "video encoder",
        "media processor",
        "RTSP server",
        "LVGL",
        "USB host port for a camera",
        "RTSP server",
        "sound codec",
    ]
    assert [line.split(" has no ")[1].split(":")[0].replace(" of its own", "") for line in said] == missing
