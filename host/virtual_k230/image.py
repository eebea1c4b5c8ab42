"""The `image` module's Python side: pictures in board formats, conversion, JPEG, saving, drawing.

MicroPython's `canmv/image.py` holds a handle and calls the operations below. Saving hands the encoded bytes back, and
MicroPython writes them with its own open(), so that the card's faults and limits apply.
Facts: the vendor API as described in the K230 platform notes, §5.
"""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from . import drawing
from . import pixels as px
from .arrays import describe
from .hal import HalError, Reply
from .handles import Handles, handles_of

logger = logging.getLogger(__name__)

_DRAW_LOG_LIMIT = 4000
_SAVEABLE = frozenset({px.RGB565, px.GRAYSCALE, px.JPEG, px.PNG})
_PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".raw", ""})
_JPEG_SOURCES = frozenset({px.RGB565, px.GRAYSCALE, px.RGB888, px.BGR888, px.JPEG, px.PNG, *px.CHANNELS_ARGB})


class Image:
    """One picture.

    Attributes:
        pixels: as pixels.py describes for `format`.
        drawn: draw calls since the last clear(), oldest first.
        is_shared: somebody else (the sensor's cache, a layer of the panel) holds the same memory; copy before writing.
        has_view: an ndarray shares the memory; it must then never be swapped for a copy.
        gone: why the memory is no longer valid, or None.
    """

    __slots__ = ("drawn", "format", "gone", "has_view", "height", "is_shared", "pixels", "width")

    def __init__(
        self, pixels: px.Pixels, pixel_format: int, size: tuple[int, int] | None = None, is_shared: bool = False
    ) -> None:
        self.pixels = pixels
        self.format = pixel_format
        self.width, self.height = size if size is not None else _size_of(pixels, pixel_format)
        self.drawn: deque[drawing.Call] = deque(maxlen=_DRAW_LOG_LIMIT)
        self.is_shared = is_shared
        self.has_view = False
        self.gone: str | None = None

    def readable(self) -> px.Pixels:
        """The pixels.

        Raises:
            HalError: RuntimeError when the frame was taken back (on a real board: garbage or a crash).
        """
        if self.gone is not None:
            raise HalError("RuntimeError", self.gone)
        return self.pixels

    def writable(self) -> px.Pixels:
        """The pixels, of which nobody else holds a view that may not change."""
        pixels = self.readable()
        if self.is_shared or not pixels.flags.writeable:
            self.pixels = pixels = pixels.copy()
            self.is_shared = False
        return pixels

    def rgb(self) -> px.Pixels:
        """HxWx3 uint8 RGB."""
        return px.to_rgb(self.readable(), self.format)

    def n_bytes(self) -> int:
        """Bytes of the pixels or of the compressed stream."""
        return int(self.pixels.nbytes)


def _size_of(pixels: px.Pixels, pixel_format: int) -> tuple[int, int]:
    if pixel_format in px.COMPRESSED:
        picture = px.to_rgb(pixels, pixel_format)
        return picture.shape[1], picture.shape[0]
    if pixel_format == px.RGBP888:
        return pixels.shape[2], pixels.shape[1]
    if pixel_format == px.YUV420:
        return pixels.shape[1], pixels.shape[0] * 2 // 3
    return pixels.shape[1], pixels.shape[0]


