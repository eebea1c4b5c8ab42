"""Frames on the USB wire: one line of ASCII each, so that they share the console with print() and survive every console mode.

    RS base64(kind u8, session u32, seq u32, ack u32, payload, crc32 u32) LF

RS is byte 1E. Everything outside RS…LF is console text and is handed through. Base64 keeps every byte printable: no 03 that
the firmware takes for Ctrl-C, no attach packet of the IDE (they hold bytes ≥ 80), nothing that newline translation or UTF-8
decoding of the console can change. CR is ignored. The decoder finds its feet again at the next RS after any damage.

What goes to the board is filled up with spaces to whole cells of 64 bytes, so that the board can read more than a byte at a time.
"""

import struct

from .portable import binascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    Bytes = "bytes | bytearray | memoryview"

SYN = 1  # board → host: a new session begins
SYNACK = 2  # host → board: the session is known
DATA = 3  # a piece of a message, more follows
DATA_END = 4  # the last piece of a message
ACK = 5  # nothing but the cumulative ack
NAK = 6  # as ACK; something after `ack` arrived out of order: send again from there
RESET = 7  # host → board: this session is unknown here, begin a new one
KINDS = (SYN, SYNACK, DATA, DATA_END, ACK, NAK, RESET)

MAX_PAYLOAD_BYTES = 720  # a full frame is 983 bytes on the wire, so four fit the board's 4096-byte stdin ring
CELL_BYTES = 64  # every USB packet holds whole cells, whether full speed (64) or high speed (512)
_HEADER = ">BIII"
_HEADER_BYTES = 13
_CRC_BYTES = 4
MAX_LINE_BYTES = 1 + (_HEADER_BYTES + MAX_PAYLOAD_BYTES + _CRC_BYTES + 2) // 3 * 4 + 1
_RS = b"\x1e"
_LF = b"\n"


class Frame:
    """One frame: kind, session and cumulative `ack` of the sender, sequence number and payload of data frames."""

    def __init__(self, kind: int, session: int, seq: int, ack: int, payload: bytes = b"") -> None:
        """Keep the fields; nothing is checked here."""
        self.kind = kind
        self.session = session
        self.seq = seq
        self.ack = ack
        self.payload = payload

    def __repr__(self) -> str:
        """For test output."""
        return "Frame({}, s{:08x}, seq {}, ack {}, {} B)".format(
            self.kind, self.session, self.seq, self.ack, len(self.payload)
        )


def encode(frame: Frame) -> bytes:
    """The line that carries the frame.

    Raises:
        ValueError: the payload is longer than MAX_PAYLOAD_BYTES.
    """
    if len(frame.payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("frame payload of {} bytes, at most {} fit".format(len(frame.payload), MAX_PAYLOAD_BYTES))
    raw = struct.pack(_HEADER, frame.kind, frame.session, frame.seq, frame.ack) + bytes(frame.payload)
    raw += struct.pack(">I", binascii.crc32(raw) & 0xFFFFFFFF)
    return _RS + binascii.b2a_base64(raw)  # ends with LF


def in_cells(lines: bytes) -> bytes:
    """The lines, filled up with spaces to whole cells: the form in which bytes go to the board."""
    return lines + b" " * (-len(lines) % CELL_BYTES)


class Decoder:
    """Turn received bytes into frames, in whatever pieces they arrive. Never raises; damaged frames are counted and dropped."""

    def __init__(self) -> None:
        """Start between two frames."""
        self.damaged = 0
        self._line = b""  # bytes after an RS, or nothing
        self._in_frame = False
        self._text = b""

    def feed(self, data: "bytes | bytearray") -> "list[Frame]":
        """Add received bytes; the frames that they complete, in order."""
        found = []
        data = bytes(data)
        at = 0
        while at < len(data):
            if not self._in_frame:
                start = data.find(_RS, at)
                if start < 0:
                    self._add_text(data[at:])
                    break
                self._add_text(data[at:start])
                self._in_frame = True
                self._line = b""
                at = start + 1
                continue
            end = data.find(_LF, at)
            restart = data.find(_RS, at)
            if restart >= 0 and (end < 0 or restart < end):  # a frame was cut short and the next one begins
                self._give_up(self._line + data[at:restart])
                self._line = b""
                at = restart + 1
                continue
            if end < 0:
                self._line += data[at:]
                if len(self._line) > MAX_LINE_BYTES:
                    self._give_up(self._line)
                    self._line = b""
                    self._in_frame = False
                break
            frame = _parse(self._line + data[at:end])
            self._line = b""
            self._in_frame = False
            if frame is None:
                self.damaged += 1
            else:
                found.append(frame)
            at = end + 1
        return found

    def take_text(self) -> bytes:
        """Console text that came between frames since the last call (the newest 4 KiB of it)."""
        text = self._text
        self._text = b""
        return text

    def _add_text(self, text: bytes) -> None:
        if text:
            self._text = (self._text + text)[-4096:]

    def _give_up(self, line: bytes) -> None:
        if line:
            self.damaged += 1


def _parse(line: bytes) -> "Frame | None":
    """The frame in a line, None when it is damaged."""
    if len(line) > MAX_LINE_BYTES:
        return None
    try:
        raw = binascii.a2b_base64(line)
    except ValueError:
        return None
    if len(raw) < _HEADER_BYTES + _CRC_BYTES or len(raw) > _HEADER_BYTES + MAX_PAYLOAD_BYTES + _CRC_BYTES:
        return None
    (crc,) = struct.unpack(">I", raw[-_CRC_BYTES:])
    body = raw[:-_CRC_BYTES]
    if binascii.crc32(body) & 0xFFFFFFFF != crc:
        return None
    kind, session, seq, ack = struct.unpack(_HEADER, body[:_HEADER_BYTES])
    if kind not in KINDS:
        return None
    return Frame(kind, session, seq, ack, body[_HEADER_BYTES:])
