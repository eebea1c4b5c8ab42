"""What the link bench's boards talk to: the daemon as it ships, in its own process, and a receiver of bare copies."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from snaploop_shared.portable import sha256_hex

from ..app import open_host
from ..config import Config
from ..domain.boards import Board
from ..domain.datasets import DatasetItem
from ..domain.models import Model
from ..domain.runs import SUCCEEDED
from ..domain.samples import Sample
from ..errors import HostError
from ..services.sync_board import USB
from .link_photos import HEIGHT, WIDTH

CLASSES = ("red", "yellow", "green")
SYNC_PROJECT, FETCH_PROJECT = "sync", "fetch"  # the board that syncs is offered no model
STOP_S = 20
RECEIVE_BYTES = 1 << 16


class BenchHost:
    """A data folder with two paired boards, and `snaploop serve` on it as a process of its own."""

    def __init__(self, folder: Path, usb_port: str) -> None:
        """Make the folder; the daemon will serve this serial port."""
        self._folder = folder
        self._usb_port = usb_port
        self._process: subprocess.Popen[str] | None = None
        self.port = 0
        with contextlib.closing(open_host(Config(folder))) as host:
            self.boards: dict[str, Board] = {}
            for number, project in enumerate((SYNC_PROJECT, FETCH_PROJECT)):
                host.store.add_project(project, "detect", CLASSES, 0.0)
                self.boards[project], _ = host.pair.pair(f"be0c{number}", project, project)

    def offer_model(self, photo: bytes, size: int) -> str:
        """Store a model of so many random bytes, "trained" on one photo, that the fetching board may have; its digest."""
        path = self._folder / "bytes.bin"
        with contextlib.closing(open_host(Config(self._folder))) as host:
            store, board = host.store, self.boards[FETCH_PROJECT]
            digest = sha256_hex(photo)
            path.write_bytes(photo)
            host.blobs.add_file(path)
            store.add_photo(digest, len(photo), USB, board.id, 0.0)
            store.put_sample(
                Sample(
                    id=0, project_id=board.project_id, name="b1-000001", photo=digest, photo_bytes=len(photo),
                    width_px=WIDTH, height_px=HEIGHT, rev=1, state="labelled", boxes=(), source=board.id, road=USB,
                    created_at_s=0.0,
                )
            )  # fmt: skip
            sample = store.samples(board.project_id)[0]
            item = DatasetItem(sample.id, sample.name, digest, WIDTH, HEIGHT, (), "train")
            version = store.add_dataset_version(board.project_id, CLASSES, [item], 0.0)
            run = store.add_run(board.project_id, version.id, None, 0.0)
            store.save_run(dataclasses.replace(run, state=SUCCEEDED))
            data = np.random.default_rng(7).bytes(size)
            path.write_bytes(data)
            host.blobs.add_file(path)
            digest = sha256_hex(data)
            store.add_model(
                Model(
                    id=0, project_id=board.project_id, run_id=run.id, serial=1, digest=digest, kmodel_bytes=size,
                    golden_digest=digest, manifest=b"{}", is_gate_passed=True, gate_text="", task="detect",
                    float_scores={"map50": 0.0, "map50_95": 0.0}, kmodel_scores={"map50": 0.0, "map50_95": 0.0},
                    evaluated_images=1, simulator="none",
                    input_w_px=320, input_h_px=192, created_at_s=0.0,
                )
            )  # fmt: skip
        return digest

    def start(self) -> None:
        """Start the daemon.

        Raises:
            HostError: it did not come up; its output is in the message.
        """
        argv = [sys.executable, "-m", "snaploop_host", "serve", "--data", str(self._folder), "--listen", "127.0.0.1:0"]
        log = self._folder / "daemon.log"
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [*argv, "--usb", self._usb_port, "--json"], stdout=subprocess.PIPE, stderr=errors, text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise HostError(f"`snaploop serve` did not start: {log.read_text()[-400:]}")
        self.port = int(json.loads(line)["url"].rsplit(":", 1)[1])

    def close(self) -> None:
        """End the daemon."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_S)
            assert self._process.stdout is not None
            self._process.stdout.close()


class BareReceiver:
    """Takes bare copies: u32 length and bytes of each file, one connection per copy; answers "ok" when all lie on the disk."""

    def __init__(self, folder: Path) -> None:
        """Listen on a port of loopback."""
        folder.mkdir()
        self._folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.taken = 0
        self._thread = threading.Thread(target=self._run, name="bare receiver", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):  # nobody is connected to it
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with connection, connection.makefile("rb", RECEIVE_BYTES) as stream:
                self.taken = 0
                while head := stream.read(4):
                    size = int.from_bytes(head, "big")
                    if size == 0:
                        connection.sendall(b"ok")
                        break
                    (self._folder / f"{self.taken}.jpg").write_bytes(stream.read(size))
                    self.taken += 1
