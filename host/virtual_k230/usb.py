"""The board's end of the USB cable: a pseudo-terminal, the 4096-byte input ring, the Ctrl-C rule.

The host opens `UsbPort.path` as its serial port. A pseudo-terminal has no DTR line, so the board goes by what a host's system does
to that line: opening the port raises it, closing it or setting the speed to 0 (B0, "hang up") lowers it. `dtr = False` is a fault.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import logging
import os
import select
import tempfile
import termios
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
_SILENCE_S = 0.2  # after so long without a byte newer firmware gives what it held back for the IDE to the console
_OUTPUT_SPEED = 5  # index in what termios.tcgetattr returns
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
        self.ide_releases: Callable[[], bytes] = lambda: b""
        """Asked when no more bytes come: what the IDE's side held back, which is console input then."""
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
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = False
        self._was_open = False
        self._fed_at = time.monotonic()
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
        with self._master_lock:  # nobody reads or writes meanwhile: the number may mean another file a moment later
            master, self._master = self._master, -1
            os.eventfd_write(
                self._wake_fd, 1
            )  # the host sees the hang-up only when nobody waits for its bytes any more
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
        if self._closing:
            return
        self._closing = True
        self._close_master()
        self._thread.join(timeout=2)
        with contextlib.suppress(OSError):
            os.rmdir(self.folder)
        os.close(self.ready_fd)
        os.close(self._wake_fd)

    def is_open(self) -> bool:
        """Has the host opened the port (and set DTR)?"""
        master = self._master
        if master < 0 or not self.dtr or _poll(master, 0, 0) & select.POLLHUP:
            return False
        try:
            return bool(termios.tcgetattr(master)[_OUTPUT_SPEED] != termios.B0)
        except termios.error:  # unplugged meanwhile
            return False

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
                    with self._master_lock:
                        if master != self._master:
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
        self._fed_at = time.monotonic()
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
            happened = (
                _poll(master, select.POLLIN, self._patience_ms(), self._wake_fd) if master >= 0 else select.POLLHUP
            )
            if happened & select.POLLIN:  # first what the host sent before it closed the port
                self._read_packet(master)
            else:
                if not self._late:
                    self._notice(self.is_open() and not happened & select.POLLHUP)
                if happened:
                    time.sleep(min(_POLL_S, self._patience_ms() / 1000))
            while self._late and self._late[0][0] <= time.monotonic():
                self._feed_safely(self._late.popleft()[1])
            if time.monotonic() - self._fed_at >= _SILENCE_S:
                self.push(self.ide_releases())

    def _patience_ms(self) -> float:
        """How long to wait for the host's next bytes."""
        if self._late:
            return max(0.0, (self._late[0][0] - time.monotonic()) * 1000)
        since_ms = (time.monotonic() - self._fed_at) * 1000
        return max(1.0, _SILENCE_S * 1000 - since_ms) if since_ms < _SILENCE_S * 1000 else _SILENCE_S * 1000

    def _notice(self, is_open: bool) -> None:
        was_open, self._was_open = self._was_open, is_open
        if was_open and not is_open:
            self.on_closed()

    def _feed_safely(self, packet: bytes) -> None:
        try:
            self.feed(packet)
        except Exception:  # boundary: a bug in one command of the IDE must not silence the port for good
            logger.exception("the board could not handle %r", packet[:80])

    def _read_packet(self, master: int) -> None:
        try:
            with self._master_lock:
                packet = os.read(master, _CHUNK) if master == self._master else b""
        except OSError:  # hung up between poll and read
            return
        if not packet or not self.dtr:
            return
        self._was_open = True
        packet = self.faults.bend(packet, "to board")
        late_s = self.rtt_ms / 1000 + self.faults.delay_s("to board")
        if late_s > 0:
            due = time.monotonic() + late_s
            self._late.append((max(due, self._late[-1][0]) if self._late else due, packet))
        else:
            self._feed_safely(packet)


def _poll(fd: int, mask: int, timeout_ms: float, wake_fd: int = -1) -> int:
    """What happened to fd; an event on wake_fd ends the wait."""
    waiter = select.poll()
    try:
        waiter.register(fd, mask)
        if wake_fd >= 0:
            waiter.register(wake_fd, select.POLLIN)
        found = dict(waiter.poll(timeout_ms))
        if found.pop(wake_fd, 0):
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(wake_fd)
    except (OSError, ValueError):  # closed meanwhile
        return select.POLLHUP
    return found.get(fd, 0)
