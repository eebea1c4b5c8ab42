"""The Python side of `media.display.Display`: layers of the panel and the picture they make together.

Video layers follow the camera by themselves and are only composed when somebody looks (`screen`). OSD layers keep what
`show_image` showed, together with the draw calls that made it and when it was shown: that is how tests and the demo
read the screen. `screen`, `layer`, `drawn`, `shown` and `history` may be called from any thread.
Facts: vendor API as described in the K230 platform notes, §3; error texts are the firmware's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from PIL import Image as PilImage

from . import drawing
from . import pixels as px
from .hal import HalError
from .image import Image

logger = logging.getLogger(__name__)

VIDEO_LAYERS = ("VIDEO1", "VIDEO2", "VIDEO3")
OSD_LAYERS = ("OSD0", "OSD1", "OSD2", "OSD3")
_SHOWABLE = frozenset({px.GRAYSCALE, px.RGB565, px.RGB888, px.BGR888, *px.CHANNELS_ARGB})
_HISTORY_SHOWS = 2000
_SPI_MOST_PX = 480

# First size is the panel's default. The last field: the panel (not a fixed list of modes) takes any size.
PANELS: dict[str, tuple[tuple[int, int], ...]] = {
    "VIRT": ((640, 480),),
    "DEBUGGER": ((640, 480),),
    "ST7701": ((800, 480), (480, 800), (854, 480), (640, 480), (480, 640), (368, 544), (544, 368)),
    "HX8399": ((1920, 1080), (1080, 1920)),
    "ILI9806": ((800, 480), (480, 800)),
    "LT9611": ((1920, 1080), (1280, 720), (640, 480)),
    "ILI9881": ((1280, 800), (800, 1280)),
    "NT35516": ((960, 536), (536, 960), (960, 540), (540, 960)),
    "NT35532": ((1920, 1080), (1080, 1920)),
    "GC9503": ((800, 480), (480, 800)),
    "ST7102": ((640, 480), (480, 640)),
    "AML020T": ((480, 360), (360, 480)),
    "JD9852": ((320, 240), (240, 320)),
    "ST7789": ((320, 240), (240, 320)),
}
_ANY_SIZE = frozenset({"VIRT", "DEBUGGER"})
_HDMI_RATES = {(1920, 1080): (30, 60), (1280, 720): (30, 50, 60), (640, 480): (60,)}
_HDMI_FPS, _LCD_FPS = 30, 60
_C_FPS, _PYTHON_VIRT_FPS = 60, 90  # what Display.init() takes for granted since and before 1.6


@dataclass
class OsdLayer:
    """What one OSD layer shows."""

    pixels: px.Pixels
    format: int
    x: int
    y: int
    alpha: int
    drawn: list[drawing.Call]
    camera_frame: int
    shows: int


@dataclass
class VideoLayer:
    """A sensor channel that a video layer follows: device, channel and where it lies on the panel (x, y, w, h)."""

    device: int
    channel: int
    rect: tuple[int, int, int, int]


@dataclass
class _Record:
    shows: int = 0
    history: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_HISTORY_SHOWS))


class DisplayOps:
    """The operations behind one board's `media.display`, and the ways to look at its panel."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self._lock = threading.RLock()
        self._records: dict[str, _Record] = {}
        self._has_c_display = str(board.options.get("profile", "B")).upper() in ("C", "D")
        panel = board.options.get("panel")
        self._panel: tuple[int, int] | None = tuple(panel) if panel else None
        self.type: str | None = None
        self._spi: px.Pixels | None = None
        self.last_lit: PilImage.Image | None = None
        """What the panel showed when it was last switched off; None while it never was on."""
        self.reset()

    def reset(self) -> None:
        """As after a hard reset: dark, nothing initialised. How often layers were shown goes on counting."""
        self._keep_picture()
        with self._lock:
            self.type = None
            self.size = self._panel or (800, 480)
            self.fps = 0
            self.osd_num = 0
            self.to_ide = False
            self.quality = 90
            self._osd: dict[str, OsdLayer] = {}
            self._video: dict[str, VideoLayer] = {}
            self._is_unreserved_said = False
            self._spi = None

    # ---- operations -------------------------------------------------------------------------------------------------

    def init(self, kind: str, width: int, height: int, fps: int, osd_num: int, to_ide: bool, quality: int) -> list[int]:
        """Switch the panel on, Display.init(); returns width, height and frames per second."""
        self._board.sensor.check_buffers_open()
        sizes = PANELS[kind]
        # Since 1.6 one side alone counts for nothing, before it was completed by the default.
        size = (width, height) if width and height else sizes[0]
        if not self._has_c_display and (width or height):
            size = (width or sizes[0][0], height or sizes[0][1])
        if kind in _ANY_SIZE:
            is_possible = 64 <= size[0] <= 4096 and 64 <= size[1] <= 4096
        else:
            is_possible = size in sizes and (kind != "LT9611" or _is_hdmi_rate(size, fps))
        if not is_possible:
            if self._has_c_display:
                raise HalError("RuntimeError", f"{kind} not support {width}x{height}@{fps or _C_FPS}")
            rate = f"@{fps or _HDMI_FPS}" if kind == "LT9611" else ""
            raise HalError("ValueError", f"{kind} unsupport {size[0]}x{size[1]}{rate}")
        if self._panel is not None and kind not in _ANY_SIZE and size != self._panel:
            # The board under test was given a certain panel; another driver finds nothing to talk to.
            raise HalError("RuntimeError" if self._has_c_display else "ValueError", "init panel failed")
        if self.type is not None:
            self.deinit()
        with self._lock:
            self.type, self.size, self.osd_num = kind, size, osd_num
            self.fps = self._rate(kind, fps)
            self.to_ide, self.quality = to_ide, min(max(10, quality), 100)
        return [*size, self.fps]

    def _rate(self, kind: str, fps: int) -> int:
        if kind in _ANY_SIZE:
            return fps or (_C_FPS if self._has_c_display else _PYTHON_VIRT_FPS)
        return (fps or _HDMI_FPS) if kind == "LT9611" else _LCD_FPS

    def deinit(self) -> None:
        """Go dark, Display.deinit()."""
        self._keep_picture()
        with self._lock:
            self.type = None
            self._osd.clear()
            self._video.clear()

    def _keep_picture(self) -> None:
        if self.type is not None or self._spi is not None:
            self.last_lit = self.screen()

    def bind_layer(self, layer: str, device: int, channel: int, rect: list[int], pix_format: str) -> bool:
        """Let a video layer follow a sensor channel; True if it followed one before."""
        if layer in VIDEO_LAYERS and pix_format != "YUV420SP":
            raise HalError("AssertionError", "bind video layer only support format PIXEL_FORMAT_YUV_SEMIPLANAR_420")
        if layer not in VIDEO_LAYERS and layer not in OSD_LAYERS:
            raise HalError("ValueError", f"unknown layer {layer}")
        x, y, w, h = (drawing.whole(v) for v in rect)
        with self._lock:
            was_bound = layer in self._video
            self._video[layer] = VideoLayer(device, channel, (x, y, w, h))
            return was_bound

    def unbind_layer(self, layer: str) -> bool:
        """Stop following; True if the layer did."""
        with self._lock:
            return self._video.pop(layer, None) is not None

    def disable_layer(self, layer: str) -> None:
        """Show nothing of a layer any more."""
        with self._lock:
            self._video.pop(layer, None)
            self._osd.pop(layer, None)

    def layer_size(self, layer: str) -> list[int] | None:
        """Width and height of what a layer shows; None for a layer that shows nothing."""
        with self._lock:
            if layer in self._video:
                return list(self._video[layer].rect[2:])
            shown = self._osd.get(layer)
            return [shown.pixels.shape[1], shown.pixels.shape[0]] if shown is not None else None

    def writeback(self, enable: bool | None) -> bool:
        """Is the composed screen captured? Switches it first unless `enable` is None."""
        if enable is not None:
            self.to_ide = enable
        return self.type is not None and self.to_ide

    def writeback_dump(self) -> list[int] | None:
        """The composed screen as a new RGB888 image; None while it is not captured."""
        if not self.writeback(None):
            return None
        picture = Image(np.asarray(self.screen()).copy(), px.RGB888)
        return list(self._board.images.info(picture))

    def show_image(
        self, handle: int, x: int, y: int, layer: str, alpha: int | None, turns: int = 0, mirror: int = 0
    ) -> None:
        """Show from now on what the image holds now, after `turns` clockwise quarter turns and mirrored (1 across, 2 down)."""
        if self.type is None:
            raise HalError("RuntimeError", "show image without init")
        image: Image = self._board.images.get(handle)
        if layer not in OSD_LAYERS:
            raise HalError("ValueError", "invalid layer")
        if image.format not in _SHOWABLE:
            raise HalError("ValueError", "unsupport image format")
        x, y = drawing.whole(x), drawing.whole(y)
        width, height = (image.height, image.width) if turns & 1 else (image.width, image.height)
        if x < 0 or y < 0 or x + width > self.size[0] or y + height > self.size[1]:
            raise HalError("ValueError", "image exceed the panel resolution")
        pixels = image.readable()
        if turns or mirror:
            pixels = np.rot90(pixels, -turns)
            pixels = pixels[:, ::-1] if mirror & 1 else pixels
            pixels = np.ascontiguousarray(pixels[::-1] if mirror & 2 else pixels)
        elif image.has_view:
            pixels = pixels.copy()
        else:
            image.is_shared = True  # whoever draws next copies first; showing itself costs nothing
        with self._lock:
            if layer not in self._osd and len(self._osd) >= self.osd_num:
                if not self._is_unreserved_said:
                    self._is_unreserved_said = True
                    logger.warning(
                        "LAYER_%s is not reserved (osd_num=%d): the panel does not show it", layer, self.osd_num
                    )
                return
            record = self._records.setdefault(layer, _Record())
            record.shows += 1
            frame = self._board.camera.frame
            record.history.append((time.monotonic(), frame))
            opacity = 255 if alpha is None else drawing.whole(alpha) & 255
            self._osd[layer] = OsdLayer(pixels, image.format, x, y, opacity, list(image.drawn), frame, record.shows)

    def spi_init(self, width: int, height: int) -> None:
        """SPI_LCD.init(): a small panel of its own, seen while no other one is on."""
        if not (0 < width <= _SPI_MOST_PX and 0 < height <= _SPI_MOST_PX):
            raise HalError("ValueError", f"SPI_LCD not support {width}x{height}")
        with self._lock:
            self._spi = np.zeros((height, width, 3), np.uint8)

    def spi_deinit(self) -> None:
        """SPI_LCD.deinit()."""
        self._keep_picture()
        with self._lock:
            self._spi = None

    def spi_show(self, handle: int, x: int, y: int) -> None:
        """SPI_LCD.show(): copy the image to the small panel."""
        image: Image = self._board.images.get(handle)
        if image.format not in _SHOWABLE:
            raise HalError("ValueError", "unsupport image format")
        x, y = drawing.whole(x), drawing.whole(y)
        with self._lock:
            if self._spi is None:
                raise HalError("RuntimeError", "SPI_LCD: call init() first")
            height, width = self._spi.shape[:2]
            if x < 0 or y < 0 or x + image.width > width or y + image.height > height:
                raise HalError("ValueError", "image exceed the panel resolution")
            drawing.paste(self._spi, px.RGB888, image.readable(), image.format, x, y, 1, 1, 255)
            record = self._records.setdefault("SPI", _Record())
            record.shows += 1
            record.history.append((time.monotonic(), self._board.camera.frame))

    # ---- looking at the panel ---------------------------------------------------------------------------------------

    def screen(self) -> PilImage.Image:
        """The composed panel as an RGB picture of the panel's size; black where nothing is shown."""
        with self._lock:
            layers = dict(self._osd)
            videos = dict(self._video)
            width, height = self.size
            is_on = self.type is not None
            if not is_on and self._spi is not None:
                return PilImage.fromarray(self._spi.copy())
        canvas = np.zeros((height, width, 3), np.uint8)
        if is_on:
            for name in sorted(videos):
                self._compose_video(canvas, videos[name])
            for name in OSD_LAYERS:
                if name in layers:
                    shown = layers[name]
                    drawing.paste(canvas, px.RGB888, shown.pixels, shown.format, shown.x, shown.y, 1, 1, shown.alpha)
        return PilImage.fromarray(canvas)

    def version(self) -> str:
        """A text that changes whenever screen() may have changed."""
        with self._lock:
            parts = [(name, osd.shows) for name, osd in sorted(self._osd.items())]
            videos = [(name, video.device, video.channel, video.rect) for name, video in sorted(self._video.items())]
            camera = self._board.camera
            seen = (id(camera), camera.version, camera.frame) if videos else ()
            small = self._records["SPI"].shows if self._spi is not None and "SPI" in self._records else 0
            return f"{self.type} {self.size} {parts} {videos} {seen} {small}"

    def most_shows(self) -> int:
        """How often the layer was shown that was shown most often."""
        with self._lock:
            return max((record.shows for record in self._records.values()), default=0)

    def _compose_video(self, canvas: px.Pixels, video: VideoLayer) -> None:
        picture = self._board.sensor.view(video.device, video.channel)
        if picture is None:
            return
        x, y, w, h = video.rect
        if (w, h) != (picture.shape[1], picture.shape[0]) and w > 0 and h > 0:
            picture = cv2.resize(picture, (w, h), interpolation=cv2.INTER_LINEAR)
        drawing.paste(canvas, px.RGB888, picture, px.RGB888, x, y, 1, 1, 255)

    def layer(self, name: str) -> px.Pixels:
        """HxWx4 uint8 RGBA of one layer at panel size; transparent where it shows nothing."""
        canvas = np.zeros((self.size[1], self.size[0], 4), np.uint8)
        with self._lock:
            osd, video = self._osd.get(name), self._video.get(name)
        if osd is not None:
            rgba = px.to_rgba(osd.pixels, osd.format)
            canvas[osd.y : osd.y + rgba.shape[0], osd.x : osd.x + rgba.shape[1]] = rgba
        elif video is not None:
            self._compose_rgba(canvas, video)
        return canvas

    def _compose_rgba(self, canvas: px.Pixels, video: VideoLayer) -> None:
        rgb = np.zeros((*canvas.shape[:2], 3), np.uint8)
        self._compose_video(rgb, video)
        x, y, w, h = video.rect
        canvas[:, :, :3] = rgb
        canvas[max(0, y) : y + h, max(0, x) : x + w, 3] = 255

    def drawn(self, name: str = "OSD1") -> list[list[Any]]:
        """The draw calls that made what the layer shows now, each as a list: shape name, then numbers and colour."""
        with self._lock:
            osd = self._osd.get(name)
            return [list(call) for call in osd.drawn] if osd is not None else []

    def shown(self, name: str = "OSD1") -> tuple[int, int]:
        """How often the layer was shown, and the camera frame at the last time (0, 0 when never)."""
        with self._lock:
            osd = self._osd.get(name)
            record = self._records.get(name)
            return (record.shows if record else 0, osd.camera_frame if osd else 0)

    def history(self, name: str = "OSD1") -> list[tuple[float, int]]:
        """When the layer was shown lately: (time.monotonic() seconds, camera frame), oldest first."""
        with self._lock:
            record = self._records.get(name)
            return list(record.history) if record else []


def _is_hdmi_rate(size: tuple[int, int], fps: int) -> bool:
    return not fps or fps in _HDMI_RATES[size]


def register(hal: Any, board: Any) -> None:
    """Give the board its display operations."""
    ops = board.display = DisplayOps(board)
    board.on_reset(ops.reset)
    for name in ("init", "deinit", "bind_layer", "unbind_layer", "disable_layer", "show_image", "writeback_dump",
                 "layer_size", "writeback", "spi_init", "spi_deinit", "spi_show"):  # fmt: skip
        hal.op(f"display.{name}", getattr(ops, name))
