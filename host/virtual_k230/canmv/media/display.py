"""media.display on the virtual board: see virtual_k230/display.py.

Up to firmware 1.5 the class was written in Python, since then in C: they differ in what they refuse, and in which words.
"""

# What scripts get by `from media.display import *`, as from the vendor's module, which imports these for itself.
import os  # noqa: F401

import image  # noqa: F401
import machine  # noqa: F401
from _hal import call as _call
from image import Image as _Image

from media.media import *  # noqa: F403
from media.media import _FrameInfo

_TYPES = {
    300: "VIRT", 301: "DEBUGGER", 302: "ST7701", 303: "HX8399", 304: "ILI9806", 305: "LT9611", 306: "ILI9881",
    307: "NT35516", 308: "NT35532", 309: "GC9503", 310: "ST7102", 311: "AML020T", 312: "JD9852", 313: "ST7789",
}  # fmt: skip
_LAYERS = {1: "VIDEO1", 2: "VIDEO2", 3: "OSD0", 4: "OSD1", 5: "OSD2", 6: "OSD3", 7: "VIDEO3"}
_OSD_LAYERS = (3, 4, 5, 6)
_FIRST_TYPE = 300
_is_in_c = _call("board.profile")["letter"] in "CD"


def _numbers(value, count):
    if value is None:
        raise ValueError("Argument cannot be None")
    if type(value) not in (tuple, list):
        raise TypeError("object '%s' isn't a tuple or list" % type(value).__name__)
    if len(value) != count:
        raise ValueError("Expected %d values, got %d" % (count, len(value)))
    return list(value)


def _is_tuple_of(value, count):
    return type(value) is tuple and len(value) == count


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

    LAYER_VIDEO1 = 1
    LAYER_VIDEO2 = 2
    LAYER_VIDEO3 = 7
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

    @classmethod
    def init(cls, type=None, width=0, height=0, fps=0, flag=0, osd_num=1, to_ide=False, quality=90):
        cls._check_type(type)
        if cls._size is not None and not _is_in_c:
            print("Already run Display.init()")
            return
        cls._size = _call(
            "display.init", _TYPES[type], width or 0, height or 0, fps or 0, osd_num, bool(to_ide), quality
        )

    @classmethod
    def _check_type(cls, type):
        if type is None:
            if _is_in_c:
                raise TypeError("'type' argument required")
            raise ValueError("please run Display.init(type=)")
        if type in _TYPES:
            return
        if not _is_in_c:
            raise AssertionError("Unsupport display type %s" % type)
        if type < 0:
            raise ValueError("invalid type\n")
        raise RuntimeError("Unknown not support 0x0@60" if type >= _FIRST_TYPE else "init panel failed")

    @classmethod
    def deinit(cls):
        if cls._size is None and not _is_in_c:
            print("did't call Display.init()")
            return
        _call("display.deinit")
        cls._size = None

    @classmethod
    def inited(cls):
        return cls._size is not None

    @classmethod
    def _side(cls, layer, index):
        if layer is None:
            if cls._size is None and _is_in_c:
                raise RuntimeError("get vo resolution failed")
            return cls._size[index] if cls._size else 0
        if layer not in _LAYERS:
            raise (ValueError("invalid layer") if _is_in_c else IndexError("layer(%s) out of range" % layer))
        size = _call("display.layer_size", _LAYERS[layer])
        if size is None:
            if _is_in_c:
                raise RuntimeError("get layer attr failed")
            print("layer(%d) is not configured" % layer)
            return 0
        return size[index]

    @classmethod
    def width(cls, layer=None):
        return cls._side(layer, 0)

    @classmethod
    def height(cls, layer=None):
        return cls._side(layer, 1)

    @classmethod
    def fps(cls):
        if cls._size is None:
            raise RuntimeError("get fps but not init display")
        return cls._size[2]

    @classmethod
    def bind_layer(cls, src=None, dstlayer=None, rect=None, pix_format=None, layer=None, alpha=None, flag=0, dst=None):
        if dstlayer is not None:
            layer = dstlayer
        if _is_in_c:
            if src is None:
                raise TypeError("bind_layer requires src argument")
            src, rect = _numbers(src, 3), _numbers(rect, 4)
            if layer not in _LAYERS:  # none is the default since 1.6
                raise ValueError("invalid bind layer")
        else:
            if src is None:
                raise ValueError("src should be set")
            if not _is_tuple_of(src, 3):
                raise ValueError("src should be (mod, dec, layer)")
            if layer is None:
                layer = cls.LAYER_VIDEO1
            if layer not in _LAYERS:
                raise IndexError("layer(%s) out of range" % layer)
            rect = (0, 0, 0, 0) if rect is None else rect
            if not _is_tuple_of(rect, 4):
                raise ValueError("rect should be (x, y, w, h)")
            if alpha is not None and layer in (cls.LAYER_VIDEO1, cls.LAYER_VIDEO2):
                print("layer(%d) not support alpha, ignore it." % layer)
        was_bound = _call("display.bind_layer", _LAYERS[layer], src[1], src[2], rect, pix_format)
        if was_bound and not _is_in_c:
            print("bind_layer: layer(%d) haver been bind, auto unbind it." % layer)

    @classmethod
    def unbind_layer(cls, layer):
        if layer not in _LAYERS:
            raise (ValueError("invalid bind layer") if _is_in_c else IndexError("layer(%s) out of range" % layer))
        was_bound = _call("display.unbind_layer", _LAYERS[layer])
        if _is_in_c:
            return True
        if not was_bound:
            print("unbind layer(%d) failed." % layer)
        return was_bound

    @classmethod
    def disable_layer(cls, layer):
        if layer not in _LAYERS:
            raise ValueError("invalid layer")
        _call("display.disable_layer", _LAYERS[layer])

    @classmethod
    def show_image(cls, img, x=0, y=0, layer=None, alpha=None, pixel_format=None, flag=0):
        if not isinstance(img, _Image):
            raise TypeError("expected an image, not %s" % type(img).__name__)
        layer = cls.LAYER_OSD0 if layer is None else layer
        if layer not in _OSD_LAYERS and cls._size is not None:
            if _is_in_c:
                raise ValueError("invalid layer")
            raise AssertionError("layer(%s) is out of range." % layer)
        flag = flag or 0
        turns = 1 if flag & 2 else 2 if flag & 4 else 3 if flag & 8 else 0
        mirror = 3 if flag & 128 else (1 if flag & 32 else 0) | (2 if flag & 64 else 0)
        _call("display.show_image", img._h, x, y, _LAYERS.get(layer, "?"), alpha, turns, mirror)

    @classmethod
    def config_layer(cls, rect=None, pix_format=None, layer=None, alpha=255, flag=0):
        _numbers(rect, 4)
        if layer not in _LAYERS:
            raise ValueError("invalid bind layer")
        return layer

    @classmethod
    def writeback(cls, enable=None):
        """Is the composed screen captured? It is from init(to_ide=True) on; with an argument it is switched."""
        if enable is None:
            return _call("display.writeback", None)
        if cls._size is None:
            raise RuntimeError("set wbc stats but not init display")
        _call("display.writeback", bool(enable))
        return True

    @classmethod
    def writeback_dump(cls, timeout=1000):
        """The composed screen as a raw frame; None while it is not captured."""
        info = _call("display.writeback_dump")
        if info is None:
            print("wbc dump failed", end="")
            return None
        return _FrameInfo(_Image(_info=info), PIXEL_FORMAT_RGB_888)  # noqa: F405
