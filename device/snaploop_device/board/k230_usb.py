"""The console's bytes: the PC-facing USB port is only reachable through sys.stdin and sys.stdout (k230-platform §9.7).

read(n) blocks until all n bytes are there, and nothing tells how many are. Byte by byte is safe and slow (some 100 KB/s), so the
host's bridge sends whole cells of 64 bytes (`frames.in_cells`). USB carries 64-byte or 512-byte packets and loses nothing, and the
firmware puts a packet into its ring as a whole: where one byte of a cell waits, the others are there too. Should one be missing
all the same, the bridge's next cell ends the waiting: it sends an empty one twice a second to a board that fell silent.
"""

import select
import sys

from snaploop_shared.frames import CELL_BYTES

from . import ports

MOST_BYTES = 4096  # the firmware's stdin ring
_RS = 0x1E
_LF = b"\n"


class K230Usb(ports.UsbStream):
    """stdin cell by cell as long as it looks like the bridge's, byte by byte when somebody else writes; stdout as it is."""

    def __init__(self) -> None:
        """Watch stdin."""
        poll = select.poll()
        poll.register(sys.stdin, select.POLLIN)
        self.watch(getattr(sys.stdin, "buffer", sys.stdin), poll.poll, getattr(sys.stdout, "buffer", None))

    def watch(self, stream, poll, out) -> None:
        """Read from `stream` whenever `poll(0)` says that something waits; write to `out`, or to sys.stdout as text when None."""
        self._in = stream
        self._poll = poll
        self._out = out
        self._view = memoryview(bytearray(MOST_BYTES))  # made once
        self._has_readinto = hasattr(stream, "readinto")
        self._in_cells = self._has_readinto
        self._in_frame = False

    def read(self) -> bytes:
        """What waits."""
        poll = self._poll
        view = self._view
        count = 0
        while count <= MOST_BYTES - CELL_BYTES:
            if not poll(0):
                self._in_cells = self._has_readinto  # what comes next begins with a whole cell
                break
            if not self._in_cells:
                count += self._read_byte(count)
            elif self._in_frame:
                count += self._read_rest(count, count)
            else:
                start = count
                count += self._read_byte(count)
                if view[start] == _RS:
                    count += self._read_rest(start, count)
                else:
                    self._in_cells = False  # somebody types, or another tool is at the port
        return bytes(view[:count])

    def write(self, data: bytes) -> None:
        """Write all of it."""
        if self._out is not None:
            self._out.write(data)
        else:
            sys.stdout.write(data.decode())

    def _read_byte(self, at):
        """One byte to `at`; how many came."""
        byte = self._in.read(1)
        if not byte:
            return 0
        value = ord(byte) & 0xFF
        self._view[at] = value
        if value == _RS:
            self._in_frame = True
        elif value == _LF[0]:
            self._in_frame = False
        return 1

    def _read_rest(self, start, at):
        """The rest, from `at`, of the cell that begins at `start`; how many bytes came."""
        count = self._in.readinto(self._view[at : start + CELL_BYTES]) or 0
        cell = bytes(self._view[start : start + CELL_BYTES])
        end = cell.rfind(_LF)
        restart = cell.rfind(b"\x1e")
        if end >= 0 or restart >= 0:
            self._in_frame = restart > end
        body = cell.rstrip(b" ")
        is_padded = len(body) < CELL_BYTES
        if b" " in body or (is_padded and body[-1:] != _LF) or (end > restart and end + 1 < len(body)):
            self._in_cells = (
                False  # padding stands behind the last frame and nowhere else: a byte was lost or is too many
            )
        return count