class ImageOps:
    """The operations behind one board's `image` module."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self._handles: Handles = handles_of(board)

    def info(self, image: Image, handle: int | None = None) -> list[int]:
        """[handle, width, height, format, bytes], what the MicroPython object keeps."""
        if handle is None:
            handle = self._handles.put(image)
        return [handle, image.width, image.height, image.format, image.n_bytes()]

    def get(self, handle: int) -> Image:
        """The image behind a handle."""
        return self._handles.get(handle, Image)

    # ---- making -------------------------------------------------------------------------------------------------

    def new(self, width: int, height: int, pixel_format: int) -> list[int]:
        """A black (and, where there is alpha, transparent) image."""
        return self.info(Image(px.blank(width, height, pixel_format), pixel_format))

    def from_data(self, width: int, height: int, pixel_format: int, *, blob: memoryview) -> Reply:
        """An image of raw bytes, or of a JPEG or PNG stream."""
        pixels = px.from_bytes(blob, width, height, pixel_format)
        return self._with_stream(Image(pixels, pixel_format))

    def from_array(self, width: int, height: int, pixel_format: int, array_handle: int) -> list[int]:
        """An image that shares the memory of an ndarray (ALLOC_REF)."""
        array = self._handles.get(array_handle, np.ndarray)
        wanted = px.blank(width, height, pixel_format)
        if array.nbytes < wanted.nbytes or not array.flags.c_contiguous:
            raise HalError("ValueError", f"image data has {array.nbytes} bytes, {width}x{height} needs {wanted.nbytes}")
        flat = array.reshape(-1).view(np.uint8)[: wanted.nbytes]
        image = Image(flat.view(wanted.dtype).reshape(wanted.shape), pixel_format)
        image.has_view = True
        return self.info(image)

    def load(self, path: str) -> Reply:
        """An image file; JPEG and PNG stay compressed, others become RGB565 or GRAYSCALE, as on the board."""
        try:
            data = Path(self._board.host_path(path)).read_bytes()
        except OSError as error:
            raise HalError("OSError", error.errno or 2) from error
        if data[:2] == b"\xff\xd8":
            return self._with_stream(Image(np.frombuffer(data, np.uint8), px.JPEG))
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return self._with_stream(Image(np.frombuffer(data, np.uint8), px.PNG))
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
        if decoded is None:
            raise HalError("OSError", f"{path} is not a BMP, PNM, JPG or PNG picture")
        if decoded.ndim == 2:
            return Reply(self.info(Image(decoded, px.GRAYSCALE)))
        rgb = np.ascontiguousarray(decoded[:, :, 2::-1])
        return Reply(self.info(Image(px.from_rgb(rgb, px.RGB565), px.RGB565)))

    def _with_stream(self, image: Image, handle: int | None = None) -> Reply:
        """Info, and for a compressed image its bytes too: MicroPython keeps them so that f.write(img) works."""
        stream = image.pixels.tobytes() if image.format in px.COMPRESSED else b""
        return Reply(self.info(image, handle), stream)

    # ---- converting ---------------------------------------------------------------------------------------------

    def convert(self, handle: int, pixel_format: int, options: dict[str, Any]) -> Reply:
        """A new image in another format; options roi, x_size, y_size, x_scale, y_scale, quality (JPEG)."""
        source = self.get(handle)
        if pixel_format == px.JPEG:
            plain = not any(options.get(name) is not None for name in ("roi", "x_size", "y_size", "x_scale", "y_scale"))
            if source.format == px.JPEG and plain:
                return self._with_stream(Image(source.readable(), px.JPEG))
            return self._with_stream(self._jpeg(source, options, default_quality=90))
        rgb = _resized(source.rgb(), options)
        if pixel_format == px.PNG:
            return self._with_stream(Image(_encode(".png", rgb), px.PNG))
        pixels = px.from_rgb(rgb, pixel_format)
        if pixels is source.pixels or not pixels.flags.writeable:
            pixels = pixels.copy()
        return Reply(self.info(Image(pixels, pixel_format)))

    def compress(self, handle: int, quality: int, is_in_place: bool) -> Reply:
        """JPEG in place, or as a new image."""
        source = self.get(handle)
        jpeg = self._jpeg(source, {"quality": quality}, default_quality=50)
        if not is_in_place:
            return self._with_stream(jpeg)
        source.pixels, source.format, source.is_shared = jpeg.pixels, px.JPEG, False
        return self._with_stream(source, handle)

    def _jpeg(self, source: Image, options: dict[str, Any], default_quality: int) -> Image:
        if source.format not in _JPEG_SOURCES:
            raise HalError(
                "ValueError",
                f"{px.NAMES.get(source.format, '?')} can not be compressed; capture RGB565 "
                "(a real board gives a corrupt picture or hangs)",
            )
        quality = options.get("quality")
        quality = default_quality if quality is None else drawing.whole(quality)
        if not 1 <= quality <= 100:
            raise HalError("ValueError", "quality must be 1 to 100")
        rgb = _resized(source.rgb(), options)
        if source.format in (px.RGB888, px.BGR888):
            rgb = px.to_rgb(px.from_rgb(rgb, px.RGB565), px.RGB565)  # the firmware goes through RGB565
        return Image(_encode(".jpg", rgb, quality), px.JPEG, (rgb.shape[1], rgb.shape[0]))

    def encode(self, handle: int, path: str, roi: list[int] | None, quality: int) -> Reply:
        """The bytes that `save(path)` writes.

        Raises:
            HalError: OSError for RGB888, RGBP888, YUV420 and 32-bit images in a picture format, word for word as the
                firmware. Any other extension dumps the bytes of any image.
        """
        source = self.get(handle)
        suffix = path[path.rfind(".") :].lower() if "." in path else ""
        if source.format not in _SAVEABLE and suffix in _PICTURE_SUFFIXES:
            raise HalError("OSError", "current format not support save function!")
        options = {"roi": roi, "quality": quality}
        if suffix in (".jpg", ".jpeg"):
            if source.format == px.JPEG and roi is None:
                return Reply(None, source.readable().tobytes())
            return Reply(None, self._jpeg(source, options, 50).pixels.tobytes())
        if source.format in px.COMPRESSED and roi is None:
            return Reply(None, source.readable().tobytes())
        if suffix in (".png", ".bmp", ".ppm", ".pgm"):
            rgb = _resized(source.rgb(), options)
            picture = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) if suffix == ".pgm" else rgb
            return Reply(None, _encode(suffix, np.asarray(picture)).tobytes())
        return Reply(None, _cropped(source, roi).tobytes())

    def copy(self, handle: int, roi: list[int] | None, options: dict[str, Any]) -> Reply:
        """A new image of the same format, or of a part of it, resized where asked."""
        source = self.get(handle)
        if any(options.get(name) is not None for name in ("x_size", "y_size", "x_scale", "y_scale")):
            resized = px.from_rgb(_resized(source.rgb(), {**options, "roi": roi}), source.format)
            return Reply(self.info(Image(resized, source.format)))
        if source.format in px.COMPRESSED:
            return self._with_stream(Image(source.readable(), source.format, (source.width, source.height)))
        return Reply(self.info(Image(_cropped(source, roi).copy(), source.format)))

    def crop_in_place(self, handle: int, roi: list[int] | None, options: dict[str, Any]) -> list[int]:
        """OpenMV's crop(): the image itself becomes the part."""
        source = self.get(handle)
        rgb = _resized(source.rgb(), {**options, "roi": roi})
        source.pixels = px.from_rgb(rgb, source.format)
        source.is_shared = False
        source.width, source.height = _size_of(source.pixels, source.format)
        return self.info(source, handle)

    def copy_from(self, handle: int, other: int) -> None:
        """Take over another image's pixels; same size and format."""
        target, source = self.get(handle), self.get(other)
        if (target.width, target.height, target.format) != (source.width, source.height, source.format):
            raise HalError("ValueError", "images must have the same size and format")
        np.copyto(target.writable(), source.readable())
        target.drawn = source.drawn.copy()

    # ---- memory -------------------------------------------------------------------------------------------------

    def numpy_ref(self, handle: int) -> list[Any]:
        """Description of an ndarray that shares the image's memory."""
        image = self.get(handle)
        px.numpy_view(image.readable(), image.format)
        array = px.numpy_view(image.writable(), image.format)
        image.has_view = True
        return describe(self._handles, array)

    def data(self, handle: int) -> Reply:
        """The raw bytes."""
        return Reply(None, self.get(handle).readable().tobytes())

    def pixel(self, handle: int, x: int, y: int) -> Any:
        """Grey value or [r, g, b]; None outside, as OpenMV answers."""
        image = self.get(handle)
        if image.format not in (px.BINARY, px.GRAYSCALE, px.RGB565, px.RGB888):
            raise HalError("ValueError", "image format not support")
        if not (0 <= x < image.width and 0 <= y < image.height):
            return None
        if image.format in (px.BINARY, px.GRAYSCALE):
            value = int(image.readable()[y, x])
            return value if image.format == px.GRAYSCALE else int(value > 0)
        return [int(v) for v in px.to_rgb(image.readable()[y : y + 1, x : x + 1], image.format)[0, 0]]

    def set_pixel(self, handle: int, x: int, y: int, colour: Any) -> None:
        """Colour one pixel; outside nothing happens."""
        image = self.get(handle)
        if 0 <= x < image.width and 0 <= y < image.height:
            image.writable()[y, x] = px.colour_value(drawing.colour_argb(colour), image.format)

    # ---- drawing ------------------------------------------------------------------------------------------------

    def clear(self, handle: int) -> None:
        """All bytes zero, and an empty record of draw calls."""
        image = self.get(handle)
        if image.is_shared:
            image.readable()
            image.pixels = np.zeros_like(image.pixels)
            image.is_shared = False
        else:
            image.writable().fill(0)
        image.drawn.clear()

    def draw(self, handle: int, shape: str, args: list[Any], options: dict[str, Any]) -> None:
        """Draw one of drawing.SHAPES."""
        image = self.get(handle)
        px.colour_value((0, 0, 0, 0), image.format)
        image.drawn.append(drawing.SHAPES[shape](image.writable(), image.format, args, options))

    def draw_string(self, handle: int, x: Any, y: Any, size: Any, text: str, colour: Any, font: str | None) -> None:
        """TrueType text; `font` is a file on the card."""
        image = self.get(handle)
        px.colour_value((0, 0, 0, 0), image.format)
        left, top, high = (drawing.whole(v) for v in (x, y, size))
        call = drawing.draw_text(
            image.writable(), image.format, left, top, high, text, drawing.colour_argb(colour), self._font_path(font)
        )
        image.drawn.append(call)

    def flood_fill(self, handle: int, x: int, y: int, options: dict[str, Any]) -> None:
        """Colour what is connected to a pixel and like it; options color, seed_threshold, floating_thresholds (0..1)."""
        image = self.get(handle)
        colour = options.get("color", (255, 255, 255))
        px.colour_value((0, 0, 0, 0), image.format)
        rgb = np.ascontiguousarray(image.rgb()).copy()
        column, row = drawing.whole(x), drawing.whole(y)
        if not (0 <= column < image.width and 0 <= row < image.height):
            return
        seed = (255 * float(options.get("seed_threshold", 0.05)),) * 3
        mask = np.zeros((image.height + 2, image.width + 2), np.uint8)
        is_fixed = not options.get("floating_thresholds", 0.05)
        flags = 4 | (cv2.FLOODFILL_FIXED_RANGE if is_fixed else 0) | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
        cv2.floodFill(rgb, mask, (column, row), (0, 0, 0), seed, seed, flags)
        inside = (mask[1:-1, 1:-1] > 0) ^ bool(options.get("invert"))
        pixels = image.writable()
        if options.get("clear_background"):
            pixels[~inside] = 0
        pixels[inside] = px.colour_value(drawing.colour_argb(colour), image.format)

    def colour(self, name: str, colour: list[int]) -> Any:
        """rgb_to_lab, lab_to_rgb (L 0..100, a and b -128..127), rgb_to_grayscale."""
        if name == "rgb_to_grayscale":
            return int(cv2.cvtColor(np.array([[colour]], np.uint8), cv2.COLOR_RGB2GRAY)[0, 0])
        if name == "rgb_to_lab":
            lab = cv2.cvtColor(np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2LAB)
            return [round(float(value)) for value in lab[0, 0]]
        rgb = cv2.cvtColor(np.array([[colour]], np.float32), cv2.COLOR_LAB2RGB)
        return [round(float(value) * 255) for value in rgb[0, 0]]

    def draw_image(
        self,
        handle: int,
        other: int,
        x: int,
        y: int,
        x_scale: float,
        y_scale: float,
        alpha: int,
        mask: int | None = None,
    ) -> None:
        """Another image laid over this one; through the mask, an image of the same size as the other."""
        image, source = self.get(handle), self.get(other)
        through = None if mask is None else cv2.cvtColor(self.get(mask).rgb(), cv2.COLOR_RGB2GRAY)
        if through is not None and through.shape != (source.height, source.width):
            raise HalError("ValueError", "the mask must have the size of the image")
        px.colour_value((0, 0, 0, 0), image.format)
        call = drawing.paste(
            image.writable(),
            image.format,
            source.readable(),
            source.format,
            drawing.whole(x),
            drawing.whole(y),
            x_scale,
            y_scale,
            alpha,
            through,
        )
        image.drawn.append(call)
        if (x_scale, y_scale) == (1, 1) and through is None:  # what the other picture says, this one says now
            image.drawn.extend([drawing.moved(part, x, y) for part in source.drawn])

    def _font_path(self, font: str | None) -> Path | None:
        """The font file on the card; without `font` the first TTF of /sdcard/res/font, else Pillow's own font."""
        if font is not None:
            try:
                path = Path(self._board.host_path(font))
            except OSError as error:
                raise HalError("OSError", error.errno or 2) from error
            if not path.is_file():
                raise HalError("OSError", 2)
            return path
        try:
            folder = Path(self._board.host_path("/sdcard/res/font"))
        except OSError:
            return None
        return next(iter(sorted(folder.glob("*.ttf"))), None) if folder.is_dir() else None


