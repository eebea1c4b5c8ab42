"""The board's system calls: console, sleeping, waiting, exit points, identity, memory figures, touch.

Everything here answers a hardware call of the modules os, time, gc, sys, machine and of the REPL in canmv/.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import os
import select
import time
from typing import Any

from . import aes
from .hal import Hal, HalError, Reply
from .profiles import FIRMWARE

STDIN = -1
_MIB = 1 << 20
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

EVENT_UP, EVENT_DOWN, EVENT_MOVE = 1, 2, 3
TOUCH_EVENTS = {"down": EVENT_DOWN, "move": EVENT_MOVE, "up": EVENT_UP}


class TouchQueue:
    """Finger events that machine.TOUCH hands out one per read()."""

    def __init__(self) -> None:
        self._events: collections.deque[tuple[int, int, int]] = collections.deque()
        self.is_open = False
        """Has the script opened the panel?"""
        self.n_reads = 0
        """How often the script looked: what tells that its loop went round."""

    def put(self, event: str, x: int, y: int, limit: int | None = None) -> None:
        """Queue one event; the oldest ones go when there would be more than `limit`.

        Raises:
            ValueError: event is not "down", "move" or "up".
        """
        if event not in TOUCH_EVENTS:
            raise ValueError(f"touch event {event!r}: use down, move or up")
        self._events.append((TOUCH_EVENTS[event], int(x), int(y)))
        while limit is not None and len(self._events) > limit:
            self._events.popleft()

    def __len__(self) -> int:
        return len(self._events)

    def clear(self) -> None:
        """Forget all queued events, and that the script opened the panel."""
        self._events.clear()
        self.is_open = False

    def take(self, count: int) -> list[list[int]]:
        """At most one event, as [event, track_id, width, x, y, timestamp ms]."""
        if not 1 <= count <= 10:
            raise HalError("ValueError", "point_number invalid")
        self.n_reads += 1
        if not self._events:
            return []
        event, x, y = self._events.popleft()
        return [[event, 0, 1, x, y, int(time.monotonic() * 1000) & 0x3FFFFFFF]]


def rotate_touch(x: int, y: int, rotate: int, width: int, height: int) -> list[int]:
    """A point of the screen as the driver gives it when the script chooses the rotation itself.

    The panels are portrait (height × width of the screen) and the driver's own rotation, 90 degrees, makes them match
    the screen: that is undone first, then `rotate` (TOUCH.ROTATE_*) is applied.
    """
    range_x, range_y = (height, width) if width > height else (width, height)
    raw_x, raw_y = (y, range_y - x - 1) if width > height else (x, y)
    if rotate == 1:
        return [range_y - raw_y - 1, raw_x]
    if rotate == 2:
        return [range_x - raw_x - 1, range_y - raw_y - 1]
    if rotate == 3:
        return [raw_y, range_x - raw_x - 1]
    if rotate == 4:
        return [raw_y, raw_x]
    return [raw_x, raw_y]


_FRAME_BUFFERS = 6  # per channel, as the firmware reserves them
_BYTES_PER_PIXEL = {"RGB565": 2.0, "YUV420SP": 1.5, "GRAYSCALE": 1.5}  # 3 for the rest


def media_bytes(board: Any) -> int:
    """What images, arrays, models and the buffers of running cameras take of the media memory."""
    total = 0
    for thing in board.handles.objects():
        holder = getattr(thing, "pixels", getattr(thing, "array", thing))
        total += int(getattr(holder, "nbytes", 0) or 0) + int(getattr(thing, "model_bytes", 0))
    for sensor in board.sensor.sensors.values():
        for channel in sensor.channels if sensor.is_running else ():
            if channel.size is not None and channel.format is not None:
                width, height = channel.size
                total += int(width * height * _BYTES_PER_PIXEL.get(channel.format, 3.0)) * _FRAME_BUFFERS
    return total


class SystemOps:
    """Operations that need the board as a whole."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self._cpu_seen = (0, 0.0, 0.0)

    def uname(self) -> list[str]:
        """The five strings of os.uname(); the last is the board id alone, which the vendor's libs look up."""
        firmware = FIRMWARE[self._board.profile]
        version = f"{firmware.version}(based on Micropython e00a144) on {firmware.built}"
        return ["rt-smart", "rt-smart", "1.21.0", version, str(self._board.board_id)]

    def banner(self) -> str:
        """What the REPL says first."""
        name = self.uname()
        return f'CanMV {name[3]}; {name[4]} with K230\r\nType "help()" for more information.\r\n'

    def profile(self) -> dict[str, Any]:
        """What the modules in canmv/ need to know about the firmware."""
        firmware = FIRMWARE[self._board.profile]
        return {"letter": self._board.profile, "board": self._board.board_id, **dataclasses.asdict(firmware)}

    def sleep(self, milliseconds: float) -> float:
        """Sleep; a deliverable stop and a due callback end it early. Returns the milliseconds that are left."""
        end = time.monotonic() + milliseconds / 1000
        self._board.wait_fds({}, max(0.0, milliseconds), for_events=True)
        return max(0.0, (end - time.monotonic()) * 1000)

    def cpu_usage(self) -> int:
        """Percent of one core that the interpreter's process used since the last question (at first: since its start)."""
        pid = self._board.child_pid
        if pid is None:
            return 0
        with open(f"/proc/{pid}/stat", "rb") as status:
            fields = status.read().rsplit(b")", 1)[1].split()
        used_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        now = time.monotonic()
        seen_pid, seen_used_s, seen_at = self._cpu_seen
        if seen_pid != pid:
            seen_used_s, seen_at = 0.0, self._board.started_at
        self._cpu_seen = (pid, used_s, now)
        return min(100, max(0, round(100 * (used_s - seen_used_s) / max(0.01, now - seen_at))))

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
                if mask & select.POLLIN and self._board.network.has_pending(number):
                    ready.append([number, select.POLLIN])
            numbers[fd] = number
        masks = {item[0]: item[1] for item in items}
        already = {number for number, _ in ready}
        for fd, found in self._board.wait_fds(fds, 0 if ready else timeout_ms):
            number = numbers[fd]
            if number in already:
                continue
            has_ended = number != STDIN and found & (
                select.POLLHUP | select.POLLERR
            )  # select() calls it ready for both
            ready.append([number, masks[number] & (select.POLLIN | select.POLLOUT) if has_ended else found])
        return ready

    def urandom(self, n: int) -> Reply:
        """Random bytes."""
        return Reply(None, os.urandom(n))

    def digest(self, name: str, blob: memoryview) -> Reply:
        """md5 or sha1 of the blob."""
        return Reply(None, hashlib.new(name, blob, usedforsecurity=False).digest())

    def memory(self, what: str) -> list[int]:
        """(total, used, free) bytes of one of the board's pools, moving with what the script has allocated.

        What the system itself takes is a typical figure; images, arrays, models and camera buffers count as they are.
        """
        board = self._board
        pools = board.memory
        media = min(pools.mmz, 16 * _MIB + media_bytes(board))
        heap = pools.heap * 9 // 64
        page = min(pools.page, 12 * _MIB + int(board.heap_mib * _MIB))
        total, used = {
            "total": (pools.rtsmart + pools.mmz, heap + page + media),
            "heap": (pools.heap, heap),
            "page": (pools.page, page),
            "mmz": (pools.mmz, media),
        }[what]
        return [total, used, total - used]

    def touch_read(self, count: int, rotate: int = -1, heap_free_bytes: int | None = None) -> list[list[int]]:
        """TOUCH.read(); now and then the script's free heap rides along for /state."""
        if heap_free_bytes is not None:
            self._board.heap_free_bytes = heap_free_bytes
        if self._board.faults.take("touch.read"):
            raise HalError("RuntimeError", "read touch failed, -1")
        rows: list[list[int]] = self._board.touches.take(count)
        if rotate != -1:
            width, height = self.touch_range()
            for row in rows:
                row[3:5] = rotate_touch(row[3], row[4], rotate, width, height)
        return rows

    def touch_open(self, number: int = 0) -> None:
        """TOUCH(number)."""
        if self._board.faults.take("touch.open"):
            raise HalError("RuntimeError", f"Open Touch Device({number}) failed")
        self._board.touches.is_open = True

    def touch_range(self) -> list[int]:
        """Width and height of the panel's picture in pixels."""
        return list(self._board.screen().size)

    def chipid(self) -> Reply:
        """The chip's identity, 32 bytes."""
        return Reply(None, bytes.fromhex(self._board.chip_id))

    def cipher(self, mode: int, key_hex: str, chain_hex: str, is_decrypting: bool, blob: memoryview) -> Reply:
        """cryptolib.aes: the transformed blob, and the chain value that the object's next call starts with."""
        try:
            data, chain = aes.transform(
                mode, bytes.fromhex(key_hex), bytes.fromhex(chain_hex), bytes(blob), is_decrypting
            )
        except ValueError as error:
            raise HalError("ValueError", str(error)) from None
        return Reply(chain.hex(), data)

    def register(self, hal: Hal) -> None:
        """Answer the operations of this file."""
        board = self._board
        hal.op("os.uname", self.uname)
        hal.op("os.urandom", self.urandom)
        hal.op("os.cpu_usage", self.cpu_usage)
        hal.op("board.profile", self.profile)
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
        hal.op("cryptolib.aes", self.cipher)
        hal.op("touch.read", self.touch_read)
        hal.op("touch.range", self.touch_range)
        hal.op("touch.open", self.touch_open)
