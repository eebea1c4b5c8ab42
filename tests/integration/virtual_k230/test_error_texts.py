"""Every error text that the platform reference documents, raised on the interpreter: one script a firmware, one test a text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fakes.constant_models import constant_model
from virtual_k230 import VirtualK230

ANY, OLD, NEW = "BC", "B", "C"

# Before each case nothing is switched on. What a case prints itself comes before what it raises.
SETTING = """
import image, nncase_runtime as nn, os, socket, time, network, _hal
import ulab.numpy as np
from machine import TOUCH, I2C
from media.sensor import *
from media.display import *
import aicube, aidemo
fault = lambda name: _hal.call("test.fault", name)
def sensor(*channels):
    s = Sensor()
    s.reset()
    for n in channels:
        s.set_framesize(width=320, height=240, chn=n)
        s.set_pixformat(Sensor.RGB565, chn=n)
    return s
def running(*channels):
    s = sensor(*channels)
    MediaManager.init()
    s.run()
    return s
def model(path="/sdcard/m.kmodel"):
    k = nn.kpu()
    k.load_kmodel(path)
    return k
def heads(dtype=np.float, width=21):
    return [np.zeros((1, 64 // s, 64 // s, width), dtype=dtype) for s in (8, 16, 32)]
def boxes(heads=heads(), model=[64, 64], frame=[64, 64], strides=[8, 16, 32], classes=2, anchors=[1.0] * 18):
    return aicube.anchorbasedet_post_process(heads[0], heads[1], heads[2], model, frame, strides, classes, 0.5, 0.5, anchors, False)
picture = lambda kind=image.RGB565, w=64, h=48: image.Image(w, h, kind)
def step(in_shape, out_shape, **setup):
    a = nn.ai2d()
    a.set_dtype(nn.ai2d_format.NCHW_FMT, nn.ai2d_format.NCHW_FMT, np.uint8, np.uint8)
    for name, value in setup.items():
        getattr(a, "set_%s_param" % name)(True, *value)
    return a.build(in_shape, out_shape)
tensor = lambda shape, dtype=np.uint8: nn.from_numpy(np.zeros(shape, dtype=dtype))
"""

CASES = [
    # §2.1 the camera
    (ANY, "Sensor().run()", "AssertionError: should call reset() first"),
    (ANY, "Sensor().set_framesize(Sensor.VGA)", "AssertionError: should call reset() first"),
    (ANY, "Sensor().snapshot()", "AssertionError: should call reset() first"),
    (ANY, "Sensor().bind_info()", "AssertionError: should call reset() first"),
    (ANY, "Sensor().set_hmirror(True)", "AssertionError: should call reset() first"),
    (ANY, "s = sensor(0); s.stop(); s.width()", "warning: sensor not call run() AssertionError: should call reset() first"),
    (ANY, "Sensor(); Sensor()", "OSError: sensor(2) is already inited."),
    (ANY, "Sensor(id=3)", "AssertionError: invaild sensor id 3, should < 2"),
    (ANY, "Sensor(type=500)", "AssertionError: invaild sensor type 500, should < 63"),
    (ANY, "Sensor(id=-1)", "RuntimeError: Can not found sensor on -1"),
    (ANY, "fault('camera.absent'); Sensor()", "RuntimeError: Can not found sensor on 2"),
    (ANY, "sensor().set_framesize(width=3088, height=480)",
     "AssertionError: sensor(0) chn(0) set_framesize invaild width(3088), should be 64 - 1920"),
    (ANY, "sensor().set_framesize(w=320, h=48, chn=1)",
     "AssertionError: sensor(0) chn(1) set_framesize invaild height(48), should be 64 - 1080"),
    (ANY, "sensor().set_framesize(width=48, height=64)",
     "AssertionError: sensor(0) chn(0) set_framesize invaild width(48), should be 64 - 1920"),
    (ANY, "sensor().set_framesize(99)", "AssertionError: sensor(0) chn(0) set_framesize invaild width(0), should be 64 - 1920"),
    (ANY, "sensor().set_framesize(Sensor.VGA, 3)", "AssertionError: invaild chn id 3, should < 2"),
    (ANY, "sensor().set_framesize(Sensor.VGA, crop=(0, 0, 320, 240))",
     "AssertionError: sensor(0) chn(0) set_framesize invaild crop_w(320), should be >= 640"),
    (ANY, "sensor().set_framesize(Sensor.VGA, crop=[1500, 0, 640, 480])",
     "AssertionError: sensor(0) chn(0) set_framesize invaild crop_x(1500), should be 0 - 1280"),
    (ANY, "s = sensor(); s.set_framesize(width=641, height=480); print(s.width(), s.height())",
     "Warning: sensor(0) chn(0) set_framesize align up width to 656 656 480"),
    (ANY, "running(0).snapshot(chn=1)", "RuntimeError: sensor(0) snapshot chn(1) failed(3)"),
    (ANY, "s = running(0); fault('camera.timeout'); s.snapshot(timeout=10)", "RuntimeError: sensor(0) snapshot chn(0) failed(3)"),
    (NEW, "s = sensor(); s.set_pixformat(77); s.set_framesize(0); s.run()",
     "Warning: sensor(0) chn(0) set_framesize align up width to 96 "
     "RuntimeError: sensor(0) chn(0) pixel format (77) not supported for buffer size calculation"),
    (ANY, "running(0).set_contrast(3)", "not support set_contrast now... NotImplementedError: set_contrast"),
    # §2.5 order, and what MediaManager is on which firmware
    (OLD, "sensor(0).run()", "OSError: buffer_init, vb config failed(-1610317806)"),
    (OLD, "running(0).set_framesize(Sensor.VGA)", "OSError: buffer_init, vb config failed(-1610317806)"),
    (OLD, "running(0); Display.init(Display.ST7701)", "OSError: buffer_init, vb config failed(-1610317806)"),
    (NEW, "MediaManager.init()", "MediaManager.init() is a deprecated function"),
    (NEW, "MediaManager.deinit()", "MediaManager.deinit() is a deprecated function"),
    # §3 the display
    (OLD, "Display.init(Display.ST7701, width=1024, height=600)", "ValueError: ST7701 unsupport 1024x600"),
    (NEW, "Display.init(Display.ST7701, width=1024, height=600)", "RuntimeError: ST7701 not support 1024x600@60"),
    (OLD, "Display.init(Display.LT9611, width=1280, height=720, fps=40)", "ValueError: LT9611 unsupport 1280x720@40"),
    (NEW, "Display.init(Display.LT9611, width=1280, height=720, fps=40)", "RuntimeError: LT9611 not support 1280x720@40"),
    (OLD, "Display.init(7)", "AssertionError: Unsupport display type 7"),
    (NEW, "Display.init(-7)", "ValueError: invalid type\n"),
    (OLD, "Display.init()", "ValueError: please run Display.init(type=)"),
    (NEW, "Display.init()", "TypeError: 'type' argument required"),
    (ANY, "Display.show_image(picture())", "RuntimeError: show image without init"),
    (ANY, "Display.init(Display.ST7701); Display.show_image(picture(), 780)", "ValueError: image exceed the panel resolution"),
    (ANY, "Display.init(Display.ST7701); Display.show_image(picture(), -1)", "ValueError: image exceed the panel resolution"),
    (ANY, "Display.init(Display.ST7701); Display.show_image(picture(image.RGBP888))", "ValueError: unsupport image format"),
    (ANY, "Display.init(Display.ST7701); Display.show_image(picture(image.YUV420))", "ValueError: unsupport image format"),
    (NEW, "Display.init(Display.ST7701); Display.show_image(picture(), layer=Display.LAYER_VIDEO1)", "ValueError: invalid layer"),
    (OLD, "Display.init(Display.ST7701); Display.show_image(picture(), layer=Display.LAYER_VIDEO1)",
     "AssertionError: layer(1) is out of range."),
    (ANY, "s = sensor(0); Display.bind_layer(**s.bind_info(), layer=Display.LAYER_VIDEO1)",
     "AssertionError: bind video layer only support format PIXEL_FORMAT_YUV_SEMIPLANAR_420"),
    (NEW, "Display.bind_layer(src=(5, 0, 0), rect=(0, 0, 64, 64), pix_format=Sensor.YUV420SP)", "ValueError: invalid bind layer"),
    (NEW, "Display.bind_layer(layer=Display.LAYER_VIDEO1)", "TypeError: bind_layer requires src argument"),
    (OLD, "Display.bind_layer(layer=Display.LAYER_VIDEO1)", "ValueError: src should be set"),
    (OLD, "Display.bind_layer(src=(5, 0), layer=Display.LAYER_VIDEO1)", "ValueError: src should be (mod, dec, layer)"),
    (NEW, "Display.width()", "RuntimeError: get vo resolution failed"),
    (ANY, "Display.fps()", "RuntimeError: get fps but not init display"),
    (ANY, "Display.writeback(True)", "RuntimeError: set wbc stats but not init display"),
    (ANY, "Display.init(Display.VIRT); Display.writeback_dump()", "wbc dump failed"),
    (OLD, "Display.init(Display.VIRT); Display.init(Display.VIRT)", "Already run Display.init()"),
    # §4 touch
    (OLD, "TOUCH(1)", "ValueError: Custom Touch Device should set range_x"),
    (OLD, "TOUCH(1, range_x=9)", "ValueError: Custom Touch Device should set range_y"),
    (ANY, "TOUCH(1, range_x=9, range_y=9)", "ValueError: Custom Touch Device should set i2c"),
    (ANY, "TOUCH(0).read(0)", "ValueError: point_number invalid"),
    (ANY, "TOUCH(0).read(11)", "ValueError: point_number invalid"),
    (ANY, "t = TOUCH(0); fault('touch.read'); t.read()", "RuntimeError: read touch failed, -1"),
    (ANY, "fault('touch.open'); TOUCH(0)", "RuntimeError: Open Touch Device(0) failed"),
    # §5 images
    (ANY, "picture(image.YUV420).to_numpy_ref()", "ValueError: image format not support"),
    *((ANY, f"picture(image.{kind}).save('/sdcard/x.jpg')", "OSError: current format not support save function!")
      for kind in ("RGB888", "RGBP888", "YUV420", "ARGB8888")),
    (ANY, "print(picture(image.RGB888).to_jpeg(quality=90).save('/sdcard/y.jpg', quality=99).format() == image.JPEG)", "True"),
    (ANY, "image.Image('/sdcard/none.jpg')", "OSError: [Errno 2] ENOENT"),
    (ANY, "picture().draw_string(1, 1, 'x')", "draw_string is deprecated, please use draw_string_advanced"),
    (ANY, "s = running(0); old = s.snapshot(); s.snapshot(); old.to_rgb888()",
     "RuntimeError: image of channel 0 was replaced by the next snapshot()"),
    # §6.1 the KPU and ai2d
    (ANY, "model('/sdcard/none.kmodel')", "OSError: Kmodel file not exist."),
    (ANY, "model('/sdcard/old.kmodel')", "EOFError: KPU load model failed from path."),
    (ANY, "model('/sdcard/cut.kmodel')", "EOFError: KPU load model failed from path."),
    (ANY, "nn.kpu().load_kmodel(open('/sdcard/cut.kmodel', 'rb').read())", "EOFError: KPU load model failed from buffer."),
    (ANY, "nn.kpu().load_kmodel(np.zeros(9, dtype=np.uint8))", "EOFError: KPU load model failed from buffer."),
    (ANY, "fault('kpu.load'); model()", "EOFError: KPU load model failed from path."),
    (ANY, "nn.kpu().load_kmodel(5)", "TypeError: object with buffer protocol required"),
    (ANY, "nn.kpu().run()", "RuntimeError: KPU run failed."),
    (ANY, "model().run()", "RuntimeError: KPU run failed."),
    (ANY, "model().set_input_tensor(1, tensor((1, 3, 32, 64)))", "ValueError: KPU set input tensor failed."),
    (ANY, "model().set_input_tensor(0, tensor((1, 3, 32, 65)))", "ValueError: KPU set input tensor failed."),
    (ANY, "model().set_input_tensor(0, np.zeros(3))", "ValueError: KPU set input tensor failed."),
    (ANY, "model().set_output_tensor(9, tensor((1, 7, 21)))", "ValueError: KPU set output tensor failed."),
    (ANY, "step([1, 3, 8, 8], [1, 3, 4, 4], resize=(1, 2)).run(tensor((1, 3, 7, 8)), tensor((1, 3, 4, 4)))",
     "RuntimeError: AI2D run failed."),
    # §6.3 and §6.4 decoding
    (ANY, "boxes(heads=[1, 2, 3])", "TypeError: expected ndarray"),
    (ANY, "boxes(heads=heads(np.uint8))", "ValueError: invalid ndarray dtype or layout"),
    (ANY, "boxes(model=(64, 64))", "TypeError: expected list"),
    (ANY, "boxes(frame=[64])", "ValueError: list is too short"),
    (ANY, "boxes(frame=[0, 64])", "ValueError: shape values must be positive"),
    (ANY, "boxes(strides=[8, 16])", "ValueError: list is too short"),
    (ANY, "boxes(strides=[8, 16, -32])", "ValueError: strides must be positive"),
    (ANY, "boxes(anchors=[1.0] * 17)", "ValueError: list is too short"),
    (ANY, "boxes(classes=0)", "ValueError: num_class must be positive"),
    (ANY, "print(boxes())", "[]"),
    (ANY, "aicube.seg_post_process(np.zeros((1, 4, 4, 3)), 0, [4, 4], [4, 4])", "ValueError: num_class must be positive"),
    (ANY, "aicube.seg_post_process(np.zeros((1, 4, 4, 3)), 3, [4, 4])",
     "TypeError: function takes 4 positional arguments but 3 were given"),
    (ANY, "aidemo.mask_resize(3, [3, 3], [6, 6])", "TypeError: expected ndarray"),
    # §1.1 hashes, §1.3 files in use and FAT
    (ANY, "import hashlib; hashlib.sha256(b'').hexdigest()", "AttributeError: 'sha256' object has no attribute 'hexdigest'"),
    (ANY, "import hashlib; h = hashlib.md5(b''); h.digest(); h.update(b'x')", "ValueError: hash is final"),
    (ANY, "import used; open('/sdcard/used.py', 'wb')", "OSError: [Errno 1] EPERM"),
    (ANY, "import used; os.remove('/sdcard/used.py')", "OSError: [Errno 1] EPERM"),
    (ANY, "import used; os.rename('/sdcard/USED.py', '/sdcard/x.py')", "OSError: 16"),
    (ANY, "print(open('/sdcard/used.py').read()); open('/sdcard/m.kmodel', 'ab').close()", "x = 1"),
    (ANY, "open('/sdcard/a', 'w').close(); os.rename('/sdcard/a', '/sdcard/used.py')", "OSError: [Errno 17] EEXIST"),
    (ANY, "os.replace('/sdcard/a', '/sdcard/b')", "AttributeError: module 'os' has no attribute 'replace'"),
    (ANY, "import os.path", "ImportError: no module named 'os.path'"),
    # §8 network
    (ANY, "network.WLAN(network.STA_IF).active(True)", "network(rt_smart) not support set active state"),
    (ANY, "network.WLAN(network.STA_IF).connect('x', 'short')", "OSError: Key length(5) should be 8 - 64"),
    (ANY, "network.WLAN(network.STA_IF).connect()", "OSError: should set ssid or ap"),
    (ANY, "network.WLAN(network.STA_IF).status('x')", "ValueError: unknown status param"),
    (ANY, "network.WLAN(network.STA_IF).ifconfig('x')", "ValueError: unknown config param"),
    (ANY, "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(1); s.accept()", "OSError: [Errno 11] EAGAIN"),
    (ANY, "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 0)); s.settimeout(0.1); print(s.recvfrom(9)[0])",
     "recvfrom timeout! b''"),
]  # fmt: skip

RUNNER = """
def run_case(number, source):
    print("\\x02", number, sep="")
    try:
        exec(source, globals())
    except BaseException as error:
        print("%s: %s" % (type(error).__name__, error), end="")
    print("\\x03")
    _hal.call("test.clean")
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, int], str]]:
    """{(profile, number of the case): what it printed and raised}."""
    answers: dict[tuple[str, int], str] = {}
    for profile in ANY:
        card: Path = tmp_path_factory.mktemp("card")
        twins = constant_model(card, "m", (64, 32), [np.zeros((1, 7, 21), np.float32)])
        kmodel = (card / "m.kmodel").read_bytes()
        (card / "old.kmodel").write_bytes(kmodel[:4] + b"\6" + kmodel[5:])
        (card / "cut.kmodel").write_bytes(kmodel[:-9])
        (card / "used.py").write_text("x = 1\n")
        with VirtualK230(card, profile=profile, kpu="onnx", onnx_twins=twins) as board:
            board.power_cut()

            def clean(board: VirtualK230 = board) -> None:
                board.sensor.reset()
                board.display.reset()
                board.faults.clear_all()

            board.hal.op("test.fault", board.faults.set)
            board.hal.op("test.clean", clean)
            calls = "".join(
                f"Display._size = None\nrun_case({number}, {source!r})\n"
                for number, (profiles, source, _) in enumerate(CASES)
                if profile in profiles
            )
            for part in board.run_code(SETTING + RUNNER + calls).split("\x02")[1:]:
                number, _, text = part.partition("\n")
                lines = text.partition("\x03")[0].split("\n")
                kept = [line for line in lines if not line.startswith("find sensor")]
                answers[profile, int(number)] = "\n".join(kept)
    yield answers


@pytest.mark.parametrize(
    ("profile", "number"),
    [
        pytest.param(profile, number, id=f"{profile}: {source[:60]}")
        for number, (profiles, source, _) in enumerate(CASES)
        for profile in profiles
    ],
)
def test_the_firmwares_words(said: dict[tuple[str, int], str], profile: str, number: int) -> None:
    expected = CASES[number][2]
    answer = said[profile, number]
    if not expected.endswith("\n"):
        answer = answer.replace("\n", " ").strip()
    if "deprecated" not in expected:
        answer = answer.replace("MediaManager.init() is a deprecated function", "").strip(" ")
    assert answer == expected
