"""The IDE's protocol on the USB port: run and stop scripts, console, live picture, files, virtual touch.

All firmware speaks the older part; profile D also speaks version 2 ("capabilities"). A frame is 30, command, u32 length, payload.
Facts: K230 platform notes §9.4 and §9.6, and the firmware's own protocol handler, which differs by generation:
up to v1.6 any of three packets attaches, stops the script and ends the REPL; later any command attaches and the REPL stays.
"""

from __future__ import annotations

import io
import logging
import struct
import time
from collections.abc import Generator
from typing import Any

from .ide_files import INFO_BYTES, IdeFiles
from .ide_session import PacketWatch, StreamWatch
from .ide_talk import Command, Talk, payload
from .ide_version_2 import version_2_commands
from .profiles import FIRMWARE

logger = logging.getLogger(__name__)

STATUS_MAGIC = 0xFFEEBBAA
TX_RING_BYTES = 128 * 1024 - 1
_FRAME_INTERVAL_S = 0.033

SCRIPT_EXEC, SCRIPT_STOP, SCRIPT_SAVE, SYS_RESET, FB_ENABLE, TX_INPUT = 0x05, 0x06, 0x07, 0x0C, 0x0D, 0x11
CREATEFILE, WRITEFILE = 0x20, 0x21
FW_VERSION, FRAME_SIZE, FRAME_DUMP, ARCH_STR, SCRIPT_RUNNING = 0x80, 0x81, 0x82, 0x83, 0x87
QUERY_STATUS, TX_BUF_LEN, TX_BUF, QUERY_FILE_STAT, VERIFYFILE = 0x8D, 0x8E, 0x8F, 0xA0, 0xA1


