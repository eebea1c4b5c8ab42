"""media.display on the virtual board: see virtual_k230/display.py."""

# What scripts get by `from media.display import *`, as from the vendor's module, which imports these for itself.
import os  # noqa: F401

import image  # noqa: F401
import machine  # noqa: F401
from _hal import call as _call
from image import Image as _Image

from media.media import *  # noqa: F403

_TYPES = {
    300: "VIRT", 301: "DEBUGGER", 302: "ST7701", 303: "HX8399", 304: "ILI9806", 305: "LT9611", 306: "ILI9881",
    307: "NT35516", 308: "NT35532", 309: "GC9503", 310: "ST7102", 311: "AML020T", 312: "JD9852", 313: "ST7789",
}  # fmt: skip
_LAYERS = {0: "VIDEO1", 1: "VIDEO2", 2: "VIDEO3", 3: "OSD0", 4: "OSD1", 5: "OSD2", 6: "OSD3"}


class Display:
    VIRT = 300
    DEBUGGER = 301
    ST7701 = 302
    HX8399 = 303
    ILI9806 = 304
    LT9611 = 305
    ILI9881 = 306
    NT35516 = 307
    NT35532 = 308
    GC9503 = 309
    ST7102 = 310
    AML020T = 311
    JD9852 = 312
    ST7789 = 313

    LAYER_VIDEO1 = 0
    LAYER_VIDEO2 = 1
    LAYER_VIDEO3 = 2
    LAYER_OSD0 = 3
    LAYER_OSD1 = 4
    LAYER_OSD2 = 5
    LAYER_OSD3 = 6

    FLAG_ROTATION_0 = 1
    FLAG_ROTATION_90 = 2
    FLAG_ROTATION_180 = 4
    FLAG_ROTATION_270 = 8
    FLAG_MIRROR_NONE = 16
    FLAG_MIRROR_HOR = 32
    FLAG_MIRROR_VER = 64
    FLAG_MIRROR_BOTH = 128

    _size = None
    _to_ide = False
    _fps = 0

    @classmethod
    def init(cls, type=None, width=0, height=0, fps=0, flag=0, osd_num=1, to_ide=False, quality=90):
        if type not in _TYPES:
            raise ValueError("unknown display type %s" % type)
        cls._size = _call("display.init", _TYPES[type], width, height, fps, osd_num, bool(to_ide), quality)
        cls._fps = fps or 30
        cls._to_ide = bool(to_ide)

    @classmethod
    def deinit(cls):
        _call("display.deinit")
        cls._size = None

    @classmethod
    def inited(cls):
        return cls._size is not None

    @classmethod
    def width(cls, layer=None):
        return cls._size[0] if cls._size else 0

    @classmethod
    def height(cls, layer=None):
        return cls._size[1] if cls._size else 0

    @classmethod
    def fps(cls):
        return cls._fps

    @classmethod
    def bind_layer(
        cls, src=None, dstlayer=None, rect=(0, 0, 0, 0), pix_format=None, layer=None, alpha=255, flag=0, dst=None
    ):
        if dstlayer is not None:
            layer = dstlayer
        if layer is None:
            layer = cls.LAYER_VIDEO1
        if src is None:
            raise ValueError("src not set")
        _call("display.bind_layer", _LAYERS.get(layer, "?"), src[1], src[2], rect, pix_format)

    @classmethod
    def unbind_layer(cls, layer):
        return _call("display.unbind_layer", _LAYERS.get(layer, "?"))

    @classmethod
    def disable_layer(cls, layer):
        _call("display.disable_layer", _LAYERS.get(layer, "?"))

    @classmethod
    def show_image(cls, img, x=0, y=0, layer=3, alpha=None, pixel_format=None, flag=0):
        turns = 1 if flag & 2 else 2 if flag & 4 else 3 if flag & 8 else 0
        mirror = 3 if flag & 128 else (1 if flag & 32 else 0) | (2 if flag & 64 else 0)
        _call("display.show_image", img._h, x, y, _LAYERS.get(layer, "?"), alpha, turns, mirror)

    @classmethod
    def config_layer(cls, rect=(0, 0, 0, 0), pix_format=None, layer=None, alpha=255, flag=0):
        if layer not in _LAYERS:
            raise ValueError("layer %s" % layer)
        return layer

    @classmethod
    def writeback(cls, enable=None):
        """Is the composed screen captured? It is from init(to_ide=True) on."""
        return cls._to_ide

    @classmethod
    def writeback_dump(cls, timeout=1000):
        return _Image(_info=_call("display.writeback_dump"))
