"""Bring a board back whose main.py hangs: `snaploop board recover`, and the USB bridge when a board falls silent.

The order of k230-platform §9.3: a burst of lone Ctrl-C, then the IDE's attach, stop and reset, then what only a person can do. Nothing
on the card is changed: the app is made for being cut off at any moment.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable

import serial

from ..errors import BoardLinkError
from . import board_console

logger = logging.getLogger(__name__)

BY_CTRL_C = "Ctrl-C"
BY_IDE = "the IDE's reset"
BY_PROMPT = "taking its prompt"
STATUS_MAGIC = b"\xaa\xbb\xee\xff"  # what QUERY_STATUS, the first attach packet, answers
STOP_PACKET = b"\x30\x06\x00\x00\x00\x00"
SOFT_RESET = b"\x04"
IDE_ANSWER_S = 4.0  # a busy board may answer nothing for 1 to 2 s
SETTLE_S = 1.0  # for what takes effect in the board, and before the port is closed, which ends the IDE's mode

SILENT_S = 90.0  # the app asks for the status every few seconds; a burst of photos or a slow kmodel load is far shorter


def recover(port: str, say: Callable[[str], None], restart: bool = True) -> str:
    """Stop what hangs on the board at this port and start main.py again; BY_CTRL_C, BY_IDE or BY_PROMPT, whichever did it.

    Args:
        port: such as /dev/ttyACM0.
        say: gets a line for each thing that is tried.
        restart: run main.py again; False leaves the board at its prompt.

    Raises:
        PortBusyError: another program holds the port.
        BoardLinkError: there is no such port, or the board answers neither; says what a person can do.
    """
    if not restart:
        with board_console.opened(port, say):
            return BY_PROMPT
    transport = board_console.open_port(port)
    try:
        return recover_on(transport.serial, port, say)
    finally:
        with contextlib.suppress(serial.SerialException, OSError):  # the board may be gone for a moment
            transport.close()


def recover_on(port: serial.Serial, name: str, say: Callable[[str], None]) -> str:
    """Start main.py again on a port that is open already; `name` is for people."""
    try:
        say("sending Ctrl-C")
        if board_console.interrupt(port, board_console.INTERRUPTS):
            _send(port, SOFT_RESET)
            return BY_CTRL_C
        say("no answer: resetting it as the IDE does")
        if _answers_ide(port):
            _send(port, STOP_PACKET)
            _send(port, board_console.LEAVE_IDE_PACKET)
            return BY_IDE
    except (serial.SerialException, OSError) as error:
        raise BoardLinkError(f"the board on {name} went away ({error}): plug it in again") from error
    raise BoardLinkError(
        f"the board on {name} answers neither Ctrl-C nor the IDE: press its reset button; if that does not help, rename main.py on it "
        "by MTP (it shows up as a media device) or with its card in a reader"
    )


def _answers_ide(port: serial.Serial) -> bool:
    """Send the attach packets; whether the board's USB task answered them."""
    for packet in board_console.ATTACH_PACKETS:
        _send(port, packet)
    seen = b""
    ends = time.monotonic() + IDE_ANSWER_S
    while time.monotonic() < ends:
        seen = (seen + port.read(port.in_waiting))[-4096:]
        if STATUS_MAGIC in seen:
            time.sleep(SETTLE_S)  # the script is being stopped; a reset that comes before its end is lost
            return True
        time.sleep(board_console.INTERRUPT_GAP_S)
    return False


def _send(port: serial.Serial, data: bytes) -> None:
    """As a USB packet of its own."""
    port.write(data)
    port.flush()
    time.sleep(SETTLE_S if data in (SOFT_RESET, board_console.LEAVE_IDE_PACKET) else board_console.INTERRUPT_GAP_S)


class SilenceWatch:
    """Notices a board that spoke to us and then fell silent, once until it speaks again.

    A board at its prompt is not silent, but stopped.
    """

    def __init__(self, is_heard_elsewhere: Callable[[str], bool], silent_s: float = SILENT_S) -> None:
        """`is_heard_elsewhere(board id)` says whether it was heard over Wi-Fi lately: the person may have switched USB off."""
        self._is_heard_elsewhere = is_heard_elsewhere
        self._silent_s = silent_s
        self._board_id = ""
        self._heard_s = 0.0

    def heard(self, board_id: str = "") -> None:
        """Bytes came; with the board's id when they were a request."""
        self._heard_s = time.monotonic()
        self._board_id = board_id or self._board_id

    def is_due(self, console: bytes) -> bool:
        """Whether the board should be recovered now; `console` is the end of what it printed."""
        if not self._board_id or time.monotonic() - self._heard_s < self._silent_s:
            return False
        board_id, self._board_id = self._board_id, ""
        return not console.endswith(board_console.PROMPT) and not self._is_heard_elsewhere(board_id)
