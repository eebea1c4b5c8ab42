"""media.sensor on the virtual board: see virtual_k230/sensor.py."""

# What scripts get by `from media.sensor import *`, as from the vendor's module, which imports these for itself.
import os  # noqa: F401

import image  # noqa: F401
from _hal import call as _call
from image import Image as _Image

from media.media import *  # noqa: F403
from media.media import ALIGN_UP as _align
from media.media import _FrameInfo

_NAMES = (
    "QQCIF", "QCIF", "CIF", "QSIF", "SIF", "QQVGA", "QVGA", "VGA", "HQQVGA", "HQVGA", "HVGA", "B64X64",
    "B128X64", "B128X128", "B160X160", "B320X320", "QQVGA2", "WVGA", "WVGA2", "SVGA", "XGA", "WXGA", "SXGA",
    "SXGAM", "UXGA", "HD", "FHD", "QHD", "QXGA", "WQXGA", "WQXGA2",
)  # fmt: skip
_SIZES = (
    (88, 72), (176, 144), (352, 288), (176, 120), (352, 240), (160, 120), (320, 240), (640, 480), (120, 80), (240, 160),
    (480, 320), (64, 64), (128, 64), (128, 128), (160, 160), (320, 320), (128, 160), (720, 480), (752, 480), (800, 600),
    (1024, 768), (1280, 768), (1280, 1024), (1280, 960), (1600, 1200), (1280, 720), (1920, 1080), (2560, 1440),
    (2048, 1536), (2560, 1600), (2592, 1944),
)  # fmt: skip
_MISSING = (
    "sleep", "shutdown", "flush", "skip_frames", "get_fb", "get_id", "alloc_extra_fb", "dealloc_extra_fb", "set_framerate",
    "get_framerate", "set_windowing", "get_windowing", "set_contrast", "set_brightness", "set_saturation", "set_quality",
    "set_colorbar", "set_auto_gain", "get_gain_db", "set_auto_exposure", "get_exposure_us", "set_auto_whitebal",
    "get_rgb_gain_db", "set_auto_blc", "get_blc_regs", "set_transpose", "get_transpose", "set_auto_rotation",
    "get_auto_rotation", "set_framebuffers", "get_framebuffers", "disable_delays", "disable_full_flush",
    "set_lens_correction", "set_vsync_callback", "set_frame_callback", "ioctl", "set_color_palette", "get_color_palette",
)  # fmt: skip
_SENSOR_TYPE = 29
_N_SENSOR_TYPES = 64  # how many the firmware knows is not documented
# The camera makes RGB888 and YUV; the firmware makes the other two of them in snapshot().
_CAPTURED_AS = {"RGB565": "RGB888", "GRAYSCALE": "YUV420SP"}


class k_sensor_gain:
    """Gains of up to three exposures; gain[0] is the one of a plain picture."""

    def __init__(self):
        self.gain = [1.0, 1.0, 1.0]


