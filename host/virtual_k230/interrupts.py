"""How the outside reaches a running script: stops (Ctrl-C, the IDE), exit points, and the end of a wait.

The script's hardware calls are answered one after the other by the hal's thread; a call that waits does it here, so that
stops, resets and power cuts from other threads end it at once.
"""

from __future__ import annotations

import os
import select
import time
from typing import Any

from .hal import HalError

_EXITPOINT_DISABLE, _EXITPOINT_ENABLE = 0, 1
_SILENT_OPS = ("console.", "hal.", "card.", "board.", "script.", "repl.")
"""Operations after which no stop is raised: they are the interpreter's own, or leave the card half-done."""
_SLEEPING_OPS = ("time.sleep", "stdin.read", "poll.wait", "os.exitpoint", "touch.read")


class Interrupts:
    """Stops and waits of one board.

    Attributes:
        pending: the stop that waits for its chance; None: none.
        exit_flag: os.exitpoint()'s flag, which says where stops may strike.
        thread: the script's thread that runs; stops are for the main thread, 0.
        n_chances: operations so far after which a stop could have been raised.
    """

    def __init__(self, board: Any) -> None:
        self._board = board
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.n_chances = 0
        self.forget()

    def forget(self) -> None:
        """As at a boot."""
        self.pending: HalError | None = None
        self.exit_flag = _EXITPOINT_DISABLE
        self.thread = 0

    def forget_stop(self) -> None:
        """As when another script begins: its exit flag is down and no stop waits."""
        self.pending = None
        self.exit_flag = _EXITPOINT_DISABLE

    def close(self) -> None:
        """Nobody waits any more."""
        wake_fd, self._wake_fd = self._wake_fd, -1
        if wake_fd >= 0:
            os.close(wake_fd)

    # -- stops --------------------------------------------------------------------------------------------------

    def set_exit_flag(self, flag: int) -> int:
        """os.exitpoint(flag): set the flag and get the old one, without delivering anything."""
        old, self.exit_flag = self.exit_flag, int(flag)
        return old

    def may_be_forced(self) -> bool:
        """May a stop end the process of a script that makes no hardware calls?"""
        return self.exit_flag == _EXITPOINT_DISABLE

    def is_due(self, op: str) -> bool:
        """Would a stop that is pending strike after this operation?"""
        if self.pending is None or not self._board.is_script_running():
            return False
        if self.exit_flag == _EXITPOINT_DISABLE:
            return True
        if self.exit_flag == _EXITPOINT_ENABLE:
            return op in _SLEEPING_OPS
        return op == "os.exitpoint"

    def after_each(self, op: str) -> HalError | None:
        """For Hal.after_each: the stop that replaces the answer to `op`."""
        if op.startswith(_SILENT_OPS):
            return None
        self.n_chances += 1
        if self.pending is None or self.thread or not self.is_due(op):
            return None
        stop, self.pending = self.pending, None
        return stop

    # -- waits --------------------------------------------------------------------------------------------------

    def wait_fds(self, fds: dict[int, int], timeout_ms: float, for_events: bool = False) -> list[tuple[int, int]]:
        """Wait until one of {fd: mask} is ready, for timeout_ms (-1: for ever), a stop or a reset.

        Args:
            fds: file descriptors and what to wait for (select.POLLIN, …).
            timeout_ms: -1: for ever.
            for_events: a timer or pin interrupt that is due ends the wait too.

        Returns:
            (fd, mask) pairs of those that are ready.
        """
        events = self._board.events
        if for_events:
            to_next = events.ms_to_next()
            timeout_ms = to_next if timeout_ms < 0 and to_next < 1e12 else min(timeout_ms, to_next)
        deadline = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000
        waiter = select.poll()
        for fd, mask in fds.items():
            waiter.register(fd, mask)
        if timeout_ms:
            waiter.register(self._wake_fd, select.POLLIN)
        while True:
            if timeout_ms and (self._board.is_ending or self.is_due("time.sleep")):
                return []
            if for_events and timeout_ms and events.is_due():
                return []
            left_ms = None if deadline is None else max(0.0, (deadline - time.monotonic()) * 1000)
            found = waiter.poll(left_ms)
            ready = [(fd, mask) for fd, mask in found if fd != self._wake_fd]
            if len(ready) < len(found):
                self._clear_wake()
            if ready or (deadline is not None and time.monotonic() >= deadline):
                return ready

    def wake(self) -> None:
        """End the wait that the hal's thread may be in, so that it looks again."""
        if self._wake_fd >= 0:
            os.eventfd_write(self._wake_fd, 1)

    def _clear_wake(self) -> None:
        try:
            os.eventfd_read(self._wake_fd)
        except BlockingIOError:
            return
