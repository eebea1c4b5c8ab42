"""The hardware call server: what a script on the virtual board asks for by `_hal.call()` is answered here.

One `Hal` belongs to one `VirtualK230`. Modules register named operations; one thread reads requests from the child's
pipe, runs the operation and writes the reply, strictly one after the other, so operations need no locks among
themselves.

Wire, both directions: u32 json length, u32 blob length (little endian), JSON, blob. A request is `[op, [args...]]`; a
reply is `[value]` or `[null, exception name, [args...]]`.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import select
import struct
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

logger = logging.getLogger(__name__)

_HEADER = struct.Struct("<II")
# A script's next call mostly comes within 100 us. Looking for it so often first saves falling asleep and being woken on another core:
# 38 to 48 us a call instead of 20 to 95. A machine with one core needs that core for the script.
_LOOKS = 150 if (os.cpu_count() or 1) > 1 else 0
_DUE = 0x8000_0000  # canmv/_hal.py then asks by "event.take" what to run; the launcher's own calls ignore it

_IDLE_OPS = frozenset({
    "time.sleep", "os.exitpoint", "board.exit_flag", "console.write", "console.write_bytes", "touch.read", "gc.sys",
    "hal.free", "event.take", "os.cpu_usage",
})  # fmt: skip
"""What a script asks that only waits: for a stop, for time to pass, for a finger."""

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make an encoder for each call
_decode = json.JSONDecoder().decode

Handler = Callable[..., Any]


class HalError(Exception):
    """Raised by an operation to raise a MicroPython builtin exception inside the script.

    Args:
        name: builtin exception class of MicroPython, such as "OSError".
        args: its arguments; for OSError an errno number or a text.
    """

    def __init__(self, name: str, *args: Any) -> None:
        super().__init__(name, *args)
        self.name = name
        self.error_args = args


class Reply:
    """A value together with bytes, for operations that are called by `call_blob`."""

    __slots__ = ("blob", "value")

    def __init__(self, value: Any, blob: bytes | bytearray | memoryview = b"") -> None:
        self.value = value
        self.blob = blob


class Hal:
    """Named operations and the loop that serves them to one child process."""

    def __init__(self) -> None:
        self._ops: dict[str, Handler] = {}
        self._wants_blob: set[str] = set()
        self.after_each: Callable[[str], HalError | None] | None = None
        """Asked after each operation; an error it returns (a pending stop) replaces the reply."""
        self.is_due: Callable[[], bool] | None = None
        """Asked after each operation: is a callback of the script due? Told by a bit of the reply's length."""
        self.n_calls = 0
        self.n_deeds = 0
        """Calls other than those of a script that only waits."""
        self.is_at_deed = False
        """Was the newest call such a one?"""
        self.is_busy = False
        """Is an operation running right now?"""
        self.op("hal.malformed", _refuse_malformed)

    def op(self, name: str, handler: Handler) -> None:
        """Make `handler` answer `name`; a parameter called `blob` receives the request's bytes as a memoryview."""
        self._ops[name] = handler
        if "blob" in inspect.signature(handler).parameters:
            self._wants_blob.add(name)
        else:
            self._wants_blob.discard(name)

    def invoke(self, name: str, args: list[Any], blob: memoryview) -> tuple[list[Any], bytes | bytearray | memoryview]:
        """Run one operation and return its reply as (JSON list, blob); never raises for a failing operation."""
        handler = self._ops.get(name)
        reply_blob: bytes | bytearray | memoryview = b""
        try:
            if handler is None:
                raise HalError("NotImplementedError", f"virtual K230 has no operation {name}")
            value = handler(*args, blob=blob) if name in self._wants_blob else handler(*args)
            if isinstance(value, Reply):
                value, reply_blob = value.value, value.blob
            reply = [value]
        except HalError as error:
            reply = [None, error.name, list(error.error_args)]
        except Exception as error:  # boundary: a bug in one emulated device must reach the script as an exception
            logger.exception("operation %s failed", name)
            reply = [None, "RuntimeError", [f"{name}: {type(error).__name__}: {error}"]]
        if self.after_each is not None:
            stop = self.after_each(name)
            if stop is not None:
                return [None, stop.name, list(stop.error_args)], b""
        return reply, reply_blob

    def serve(self, requests: BinaryIO, reply_fd: int) -> None:
        """Answer requests until the child closes its end of the pipe."""
        read = requests.read
        waiter = select.poll()
        waiter.register(requests, select.POLLIN)
        look = waiter.poll
        while True:
            for _ in range(_LOOKS):
                if look(0):
                    break
            header = read(_HEADER.size)
            if len(header) < _HEADER.size:
                return
            json_length, blob_length = _HEADER.unpack(header)
            body = read(json_length)
            blob = read(blob_length) if blob_length else b""
            if len(body) < json_length or len(blob) < blob_length:
                return
            self.n_calls += 1
            try:
                name, args = _decode(body.decode())
            except ValueError:  # MicroPython writes inf and nan in its own way
                name, args = "hal.malformed", [body.decode("utf-8", "replace")]
            self.is_at_deed = name not in _IDLE_OPS
            self.n_deeds += self.is_at_deed
            self.is_busy = True
            reply, reply_blob = self.invoke(name, args, memoryview(blob))
            self.is_busy = False
            try:
                text = _encode(reply).encode()
            except TypeError as error:
                logger.error("operation %s returned a value that JSON cannot carry: %s", name, error)
                text, reply_blob = json.dumps([None, "RuntimeError", [f"{name}: {error}"]]).encode(), b""
            due = _DUE if self.is_due is not None and self.is_due() else 0
            try:
                _write_all(reply_fd, _HEADER.pack(len(text) | due, len(reply_blob)) + text, reply_blob)
            except BrokenPipeError:
                return

    def start(self, requests: BinaryIO, reply_fd: int, name: str, on_end: Callable[[], None]) -> threading.Thread:
        """Serve in a daemon thread; `on_end` runs in it when the child is gone."""

        def body() -> None:
            try:
                self.serve(requests, reply_fd)
            finally:
                on_end()

        thread = threading.Thread(target=body, name=name, daemon=True)
        thread.start()
        return thread


def _refuse_malformed(text: str) -> None:
    raise HalError("ValueError", f"this hardware call is not JSON: {text[:200]}")


def _write_all(fd: int, head: bytes, blob: bytes | bytearray | memoryview) -> None:
    if len(blob) == 0:
        view = memoryview(head)
    else:
        flat = memoryview(blob).cast("B")
        n_written = os.writev(fd, [head, flat])
        if n_written >= len(head):
            view = flat[n_written - len(head) :]
        else:
            os.write(fd, head[n_written:])
            view = flat
    while view:
        view = view[os.write(fd, view) :]