class Sensor:
    RGB565 = "RGB565"
    RGB888 = "RGB888"
    RGBP888 = "RGBP888"
    YUV420SP = "YUV420SP"
    GRAYSCALE = "GRAYSCALE"
    FRAME_SIZE_INVAILD = 31

    def __init__(self, id=2, width=1920, height=1080, fps=30, type=None, force=False, **options):
        self._port = id
        self._size = (width, height)
        self._fps = fps
        if type is not None and type >= _N_SENSOR_TYPES:
            raise AssertionError("invaild sensor type %d, should < %d" % (type, _N_SENSOR_TYPES - 1))
        self._dev = _call("sensor.new", id, width, height, fps, bool(force))
        if type is None:
            print("find sensor virtual_csi%d, type %d, output %dx%d@%d" % (id, _SENSOR_TYPE, width, height, fps))
        self._sizes = [(0, 0), (0, 0), (0, 0)]
        self._formats = [None, None, None]
        self._mirror = [False, False]
        self._gain = 1.0
        self._is_reset = self._is_running = self._is_stopped = False

    def _check(self, chn=None):
        if not self._is_reset:
            raise AssertionError("should call reset() first")
        if chn is not None and not 0 <= chn < CAM_CHN_ID_MAX:  # noqa: F405
            raise AssertionError("invaild chn id %d, should < %d" % (chn, CAM_CHN_ID_MAX - 1))  # noqa: F405

    def reset(self):
        if self._is_stopped:  # stop() gave the port away
            self._dev = _call("sensor.new", self._port, self._size[0], self._size[1], self._fps, False)
            self._is_stopped = False
        _call("sensor.reset", self._port)
        self._is_reset = True

    def set_framesize(self, framesize=31, chn=0, alignment=0, crop=None, **size):
        self._check(chn)
        if "w" in size and "h" in size:
            width, height = size["w"], size["h"]
        elif "width" in size and "height" in size:
            width, height = size["width"], size["height"]
        else:
            width, height = _SIZES[framesize] if 0 <= framesize < len(_SIZES) else (0, 0)
        if width % 16:
            width = _align(width, 16)
            print("Warning: sensor(%d) chn(%d) set_framesize align up width to %d" % (self._dev, chn, width))
        self._sizes[chn] = tuple(_call("sensor.set_framesize", self._port, chn, width, height, crop))

    def get_framesize(self, chn=0):
        self._check(chn)
        print("please use width() and height()")
        return self._sizes[chn]

    def set_pixformat(self, pix_format, chn=0):
        self._check(chn)
        _call("sensor.set_pixformat", self._port, chn, pix_format)
        self._formats[chn] = _CAPTURED_AS.get(pix_format, pix_format)

    def get_pixformat(self, chn=0):
        """What the camera makes: RGB888 for RGB565, YUV420SP for GRAYSCALE."""
        self._check(chn)
        return self._formats[chn]

    def set_hmirror(self, enable):
        self._check()
        _call("sensor.set_mirror", self._port, 0, bool(enable))
        self._mirror[0] = bool(enable)

    def set_vflip(self, enable):
        self._check()
        _call("sensor.set_mirror", self._port, 1, bool(enable))
        self._mirror[1] = bool(enable)

    def get_hmirror(self):
        self._check()
        return self._mirror[0]

    def get_vflip(self):
        self._check()
        return self._mirror[1]

    def run(self):
        self._check()
        _call("sensor.run", self._port)
        self._is_running = True

    def stop(self, is_del=False):
        if not is_del:
            self._check()
            if not self._is_running:
                print("warning: sensor not call run()")
        if not self._is_stopped:
            _call("sensor.stop", self._port)
        self._is_reset = self._is_running = False
        self._is_stopped = True

    @staticmethod
    def deinit():
        _call("sensor.deinit")

    def snapshot(self, chn=0, timeout=1000, dump_frame=False):
        self._check(chn)
        picture = _Image(_info=_call("sensor.snapshot", self._port, chn, timeout))
        return _FrameInfo(picture, self._formats[chn]) if dump_frame else picture

    def sensor_id(self):
        return self._port

    def again(self, again=None):
        """Analogue gain as a k_sensor_gain; kept, but the virtual camera's pictures stay as they are."""
        if not self._is_running:
            raise RuntimeError("can't get sensor fd")
        if again is None:
            gain = k_sensor_gain()
            gain.gain[0] = self._gain
            return gain
        self._gain = float(again.gain[0])

    def _set_chn_fps(self, chn=0, fps=30):
        self._check(chn)

    def auto_focus(self, enable=None):
        """None, as from every camera without a lens motor."""
        if self._is_running:
            raise RuntimeError("call should before Sensor.run()")

    def focus_pos(self, pos=None):
        """None: no lens motor."""
        if not self._is_running:
            raise RuntimeError("can't get sensor fd")

    def focus_caps(self):
        self.focus_pos()

    def width(self, chn=0):
        """Of a channel; of the camera's picture with None, and while channel 0 has no size yet."""
        self._check(chn)
        return self._sizes[chn][0] if chn is not None and (chn or self._sizes[0][0]) else self._size[0]

    def height(self, chn=0):
        self._check(chn)
        return self._sizes[chn][1] if chn is not None and (chn or self._sizes[0][1]) else self._size[1]

    def get_type(self):
        return _SENSOR_TYPE

    def bind_info(self, x=0, y=0, chn=0):
        self._check(chn)
        rect = (x, y, self._sizes[chn][0], self._sizes[chn][1])
        return {"src": (CAMERA_MOD_ID, self._dev, chn), "rect": rect, "pix_format": self._formats[chn]}  # noqa: F405


def _missing(name):
    def refuse(self, *arguments, **options):
        print("not support %s now..." % name)
        raise NotImplementedError(name)

    return refuse


for _name in _MISSING:
    setattr(Sensor, _name, _missing(_name))
for _number, _name in enumerate(_NAMES):
    setattr(Sensor, _name, _number)
