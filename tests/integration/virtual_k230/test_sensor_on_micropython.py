"""The CanMV media, image, ulab, nncase and aidemo modules as a script sees them: real MicroPython, printed results compared."""

from __future__ import annotations

import pytest

from virtual_k230 import VirtualK230
from virtual_k230.interpreter import InterpreterMissingError, find_interpreter


@pytest.fixture
def sd(tmp_path):
    """The card's folder, on a machine that can run MicroPython."""
    try:
        find_interpreter()
    except InterpreterMissingError as error:
        pytest.skip(f"NOT TESTED: {error}")
    (tmp_path / "sd").mkdir()
    return tmp_path / "sd"


@pytest.fixture
def board(sd):
    """A board whose run_code() runs MicroPython source to its end and returns what it printed."""
    virtual = VirtualK230(sd=sd)
    yield virtual
    virtual.close()


def _lines(board, source):
    return board.run_code(source).replace("\r", "").strip().splitlines()


START = """
from media.sensor import *
from media.display import Display
from media.media import MediaManager
import image
s = Sensor(id=2)
s.reset()
for chn, fmt in ((0, Sensor.YUV420SP), (1, Sensor.RGB565), (2, Sensor.RGBP888)):
    s.set_framesize(width=640, height=360, chn=chn)
    s.set_pixformat(fmt, chn=chn)
Display.bind_layer(layer=Display.LAYER_VIDEO1, **s.bind_info(x=0, y=0, chn=0))
Display.init(Display.ST7701, width=800, height=480, osd_num=2, to_ide=True)
MediaManager.init()
s.run()
"""


def test_camera_panel_and_photos(board):
    lines = _lines(
        board,
        START
        + """
osd = image.Image(800, 480, image.ARGB8888)
osd.draw_rectangle(100, 50, 80, 60, color=(255, 255, 0, 0), thickness=3)
osd.draw_string_advanced(10, 400, 32, "red 87", color=(255, 255, 255, 255))
photo = s.snapshot(chn=1)
jpeg = photo.compressed(quality=92)
with open("/sdcard/a.jpg", "wb") as f:
    print(f.write(jpeg) == len(jpeg.bytearray()) == jpeg.size())
photo.save("/sdcard/b.jpg", quality=80)
back = image.Image("/sdcard/b.jpg")
print(back.width(), back.height(), back.format() == image.JPEG, back.to_rgb565().format() == image.RGB565)
ai = s.snapshot(chn=2)
print(ai.to_numpy_ref().shape)
try:
    ai.save("/sdcard/c.jpg")
except OSError as e:
    print(e)
Display.show_image(osd, 0, 0, Display.LAYER_OSD1)
s.snapshot(chn=1)
try:
    photo.compressed()
except RuntimeError as e:
    print(e)
print(ALIGN_UP(630, 16), s.width(), s.width(None), s.width(chn=1), Sensor.VGA, Sensor.FHD, Sensor.WQXGA2)
""",
    )
    assert lines[1:] == [
        "True", "640 360 True True", "(3, 360, 640)", "current format not support save function!",
        "image of channel 1 was replaced by the next snapshot()", "640 640 1920 640 7 26 30",
    ]  # fmt: skip


def test_what_the_panel_shows_while_main_py_runs(sd):
    (sd / "main.py").write_text(
        START
        + """
import time
osd = image.Image(800, 480, image.ARGB8888)
for n in range(3):
    s.snapshot(chn=2)
    osd.clear()
    osd.draw_rectangle(100, 50 + n, 80, 60, color=(255, 255, 0, 0), thickness=3)
    osd.draw_string_advanced(10, 400, 32, "red 87", color=(255, 255, 255, 255))
    Display.show_image(osd, 0, 0, Display.LAYER_OSD1)
print("three frames shown")
while True:
    time.sleep_ms(20)
"""
    )
    with VirtualK230(sd=sd) as board:
        board.wait_for("three frames shown")
        rectangle, text = board.display.drawn("OSD1")
        assert rectangle == ["rectangle", 100, 52, 80, 60, (255, 255, 0, 0), 3, False]
        assert text[:5] == ["string", 10, 400, 32, "red 87"]
        assert board.display.shown("OSD1") == (3, 3)
        assert [frame for _, frame in board.display.history("OSD1")] == [1, 2, 3]
        screen = board.screen()
        assert screen.size == (800, 480)
        assert screen.getpixel((100, 80)) == (255, 0, 0)
        live = board.camera.scaled(640, 360)
        assert screen.getpixel((400, 200)) == tuple(int(v) for v in live[200, 400])


