"""media.sensor on the virtual board: see virtual_k230/sensor.py."""

# What scripts get by `from media.sensor import *`, as from the vendor's module, which imports these for itself.
import os  # noqa: F401

import image  # noqa: F401
from _hal import call as _call
from image import Image as _Image

from media.media import *  # noqa: F403

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

    def __init__(self, id=2, width=1920, height=1080, fps=30, type=None, force=False, **options):
        _call("sensor.new", id, width, height, fps, bool(force))
        self._id = id
        self._size = (width, height)
        self._sizes = [None, None, None]
        self._formats = [None, None, None]
        self._mirror = [False, False]
        self._gain = 1.0
        self._is_running = False

    def reset(self):
        _call("sensor.reset", self._id)
        print("find sensor virtual_csi%d, output %dx%d@30" % (self._id, self._size[0], self._size[1]))

    def set_framesize(self, framesize=None, width=0, height=0, w=0, h=0, chn=0, alignment=0, crop=None, **options):
        width, height = width or w, height or h
        if framesize is not None:
            if not 0 <= framesize < len(_SIZES):
                raise ValueError("invalid framesize")
            width, height = _SIZES[framesize]
        size = _call("sensor.set_framesize", self._id, chn, width, height, alignment, crop)
        if size[0] != width:
            print("WARN: sensor(%d) chn(%d) width %d was aligned up to %d" % (self._id, chn, width, size[0]))
        self._sizes[chn] = size

    def set_pixformat(self, pix_format, chn=0):
        _call("sensor.set_pixformat", self._id, chn, pix_format)
        self._formats[chn] = pix_format

    def set_hmirror(self, enable):
        _call("sensor.set_mirror", self._id, 0, bool(enable))
        self._mirror[0] = bool(enable)

    def set_vflip(self, enable):
        _call("sensor.set_mirror", self._id, 1, bool(enable))
        self._mirror[1] = bool(enable)

    def get_hmirror(self):
        return self._mirror[0]

    def get_vflip(self):
        return self._mirror[1]

    def run(self):
        _call("sensor.run", self._id)
        self._is_running = True

    def stop(self, is_del=False):
        _call("sensor.stop", self._id)
        self._is_running = False

    @staticmethod
    def deinit():
        _call("sensor.deinit")

    def snapshot(self, chn=0, timeout=1000, dump_frame=False):
        return _Image(_info=_call("sensor.snapshot", self._id, chn))

    def sensor_id(self):
        return self._id

    def again(self, again=None):
        """Analogue gain as a k_sensor_gain; kept, but the virtual camera's pictures stay as they are."""
        if not self._is_running:
            raise RuntimeError("can't get sensor fd")
        if again is None:
            gain = k_sensor_gain()
            gain.gain[0] = self._gain
            return gain
        self._gain = float(again.gain[0])

    def _set_chn_fps(self, chn, fps):
        self._channel_size(chn)

    def _not_implemented(self, *arguments, **options):
        raise NotImplementedError("Not support")

    get_framerate = set_framerate = get_exposure_us = set_auto_exposure = set_auto_gain = get_gain_db = _not_implemented
    get_rgb_gain_db = set_auto_whitebal = set_contrast = set_brightness = set_saturation = set_gainceiling = (
        _not_implemented
    )
    set_quality = set_colorbar = skip_frames = ioctl = _not_implemented

    def auto_focus(self, enable=None):
        """None, as from every camera without a lens motor."""
        if self._is_running:
            raise RuntimeError("call should before Sensor.run()")

    def focus_pos(self, pos=None):
        """None: no lens motor."""
        if not self._is_running:
            raise RuntimeError("can't get sensor fd")

    focus_caps = focus_pos

    def width(self, chn=None):
        return self._size[0] if chn is None else self._channel_size(chn)[0]

    def height(self, chn=None):
        return self._size[1] if chn is None else self._channel_size(chn)[1]

    def _channel_size(self, chn):
        if self._sizes[chn] is None:
            raise RuntimeError("sensor channel is not configured")
        return self._sizes[chn]

    def get_pixformat(self, chn=0):
        return self._formats[chn]

    def get_type(self):
        return 29

    def bind_info(self, x=0, y=0, chn=0):
        width, height = self._channel_size(chn)
        return {"src": (5, self._id, chn), "rect": (x, y, width, height), "pix_format": self._formats[chn]}


for _number, _name in enumerate(_NAMES):
    setattr(Sensor, _name, _number)
