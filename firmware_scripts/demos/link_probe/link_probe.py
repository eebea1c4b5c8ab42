"""Measures a real board: card, USB and Wi-Fi speeds, camera rate, memory. Prints a table to paste into an issue.

USB counts what the PC reads of some 200 KB of dots: keep a terminal open. Wi-Fi talks to the host of config.json, whose page files and
board road are open to everybody; without a host these rows say what is missing.
"""

import gc
import os
import sys
import time

from snaploop_device import config
from snaploop_device.card import Card
from snaploop_shared.errors import SnaploopError
from snaploop_shared.messages import HTTP_PATH

FILE = "link_probe.bin"
CARD_BYTES = 1024 * 1024
PIECE = bytes(32 * 1024)
USB_LINES = 2000
USB_LINE = "." * 99 + "\n"
DOWN_PATH = "/static/page.css"
WIFI_TIMES = 20
JOIN_MS = 20000
FRAMES = 60


class LinkProbe:
    """`run` gives the rows: (what, value, unit)."""

    def __init__(self, board, root: str = "/data/snaploop") -> None:
        """Keep the board's ports and the card's folder."""
        self.board = board
        self.card = Card(root)
        self.settings = config.load(self.card)[0]

    def run(self) -> "list[tuple[str, str, str]]":
        """Measure everything and print the table."""
        identity = self.board.identity
        rows = [
            ("board", identity.machine(), ""),
            ("firmware", identity.firmware(), ""),
            ("nncase", self.board.kpu.version(), ""),
            ("heap free", str(gc.mem_free() // 1024) if hasattr(gc, "mem_free") else "-", "KiB"),
            ("card free", str(self.card.free_bytes() >> 20), "MiB"),
        ]
        for name, measure in (
            ("card", self.measure_card),
            ("usb", self.measure_usb),
            ("wifi", self.measure_wifi),
            ("camera", self.measure_camera),
        ):
            try:
                rows += measure()
            except (OSError, RuntimeError, SnaploopError) as error:
                rows.append((name, "failed: {}".format(error), ""))
        print("\n| what | value | unit |\n| --- | --- | --- |")
        for row in rows:
            print("| {} | {} | {} |".format(row[0], row[1], row[2]))
        print("link probe: done")
        return rows

    def measure_card(self):
        """Write and read 1 MiB in pieces of 32 KiB, then 20 small files as records are."""
        path = self.card.path(FILE)
        began = _now()
        with open(path, "wb") as file:
            for _ in range(CARD_BYTES // len(PIECE)):
                file.write(PIECE)
        if hasattr(os, "sync"):
            os.sync()
        written = _since(began)
        began = _now()
        with open(path, "rb") as file:
            while file.read(len(PIECE)):
                pass
        read = _since(began)
        os.remove(path)
        began = _now()
        for _ in range(20):
            self.card.write(FILE, PIECE[:600])
        small = _since(began) / 20
        self.card.remove(FILE)
        return [
            ("card write", _rate(CARD_BYTES, written), "KB/s"),
            ("card read", _rate(CARD_BYTES, read), "KB/s"),
            ("card safe small write", "{:.1f}".format(small), "ms"),
        ]

    def measure_usb(self):
        """Print dots."""
        began = _now()
        for _ in range(USB_LINES):
            sys.stdout.write(USB_LINE)
        return [("usb board to PC", _rate(USB_LINES * len(USB_LINE), _since(began)), "KB/s")]

    def measure_wifi(self):
        """Join, connect, fetch a page file, send 64 KB bodies."""
        settings, wifi = self.settings, self.board.wifi
        if not settings.host_address:
            return [("wifi", "no host in config.json: pair the board first", "")]
        began = _now()
        if not wifi.address() and settings.wifi_ssid:
            wifi.join(settings.wifi_ssid, settings.wifi_key)
        while not wifi.address():
            if _since(began) > JOIN_MS:
                return [("wifi", "no address within {} s".format(JOIN_MS // 1000), "")]
            self.board.clock.pause(50)
        rows = [("wifi join", str(int(_since(began))), "ms")]
        began = _now()
        connection = wifi.connect(settings.host_address, settings.host_port)
        rows.append(("wifi connect", "{:.1f}".format(_since(began)), "ms"))
        try:
            down = up = 0
            began = _now()
            for _ in range(WIFI_TIMES):
                down += self.exchange(connection, "GET", DOWN_PATH, b"")
            rows.append(("wifi down", _rate(down, _since(began)), "KB/s"))
            rows.append(("wifi request", "{:.1f}".format(_since(began) / WIFI_TIMES), "ms"))
            began = _now()
            for _ in range(WIFI_TIMES):
                self.exchange(connection, "POST", HTTP_PATH, PIECE)
                up += len(PIECE)
            rows.append(("wifi up", _rate(up, _since(began)), "KB/s"))
        finally:
            connection.close()
        return rows

    def exchange(self, connection, method, path, body) -> int:
        """One HTTP request on the open connection; how many bytes came.

        Raises:
            OSError: the host closed the connection, or is no snaploop host.
        """
        head = "{} {} HTTP/1.1\r\nHost: {}:{}\r\nContent-Length: {}\r\n\r\n".format(
            method, path, self.settings.host_address, self.settings.host_port, len(body)
        )
        out = memoryview(head.encode() + body)
        while out:
            out = out[connection.send(out[:4096]) :]
        data = b""
        while True:
            part = connection.receive(4096)
            if part == b"":
                raise OSError("the host closed the connection")
            if part is None:
                self.board.clock.pause(1)
                continue
            data += part
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                length = _content_length(data[:end])
                if len(data) >= end + 4 + length:
                    return len(data)

    def measure_camera(self):
        """Frames for the model, and for the panel by hardware."""
        self.board.open(self.settings.panel)
        try:
            self.board.camera.ai_frame()
            began = _now()
            for _ in range(FRAMES):
                self.board.camera.ai_frame()
            return [("camera", "{:.1f}".format(FRAMES * 1000 / max(1, _since(began))), "frames/s")]
        finally:
            self.board.close()


def _now():
    return time.ticks_us() if hasattr(time, "ticks_us") else time.perf_counter_ns() // 1000


def _since(then):
    """Milliseconds."""
    passed = (
        time.ticks_diff(time.ticks_us(), then) if hasattr(time, "ticks_us") else time.perf_counter_ns() // 1000 - then
    )
    return passed / 1000


def _rate(count, ms):
    return "{:.0f}".format(count / max(ms, 0.001))  # bytes a millisecond are KB a second


def _content_length(head):
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line[15:])
    raise OSError("the answer of the host's port is no HTTP of ours")