def test_ulab(board):
    lines = _lines(
        board,
        """
from ulab import numpy as np
a = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)
print(a, a.shape, a.dtype == np.uint8, len(a), a.size, a.ndim, a.itemsize)
print(a[1, 2], a[:, 1], a[0][::-1], a.T.shape)
print(a * 2, a + 300, a / 2, 1 - a[0], -np.array([1.5]))
print(np.max(a), np.max(a, axis=0), np.sum(a), np.mean(a), np.argmax(a[1]))
print([v for v in a[0]], [row[0] for row in a], a.tolist())
m = a[1] > 4
print(m, a[1][m], np.nonzero(m)[0].tolist(), np.where(m, a[1], 0))
b = np.zeros((2, 3))
b[:, 1] = 7
b += 0.5
print(b, b.reshape((3, 2)).shape, b.flatten().shape)
print(np.exp(np.array([0.0])), np.sqrt(4), np.dot(np.ones((2, 2)), np.array([1, 2])))
print(np.concatenate((b, b), axis=0).shape, np.clip(a, 2, 4), np.argsort(np.array([3, 1, 2]), axis=0))
print(np.frombuffer(b"abcd", dtype=np.uint8), np.array(range(3)).tobytes())
print(np.max(np.array([float("inf"), 1])), np.mean(np.array([float("nan")])), np.array([1, float("-inf")])[1])
for f in (lambda: np.argsort(a[0]), lambda: a[np.array([0, 1], dtype=np.uint16)], lambda: a[5], lambda: a + np.ones(2)):
    try:
        print(f())
    except Exception as e:
        print(type(e).__name__, e)
""",
    )
    text = "\n".join(lines)
    for expected in (
        "array([[1, 2, 3],\n [4, 5, 6]], dtype=uint8) (2, 3) True 2 6 2 1",
        "6 array([2, 5], dtype=uint8) array([3, 2, 1], dtype=uint8) (3, 2)",
        "array([0, 255, 254], dtype=uint8) array([-1.5], dtype=float32)",
        "6 array([4, 5, 6], dtype=uint8) 21 3.5 2",
        "[1, 2, 3] [1, 4] [[1, 2, 3], [4, 5, 6]]",
        "array([False, True, True], dtype=bool) array([5, 6], dtype=uint8) [1, 2] array([0, 5, 6], dtype=uint8)",
        "array([[0.5, 7.5, 0.5],\n [0.5, 7.5, 0.5]], dtype=float32) (3, 2) (6,)",
        "array([1.0], dtype=float32) 2.0 array([3.0, 3.0], dtype=float32)",
        "(4, 3) array([[2, 2, 3],\n [4, 4, 4]], dtype=uint8) array([1, 2, 0], dtype=uint16)",
        "array([97, 98, 99, 100], dtype=uint8) bytearray(b'\\x00\\x00\\x00\\x00\\x00\\x00\\x80?\\x00\\x00\\x00@')",
        "inf nan -inf",
        "NotImplementedError argsort is not implemented for flattened arrays",
        "NotImplementedError operation is implemented for 1D Boolean arrays only",
        "IndexError index is out of bounds",
        "ValueError operands could not be broadcast together",
    ):
        assert expected in text, expected


def test_arrays_are_freed_by_the_collector(board):
    lines = _lines(
        board,
        """
from ulab import numpy as np
a = np.zeros((8,))
for i in range(9000):
    a = a + 1
print(a[0])
""",
    )
    assert lines == ["9000.0"]
    assert len(board.handles) < 4500


def test_ai2d_and_refused_models(board):
    lines = _lines(
        board,
        """
import nncase_runtime as nn
from ulab import numpy as np
kpu = nn.kpu()
with open("/sdcard/bad.kmodel", "wb") as f:
    f.write(b"LDMK\\x06\\x00\\x00\\x00" + bytes(60))
for path in ("/sdcard/none.kmodel", "/sdcard/bad.kmodel"):
    try:
        kpu.load_kmodel(path)
    except Exception as e:
        print(type(e).__name__, e)
source = nn.from_numpy(np.ones((3, 360, 640), dtype=np.uint8) * 200)
target = nn.from_numpy(np.zeros((1, 3, 192, 320), dtype=np.uint8))
ai2d = nn.ai2d()
ai2d.set_dtype(nn.ai2d_format.NCHW_FMT, nn.ai2d_format.NCHW_FMT, np.uint8, np.uint8)
ai2d.set_pad_param(True, [0, 0, 0, 0, 6, 6, 0, 0], 0, [114, 114, 114])
ai2d.set_resize_param(True, nn.interp_method.tf_bilinear, nn.interp_mode.half_pixel)
builder = ai2d.build([1, 3, 360, 640], [1, 3, 192, 320])
builder.run(source, target)
out = target.to_numpy()
print(out.shape, out[0, 0, 5, 9], out[0, 2, 6, 9], out[0, 1, 185, 0], out[0, 1, 186, 0])
target.release()
try:
    target.to_numpy()
except ValueError as e:
    print(e)
nn.shrink_memory_pool()
""",
    )
    assert lines == [
        "OSError Kmodel file not exist.", "EOFError KPU load model failed from path.", "(1, 3, 192, 320) 114 200 200 114",
        "tensor was released",
    ]  # fmt: skip


def test_aidemo_decodes(board):
    lines = _lines(
        board,
        """
import aidemo, aicube
from ulab import numpy as np
out = np.zeros((20, 6))
out[3] = np.array([100, 80, 40, 20, 0.1, 0.9])
boxes, ids, scores = aidemo.yolov8_det_postprocess(out, [360, 640], [320, 320], [360, 640], 2, 0.5, 0.4, 10)
print(boxes[0], ids[0])
print(aidemo.yolov8_det_postprocess(out, [360, 640], [320, 320], [360, 640], 2, 0.95, 0.4, 10))
heads = [np.zeros((1, 320 // s, 320 // s, 2 + 68)) - 9 for s in (8, 16, 32)]
print(aicube.gfldet_post_process(heads[0], heads[1], heads[2], [320, 320], [640, 360], [8, 16, 32], 2, 0.5, 0.5, False))
""",
    )
    assert lines == ["array([160, 140, 80, 40], dtype=int16) 1", "[]", "[]"]
