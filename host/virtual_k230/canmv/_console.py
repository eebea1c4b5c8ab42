"""sys.stdin and sys.stdout of the virtual board: the PC side of the USB cable, with a local share of its input ring."""

import io

import _hal
from _hal import call, call_blob


class _Input:
    """What one hardware call fetched (at most the ring's 4096 bytes), read by both the text and the byte view."""

    def __init__(self):
        self.data = b""
        self.at = 0
        self.end = 0

    def fill(self, timeout_ms):
        """Fetch when empty; True when there is something to read. timeout_ms: -1 waits for ever."""
        if self.at < self.end:
            return True
        if _hal.between is not None and timeout_ms < 0:
            timeout_ms = self._let_others_run()
        _, self.data = call_blob("stdin.read", b"", timeout_ms)
        self.at = 0
        self.end = len(self.data)
        return self.end > 0

    def _let_others_run(self):
        """Until there is input (threads only)."""
        import _thread

        while not call("poll.wait", ((-1, 1),), 0):
            _thread.wait(5)
        return 0

    def take(self, n):
        """n bytes, waiting for them as the board does (n < 0: what is there, at least one byte)."""
        if n < 0:
            self.fill(-1)
            n = self.end - self.at
        at = self.at
        if at + n <= self.end:
            self.at = at + n
            return bytes(self.data[at : at + n])
        parts = []
        while n > 0:
            self.fill(-1)
            at = self.at
            part = bytes(self.data[at : min(at + n, self.end)])
            self.at = at + len(part)
            n -= len(part)
            parts.append(part)
        return b"".join(parts)

    def line(self):
        parts = []
        while True:
            self.fill(-1)
            found = self.data.find(b"\n", self.at, self.end)
            stop = self.end if found < 0 else found + 1
            parts.append(bytes(self.data[self.at : stop]))
            self.at = stop
            if found >= 0:
                return b"".join(parts)


_input = _Input()


_CHARS = "".join([chr(i) for i in range(128)])  # indexing an ASCII string is quicker than chr()


class _ByteInput(io.IOBase):
    def read(self, n=-1):
        return _input.take(n)

    def readline(self):
        return _input.line()

    def readinto(self, target, n=-1):
        data = _input.take(len(target) if n < 0 else min(n, len(target)))
        target[: len(data)] = data
        return len(data)


class _TextInput(io.IOBase):
    buffer = _ByteInput()

    def read(self, n=-1):
        if n == 1:
            at = _input.at
            if at < _input.end:
                byte = _input.data[at]
                if byte < 128:
                    _input.at = at + 1
                    return _CHARS[byte]
        data = _input.take(n)
        while True:
            try:
                return data.decode()
            except UnicodeError:
                if len(data) > 4 * n + 4:
                    raise
                data += _input.take(1)

    def readline(self):
        return _input.line().decode()

    def readlines(self):
        raise NotImplementedError

    def readinto(self, target, n=-1):
        return self.buffer.readinto(target, n)


copies = []
"""Streams that os.dupterm() added; they get what is written to sys.stdout (print() goes straight to the console)."""


def _part(data, where):
    """What write(data[, n]) or write(data, start, n) means, as MicroPython's streams count: in bytes; n < 0 is all."""
    data = data.encode() if isinstance(data, str) else bytes(data)
    if not where:
        return data
    start = where[0] if len(where) > 1 else 0
    n = where[-1]
    return data[start : start + n] if n >= 0 else data[start:]


class _ByteOutput(io.IOBase):
    """Bytes as they are; sys.stdout turns \\n into \\r\\n."""

    def write(self, data, *where):
        data = _part(data, where)
        if data:
            call_blob("console.write_bytes", data)
        return len(data)

    def flush(self):
        pass


class _TextOutput(io.IOBase):
    buffer = _ByteOutput()

    def __init__(self, native):
        self._write = native.write

    def write(self, text, *where):
        if where:
            text = _part(text, where)
        self._write(text)
        for stream in copies:
            stream.write(text.encode() if isinstance(text, str) else text)
        return len(text)

    def flush(self):
        pass


stdin = _TextInput()


def make_output(native):
    return _TextOutput(native)


def has_input():
    """Is there input in the local share (no hardware call)?"""
    return _input.at < _input.end


def fill(timeout_ms):
    return _input.fill(timeout_ms)
