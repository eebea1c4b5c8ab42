"""The K230 board (and the virtual one): makes all ports, starts and stops the hardware in the one order that works.

Order of k230-platform §2.5: configure sensor channels, bind the video layer, Display.init, MediaManager.init, sensor.run; down:
exit point, sensor.stop, Display.deinit, wait, MediaManager.deinit. From firmware v1.6 on the MediaManager calls do nothing.
"""

import os
import time

from snaploop_shared.portable import ticks_ms

from . import ports
from .k230_camera import K230Camera
from .k230_display import K230Display
from .k230_identity import K230Identity
from .k230_kpu import K230Kpu
from .k230_touch import K230Touch
from .k230_usb import K230Usb
from .k230_wifi import K230Wifi

_SETTLE_MS = 100  # vendor idiom between Display.deinit and MediaManager.deinit
_EXITPOINT_ENABLE_SLEEP = 2


class K230Board(ports.Board):
    """All ports of a K230 with CanMV firmware v1.2 to v1.8."""

    def __init__(self) -> None:
        """Make the ports; no hardware is touched."""
        self.identity = K230Identity()
        self.clock = K230Clock()
        self.camera = K230Camera()
        self.display = K230Display()
        self.touch = K230Touch()
        self.kpu = K230Kpu()
        self.usb = K230Usb()
        self.wifi = K230Wifi()
        self._has_media = False
        self._is_running = False

    def open(self, panel) -> None:
        """Start everything; see ports.Board.open."""
        from media.media import MediaManager

        self.camera.configure()
        self.display.bind(self.camera.bind_info())
        self.display.start(panel or self.identity.panel())
        self._has_media = True
        MediaManager.init()
        self.camera.run()
        self._is_running = True
        self.display.make_canvas()
        self.camera.make_buffers()
        self.touch.start()

    def close(self) -> None:
        """Stop everything that was started, whatever happened before."""
        from media.media import MediaManager

        if hasattr(os, "exitpoint"):
            os.exitpoint(_EXITPOINT_ENABLE_SLEEP)
        steps = [self.kpu.close, self.wifi.close, self.camera.stop, self.display.stop]
        if self._has_media:
            steps.append(_settle)
            steps.append(MediaManager.deinit)
        self._has_media = False
        for step in steps:
            try:
                step()
            except Exception as error:  # boundary: one part that will not stop must not keep the others running
                print("close:", type(error).__name__, error)


class K230Clock(ports.Clock):
    """Time, and the firmware's cooperative stop (k230-platform §1.6)."""

    def now_ms(self) -> int:
        """Milliseconds."""
        return ticks_ms()

    def pause(self, ms: int) -> None:
        """Wait; a pending stop of the IDE or Ctrl-C is raised here."""
        if ms > 0:
            time.sleep_ms(ms)
        if hasattr(os, "exitpoint"):
            os.exitpoint()


def _settle():
    time.sleep_ms(_SETTLE_MS)
