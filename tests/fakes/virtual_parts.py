"""A virtual board without an interpreter: its Python side only, called as MicroPython would call it.

For unit tests of host/virtual_k230: real camera, sensor, panel, images, arrays and KPU on a real Hal, no child process.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from virtual_k230 import ai2d, arrays, detectors, display, filters, image, kpu, postprocess, sensor, trackers
from virtual_k230.camera import open_camera
from virtual_k230.faults import Faults
from virtual_k230.hal import Hal, HalError


class VirtualParts:
    """`call` an operation and get its value; errors come as HalError with MicroPython's exception name."""

    def __init__(self, card: Path | None = None, camera: Any = "scene:traffic_lights", **options: Any) -> None:
        self.hal = Hal()
        self.card = card
        self.blob = b""
        self.resets: list[Any] = []
        self.board: Any = SimpleNamespace(
            options=options,
            camera=open_camera(camera),
            on_free=lambda function: None,
            on_reset=lambda function: self.resets.append(function),
            host_path=self._host_path,
        )
        self.board.faults = Faults(self.board)
        for module in (sensor, display, image, detectors, filters, arrays, kpu, ai2d, postprocess, trackers):
            module.register(self.hal, self.board)

    def _host_path(self, path: str) -> Path:
        if self.card is None:
            raise FileNotFoundError(2, path)
        return self.card / path.removeprefix("/sdcard/")

    def call(self, name: str, *args: Any, blob: bytes = b"") -> Any:
        """The operation's value; bytes that came with it are in `self.blob`."""
        reply, reply_blob = self.hal.invoke(name, list(args), memoryview(blob))
        self.blob = bytes(reply_blob)
        if len(reply) > 1:
            raise HalError(reply[1], *reply[2])
        return reply[0]

    def array(self, values: Any, dtype: Any = np.float32) -> int:
        """Handle of a new array."""
        return int(self.board.handles.put(np.array(values, dtype)))

    def numpy(self, reply: Any) -> np.ndarray:
        """The array that a reply `[handle, code, shape]` describes."""
        found = self.board.handles.get(reply[0], np.ndarray)
        assert list(found.shape) == reply[2]
        assert arrays.code_of(found) == reply[1]
        return found

    def start_sensor(self, **formats: str) -> None:
        """A running sensor on port 2; formats such as chn1="RGB565", all 640x360."""
        self.call("sensor.new", 2, 1920, 1080, 30, False)
        self.call("sensor.reset", 2)
        for name, pixel_format in formats.items():
            self.call("sensor.set_framesize", 2, int(name[-1]), 640, 360, None)
            self.call("sensor.set_pixformat", 2, int(name[-1]), pixel_format)
        self.call("display.init", "ST7701", 800, 480, 0, 2, True, 90)
        self.call("media.init")
        self.call("sensor.run", 2)

    def reset(self) -> None:
        """What a soft or hard reset does to the Python side."""
        for function in self.resets:
            function()

    def close(self) -> None:
        """End child processes."""
        self.board.kpu.close()
        self.board.camera.close()


def error_of(function: Any, *args: Any, **options: Any) -> tuple[str, Any]:
    """Exception name and first argument that an operation raises inside MicroPython."""
    try:
        function(*args, **options)
    except HalError as error:
        return error.name, error.error_args[0]
    raise AssertionError("no error was raised")
