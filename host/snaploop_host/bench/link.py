"""`snaploop bench link`: our roads beside the usual ways to move files, on the virtual board (design §10).

USB of the virtual board has the 4096-byte ring and, by default, the delay that makes `mpremote fs cp` as slow as it is on boards
(k230-platform §9.8). Wi-Fi of the virtual board is this PC's loopback; beside the bare copy both carry what a board's radio was seen to
carry (§8.3). The host is the daemon as it ships, the board runs the app as it ships with its Sync screen open; each is a process.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import HostError
from ..links.board_files import board_files
from .figures import Figure
from .link_board import BenchBoard
from .link_host import FETCH_PROJECT, SYNC_PROJECT, BareReceiver, BenchHost
from .link_photos import noise_jpegs, put_samples

SCRIPTS = Path(__file__).parent / "board_scripts"
RADIO_BYTES_PER_S = 691_000  # k230-platform §8.3: 1.38 MB in 2.0 s


@dataclass(frozen=True)
class Sizes:
    """How much is moved; tests move less."""

    pairs: int = 5
    photo_bytes: int = 60_000
    usb_photos: int = 20
    wifi_photos: int = 20
    all_photos: int = 100
    fetch_bytes: int = 1_000_000
    mpremote_bytes: int = 48 * 1024


class Bench:
    """A host, a board that is idle at its prompt for mpremote, and a board that runs our app and our scripts."""

    def __init__(self, folder: Path, sizes: Sizes, stack: ExitStack) -> None:
        """Start them."""
        self.sizes = sizes
        self.idle = stack.enter_context(closing(BenchBoard(folder / "idle")))
        self.board = stack.enter_context(closing(BenchBoard(folder / "board")))
        self.data = self.board.data
        for path, content in board_files().items():
            target = self.board.sd / path.removeprefix("/sdcard/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.name != "main.py":
                target.write_bytes(content)
        (self.data / "snaploop").mkdir()
        self._photos = noise_jpegs(sizes.photo_bytes)
        self.host = stack.enter_context(closing(BenchHost(folder / "host", self.board.port)))
        self.blob = self.host.offer_model(next(self._photos), sizes.fetch_bytes)
        self.host.start()
        self.receiver = stack.enter_context(closing(BareReceiver(folder / "bare")))
        self._round = 0

    def sync(self, road: str, photos: int) -> float:
        """Seconds to sync so many new photos with their labels."""
        self.put_photos(photos)
        self.configure(SYNC_PROJECT, road)
        result = self.board.run(SCRIPTS / "link_sync.py")
        if result["left"] or result["synced"][road] != photos:
            raise HostError(f"{result['left']} of {photos} photos were not synced over {road}: {result['said']}")
        return float(result["ms"]) / 1000

    def fetch(self) -> float:
        """Seconds to fetch the model's bytes over USB and keep them on the card."""
        self.configure(FETCH_PROJECT, "usb")
        (self.data / "fetch.json").write_text(json.dumps({"digest": self.blob, "bytes": self.sizes.fetch_bytes}))
        return float(self.board.run(SCRIPTS / "link_fetch.py")["ms"]) / 1000

    def bare_copy(self, photos: int) -> float:
        """Seconds to copy so many photos of the card over a bare socket into files of the host."""
        self.put_photos(photos)
        (self.data / "bare.json").write_text(json.dumps({"port": self.receiver.port}))
        result = self.board.run(SCRIPTS / "socket_copy.py")
        if self.receiver.taken != photos:
            raise HostError(f"the bare copy brought {self.receiver.taken} of {photos} photos")
        return float(result["ms"]) / 1000

    def mpremote(self) -> tuple[float, float]:
        """(bytes/s to the board, bytes/s from it) of `mpremote fs cp`."""
        from mpremote.transport_serial import SerialTransport

        data = next(self._photos)[: self.sizes.mpremote_bytes]
        transport = SerialTransport(self.idle.port, baudrate=115200, exclusive=True)
        try:
            transport.enter_raw_repl(soft_reset=False)
            started = time.perf_counter()
            transport.fs_writefile("/data/peer.bin", data)
            wrote = time.perf_counter()
            back = transport.fs_readfile("/data/peer.bin")
            read = time.perf_counter()
            transport.exit_raw_repl()
        finally:
            transport.close()
        if bytes(back) != data:
            raise HostError("mpremote brought other bytes back than it wrote")
        return len(data) / (wrote - started), len(data) / (read - wrote)

    def put_photos(self, count: int) -> None:
        """Replace the samples of the card by new ones; the board forgets what it knows of the host."""
        self._round += 1
        shutil.rmtree(self.data / "snaploop" / "samples", ignore_errors=True)
        for name in ("outbox", "project.json"):
            (self.data / "snaploop" / name).unlink(missing_ok=True)
        put_samples(self.data / "snaploop" / "samples", self._round, count, self._photos)

    def configure(self, project: str, road: str) -> None:
        """Be the board of this project, on this road."""
        paired = self.host.boards[project]
        fields: dict[str, Any] = {"id": paired.id, "key": paired.key.hex(), "name": paired.name, "road": road}
        fields |= {"host": ["127.0.0.1", self.host.port], "wifi": ["bench", "bench-key"]}
        (self.data / "snaploop" / "config.json").write_text(json.dumps(fields))


def measure(out: Path, sizes: Sizes | None = None) -> list[Figure]:
    """Run the pairs; the figures of the link bench.

    Raises:
        HostError: something did not arrive.
    """
    sizes = sizes or Sizes()
    ups: list[tuple[float, float]] = []  # (ours, peer's) bytes/s
    downs: list[tuple[float, float]] = []
    wifi: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder), sizes, stack)
        for _ in range(sizes.pairs):
            to_board, from_board = bench.mpremote()
            ups.append((sizes.usb_photos * sizes.photo_bytes / bench.sync("usb", sizes.usb_photos), from_board))
            downs.append((sizes.fetch_bytes / bench.fetch(), to_board))
        bench.board.limit_radio(RADIO_BYTES_PER_S)
        for _ in range(sizes.pairs):
            copied_s, synced_s = bench.bare_copy(sizes.wifi_photos), bench.sync("wifi", sizes.wifi_photos)
            moved = sizes.wifi_photos * sizes.photo_bytes
            wifi.append((moved / synced_s, moved / copied_s))
        bench.board.limit_radio(0)
        hundred_s = bench.sync("wifi", sizes.all_photos)
    return [
        _ratio("usb_up_vs_mpremote", ups, 20, "mpremote fs cp from the board, bytes/s"),
        _ratio("usb_down_vs_mpremote", downs, 20, "mpremote fs cp to the board, bytes/s"),
        _ratio(
            "wifi_vs_bare_socket", wifi, 0.8,
            f"bare socket copy of the same files, both on a radio of {RADIO_BYTES_PER_S // 1000} KB/s, bytes/s",
        ),
        Figure("hundred_photos_s", hundred_s * 100 / sizes.all_photos, "s", 10),
    ]  # fmt: skip


def _ratio(name: str, speeds: list[tuple[float, float]], goal: float, peer: str) -> Figure:
    value = statistics.median(ours / theirs for ours, theirs in speeds)
    peer_value = statistics.median(theirs for _, theirs in speeds)
    return Figure(name, value, "ratio", goal, at_most=False, peer=peer, peer_value=peer_value)
