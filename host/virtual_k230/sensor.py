"""The Python side of `media.sensor.Sensor` and of MediaManager's life cycle: channels, formats, frames.

Frames come from the board's camera. A channel's picture is scaled and converted at most once per picture in view and
shared by all images of it until somebody draws on one, so a still scene costs next to nothing per frame.
Facts: vendor API as described in the K230 platform notes, §2; error texts are the firmware's.
"""

from __future__ import annotations

import logging
from typing import Any

from . import pixels as px
from .camera import CameraError
from .hal import HalError
from .handles import handles_of
from .image import Image

logger = logging.getLogger(__name__)

WIDTH_ALIGN_PX = 16
SMALLEST_PX = 64
CHANNELS = 3
LARGEST_PX = ((3072, 2160), (1920, 1080), (1920, 1080))
"""Largest frame of channels 0, 1, 2."""

RGB565, RGB888, RGBP888, YUV420SP, GRAYSCALE = "RGB565", "RGB888", "RGBP888", "YUV420SP", "GRAYSCALE"

_FORMATS = {RGB565: px.RGB565, RGB888: px.RGB888, RGBP888: px.RGBP888, YUV420SP: px.YUV420, GRAYSCALE: px.GRAYSCALE}

VB_ERROR = "buffer_init, vb config failed(-1610317806)"


class Channel:
    """One output of a sensor.

    Attributes:
        size: width, height px.
        format: one of the names above.
        crop: x, y, w, h in sensor pixels of a 1920x1080 field, or None for all of it.
        newest: the image last given out; it dies with the next one.
    """

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.format: str | None = None
        self.crop: tuple[int, int, int, int] | None = None
        self.newest: Image | None = None
        self.seen_frame = -1
        self._cache: tuple[Any, px.Pixels] | None = None

    def pixels(self, camera: Any, mirror: tuple[bool, bool]) -> px.Pixels:
        """The picture in view in this channel's size and format; shared, not to be written to."""
        if self.size is None or self.format is None:
            raise HalError("RuntimeError", "sensor channel is not configured")
        key = (camera.version, self.size, self.format, self.crop, mirror)
        if self._cache is None or self._cache[0] != key:
            try:
                rgb = camera.scaled(*self.size, self.crop, mirror)
            except CameraError as error:
                raise HalError("RuntimeError", str(error)) from error
            # A broken picture may have been skipped while it was read.
            self._cache = ((camera.version, *key[1:]), px.from_rgb(rgb, _FORMATS[self.format]))
        return self._cache[1]


class Sensor:
    """One camera module on one CSI port."""

    def __init__(self, port: int, device: int, width: int, height: int, fps: int) -> None:
        self.port = port
        self.device = device  # the firmware counts sensors in the order of their making; its messages name this number
        self.size = (width, height)
        self.fps = fps
        self.is_reset = False
        self.is_running = False
        self.mirror = [False, False]
        self.channels = [Channel() for _ in range(CHANNELS)]


