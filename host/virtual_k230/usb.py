"""The board's end of the USB cable: a pseudo-terminal, the 4096-byte input ring, the Ctrl-C rule.

The host opens `UsbPort.path` as its serial port. A pseudo-terminal has no DTR line: an open port counts as DTR set, and
`dtr = False` clears it for tests.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import logging
import os
import select
import tempfile
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

from .wire_faults import WireFaults

logger = logging.getLogger(__name__)

RING_BYTES = 4096  # reference §9.2: no flow control; what does not fit is lost
BOARD_RTT_MS = (
    4.0  # with this `mpremote fs cp` writes 10 KB/s and reads 15 KB/s, about as on boards (§9.8: 15 KB/s or less)
)
_POLL_S = 0.02  # how often a closed port is looked at
_CHUNK = 4096


class UsbPort:
    """One serial port. The board writes from its HAL thread; a thread of our own reads what the host sends."""

    def __init__(self, rtt_ms: float = 0) -> None:
        self.rtt_ms = rtt_ms
        self.dtr = True
        self.plugged = True
        self.n_dropped = 0
        """Bytes that the host sent while the ring was full."""
        self.faults = WireFaults()
        """What the cable does to the bytes."""
        self.is_script_running: Callable[[], bool] = lambda: False
        self.on_interrupt: Callable[[], None] = lambda: None
        """Called for a lone Ctrl-C while a script runs."""
        self.ide_takes: Callable[[bytes], bytes] = lambda packet: packet
        """Given each packet first; returns what of it is not the IDE's."""
        self.on_closed: Callable[[], None] = lambda: None
        """Called when the host has closed the port, dropped DTR or pulled the cable."""
        self.ring = bytearray()
        self.ready_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable while the ring holds something."""
        self._ring_lock = threading.Lock()
        self.folder = tempfile.mkdtemp(prefix="virtual_k230_")
        self.path = str(Path(self.folder) / "ttyACM0")
        self._master = -1
        self._master_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closing = False
        self._was_open = False
        self._late: collections.deque[tuple[float, bytes]] = collections.deque()
        self._open_master()
        self._thread = threading.Thread(target=self._read_loop, name="virtual-k230-usb", daemon=True)
        self._thread.start()

    # -- the terminal -------------------------------------------------------------------------------------------

    def _open_master(self) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        self.device = os.ttyname(slave)
        os.close(slave)  # from now on POLLHUP on the master means: nobody has the port open
        os.set_blocking(master, False)
        link = f"{self.path}.new"
        os.symlink(self.device, link)
        os.replace(link, self.path)
        self._master = master

    def _close_master(self) -> None:
        with self._master_lock:
            master, self._master = self._master, -1
            if master >= 0:
                os.close(master)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def re_enumerate(self) -> None:
        """What a hard reset does: the host's open port dies and a new one appears under the same name."""
        if self.plugged:
            self._close_master()
            self._open_master()
        self.clear_input()

    def set_plugged(self, plugged: bool) -> None:
        """Pull or plug the cable."""
        if plugged and not self.plugged:
            self._open_master()
        elif self.plugged and not plugged:
            self._close_master()
        self.plugged = plugged

    def close(self) -> None:
        """Remove the port; the host sees a hang-up."""
        self._closing = True
        self._close_master()
        self._thread.join(timeout=2)
        with contextlib.suppress(OSError):
            os.rmdir(self.folder)
        os.close(self.ready_fd)

    def is_open(self) -> bool:
        """Has the host opened the port (and set DTR)?"""
        master = self._master
        if master < 0 or not self.dtr:
            return False
        return not _poll(master, 0, 0) & select.POLLHUP

    # -- board to host ------------------------------------------------------------------------------------------

    def write(self, data: bytes | memoryview, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Send to the host; waits while it reads slowly, discards when nobody has the port open or DTR is low.

        Args:
            data: what to send.
            is_wanted: asked before each piece, while no other thread can write; what is left is discarded when it says no.
        """
        if self.faults.delay_ms:
            time.sleep(self.faults.delay_s("to host"))
        view = memoryview(self.faults.bend(bytes(data), "to host"))
        while view and not self._closing:
            master = self._master
            if not self.is_open():
                return
            try:
                with self._write_lock:
                    if not is_wanted():
                        return
                    view = view[os.write(master, view[:_CHUNK]) :]
            except BlockingIOError:
                _poll(master, select.POLLOUT, 100)
            except OSError as error:
                if error.errno in (errno.EIO, errno.EBADF):
                    return
                raise

    # -- host to board ------------------------------------------------------------------------------------------

    def take(self, n_max: int = RING_BYTES) -> bytes:
        """Take up to n_max bytes out of the ring."""
        with self._ring_lock:
            taken = bytes(self.ring[:n_max])
            del self.ring[:n_max]
            if not self.ring:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self.ready_fd)
            return taken

    def clear_input(self) -> None:
        """Forget what was not read (reset)."""
        self.take(RING_BYTES)

    def push(self, data: bytes) -> None:
        """Put bytes into the ring as if the host had sent them; what does not fit is lost."""
        with self._ring_lock:
            room = RING_BYTES - len(self.ring)
            if len(data) > room:
                self.n_dropped += len(data) - room
            if data[:room]:
                self.ring += data[:room]
                os.eventfd_write(self.ready_fd, 1)

    def feed(self, packet: bytes) -> None:
        """Handle one packet from the host: the IDE's, a lone Ctrl-C while a script runs, or input."""
        packet = self.ide_takes(packet)
        if not packet:
            return
        if self.is_script_running() and packet in (b"\x03", b"\x03\r\n"):
            self.on_interrupt()
            return
        self.push(packet)

    def _read_loop(self) -> None:
        while not self._closing:
            master = self._master
            self._notice_closing()
            if master < 0:
                time.sleep(_POLL_S)
                continue
            timeout_ms = 200.0
            if self._late:
                timeout_ms = max(0.0, (self._late[0][0] - time.monotonic()) * 1000)
            happened = _poll(master, select.POLLIN, timeout_ms)
            if happened & select.POLLIN:
                self._read_packet(master)
            elif happened:
                time.sleep(_POLL_S)
            while self._late and self._late[0][0] <= time.monotonic():
                self.feed(self._late.popleft()[1])

    def _notice_closing(self) -> None:
        is_open = self.is_open()
        was_open, self._was_open = self._was_open, is_open
        if was_open and not is_open:
            self.on_closed()

    def _read_packet(self, master: int) -> None:
        try:
            packet = os.read(master, _CHUNK)
        except OSError:  # hung up or unplugged between poll and read
            return
        if not packet or not self.dtr:
            return
        packet = self.faults.bend(packet, "to board")
        late_s = self.rtt_ms / 1000 + self.faults.delay_s("to board")
        if late_s > 0:
            due = time.monotonic() + late_s
            self._late.append((max(due, self._late[-1][0]) if self._late else due, packet))
        else:
            self.feed(packet)


def _poll(fd: int, mask: int, timeout_ms: float) -> int:
    waiter = select.poll()
    try:
        waiter.register(fd, mask)
        found = waiter.poll(timeout_ms)
    except (OSError, ValueError):  # closed meanwhile
        return select.POLLHUP
    return found[0][1] if found else 0
