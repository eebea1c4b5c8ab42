"""One serial port served: frames from the board become requests to the board API, its answers go back. One thread per port.

The port is opened exclusively, so mpremote and we never read from the same board at once; `pause` lets it go. DTR is
asserted because boards transmit only then (k230-platform §9.1). Nothing is written but answers: a board at its prompt sees no byte.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable

import serial

from snaploop_shared.errors import LinkLostError, ProtocolError
from snaploop_shared.frames import CELL_BYTES, in_cells
from snaploop_shared.link import OPEN as SESSION_OPEN
from snaploop_shared.link import TO_BOARD_WINDOW_FRAMES, Link
from snaploop_shared.messages import decode_request
from snaploop_shared.portable import has_passed, ticks_ms

from ..errors import BoardLinkError
from .board_console import PROMPT
from .recover import SILENT_S, SilenceWatch, recover_on

logger = logging.getLogger(__name__)
console_logger = logging.getLogger("snaploop_host.board_console")

BAUD = 115200  # CDC ignores it; never 300, which with other settings means "enter the ROM burner" (k230-platform §9.1)
REOPEN_EVERY_S = 1.0
TICK_BUSY_S = 0.02  # while frames are on the way: resends are due after 400 ms
TICK_IDLE_S = 0.5
WRITE_TIMEOUT_S = 5.0  # a board that does not read for so long is busy or gone; the link sends again
READ_BYTES = 16384
STIR_EVERY_S = 0.5  # a board that waits for a lost byte in the middle of a cell gets on by an empty one
STIR_FOR_S = 3.0  # after the last frame from the board: what we answered then lost a byte, or all is well

WAITING = "waiting"  # the port is not there
OPEN = "open"
PAUSED = "paused"
BUSY = "busy"  # another program holds it

Handler = Callable[[bytes], "bytes | None"]


class UsbBridge:
    """Serve one port until `close`. It survives unplugging: the port is tried again every second."""

    def __init__(
        self,
        port: str,
        handle: Handler,
        is_heard_elsewhere: Callable[[str], bool] = lambda board_id: False,
        silent_s: float = SILENT_S,
    ) -> None:
        """Start serving `port`; `handle` gets a request's bytes and gives the answer's, None for silence.

        A board that spoke here, is silent for `silent_s` and is not heard elsewhere (asked with its id) is recovered.
        """
        self.port = port
        self.state = WAITING
        self.requests = 0
        self.recoveries = 0
        self._is_heard_elsewhere = is_heard_elsewhere
        self._silent_s = silent_s
        self._handle = handle
        self._paused_until_s = 0.0
        self._closing = False
        self._released = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        self._console = b""
        self._thread = threading.Thread(target=self._run, name=f"usb {port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and let the port go."""
        self._closing = True
        self._wake()
        self._thread.join(WRITE_TIMEOUT_S + 2)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def pause(self, seconds: float) -> None:
        """Let the port go for at most `seconds`, or until `resume`; returns when it is free."""
        self._released.clear()
        self._paused_until_s = time.monotonic() + seconds
        self._wake()
        self._released.wait(WRITE_TIMEOUT_S + 2)

    def resume(self) -> None:
        """Take the port back now."""
        self._paused_until_s = 0.0
        self._wake()

    def _wake(self) -> None:
        os.write(self._wake_write, b"!")

    @property
    def _is_paused(self) -> bool:
        return time.monotonic() < self._paused_until_s

    def _run(self) -> None:
        said = ""
        while not self._closing:
            if self._is_paused:
                self.state = PAUSED
                self._released.set()
                self._sleep(self._paused_until_s - time.monotonic())
                continue
            try:
                with serial.Serial(self.port, BAUD, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True) as port:
                    self.state = OPEN
                    said = ""
                    logger.info("serving the board on %s", self.port)
                    self._serve(port)
            except (serial.SerialException, OSError) as error:
                is_held = "exclusively lock" in str(error) or getattr(error, "errno", None) == 16
                self.state = BUSY if is_held else WAITING
                if said != self.state:  # once, not every second
                    said = self.state
                    what = (
                        "is held by another program: close it"
                        if is_held
                        else f"is not there ({_reason(error)}): waiting for it"
                    )
                    logger.warning("%s %s", self.port, what)
                if not self._is_paused:
                    self._sleep(REOPEN_EVERY_S)
            except Exception:  # boundary: a fault in one bridge must not end its thread for good
                logger.exception("bridge on %s failed", self.port)
                self._sleep(REOPEN_EVERY_S)
        self._released.set()

    def _serve(self, port: serial.Serial) -> None:
        """Carry frames until the port goes, a pause or the end; a new connection is a new link."""
        link = Link(False, TO_BOARD_WINDOW_FRAMES)
        silence = SilenceWatch(self._is_heard_elsewhere, self._silent_s)
        stirred_s = time.monotonic()
        while not self._closing and not self._is_paused:
            tick_s = TICK_IDLE_S if link.is_idle() else TICK_BUSY_S
            ready, _, _ = select.select([port.fileno(), self._wake_read], [], [], tick_s)
            if self._wake_read in ready:
                os.read(self._wake_read, 64)
            if port.fileno() in ready:
                data = port.read(min(port.in_waiting, READ_BYTES) or 1)
                silence.heard()
                stirred_s = time.monotonic()
                self._take(link, data, silence)
            elif silence.is_due(self._console):
                self._recover(port)
            elif self._may_wait_for_a_byte(link) and time.monotonic() - stirred_s >= STIR_EVERY_S:
                stirred_s = time.monotonic()
                self._write(port, b" " * CELL_BYTES)
            try:
                out = link.output(ticks_ms())
            except LinkLostError as error:
                logger.info("%s: %s", self.port, error)
                continue
            if out:
                self._write(port, in_cells(out))

    def _may_wait_for_a_byte(self, link: Link) -> bool:
        """Whether the app may be waiting in the middle of a cell: it spoke just now and is not at its prompt."""
        is_fresh = link.state == SESSION_OPEN and not has_passed(ticks_ms(), link.heard_ms, int(STIR_FOR_S * 1000))
        return is_fresh and not self._console.rstrip(b" ").endswith(PROMPT.strip())

    def _recover(self, port: serial.Serial) -> None:
        """The app hangs: stop it and start it again, once until it speaks."""
        logger.warning("%s: the board says nothing any more: its app is started again", self.port)
        self.recoveries += 1
        try:
            how = recover_on(port, self.port, lambda line: logger.info("%s: %s", self.port, line))
        except BoardLinkError as error:
            logger.error("%s", error)
        else:
            logger.info("%s: restarted by %s", self.port, how)

    def _take(self, link: Link, data: bytes, silence: SilenceWatch) -> None:
        try:
            requests = link.receive(data, ticks_ms())
        except ProtocolError as error:
            logger.warning("%s: %s", self.port, error)
            return
        self._log_console(link.take_text())
        for request in requests:
            self.requests += 1
            silence.heard(_board_id(request))
            answer = self._handle(request)
            if answer is not None:
                link.send(answer)

    def _write(self, port: serial.Serial, out: bytes) -> None:
        try:
            port.write(out)
        except serial.SerialTimeoutException:
            logger.debug("%s: the board does not read", self.port)
            port.reset_output_buffer()

    def _log_console(self, text: bytes) -> None:
        """Hand the board's prints to the log, line by line."""
        self._console += text
        *lines, self._console = self._console.replace(b"\r", b"").split(b"\n")
        for line in lines:
            if line.strip():
                console_logger.info("%s: %s", self.port, line.decode(errors="replace"))
        self._console = self._console[-4096:]

    def _sleep(self, seconds: float) -> None:
        """Sleep, but wake for pause, resume and close."""
        ready, _, _ = select.select([self._wake_read], [], [], max(0.0, seconds))
        if ready:
            os.read(self._wake_read, 64)


def _board_id(request: bytes) -> str:
    """The id in a request, "" when it is none; whether it is genuine is the handler's business."""
    try:
        return str(decode_request(request).board_id)
    except ProtocolError:
        return ""


def _reason(error: Exception) -> str:
    """The system's words for why a port cannot be opened, without pyserial's wrapping."""
    text = str(error)
    if "Permission denied" in text:
        return "permission denied: add yourself to its group with `sudo usermod -aG dialout $USER` and log in again"
    return "no such port" if "No such file" in text else text