class SensorOps:
    """The operations behind one board's `media.sensor`."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self._handles = handles_of(board)
        self._needs_media_manager = str(board.options.get("profile", "B")).upper() in ("A", "B")
        self.sensors: dict[int, Sensor] = {}
        self.is_media_ready = False

    def reset(self) -> None:
        """As after a hard reset: no sensors, MediaManager not initialised."""
        self.sensors.clear()
        self.is_media_ready = False

    # ---- MediaManager -------------------------------------------------------------------------------------------

    def media_init(self) -> str:
        """MediaManager.init(); a text is to be printed (profiles C and D have a no-op)."""
        if not self._needs_media_manager:
            return "MediaManager.init() is a deprecated function"
        if self.is_media_ready:
            raise HalError("OSError", VB_ERROR)
        self.is_media_ready = True
        return ""

    def media_deinit(self) -> str:
        """MediaManager.deinit()."""
        if not self._needs_media_manager:
            return "MediaManager.deinit() is a deprecated function"
        self.is_media_ready = False
        return ""

    def check_buffers_open(self) -> None:
        """Buffers may only be reserved before MediaManager.init().

        Raises:
            HalError: OSError, as the firmware answers a wrong order.
        """
        if self._needs_media_manager and self.is_media_ready:
            raise HalError("OSError", VB_ERROR)

    # ---- life of a sensor -----------------------------------------------------------------------------------------

    def new(self, port: int, width: int, height: int, fps: int, is_forced: bool) -> int:
        """Sensor(id, width, height, fps); returns the number that the firmware gives it."""
        if port >= CHANNELS:
            raise HalError("AssertionError", f"invaild sensor id {port}, should < {CHANNELS - 1}")
        if port in self.sensors and not is_forced:
            raise HalError("OSError", f"sensor({port}) is already inited.")
        if port < 0 or self._board.faults.take("camera.absent"):
            raise HalError("RuntimeError", f"Can not found sensor on {port}")
        self.sensors.pop(port, None)
        self.sensors[port] = Sensor(port, len(self.sensors), width, height, fps)
        return self.sensors[port].device

    def do_reset(self, port: int) -> None:
        """reset()."""
        sensor = self._sensor(port)
        sensor.is_reset = True

    def set_framesize(self, port: int, channel: int, width: int, height: int, crop: Any) -> list[int]:
        """Size of a channel; returns the width (rounded up to 16) and height that hold."""
        sensor = self._reset_sensor(port)
        self.check_buffers_open()
        output = self._channel(sensor, channel)
        width = (width + WIDTH_ALIGN_PX - 1) // WIDTH_ALIGN_PX * WIDTH_ALIGN_PX
        for side, value, most, native in zip(
            ("width", "height"), (width, height), LARGEST_PX[channel], sensor.size, strict=True
        ):
            if not SMALLEST_PX <= value <= min(most, native):
                text = f"set_framesize invaild {side}({value}), should be {SMALLEST_PX} - {min(most, native)}"
                raise HalError("AssertionError", f"sensor({sensor.device}) chn({channel}) {text}")
        try:
            output.crop = _crop(crop, (width, height), sensor.size)
        except ValueError as error:
            text = f"sensor({sensor.device}) chn({channel}) set_framesize invaild {error}"
            raise HalError("AssertionError", text) from error
        output.size = (width, height)
        return [width, height]

    def set_pixformat(self, port: int, channel: int, name: str) -> None:
        """Format of a channel; one that the camera cannot make fails in run()."""
        sensor = self._reset_sensor(port)
        self.check_buffers_open()
        self._channel(sensor, channel).format = name

    def set_mirror(self, port: int, axis: int, is_on: bool) -> None:
        """set_hmirror (axis 0) and set_vflip (axis 1)."""
        self._reset_sensor(port).mirror[axis] = bool(is_on)

    def run(self, port: int) -> None:
        """Start every sensor that has been reset."""
        self._reset_sensor(port)
        if self._needs_media_manager and not self.is_media_ready:
            raise HalError("OSError", VB_ERROR)
        for each in self.sensors.values():
            _check_channels(each)
        for each in self.sensors.values():
            each.is_running = each.is_reset

    def stop(self, port: int) -> None:
        """Stop a sensor; its port is free again."""
        sensor = self._sensor(port)
        sensor.is_running = False
        for channel in sensor.channels:
            self._take_back(channel, f"sensor({port}) was stopped, its frames are gone")
        del self.sensors[port]

    def deinit(self) -> None:
        """Sensor.deinit(): stop all."""
        for port in list(self.sensors):
            self.stop(port)

    def snapshot(self, port: int, channel: int, timeout_ms: int = 1000) -> list[int]:
        """Take the channel's next image; the one before it dies."""
        sensor = self._reset_sensor(port)
        output = self._channel(sensor, channel)
        if not sensor.is_running or output.size is None or output.format is None:
            raise HalError("RuntimeError", f"sensor({sensor.device}) snapshot chn({channel}) failed(3)")
        if self._board.faults.take("camera.timeout"):
            self._board.wait_fds({}, timeout_ms)
            raise HalError("RuntimeError", f"sensor({sensor.device}) snapshot chn({channel}) failed(3)")
        camera = self._board.camera
        if camera.frame in (output.seen_frame, 0):
            camera.advance()
        output.seen_frame = camera.frame
        self._take_back(output, f"image of channel {channel} was replaced by the next snapshot()")
        mirror = (sensor.mirror[0], sensor.mirror[1])
        image = Image(output.pixels(camera, mirror), _FORMATS[output.format], output.size, is_shared=True)
        output.newest = image
        return self._board.images.info(image)

    def view(self, device: int, channel: int) -> px.Pixels | None:
        """HxWx3 RGB of what the channel shows now, for the panel's video layers; None when it is not running."""
        sensor = next((each for each in self.sensors.values() if each.device == device), self.sensors.get(device))
        if sensor is None or not sensor.is_running:
            return None
        output = sensor.channels[channel]
        if output.size is None:
            return None
        picture: px.Pixels = self._board.camera.scaled(*output.size, output.crop, (sensor.mirror[0], sensor.mirror[1]))
        return picture

    def _take_back(self, channel: Channel, reason: str) -> None:
        if channel.newest is not None:
            channel.newest.gone = reason
            channel.newest = None

    def _sensor(self, port: int) -> Sensor:
        if port not in self.sensors:
            raise HalError("AssertionError", "should call reset() first")
        return self.sensors[port]

    def _reset_sensor(self, port: int) -> Sensor:
        sensor = self._sensor(port)
        if not sensor.is_reset:
            raise HalError("AssertionError", "should call reset() first")
        return sensor

    def _channel(self, sensor: Sensor, channel: int) -> Channel:
        if channel not in range(CHANNELS):
            raise HalError("AssertionError", f"invaild chn id {channel}, should < {CHANNELS - 1}")
        return sensor.channels[channel]


