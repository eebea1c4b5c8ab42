"""Names and small calls of the platform reference (§2 to §6) that no other test calls, one by one on the interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fakes.constant_models import constant_model
from virtual_k230 import VirtualK230

TELL = """
def tell(label, function, *args, **options):
    try:
        print(label, function(*args, **options))
    except Exception as error:
        print(label, type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualK230]:
    card: Path = tmp_path_factory.mktemp("card")
    twins = constant_model(card, "m", (64, 32), [np.zeros((1, 7, 21), np.float32)])
    with VirtualK230(card, profile="C", kpu="onnx", onnx_twins=twins) as board:
        board.power_cut()
        yield board


def test_camera(board: VirtualK230) -> None:
    said = board.run_code(
        TELL
        + """
from media.sensor import *
print(CAM_CHN_ID_MAX, PIXEL_FORMAT_RGB_565 == Sensor.RGB565, PIXEL_FORMAT_RGB_888 == Sensor.RGB888)
print(PIXEL_FORMAT_RGB_888_PLANAR == Sensor.RGBP888)
s = Sensor()
s.reset()
tell("mirror", s.set_hmirror, True)
tell("mirror", s.get_hmirror)
tell("flip", s.set_vflip, False)
tell("flip", s.get_vflip)
tell("type", s.get_type)
tell("size", s.set_framesize, width=320, height=240, chn=0, alignment=0)
tell("format", s.set_pixformat, Sensor.RGB888)
tell("format", lambda: s.get_pixformat(0) == Sensor.RGB888)
tell("fps", s._set_chn_fps, 0, 15)
tell("gain", s.again)
tell("focus", s.focus_caps)
tell("rate", s.get_framerate)
s.run()
frame = s.snapshot(dump_frame=True).v_frame
tell("frame", lambda: (frame.width, frame.height, frame.pixel_format == Sensor.RGB888, frame.phys_addr[0] > 0, frame.pts))
tell("frame", frame.to_image)
s.stop()
"""
    ).splitlines()
    assert [line for line in said if not line.startswith("find sensor")] == [
        "3 True True",
        "True",
        "mirror None",
        "mirror True",
        "flip None",
        "flip False",
        "type 29",
        "size None",
        "format None",
        "format True",
        "fps None",
        "gain RuntimeError can't get sensor fd",
        "focus RuntimeError can't get sensor fd",
        "not support get_framerate now...",
        "rate NotImplementedError get_framerate",
        "frame (320, 240, True, True, 0)",
        'frame {"w":320, "h":240, "type"=12, "size":230400}',
    ]


def test_display(board: VirtualK230) -> None:
    said = board.run_code(
        TELL
        + """
from media.display import *
from media.sensor import *
names = "VIRT DEBUGGER ST7701 HX8399 ILI9806 LT9611 ILI9881 NT35516 NT35532 GC9503 ST7102 AML020T JD9852"
print([getattr(Display, name) for name in names.split()] == list(range(300, 313)), Display.ST7789 > 0)
flags = "ROTATION_0 ROTATION_90 ROTATION_180 ROTATION_270 MIRROR_NONE MIRROR_HOR MIRROR_VER MIRROR_BOTH"
print([getattr(Display, "FLAG_" + name) for name in flags.split()])
print(len({Display.LAYER_VIDEO1, Display.LAYER_VIDEO2, Display.LAYER_VIDEO3, Display.LAYER_OSD0, Display.LAYER_OSD3}))
tell("on", Display.inited)
Display.init(Display.VIRT, width=640, height=480, osd_num=4, to_ide=True)
tell("on", Display.inited)
tell("size", lambda: (Display.width(), Display.height(), Display.fps()))
Display.show_image(image.Image(64, 48, image.RGB565), layer=Display.LAYER_OSD0)
tell("size", lambda: (Display.width(Display.LAYER_OSD0), Display.height(Display.LAYER_OSD0)))
tell("back", Display.writeback, True)
tell("back", lambda: Display.writeback_dump().v_frame.to_image())
tell("layer", Display.config_layer, rect=(0, 0, 320, 240), pix_format=Sensor.YUV420SP, layer=Display.LAYER_VIDEO2, alpha=255, flag=0)
tell("unbind", Display.unbind_layer, Display.LAYER_VIDEO1)
tell("off", Display.disable_layer, Display.LAYER_OSD0)
Display.deinit()
"""
    ).splitlines()
    assert said == [
        "True True",
        "[1, 2, 4, 8, 16, 32, 64, 128]",
        "5",
        "on False",
        "on True",
        "size (640, 480, 60)",
        "size (64, 48)",
        "back True",
        'back {"w":640, "h":480, "type"=12, "size":921600}',
        "layer 2",
        "unbind True",
        "off None",
    ]


