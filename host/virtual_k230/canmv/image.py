"""image on the virtual board: pictures live on the PC (virtual_k230/image.py); compressed ones carry their bytes."""

import math as _math

from _found import Found as _Found
from _found import Histogram as _Histogram
from _hal import call as _call
from _hal import call_blob as _call_blob
from _hal import token as _token
from ulab import numpy as _np

BINARY = 1
GRAYSCALE = 2
RGB565 = 3
BAYER = 4
YUV422 = 5
JPEG = 6
PNG = 7
ARGB8888 = 8
ABGR8888 = 9
RGBA8888 = 10
BGRA8888 = 11
RGB888 = 12
BGR888 = 13
RGBP888 = 14
YUV420 = 15

ALLOC_MPGC = 0
ALLOC_HEAP = 1
ALLOC_MMZ = 2
ALLOC_VB = 3
ALLOC_REF = 4

AREA, BILINEAR, BICUBIC = 1, 2, 4
HMIRROR, VFLIP, TRANSPOSE, CENTER, EXTRACT_RGB_CHANNEL_FIRST, APPLY_COLOR_PALETTE_FIRST = 8, 16, 32, 64, 128, 256
PALETTE_RAINBOW, PALETTE_IRONBOW = 0, 1
SEARCH_EX, SEARCH_DS = 0, 1
EDGE_CANNY, EDGE_SIMPLE = 0, 1
CORNER_FAST, CORNER_AGAST = 0, 1
TAG16H5, TAG25H7, TAG25H9, TAG36H10, TAG36H11, ARTOOLKIT = 1, 2, 4, 8, 16, 32
(
    EAN2,
    EAN5,
    EAN8,
    UPCE,
    ISBN10,
    UPCA,
    EAN13,
    ISBN13,
    I25,
    DATABAR,
    DATABAR_EXP,
    CODABAR,
    CODE39,
    PDF417,
    CODE93,
    CODE128,
) = range(1, 17)

_bytearray = bytearray