class Ide:
    """One board's side of the protocol; the USB port gives it what arrives while it is attached.

    Args:
        board: used for its USB port, script state, stops and restarts, display, touch panel and card.
    """

    def __init__(self, board: Any) -> None:
        self.board = board
        self.attached = False
        self.has_version_2 = FIRMWARE[board.profile].has_ide_version_2
        self.files = IdeFiles(board.card)
        self.script: str | None = None
        """Source that waits to be run."""
        self._leaves_after_script = False
        self._sends_pictures = True
        self._picture = b""
        self._shown: tuple[int, int, bytes] | None = None
        self.last_shown = b""
        """The picture (JPEG) that a script last handed to the IDE, attached or not."""
        self._last_picture_at = 0.0
        self._ring = bytearray()
        self._inbox = bytearray()
        self._handshake: list[int] = []
        self._watch = StreamWatch() if self.has_version_2 else PacketWatch()
        self._handlers = self._commands()
        if self.has_version_2:
            self._handlers.update(version_2_commands(self))
        self._talk = self._listen()
        self._wanted = next(self._talk)

    # -- attaching --------------------------------------------------------------------------------------------------

    def take(self, packet: bytes) -> bytes:
        """Handle what of a packet is the IDE's, attaching when it begins a session; returns what is console input."""
        if self.attached:
            self.feed(packet)
            return b""
        rest, frames = self._watch.split(packet)
        if frames:
            self._attach()
            self.feed(frames)
        return rest

    def release(self) -> bytes:
        """Console input that was held back because it might have become a frame; the USB port asks when no more comes."""
        return self._watch.release()

    def _attach(self) -> None:
        logger.info("the IDE attaches")
        self._ring.clear()
        self._inbox.clear()
        self._handshake.clear()
        self._talk = self._listen()
        self._wanted = next(self._talk)
        self._leaves_after_script = False
        self.attached = True
        if not self.has_version_2:
            self.board.ide_interrupt()

    def leave(self) -> None:
        """The cable was pulled, the port closed, or the IDE said goodbye: a script of its own or main.py is stopped first."""
        if not self.attached:
            return
        if self.board.state == "script":
            self._leaves_after_script = True
            self.board.stop("ide")
        else:
            self._detach()

    def _detach(self) -> None:
        logger.info("the IDE leaves")
        self.attached = False
        self.script = None
        self._leaves_after_script = False
        self.files.close()
        self.board.wake()

    def script_ended(self) -> None:
        """Called when boot.py, main.py or a script of the IDE has ended."""
        if self._leaves_after_script:
            self._detach()

    # -- console ----------------------------------------------------------------------------------------------------

    def capture(self, data: bytes) -> None:
        """Keep console output for TX_BUF; a piece for which there is no room is lost whole, as on the board."""
        if len(self._ring) + len(data) <= TX_RING_BYTES:
            self._ring += data

    def show(self, width: int, height: int, blob: memoryview) -> None:
        """A picture (JPEG) that the script wants to be seen in the IDE: what FRAME_SIZE tells of next."""
        self.last_shown = bytes(blob)
        self._shown = (width, height, self.last_shown)

    # -- protocol ---------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Handle what arrived, in whatever pieces."""
        self._inbox += data
        while self.attached and len(self._inbox) >= self._wanted:
            piece = bytes(self._inbox[: self._wanted])
            del self._inbox[: self._wanted]
            self._wanted = self._talk.send(piece)

    def send(self, data: bytes) -> None:
        """Answer the host."""
        self.board.usb.write(data)

    def send_u32(self, *numbers: int) -> None:
        """Answer with numbers."""
        self.send(struct.pack(f"<{len(numbers)}I", *numbers))

    def _listen(self) -> Talk:
        """Ask for bytes by yielding how many; anything before a frame's first byte is skipped."""
        while True:
            if (yield 1) != b"\x30":
                continue
            command = (yield 1)[0]
            size = yield 4
            (length,) = struct.unpack("<I", size)
            handler = self._handlers.get(command)
            if handler is not None:
                talk = handler(length)
                if talk is not None:
                    yield from talk
                self._notice_handshake(command)

    def _commands(self) -> dict[int, Command]:
        return {
            QUERY_STATUS: lambda length: self.send_u32(STATUS_MAGIC),
            FW_VERSION: lambda length: self.send_u32(*FIRMWARE[self.board.profile].numbers),
            ARCH_STR: lambda length: self.send(self.board.arch_text.encode()[:63].ljust(64, b"\0")),
            SCRIPT_RUNNING: lambda length: self.send_u32(int(self.board.state == "script")),
            SCRIPT_EXEC: self._script_exec,
            SCRIPT_STOP: self._script_stop,
            SCRIPT_SAVE: lambda length: None,
            SYS_RESET: lambda length: self.leave(),
            FB_ENABLE: self._fb_enable,
            TX_INPUT: self._tx_input,
            TX_BUF_LEN: lambda length: self.send_u32(len(self._ring)),
            TX_BUF: self._tx_buf,
            FRAME_SIZE: lambda length: self.send_u32(*self._frame_size()),
            FRAME_DUMP: self._frame_dump,
            CREATEFILE: self._create_file,
            WRITEFILE: self._write_file,
            QUERY_FILE_STAT: lambda length: self.send_u32(self.files.status),
            VERIFYFILE: lambda length: self.send_u32(self.files.verify()),
        }

    def _script_exec(self, length: int) -> Talk:
        source = yield from payload(length)
        self.run(source.rstrip(b"\0").decode("utf-8", "replace"))

    def _script_stop(self, length: int) -> None:
        if self.board.state == "script" or (self.has_version_2 and self.board.is_script_running()):
            self.board.stop("ide")

    def _fb_enable(self, length: int) -> Talk:
        # Older IDEs say length 0 and send the two bytes all the same; they count when they came in the same packet.
        flag = yield from payload(length)
        if not flag and self._inbox[:2] in (b"\0\0", b"\1\0"):
            flag = yield 2
        if flag:
            self._sends_pictures = bool(flag[0])

    def _tx_input(self, length: int) -> Talk:
        data = yield from payload(length)
        board = self.board
        if board.is_script_running() and data[:1] == b"\x03":
            board.stop("ctrl-c")
        elif board.is_script_running() and data[:1] == b"\x04":
            board.stop("ide")
        else:
            board.usb.push(data)

    def _tx_buf(self, length: int) -> None:
        taken = bytes(self._ring[:length])
        del self._ring[: len(taken)]
        self.send(taken)

    def _frame_dump(self, length: int) -> None:
        self.send(self._picture)
        self._picture = b""

    def _create_file(self, length: int) -> Talk:
        self.files.create((yield from self.file_info(length)))

    def file_info(self, length: int) -> Generator[int, bytes, bytes]:
        """What begins an upload; newer firmware expects it even where the header says 0 bytes."""
        return (yield from payload(length or (INFO_BYTES if self.has_version_2 else 0)))

    def _write_file(self, length: int) -> Talk:
        self.files.write((yield from payload(length)))

    def _notice_handshake(self, command: int) -> None:
        """The three packets of the older IDE, one after the other, stop what runs on newer firmware too."""
        self._handshake = [*self._handshake[-3:], command]
        if self.has_version_2 and self._handshake == [QUERY_STATUS, FW_VERSION, SCRIPT_RUNNING]:
            self.board.ide_interrupt()

    # -- scripts ----------------------------------------------------------------------------------------------------

    def run(self, source: str) -> None:
        """Let the board run a script; one that runs already is stopped, and the new one is not taken (as the firmware does)."""
        if self.board.is_script_running():
            self.board.stop("ide")
            return
        self.script = source
        self.board.run_for_ide()

    # -- picture ----------------------------------------------------------------------------------------------------

    def _frame_size(self) -> tuple[int, int, int]:
        """Width, height and JPEG bytes of what FRAME_DUMP sends next; zeros when there is nothing new yet."""
        display = self.board.display
        now = time.monotonic()
        if not self._sends_pictures or now - self._last_picture_at < _FRAME_INTERVAL_S:
            return 0, 0, 0
        self._last_picture_at = now
        if self._shown is not None:
            (width, height, self._picture), self._shown = self._shown, None
            return width, height, len(self._picture)
        if display.type is None or not display.to_ide:
            return 0, 0, 0
        picture = display.screen().convert("RGB")
        jpeg = io.BytesIO()
        picture.save(jpeg, "JPEG", quality=display.quality)
        self._picture = jpeg.getvalue()
        return picture.width, picture.height, len(self._picture)
