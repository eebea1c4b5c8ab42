"""A desk with real parts for tests: a host folder, its daemon as a process, and a virtual board that runs the app unmodified.

Only the way in is short: the app's files are copied to the card and paired in the store, instead of through mpremote, which
tests/e2e/test_install_and_greet.py does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fakes.host_folder import make_host
from snaploop_device import layout
from snaploop_host.links.board_files import board_files
from virtual_k230 import VirtualK230

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("host", "shared", "device"))}
PANEL = (800, 480)
WAIT_S = 180  # generous: the machine may be busy; nothing here waits when it need not


class Desk:
    """`folder`/host is the host's data, `folder`/sd and `folder`/data are the board's card."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host_data = folder / "host"
        self.samples = folder / "data" / "snaploop" / "samples"
        self.models = folder / "data" / "snaploop" / "models"
        self.url = ""
        self.daemon_log = folder / "daemon.log"
        for name in ("sd", "data/snaploop"):
            (folder / name).mkdir(parents=True)
        make_host(self.host_data).close()

    def install(
        self,
        board_id: str = "a1b2c3d4",
        main: str = "",
        host: Path | None = None,
        project: str = "lights",
        **config: Any,
    ) -> None:
        """Put the app and a pairing with this host (or the one on another folder) on the card; `main` runs before the app."""
        for path, data in board_files().items():
            target = self.folder / "sd" / path.removeprefix("/sdcard/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        app = self.folder / "sd" / "main.py"
        app.write_text(main + app.read_text())
        with contextlib.closing(make_host(host or self.host_data)) as opened:
            paired, _ = opened.pair.pair(board_id, "desk", project)
        fields = {"id": paired.id, "key": paired.key.hex(), "name": paired.name, "host": ["", 1], "road": "usb"}
        (self.folder / "data/snaploop/config.json").write_text(json.dumps(fields | config))

    @contextlib.contextmanager
    def board(self, **options: Any) -> Iterator[VirtualK230]:
        """The board, switched on."""
        options = {"profile": "D"} | options
        with VirtualK230(sd=self.folder / "sd", data=self.folder / "data", **options) as board:
            yield board

    @contextlib.contextmanager
    def daemon(self, *more: object) -> Iterator[str]:
        """The daemon on the host's data; its address."""
        argv = ["serve", "--data", str(self.host_data), "--listen", "127.0.0.1:0", "--no-find", "--json", "--verbose"]
        with self.daemon_log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "snaploop_host", *argv, *map(str, more)],
                env=ENVIRON, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, self.daemon_log.read_text()
            self.url = json.loads(line)["url"]
            yield self.url
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_S) == 0, self.daemon_log.read_text()

    def api(self, path: str) -> Any:
        """The daemon's answer."""
        with urllib.request.urlopen(self.url + path, timeout=WAIT_S) as answer:
            return json.loads(answer.read())

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The daemon's answer to this."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.loads(answer.read())

    def deployment(self) -> dict[str, Any]:
        """What the board last said about a model, {} before."""
        rows = [one for row in self.api("/api/boards") for one in row["deployments"]]
        return rows[0] if rows else {}


def tap(board: VirtualK230, screen: str, name: str, classes: tuple[str, ...] = ("red", "yellow", "green")) -> None:
    """A finger on a button."""
    x, y, w, h = layout.button_rects(screen, *PANEL, list(classes))[name]
    board.touch(x + w // 2, y + h // 2)


def texts(board: VirtualK230) -> list[str]:
    """What the screen says now."""
    return [call[4] for layer in ("OSD1", "OSD2") for call in board.drawn(layer) if call[0] == "string"]


def wait(what: str, is_so: Callable[[], Any], board: VirtualK230 | None = None, seconds: float = WAIT_S) -> Any:
    """The first true answer of `is_so`.

    Raises:
        AssertionError: not within `seconds`; with what the board printed.
    """
    ends = time.monotonic() + seconds
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > ends:
            said = f"; the screen says {texts(board)}; the console {board.log[-1500:]}" if board else ""
            raise AssertionError(f"{what}: not within {seconds} s{said}")
        time.sleep(0.05)


def says(board: VirtualK230, words: str, seconds: float = WAIT_S) -> str:
    """The text on the screen that holds these words, once it is there."""

    def look() -> str:
        told = texts(board)
        whole = " ".join(told)  # a long message stands on several lines
        return next((text for text in told if words in text), whole if words in whole else "")

    return str(wait(f"the screen says {words!r}", look, board, seconds))