class Image(_bytearray):
    """One picture. The bytes it is made of are those of a JPEG or PNG stream, so that f.write(img) works; else none."""

    def __init__(self, *args, alloc=2, cache=True, phyaddr=0, virtaddr=0, poolid=0, data=None, _info=None, _stream=b""):
        if _info is None:
            if len(args) == 1 or (args and type(args[0]) is str):
                _info, _stream = _call_blob("image.load", b"", args[0])
            elif len(args) < 3:
                raise TypeError("Image takes a path, or width, height and format")
            elif data is None:
                _info = _call("image.new", args[0], args[1], args[2])
            elif type(data) is _np.ndarray:
                _info = _call("image.from_array", args[0], args[1], args[2], data._h)
            else:
                _info, _stream = _call_blob("image.from_data", data, args[0], args[1], args[2])
        super().__init__(_stream)
        self._info = _info
        self._h = _info[0]
        self._keep = data
        self._t = _token(_info[0])

    def __str__(self):
        return '{"w":%d, "h":%d, "type"=%d, "size":%d}' % (self._info[1], self._info[2], self._info[3], self._info[4])

    __repr__ = __str__

    def __bool__(self):
        return True  # also when it holds no stream: vendor scripts ask `if mask:`

    def width(self):
        return self._info[1]

    def height(self):
        return self._info[2]

    def format(self):
        return self._info[3]

    def size(self):
        return self._info[4]

    def phyaddr(self):
        return 0x10000000 + self._h * 0x1000

    def virtaddr(self):
        return 0x10000000 + self._h * 0x1000

    def poolid(self):
        return 0

    def bytearray(self):
        return _call_blob("image.data", b"", self._h)[1]

    def to_numpy_ref(self):
        array = _np._wrap(_call("image.numpy_ref", self._h))
        array._keep = self
        return array

    def _convert(self, target, options):
        info, stream = _call_blob("image.convert", b"", self._h, target, options)
        return Image(_info=info, _stream=stream)

    def to_rgb565(self, **options):
        return self._convert(RGB565, options)

    def to_rgb888(self, **options):
        return self._convert(RGB888, options)

    def to_grayscale(self, **options):
        return self._convert(GRAYSCALE, options)

    def to_jpeg(self, **options):
        return self._convert(JPEG, options)

    def to_png(self, **options):
        return self._convert(PNG, options)

    def compressed(self, quality=50):
        info, stream = _call_blob("image.compress", b"", self._h, quality, False)
        return Image(_info=info, _stream=stream)

    def compress(self, quality=50):
        self._info, stream = _call_blob("image.compress", b"", self._h, quality, True)
        self[:] = stream
        return self

    def compressed_for_ide(self, quality=50):
        """Show the image in the IDE, and return the JPEG."""
        info, stream = _call_blob("image.compress", b"", self._h, quality, False)
        _call_blob("ide.show", stream, info[1], info[2])
        return Image(_info=info, _stream=stream)

    def compress_for_ide(self, quality=50):
        """Show the image in the IDE; the image itself stays as it is."""
        self.compressed_for_ide(quality)
        return self

    def save(self, path, roi=None, quality=50):
        data = _call_blob("image.encode", b"", self._h, path, None if roi is None else list(roi), quality)[1]
        with open(path, "wb") as file:
            file.write(data)
        return self

    def copy(self, roi=None, **options):
        info, stream = _call_blob("image.copy", b"", self._h, None if roi is None else list(roi), options)
        return Image(_info=info, _stream=stream)

    def crop(self, roi=None, **options):
        self._info = _call("image.crop_in_place", self._h, None if roi is None else list(roi), options)
        return self

    scale = crop

    def copy_from(self, other):
        if type(other) is _np.ndarray:
            other = Image(self._info[1], self._info[2], self._info[3], alloc=ALLOC_REF, data=other)
        _call("image.copy_from", self._h, other._h)
        return self

    def copy_to(self, other):
        _call("image.copy_from", other._h, self._h)
        return self

    def clear(self):
        _call("image.clear", self._h)
        return self

    def get_pixel(self, x, y=None, rgbtuple=None):
        """(x, y), or one tuple of both; None outside. rgbtuple: colours as (r, g, b), else as the number in memory."""
        if type(x) in (tuple, list):
            rgbtuple = y if rgbtuple is None else rgbtuple
            x, y = x
        value = _call("image.pixel", self._h, x, y)
        if type(value) is list:
            r, g, b = value
            if rgbtuple is None or rgbtuple:
                return (r, g, b)
            return (r >> 3) << 11 | (g >> 2) << 5 | b >> 3 if self._info[3] == RGB565 else r << 16 | g << 8 | b
        return (value, value, value) if rgbtuple and value is not None else value

    def set_pixel(self, x, y, value=None):
        if type(x) in (tuple, list):
            value = y
            x, y = x
        _call("image.set_pixel", self._h, x, y, value)
        return self

    def cached(self):
        return True

    def draw_line(self, *args, **options):
        _call("image.draw", self._h, "line", args, options)
        return self

    def draw_rectangle(self, *args, **options):
        _call("image.draw", self._h, "rectangle", args, options)
        return self

    def draw_circle(self, *args, **options):
        _call("image.draw", self._h, "circle", args, options)
        return self

    def draw_ellipse(self, *args, **options):
        _call("image.draw", self._h, "ellipse", args, options)
        return self

    def draw_cross(self, *args, **options):
        _call("image.draw", self._h, "cross", args, options)
        return self

    def draw_arrow(self, *args, **options):
        _call("image.draw", self._h, "arrow", args, options)
        return self

    def draw_string_advanced(self, x, y, char_size, text, color=(255, 255, 255), font=None):
        _call("image.draw_string", self._h, x, y, char_size, str(text), color, font)
        return self

    def draw_string(self, x, y, text, color=(255, 255, 255), scale=1, **options):
        print("draw_string is deprecated, please use draw_string_advanced")
        _call("image.draw_string", self._h, x, y, int(10 * scale), str(text), color, None)
        return self

    def draw_image(self, other, x=0, y=0, x_scale=1.0, y_scale=1.0, alpha=256, mask=None, **options):
        through = None if mask is None else mask._h
        _call("image.draw_image", self._h, other._h, x, y, x_scale, y_scale, alpha, through)
        return self

    def get_similarity(self, other, **options):
        mean, stdev, least, greatest = _call("image.similarity", self._h, other._h)
        return {"mean": mean, "stdev": stdev, "min": least, "max": greatest}

    def find_displacement(self, template, **options):
        x, y, response = _call("image.displacement", self._h, template._h)
        fields = [["x_translation", x], ["y_translation", y], ["rotation", 0.0], ["scale", 1.0], ["response", response]]
        return _Found([5, fields])

    def draw_keypoints(self, keypoints, color=(255, 255, 255), size=10, thickness=1, fill=False):
        """Circles with a line in their direction: (x, y[, angle in degrees]) each."""
        for point in keypoints:
            x, y = int(point[0]), int(point[1])
            angle = _math.radians(point[2] if len(point) > 2 else 0)
            self.draw_circle(x, y, size, color=color, thickness=thickness, fill=fill)
            end_x, end_y = int(x + _math.cos(angle) * size), int(y - _math.sin(angle) * size)
            self.draw_line(x, y, end_x, end_y, color=color, thickness=thickness)
        return self

    def flood_fill(self, x, y, **options):
        _call("image.flood_fill", self._h, x, y, options)
        return self

    def _detect(self, name, args, options):
        return _call("image.detect", self._h, name, _passed(args), options)

    def find_template(self, *args, **options):
        found = self._detect("find_template", args, options)
        return None if found is None else tuple(found)

    def get_statistics(self, *args, **options):
        return _Found(self._detect("statistics", args, options))

    statistics = get_stats = get_statistics

    def get_histogram(self, *args, **options):
        return _Histogram(self._detect("histogram", args, options), lambda: self.get_statistics(*args, **options))

    histogram = get_hist = get_histogram

    def set(self, color=255):
        self.draw_rectangle(0, 0, self._info[1], self._info[2], color=color, fill=True)
        return self

    def replace(self, *args, **options):
        """Flips first, then the transposition, which swaps width and height."""
        is_transposed = options.pop("transpose", False)
        _call("image.filter", self._h, "replace", _passed(args), options)
        return self._transpose() if is_transposed else self

    def find_edges(self, edge_type=0, threshold=(100, 200)):
        _call("image.filter", self._h, "find_edges", (), {"threshold": threshold, "simple": edge_type == EDGE_SIMPLE})
        return self

    def get_regression(self, *args, **options):
        reply = _call("image.regression", self._h, args, options)
        return None if reply is None else _Found(reply)

    def find_features(self, cascade, threshold=0.5, scale_factor=1.5, roi=None):
        if type(cascade) is not HaarCascade:
            raise TypeError("find_features takes a HaarCascade")
        faces = _call("image.faces", self._h, cascade._h, threshold, scale_factor, roi)
        return [tuple(face) for face in faces]

    def find_lbp(self, roi=None):
        return _Descriptor(_call("image.lbp", self._h, roi))

    def find_hog(self, roi=None, size=8):
        _call("image.hog", self._h, roi, size)
        return self

    def find_keypoints(self, *args, **options):
        raise NotImplementedError("virtual K230 finds no key points and no eyes; use a kmodel or a real board")

    find_eye = find_keypoints


