"""The console's bytes: the PC-facing USB port is only reachable through sys.stdin and sys.stdout (k230-platform §9.7)."""

import select
import sys

from . import ports

MOST_BYTES = 4096  # the firmware's stdin ring


class K230Usb(ports.UsbStream):
    """stdin one byte at a time, since read(n) blocks until all n are there; stdout as it is."""

    def __init__(self) -> None:
        """Watch stdin."""
        self._in = getattr(sys.stdin, "buffer", sys.stdin)
        self._out = getattr(sys.stdout, "buffer", None)
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._bytes = bytearray(MOST_BYTES)  # made once

    def read(self) -> bytes:
        """What waits."""
        poll = self._poll.poll
        read = self._in.read
        into = self._bytes
        count = 0
        while count < MOST_BYTES and poll(0):
            byte = read(1)
            if not byte:
                break
            into[count] = ord(byte) & 0xFF
            count += 1
        return bytes(memoryview(into)[:count]) if count else b""

    def write(self, data: bytes) -> None:
        """Write all of it."""
        if self._out is not None:
            self._out.write(data)
        else:
            sys.stdout.write(data.decode())