def _check_channels(sensor: Sensor) -> None:
    for number, channel in enumerate(sensor.channels):
        where = f"sensor({sensor.device}) chn({number})"
        if channel.size is None and channel.format is None:
            continue
        if channel.format is None:
            raise HalError("RuntimeError", f"{where} pixel format not set before run")
        if channel.size is None:
            raise HalError("RuntimeError", f"{where} frame size not set before run")
        if channel.format not in _FORMATS:
            text = f"{where} pixel format ({channel.format}) not supported for buffer size calculation"
            raise HalError("RuntimeError", text)


def _crop(crop: Any, output: tuple[int, int], native: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """A crop in pixels of a 1920x1080 field; True is the centred one of the largest whole multiple of the output.

    Raises:
        ValueError: it does not fit; the firmware's words.
    """
    if crop is None or crop is False:
        return None
    if crop is True:
        times = min(native[0] // output[0], native[1] // output[1])
        w, h = output[0] * times, output[1] * times
        x, y = (native[0] - w) // 2, (native[1] - h) // 2
    elif len(crop) == 4:
        x, y, w, h = (int(v) for v in crop)
    else:
        raise ValueError(f"crop({tuple(crop)}), should be (x, y, w, h)")
    if w < output[0] or h < output[1]:
        raise ValueError(f"crop_w({w}), should be >= {output[0]}")
    if x < 0 or x + w > native[0]:
        raise ValueError(f"crop_x({x}), should be 0 - {native[0] - w}")
    if y < 0 or y + h > native[1]:
        raise ValueError(f"crop_y({y}), should be 0 - {native[1] - h}")
    return x * 1920 // native[0], y * 1080 // native[1], w * 1920 // native[0], h * 1080 // native[1]


def register(hal: Any, board: Any) -> None:
    """Give the board its sensor and MediaManager operations."""
    ops = board.sensor = SensorOps(board)
    board.on_reset(ops.reset)
    hal.op("sensor.reset", ops.do_reset)
    for name in ("new", "set_framesize", "set_pixformat", "set_mirror", "run", "stop", "deinit", "snapshot"):
        hal.op(f"sensor.{name}", getattr(ops, name))
    hal.op("media.init", ops.media_init)
    hal.op("media.deinit", ops.media_deinit)