def test_images(board: VirtualK230) -> None:
    said = board.run_code(
        TELL
        + """
import image
for name in ("ALLOC_MPGC", "ALLOC_HEAP", "ALLOC_MMZ", "ALLOC_VB"):
    tell(name, lambda: image.Image(16, 16, image.RGB888, alloc=getattr(image, name), cache=True, phyaddr=0, virtaddr=0, poolid=0).size())
for name in "BINARY GRAYSCALE RGB565 ARGB8888 ABGR8888 RGBA8888 BGRA8888 RGB888 BGR888 RGBP888 YUV420".split():
    tell(name, lambda: image.Image(32, 16, getattr(image, name)).size())
for name in ("BAYER", "YUV422", "JPEG", "PNG"):
    tell(name, image.Image, 32, 16, getattr(image, name))
one = image.Image(64, 48, image.RGB888)
one.clear()
tell("where", lambda: (one.phyaddr() > 0, one.virtaddr() > 0, one.poolid()))
tell("png", lambda: one.to_png().format() == image.PNG)
tell("jpeg", lambda: one.to_jpeg(quality=90, encode_for_ide=False).format() == image.JPEG)
tell("565", lambda: one.to_rgb565(x_scale=0.5, y_scale=0.5, roi=(0, 0, 32, 32), rgb_channel=-1, alpha=256, hint=0).size())
tell("palette", lambda: one.to_rgb565(color_palette=None, alpha_palette=None).size())
tell("grey", lambda: one.to_grayscale(x_size=20, y_size=10).width())
tell("copy_to", lambda: one.copy_to(image.Image(64, 48, image.RGB888)).width())
tell("copy_to", one.copy_to, image.Image(64, 40, image.RGB888))
tell("pixel", lambda: one.set_pixel((3, 4), (250, 130, 10)).get_pixel((3, 4)))
tell("pixel", lambda: (one.get_pixel(3, 4, rgbtuple=False), one.to_rgb565().get_pixel(3, 4, False)))
tell("pixel", lambda: one.to_grayscale().get_pixel(0, 0, True))
tell("ellipse", lambda: one.draw_ellipse(20, 20, 10, 5, 30, color=(255, 0, 0), thickness=1, fill=True).get_pixel(20, 20))
tell("flood", lambda: one.flood_fill(1, 1, seed_threshold=0.05, floating_threshold=0.05, color=(0, 0, 255)).get_pixel(60, 40))
"""
    ).splitlines()
    assert said == [
        *(f"{name} 768" for name in ("ALLOC_MPGC", "ALLOC_HEAP", "ALLOC_MMZ", "ALLOC_VB")),
        "BINARY 512",
        "GRAYSCALE 512",
        "RGB565 1024",
        *(f"{name} 2048" for name in ("ARGB8888", "ABGR8888", "RGBA8888", "BGRA8888")),
        *(f"{name} 1536" for name in ("RGB888", "BGR888", "RGBP888")),
        "YUV420 768",
        *(f"{name} ValueError image format not support" for name in ("BAYER", "YUV422", "JPEG", "PNG")),
        "where (True, True, 0)",
        "png True",
        "jpeg True",
        "565 512",
        "palette 6144",
        "grey 20",
        "copy_to 64",
        "copy_to ValueError images must have the same size and format",
        "pixel (250, 130, 10)",
        "pixel (16417290, 64513)",
        "pixel (0, 0, 0)",
        "ellipse (255, 0, 0)",
        "flood (0, 0, 255)",
    ]


