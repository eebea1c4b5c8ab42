"""A board's console through real mpremote: stop what runs, then run snippets and copy files. Used by installer.py.

A running script sees Ctrl-C only when it arrives alone (k230-platform §9.2), and mpremote sends it with a carriage return; so the
script is stopped first: a burst of lone 03, then, if that fails, as the IDE does (§9.3, §9.4). Leaving the IDE's mode runs main.py
again, so the IDE's script puts main.py aside before, and the first thing at the prompt puts it back.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import logging
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from ..errors import BoardLinkError, PortBusyError

logger = logging.getLogger(__name__)

READ_TIMEOUT_S = 5.0
RAW_REPL_TIMEOUT_S = 10
INTERRUPT_GAP_S = 0.05  # separate USB packets; 20-50 ms were seen to work
INTERRUPTS = 40
INTERRUPTS_AFTER_RESET = 160  # the board starts, and main.py must be caught before it imports what we replace
WRITE_CHUNK_BYTES = 3 * 1024  # a multiple of 3
_DECODER = """try:
    from ubinascii import a2b_base64 as _decode
except ImportError:
    from binascii import a2b_base64 as _decode"""
PROMPT = b">>> "
ATTACH_PACKETS = (b"\x30\x8d\x04\x00\x00\x00", b"\x30\x80\x0c\x00\x00\x00", b"\x30\x87\x04\x00\x00\x00")
EXEC_COMMAND = 0x05
EXEC_PAUSE_S = 0.5  # between the header and the script, as the vendor's IDE does
LEAVE_IDE_PACKET = b"\x30\x0c\x00\x00\x00\x00"
PUT_ASIDE = """import os
try:
    os.rename("/sdcard/main.py", "/sdcard/main_aside.py")
except OSError:
    pass
"""
PUT_BACK = """import os
if "main_aside.py" in os.listdir("/sdcard") and "main.py" not in os.listdir("/sdcard"):
    os.rename("/sdcard/main_aside.py", "/sdcard/main.py")
"""


class BoardConsole:
    """A board at its raw REPL; use `opened`."""

    def __init__(self, transport: SerialTransport, port: str) -> None:
        """Take an open transport."""
        self._transport = transport
        self._port = port

    def run(self, code: str) -> str:
        """What the code printed.

        Raises:
            BoardLinkError: it raised on the board, or the board does not answer.
        """
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints what it did not understand
                printed: bytes = self._transport.exec(code)
        except TransportExecError as error:
            last = error.error_output.strip().splitlines()[-1] if error.error_output else "unknown error"
            raise BoardLinkError(f"the board on {self._port} said {last}") from error
        except (TransportError, serial.SerialException, OSError) as error:
            raise BoardLinkError(
                f"the board on {self._port} stopped answering ({error}): press its reset button and try again"
            ) from error
        return printed.decode()

    def value(self, code: str) -> Any:
        """The Python value whose repr the code printed.

        Raises:
            BoardLinkError: as `run`, or it printed something else.
        """
        printed = self.run(code)
        try:
            return ast.literal_eval(printed.strip())
        except (ValueError, SyntaxError) as error:
            raise BoardLinkError(
                f"the board on {self._port} printed {printed.strip()[-80:]!r}: press its reset button and try again"
            ) from error

    def write_file(self, path: str, data: bytes, progress: Callable[[int], None] = lambda done: None) -> None:
        """Write a file on the board; `progress` gets how many of its bytes are there.

        Raises:
            BoardLinkError: no room, or the board stopped answering.
        """
        try:
            # As base64: mpremote's own way writes the bytes as Python text, twice as long on the slow wire.
            self._transport.exec(f"{_DECODER}\n_file = open({path!r}, 'wb')")
            for start in range(0, len(data), WRITE_CHUNK_BYTES):
                text = base64.b64encode(data[start : start + WRITE_CHUNK_BYTES]).decode()
                self._transport.exec(f"_file.write(_decode({text!r}))")
                progress(min(start + WRITE_CHUNK_BYTES, len(data)))
            self._transport.exec("_file.close()")
        except TransportExecError as error:
            full = "ENOSPC" in error.error_output or "Errno 28" in error.error_output
            mend = "its card is full: remove something" if full else "try again"
            last = (error.error_output.strip().splitlines() or ["unknown error"])[-1]
            raise BoardLinkError(
                f"{path} could not be written to the board on {self._port} ({last}): {mend}"
            ) from error
        except (TransportError, serial.SerialException, OSError) as error:
            raise BoardLinkError(
                f"{path} could not be written to the board on {self._port} ({error}): try again"
            ) from error

    def read_file(self, path: str) -> bytes | None:
        """The file's bytes, None when it cannot be read."""
        try:
            return bytes(self._transport.fs_readfile(path))
        except (TransportError, OSError):
            return None

    def leave_with(self, code: str) -> None:
        """Run code after which the board answers no more, such as a reset."""
        with contextlib.suppress(TransportError, serial.SerialException, OSError):
            self._transport.exec_raw_no_follow(code)
            time.sleep(0.2)  # let the last bytes leave before the port is closed


