"""A whole session over a wire that breaks on purpose: the board's real road, requester, sync and samples, and the host's real link.

Time is simulated, so that a session with resends takes milliseconds. One fault per session, at one byte of one direction.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.device_host import BOARD_ID, KEY, FakeHost
from snaploop_device.card import Card
from snaploop_device.config import Config
from snaploop_device.log import Log
from snaploop_device.requester import Requester
from snaploop_device.samples import SampleStore
from snaploop_device.sync import Sync
from snaploop_device.usb_road import UsbRoad
from snaploop_device.wifi_road import WifiRoad
from snaploop_shared import messages
from snaploop_shared.errors import LinkLostError, ProtocolError
from snaploop_shared.frames import in_cells
from snaploop_shared.link import TO_BOARD_WINDOW_FRAMES, Link
from snaploop_shared.portable import sha256_hex

TO_HOST, TO_BOARD = "to host", "to board"
NOISE = b"Traceback (most recent call last):\r\n  print() of a script\x1eAAAA\r\n"
AWAY_MS = 1500  # how long a pulled cable stays out
MOST_MS = 600_000
PHOTO = random.Random(5).randbytes(1700)
BLOB = random.Random(6).randbytes(1500)


@dataclass(frozen=True)
class Fault:
    """What happens to the byte at `position` of a direction: cut, flip, drop, double, noise, restart (host), clock (jump, ms)."""

    kind: str
    direction: str
    position: int
    jump_ms: int = 0


class Wire:
    """One direction: counts its bytes and does the fault to one of them."""

    def __init__(self, direction: str, fault: Fault | None, on_fault: Callable[[Fault], None]) -> None:
        self.direction, self.on_fault = direction, on_fault
        self.fault = fault if fault is not None and fault.direction == direction else None
        self.carried = 0

    def carry(self, data: bytes) -> bytes:
        """What arrives."""
        start, self.carried = self.carried, self.carried + len(data)
        fault = self.fault
        if fault is None or not start <= fault.position < self.carried:
            return data
        self.fault = None
        at = fault.position - start
        self.on_fault(fault)
        before, byte, after = data[:at], data[at : at + 1], data[at + 1 :]
        if fault.kind == "cut":
            return before
        if fault.kind == "drop":
            return before + after
        if fault.kind == "flip":
            return before + bytes([byte[0] ^ 1 << fault.position % 8]) + after
        if fault.kind == "double":
            return before + byte + byte + after
        if fault.kind == "noise":
            return before + NOISE + byte + after
        return data


class Fetch:
    """Where the app has its models: asks for the bytes of one blob."""

    def __init__(self) -> None:
        self.data = b""

    def next_request(self, now_ms: int) -> tuple[str, str, dict[str, Any]] | None:
        if len(self.data) >= len(BLOB):
            return None
        arguments = {"digest": sha256_hex(BLOB), "offset": len(self.data), "length": 700}
        return "GET", messages.BLOB, arguments

    def offer(self, offered: Any, now_ms: int) -> None:
        assert offered is None

    def on_answer(self, request: Any, response: messages.Response, now_ms: int) -> None:
        if response.status == messages.OK and request[2]["offset"] == len(self.data):
            self.data += response.body


class Session:
    """Board and host at the two ends. `run` until both agree; the state is what must be the same whatever happened."""

    def __init__(self, folder: Path, boot: int, fault: Fault | None = None, host: FakeHost | None = None) -> None:
        card = Card(str(folder))
        log = Log(echo=lambda line: None)
        card.remove("outbox")
        self.store = SampleStore(card, boot, log)
        if not len(self.store):
            self.store.add(PHOTO, 640, 360)
        config = Config({"id": BOARD_ID, "key": KEY.hex(), "road": "usb"})
        self.host = host or FakeHost()
        self.host.blobs[sha256_hex(BLOB)] = BLOB
        self.fetch = Fetch()
        self.host_ms = self.board_ms = 1000
        self.away_until_ms = 0
        self.restarts = 0
        self.link = Link(False, TO_BOARD_WINDOW_FRAMES)
        self._boot = boot
        self.wires = {name: Wire(name, fault, self._on_fault) for name in (TO_HOST, TO_BOARD)}
        self._to_board = b""
        self.usb = UsbRoad(self, self, log)
        self.requester = Requester(config, boot, self.usb, WifiRoad(None, config, log), lambda count: None, log)
        self.requester.road = "usb"
        self.sync = Sync(self.requester, self.store, self.fetch, self, dict, log)
        self.sessions = 0

    # what the board's parts are given: stream, identity, clock

    def read(self) -> bytes:
        data, self._to_board = self._to_board, b""
        return data

    def write(self, data: bytes) -> None:
        arrived = self._carry(TO_HOST, bytes(data))
        if not arrived:
            return
        try:
            requests = self.link.receive(arrived, self.host_ms)
        except ProtocolError:
            return
        for request in requests:
            answer = self.host.handle(request, "usb")
            if answer is not None:
                self.link.send(answer)

    def random_u32(self) -> int:
        self.sessions += 1
        return self._boot * 1000 + self.sessions

    def now_ms(self) -> int:
        return self.board_ms

    def pause(self, ms: int) -> None:
        self._pass(ms)

    # the simulation

    @property
    def state(self) -> tuple[object, ...]:
        """What both sides hold in the end."""
        return self.host.photos, self.host.records, self.fetch.data, self.store.count_pending()

    @property
    def is_done(self) -> bool:
        return self.store.count_pending() == 0 and len(self.fetch.data) >= len(BLOB)

    def run(self) -> None:
        """Until everything is synced and fetched.

        Raises:
            AssertionError: not within ten simulated minutes.
        """
        while not self.is_done:
            assert self.host_ms < MOST_MS, "the session does not end"
            before = self.wires[TO_HOST].carried, self.wires[TO_BOARD].carried
            while self.store.is_counting:
                self.store.step()
            self.sync.step(self.board_ms, 5, False)
            self._host_turn()
            moved = before != (self.wires[TO_HOST].carried, self.wires[TO_BOARD].carried)
            self._pass(1 if moved else 50)

    def _host_turn(self) -> None:
        try:
            out = self.link.output(self.host_ms)
        except LinkLostError:
            return
        if out:
            self._to_board += self._carry(TO_BOARD, in_cells(out))

    def _carry(self, direction: str, data: bytes) -> bytes:
        if self.host_ms < self.away_until_ms:
            return b""
        return self.wires[direction].carry(data)

    def _pass(self, ms: int) -> None:
        self.host_ms += ms
        self.board_ms += ms

    def _on_fault(self, fault: Fault) -> None:
        if fault.kind == "cut":  # the bridge opens the port anew afterwards, with a new link
            self.away_until_ms = self.host_ms + AWAY_MS
            self.link = Link(False, TO_BOARD_WINDOW_FRAMES)
            self._to_board = b""
        elif fault.kind == "restart":
            self.link = Link(False, TO_BOARD_WINDOW_FRAMES)
            self.restarts += 1
        elif fault.kind == "clock":
            self.board_ms += fault.jump_ms