def test_kpu_and_its_errors(board: VirtualK230) -> None:
    said = board.run_code(
        TELL
        + """
import nncase_runtime as nn, ulab.numpy as np
k = nn.kpu()
tell("file", k.load_kmodel, "/sdcard/none.kmodel")
tell("buffer", k.load_kmodel, b"LDMK")
k.load_kmodel("/sdcard/m.kmodel")
print(k.inputs_size(), k.outputs_size(), sorted(k.inputs_desc(0).items()), k.outputs_desc(0)["tensor_datatype"])
x = nn.from_numpy(np.zeros((1, 3, 32, 64), dtype=np.uint8))
tell("set", k.set_input_tensor, 5, x)
tell("set", k.set_input_tensor, 0, 3)
tell("set", k.set_input_tensor, 0, x)
tell("get", lambda: k.get_input_tensor(0).to_numpy().shape)
tell("out", k.set_output_tensor, 0, nn.from_numpy(np.zeros((1, 7, 21))))
tell("out", k.set_output_tensor, 9, x)
tell("run", k.run)
y = k.get_output_tensor(0)
print(y.to_numpy().shape)
y.release()
k.release()
nn.shrink_memory_pool()
"""
    ).splitlines()
    assert said == [
        "file OSError Kmodel file not exist.",
        "buffer EOFError KPU load model failed from buffer.",
        "1 1 [('tensor_datatype', 'dt_uint8'), ('tensor_size', 6144), ('tensor_start', 0)] dt_float32",
        "set ValueError KPU set input tensor failed.",
        "set ValueError KPU set input tensor failed.",
        "set None",
        "get (1, 3, 32, 64)",
        "out None",
        "out ValueError KPU set output tensor failed.",
        "run None",
        "(1, 7, 21)",
    ]


def test_ai2d(board: VirtualK230) -> None:
    said = board.run_code("""
import nncase_runtime as nn, ulab.numpy as np
print([getattr(nn.ai2d_format, n) for n in ("YUV420_NV12", "YUV420_NV21", "YUV420_I420", "NCHW_FMT", "RGB_packed", "RAW16")])
print([getattr(nn.interp_method, n) for n in ("tf_nearest", "tf_bilinear", "cv2_nearest", "cv2_bilinear")])
print([getattr(nn.interp_mode, n) for n in ("none", "align_corner", "half_pixel")])
step = nn.ai2d()
step.set_dtype(nn.ai2d_format.NCHW_FMT, nn.ai2d_format.NCHW_FMT, np.uint8, np.uint8)
step.set_shift_param(False, 0)
step.set_crop_param(True, 2, 1, 4, 4)
step.set_affine_param(True, nn.interp_method.cv2_bilinear, 0, 0, 127, 1, [1, 0, 1, 0, 1, 0])
built = step.build([1, 3, 8, 8], [1, 3, 4, 4])
out = nn.from_numpy(np.zeros((1, 3, 4, 4), dtype=np.uint8))
built.run(nn.from_numpy(np.array(range(192), dtype=np.uint8).reshape((1, 3, 8, 8))), out)
print([[int(v) for v in row] for row in out.to_numpy()[0][0]])
built.release()
step.release()
""").splitlines()
    assert said[:3] == ["[0, 1, 2, 3, 4, 5]", "[0, 1, 2, 3]", "[0, 1, 2]"]
    # One pixel to the right within the part: what comes from outside it is the border's value.
    assert said[3] == "[[127, 10, 11, 12], [127, 18, 19, 20], [127, 26, 27, 28], [127, 34, 35, 36]]"