@contextlib.contextmanager
def opened(port: str, say: Callable[[str], None]) -> Iterator[BoardConsole]:
    """The console of the board on this port, whatever ran there before.

    Args:
        port: such as /dev/ttyACM0.
        say: gets a line about what takes time.

    Raises:
        PortBusyError: another program holds the port; says which.
        BoardLinkError: no such port, no permission, or no MicroPython answers.
    """
    transport = open_port(port)
    try:
        _stop_script(transport.serial, port, say)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                transport.enter_raw_repl(soft_reset=False, timeout_overall=RAW_REPL_TIMEOUT_S)
        except (TransportError, serial.SerialException, OSError) as error:
            raise BoardLinkError(
                f"MicroPython on {port} does not take commands ({error}): press the reset button and try again"
            ) from error
        console = BoardConsole(transport, port)
        console.run(PUT_BACK)  # also what an attempt that was cut off left behind
        yield console
    finally:
        with contextlib.suppress(serial.SerialException, OSError):  # the port is gone when the board was reset
            if transport.in_raw_repl:
                transport.exit_raw_repl()
        with contextlib.suppress(serial.SerialException, OSError):
            transport.close()


def holders(port: str) -> list[str]:
    """Programs that have the port open, as "name (pid)"; of other users only when we may look."""
    target = os.path.realpath(port)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if any(os.path.realpath(one) == target for one in (process / "fd").iterdir()):
                found.append(f"{(process / 'comm').read_text().strip()} ({process.name})")
    return found


def open_port(port: str) -> SerialTransport:
    """The port, ours alone.

    Raises:
        PortBusyError, BoardLinkError: as `opened`.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            transport = SerialTransport(port, baudrate=115200, exclusive=True, timeout=READ_TIMEOUT_S)
        transport.serial.write_timeout = READ_TIMEOUT_S
        return transport
    except (TransportError, serial.SerialException, OSError) as error:
        if not Path(port).exists():
            raise BoardLinkError(
                f"{port} is not there: plug the board in, or see `snaploop doctor` for the ports there are"
            ) from error
        if not os.access(port, os.R_OK | os.W_OK):
            raise BoardLinkError(
                f"no permission for {port}: `sudo usermod -aG dialout $USER`, then log in again"
            ) from error
        who = ", ".join(holders(port)) or "another program"
        raise PortBusyError(f"{port} is held by {who}: close it and try again") from error


def _stop_script(port: serial.Serial, name: str, say: Callable[[str], None]) -> None:
    """Bring the board to its prompt.

    Raises:
        BoardLinkError: it does not come.
    """
    try:
        if interrupt(port, INTERRUPTS):
            return
        say("the running script does not stop by Ctrl-C: restarting the board")
        for packet in ATTACH_PACKETS:
            port.write(packet)
            port.flush()
            time.sleep(INTERRUPT_GAP_S)
        time.sleep(EXEC_PAUSE_S)
        _run_as_ide(port, PUT_ASIDE)
        port.write(LEAVE_IDE_PACKET)
        port.flush()
        if interrupt(port, INTERRUPTS_AFTER_RESET):
            return
    except (serial.SerialException, OSError) as error:
        raise BoardLinkError(f"the board on {name} went away ({error}): plug it in again") from error
    raise BoardLinkError(f"no MicroPython prompt on {name}: press the board's reset button and try again at once")


def _run_as_ide(port: serial.Serial, source: str) -> None:
    """Run a script in the IDE's mode and give it time to end."""
    script = source.encode()
    if (6 + len(script)) % 64 == 0:  # the firmware waits for more after a full USB packet
        script += b"\n"
    port.write(struct.pack("<BBI", 0x30, EXEC_COMMAND, len(script)))
    port.flush()
    time.sleep(EXEC_PAUSE_S)
    port.write(script)
    port.flush()
    time.sleep(2 * EXEC_PAUSE_S)


def interrupt(port: serial.Serial, times: int) -> bool:
    """Send lone Ctrl-C until the prompt shows; whether it did."""
    seen = b""
    for number in range(times):
        port.write(
            b"\x02" if number % 10 == 9 else b"\x03"
        )  # now and then Ctrl-B: leaves a raw REPL that somebody left open
        port.flush()
        time.sleep(INTERRUPT_GAP_S)
        seen = (seen + port.read(port.in_waiting))[-256:]
        if seen.endswith(PROMPT):
            return True
    return False