def _encode(suffix: str, rgb: px.Pixels, quality: int | None = None) -> px.Pixels:
    picture = rgb if rgb.ndim == 2 else np.ascontiguousarray(rgb[:, :, ::-1])
    options = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
    is_ok, stream = cv2.imencode(suffix, picture, options)
    if not is_ok:
        raise HalError("OSError", f"picture can not be encoded as {suffix}")
    return np.asarray(stream, np.uint8).reshape(-1)


def _roi(roi: list[int] | None, width: int, height: int) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of a region clipped to the image."""
    if roi is None:
        return 0, 0, width, height
    x, y, w, h = (drawing.whole(v) for v in roi)
    x0, y0, x1, y1 = max(0, x), max(0, y), min(width, x + w), min(height, y + h)
    if x1 <= x0 or y1 <= y0:
        raise HalError("ValueError", "ROI does not overlap on the image!")
    return x0, y0, x1, y1


def _cropped(source: Image, roi: list[int] | None) -> px.Pixels:
    pixels = source.readable()
    if roi is None:
        return pixels
    x0, y0, x1, y1 = _roi(roi, source.width, source.height)
    if source.format == px.RGBP888:
        return np.ascontiguousarray(pixels[:, y0:y1, x0:x1])
    if source.format == px.YUV420:
        raise HalError("ValueError", "image format not support")
    return np.ascontiguousarray(pixels[y0:y1, x0:x1])


def _resized(rgb: px.Pixels, options: dict[str, Any]) -> px.Pixels:
    x0, y0, x1, y1 = _roi(options.get("roi"), rgb.shape[1], rgb.shape[0])
    part = rgb[y0:y1, x0:x1] if (x1 - x0, y1 - y0) != (rgb.shape[1], rgb.shape[0]) else rgb
    width = options.get("x_size") or round(part.shape[1] * (options.get("x_scale") or 1))
    height = options.get("y_size") or round(part.shape[0] * (options.get("y_scale") or 1))
    if (width, height) != (part.shape[1], part.shape[0]):
        part = cv2.resize(part, (max(1, int(width)), max(1, int(height))), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(part)


def register(hal: Any, board: Any) -> None:
    """Give the board its `image` operations."""
    ops = board.images = ImageOps(board)
    for name in (
        "new", "from_data", "from_array", "load", "convert", "compress", "encode", "copy", "crop_in_place", "copy_from",
        "numpy_ref", "data", "pixel", "set_pixel", "clear", "draw", "draw_string", "draw_image", "flood_fill", "colour",
    ):  # fmt: skip
        hal.op(f"image.{name}", getattr(ops, name))