def _passed(args):
    return [{"h": argument._h} if type(argument) is Image else argument for argument in args]


def _detector(name):
    def find(self, *args, **options):
        return [_Found(reply) for reply in self._detect(name, args, options)]

    return find


def _filter(name):
    def change(self, *args, **options):
        _call("image.filter", self._h, name, _passed(args), options)
        return self

    return change


def _changer(name):
    def change(self, *args, **options):
        _call("image.change", self._h, name, _passed(args), options)
        return self

    return change


def _maker(name):
    def make(self, *args, **options):
        return Image(_info=_call("image.make", self._h, name, args, options))

    return make


def _becomer(name):
    def become(self, *args, **options):
        made = Image(_info=_call("image.make", self._h, name, args, options))
        self._info = _call("image.become", self._h, made._h)
        return self

    return become


for _name in (
    "find_qrcodes", "find_barcodes", "find_datamatrices", "find_apriltags", "find_blobs", "find_rects", "find_circles",
    "find_lines", "find_line_segments",
):  # fmt: skip
    setattr(Image, _name, _detector(_name))
for _name in (
    "invert", "negate", "erode", "dilate", "open", "close", "top_hat", "black_hat", "mean", "median", "mode", "midpoint",
    "gaussian", "laplacian", "bilateral", "histeq", "gamma_corr", "gamma", "lens_corr", "rotation_corr", "b_and", "b_nand",
    "b_or", "b_nor", "b_xor", "b_xnor", "difference", "add", "sub", "min", "max", "mul", "blend", "binary",
):  # fmt: skip
    setattr(Image, _name, _filter(_name))
for _name in (
    "linpolar", "logpolar", "illuminvar", "chrominvar", "cartoon", "morph", "mask_rectangle", "mask_circle", "mask_ellipse",
):  # fmt: skip
    setattr(Image, _name, _changer(_name))
for _name in ("mean_pooled", "midpoint_pooled", "to_bitmap", "to_rainbow", "to_ironbow"):
    setattr(Image, _name, _maker(_name))
for _name in ("mean_pool", "midpoint_pool"):
    setattr(Image, _name, _becomer(_name + "ed"))
Image._transpose = _becomer("transposed")
del _name


class HaarCascade:
    """What find_features() looks for; "frontalface" is there."""

    def __init__(self, path, stages=-1):
        self._h, self._width, self._height, self._stages = _call("image.cascade", path, stages)
        self._t = _token(self._h)

    def __repr__(self):
        return '{"width":%d, "height":%d, "n_stages":%d}' % (self._width, self._height, self._stages)


class _Descriptor:
    """Local binary patterns of a picture, for match_descriptor()."""

    def __init__(self, handle):
        self._h = handle
        self._t = _token(handle)


def match_descriptor(first, second, threshold=85, filter_outliers=False):
    if type(first) is not _Descriptor or type(second) is not _Descriptor:
        raise TypeError("match_descriptor takes two LBP descriptors")
    return _call("image.match", first._h, second._h)


def rgb_to_lab(color):
    return tuple(_call("image.colour", "rgb_to_lab", color))


def lab_to_rgb(color):
    return tuple(_call("image.colour", "lab_to_rgb", color))


def rgb_to_grayscale(color):
    return _call("image.colour", "rgb_to_grayscale", color)


def grayscale_to_rgb(value):
    return (value, value, value)
