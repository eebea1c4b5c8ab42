"""The board's system calls: console, sleeping, waiting, exit points, identity, memory figures, touch, pins.

Everything here answers a hardware call of the modules os, time, gc, sys, machine and of the REPL in canmv/.
"""

from __future__ import annotations

import collections
import hashlib
import os
import random
import select
import time
from typing import Any

from .hal import Hal, HalError, Reply

FIRMWARE = {"A": "v1.2.2", "B": "v1.4", "C": "v1.6", "D": "v1.8"}
_BUILT = {"A": "2025-02-08", "B": "2025-09-09", "C": "2026-04-03", "D": "2026-07-03"}
_NNCASE = {"A": "2.9.0", "B": "2.9.0", "C": "2.9.0", "D": "2.11.0"}
STDIN = -1
_MIB = 1 << 20

EVENT_UP, EVENT_DOWN, EVENT_MOVE = 1, 2, 3
_EVENTS = {"up": EVENT_UP, "down": EVENT_DOWN, "move": EVENT_MOVE}


class TouchQueue:
    """Finger events that machine.TOUCH hands out one per read()."""

    def __init__(self) -> None:
        self._events: collections.deque[tuple[int, int, int]] = collections.deque()
        self.n_reads = 0
        """How often the script looked: what tells that its loop went round."""

    def put(self, event: str, x: int, y: int) -> None:
        """Queue one event.

        Raises:
            ValueError: event is not "down", "move" or "up".
        """
        if event not in _EVENTS:
            raise ValueError(f"touch event {event!r}: use down, move or up")
        self._events.append((_EVENTS[event], int(x), int(y)))

    def __len__(self) -> int:
        return len(self._events)

    def clear(self) -> None:
        """Forget all queued events."""
        self._events.clear()

    def take(self, count: int) -> list[list[int]]:
        """At most one event, as [event, track_id, width, x, y, timestamp ms]."""
        if not 1 <= count <= 10:
            raise HalError("ValueError", "point_number invalid")
        self.n_reads += 1
        if not self._events:
            return []
        event, x, y = self._events.popleft()
        return [[event, 0, 1, x, y, int(time.monotonic() * 1000) & 0x3FFFFFFF]]


class SystemOps:
    """Operations that need the board as a whole."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self._pins: dict[int, int] = {}

    def uname(self) -> list[str]:
        """The five strings of os.uname()."""
        profile = self._board.profile
        version = f"{FIRMWARE[profile]}(based on Micropython e00a144) on {_BUILT[profile]}"
        return ["rt-smart", "rt-smart", "1.21.0", version, f"{self._board.board_id} with K230"]

    def banner(self) -> str:
        """What the REPL says first."""
        name = self.uname()
        return f'CanMV {name[3]}; {name[4]}\r\nType "help()" for more information.\r\n'

    def sleep(self, milliseconds: float) -> None:
        """Sleep; a deliverable stop ends it early."""
        self._board.wait_fds({}, max(0.0, milliseconds))

    def stdin_read(self, timeout_ms: int) -> Reply:
        """Input bytes, at most one ring full; waits up to timeout_ms (-1: for ever) when there are none."""
        usb = self._board.usb
        data = usb.take()
        if not data and timeout_ms != 0:
            self._board.wait_fds({usb.ready_fd: select.POLLIN}, timeout_ms)
            data = usb.take()
        return Reply(None, data)

    def poll_wait(self, items: list[list[int]], timeout_ms: int) -> list[list[int]]:
        """select.poll over numbers: STDIN or socket handles, each with a mask. Returns those ready."""
        fds: dict[int, int] = {}
        numbers: dict[int, int] = {}
        ready: list[list[int]] = []
        for number, mask in items:
            if number == STDIN:
                if mask & select.POLLOUT:
                    ready.append([STDIN, select.POLLOUT])
                fd = self._board.usb.ready_fd
                fds[fd] = mask & select.POLLIN
            else:
                fd = self._board.network.fileno(number)
                fds[fd] = mask
            numbers[fd] = number
        found = self._board.wait_fds(fds, 0 if ready else timeout_ms)
        return ready + [[numbers[fd], mask] for fd, mask in found]

    def urandom(self, n: int) -> Reply:
        """Random bytes."""
        return Reply(None, os.urandom(n))

    def digest(self, name: str, blob: memoryview) -> Reply:
        """md5 or sha1 of the blob."""
        return Reply(None, hashlib.new(name, blob, usedforsecurity=False).digest())

    def memory(self, what: str) -> list[int]:
        """(total, used, free) bytes of a 1 GB board's pools (reference §1.2)."""
        total = {"total": 1024, "heap": 64, "page": 512, "mmz": 512}[what] * _MIB
        used = {"total": 300, "heap": 9, "page": 60, "mmz": 40}[what] * _MIB
        return [total, used, total - used]

    def touch_read(self, count: int, heap_free_bytes: int | None = None) -> list[list[int]]:
        """TOUCH.read(); now and then the script's free heap rides along for /state."""
        if heap_free_bytes is not None:
            self._board.heap_free_bytes = heap_free_bytes
        return list(self._board.touches.take(count))

    def chipid(self) -> Reply:
        """The chip's identity, 16 bytes."""
        return Reply(None, bytes.fromhex(self._board.chip_id))

    def pin(self, number: int, value: int | None = None) -> int:
        """Read a pin, or set it."""
        if value is not None:
            self._pins[number] = int(bool(value))
        return self._pins.get(number, 0)

    def register(self, hal: Hal) -> None:
        """Answer the operations of this file."""
        board = self._board
        hal.op("os.uname", self.uname)
        hal.op("os.urandom", self.urandom)
        hal.op("os.cpu_usage", lambda: random.randint(20, 40))
        hal.op("os.exitpoint", board.exitpoint)
        hal.op("repl.banner", self.banner)
        hal.op("time.sleep", self.sleep)
        hal.op("stdin.read", self.stdin_read)
        hal.op("poll.wait", self.poll_wait)
        hal.op("hashlib.digest", self.digest)
        hal.op("gc.sys", self.memory)
        hal.op("machine.chipid", self.chipid)
        hal.op("machine.temperature", lambda: 52.5)
        hal.op("machine.reset", lambda: board.reset(hard=True))
        hal.op("machine.pin", self.pin)
        hal.op("touch.read", self.touch_read)