def test_names_that_are_rarely_used(board: VirtualK230) -> None:
    board.hal.op("test.touch", lambda: board.touch_events([("down", 30, 40), ("move", 31, 41), ("up", 31, 41)]))
    said = board.run_code(
        TELL
        + """
import aidemo, hashlib, machine, network, os, socket, sys, _hal
import ulab.numpy as np
from machine import TOUCH
from media.media import *
from media.sensor import *
print([TOUCH.EVENT_NONE, TOUCH.EVENT_UP, TOUCH.EVENT_DOWN, TOUCH.EVENT_MOVE], TOUCH.TYPE_CST226SE == TOUCH.TYPE_CST328 == TOUCH.TYPE_GT911)
print(len({TOUCH.ROTATE_0, TOUCH.ROTATE_90, TOUCH.ROTATE_180, TOUCH.ROTATE_270, TOUCH.ROTATE_SWAP_XY}))
_hal.call("test.touch")
turns = (TOUCH.ROTATE_90, TOUCH.ROTATE_180, TOUCH.ROTATE_SWAP_XY)
for turn in turns:
    point = TOUCH(0, rotate=turn, type=TOUCH.TYPE_GT911, slave_addr=None).read(1)[0]
    print(point.event, point.x, point.y, point.track_id, type(point.timestamp).__name__)
s = Sensor(id=1, width=1280, height=720, fps=30)
s.reset()
tell("size", s.set_framesize, framesize=Sensor.VGA, chn=CAM_CHN_ID_1)
tell("size", lambda: (s.sensor_id(), s.width(CAM_CHN_ID_1), s.height(chn=1), s.width(None), s.height()))
s.stop()
block = MediaManager.Buffer.get(4096)
tell("buffer", block.flush_cache)
tell("buffer", MediaManager.Buffer.alloc(16).free)
tell("buffer", MediaManager.Buffer.get, 0)
tell("link", MediaManager.link((CAMERA_MOD_ID, 0, 0), (DISPLAY_MOD_ID, 0, 1)).destroy)
tell("sha1", lambda: hashlib.sha1(b"").digest()[:2])
tell("memory", lambda: machine.mem8[0])
class Copy:
    text = b""
    def write(self, data):
        Copy.text += bytes(data)
        return len(data)
tell("dupterm", os.dupterm, Copy(), 1)
sys.stdout.write("twice\\n")
os.dupterm(None, 1)
print(Copy.text)
tell("second argument", network.WLAN, network.STA_IF, network.WLAN_AUTO)
c = socket.socket()
tell("stream", lambda: c.makefile("rwb") is c)
tell("wav", aidemo.save_wav, [0.0, 0.5, -0.5], 3, "/sdcard/three.wav", 16000)
tell("wav", lambda: os.stat("/sdcard/three.wav")[6])
canvas = np.zeros((1, 32, 32, 4), dtype=np.uint8)
side, heads = [32, 32], (np.zeros((63, 38)), np.zeros((1, 32, 8, 8)))
tell("seg", aidemo.yolov5_seg_postprocess, heads[0], heads[1], side, side, side, 1, 0.5, 0.5, 0.5, canvas)
tell("sound", aidemo.kws_fp_create)
tell("speech", aidemo.tts_zh_create, "a", "b", "c")
"""
    ).splitlines()
    assert [line for line in said if not line.startswith(("find sensor", "warning"))] == [
        "[0, 1, 2, 3] True",
        "5",
        "2 30 40 0 int",
        "3 438 31 0 int",
        "1 768 41 0 int",
        "size None",
        "size (1, 640, 480, 1280, 720)",
        "buffer None",
        "buffer None",
        "buffer ValueError buffer size must be positive",
        "link None",
        r"sha1 b'\xda9'",
        "memory RuntimeError the virtual K230 has no register: mem8[0x0]",
        "dupterm None",
        "twice",
        r"b'twice\n'",
        "second argument TypeError function expected at most 1 arguments, got 2",
        "stream True",
        "wav None",
        "wav 50",
        "seg [[], [], []]",
        "sound RuntimeError virtual K230 has no microphone and no loudspeaker: kws and tts need a real board",
        "speech RuntimeError virtual K230 has no microphone and no loudspeaker: kws and tts need a real board",
    ]
