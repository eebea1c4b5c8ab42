"""All served ports: those the user named, and boards found by their USB id. Called by app.py and, through it, by web/."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from serial.tools import list_ports

from .usb_bridge import Handler, UsbBridge

logger = logging.getLogger(__name__)

BOARD_VID = 0x1209  # every CanMV K230 of every maker (k230-platform §9.1); its serial number is the same on all, so ports tell boards apart
BOARD_PID = 0xABD1
LOOK_EVERY_S = 3.0


def board_ports() -> list[str]:
    """The serial ports on which a CanMV board is plugged in now."""
    return sorted(one.device for one in list_ports.comports() if (one.vid, one.pid) == (BOARD_VID, BOARD_PID))


class UsbPorts:
    """A bridge for each named port and, when asked, for each board that is plugged in."""

    def __init__(
        self,
        named: Iterable[str],
        finds_boards: bool,
        handle: Handler,
        look: Callable[[], list[str]] = board_ports,
        is_heard_elsewhere: Callable[[str], bool] = lambda board_id: False,
    ) -> None:
        """Start serving; see UsbBridge for `handle` and `is_heard_elsewhere`."""
        self._is_heard_elsewhere = is_heard_elsewhere
        self._handle = handle
        self._look = look
        self._lock = threading.Lock()
        self._bridges: dict[str, UsbBridge] = {}
        self._end = threading.Event()
        for port in named:
            self.add(port)
        self._finder: threading.Thread | None = None
        if finds_boards:
            self._finder = threading.Thread(target=self._find, name="usb finder", daemon=True)
            self._finder.start()

    def add(self, port: str) -> None:
        """Serve one more port; a port that is served already is left alone."""
        with self._lock:
            if _same(port) not in map(_same, self._bridges):
                self._bridges[port] = UsbBridge(port, self._handle, self._is_heard_elsewhere)

    def state(self) -> list[dict[str, object]]:
        """Each port with its state and how many requests came over it."""
        with self._lock:
            return [{"port": one.port, "state": one.state, "requests": one.requests} for one in self._bridges.values()]

    def pause(self, port: str, seconds: float) -> bool:
        """Let a port go for `seconds`; whether it is one of ours."""
        bridge = self._bridge(port)
        if bridge is not None:
            bridge.pause(seconds)
        return bridge is not None

    def resume(self, port: str) -> bool:
        """Take a port back; whether it is one of ours."""
        bridge = self._bridge(port)
        if bridge is not None:
            bridge.resume()
        return bridge is not None

    @contextlib.contextmanager
    def paused(self, port: str, seconds: float) -> Iterator[None]:
        """Let a port go while the block runs."""
        self.pause(port, seconds)
        try:
            yield
        finally:
            self.resume(port)

    def close(self) -> None:
        """Stop serving every port."""
        self._end.set()
        if self._finder is not None:
            self._finder.join(LOOK_EVERY_S + 1)
        with self._lock:
            bridges = list(self._bridges.values())
            self._bridges.clear()
        for bridge in bridges:
            bridge.close()

    def _bridge(self, port: str) -> UsbBridge | None:
        with self._lock:
            return next((one for name, one in self._bridges.items() if _same(name) == _same(port)), None)

    def _find(self) -> None:
        while True:
            for port in self._look():
                self.add(port)
            if self._end.wait(LOOK_EVERY_S):
                return


def _same(port: str) -> str:
    """One name for a port, whichever link under /dev/serial names it."""
    return str(Path(port).resolve())
