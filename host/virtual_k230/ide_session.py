"""How the board tells an IDE that begins to talk from a person who types: what of the console's input is whose.

Two classes with the same methods, one per generation. Facts: K230 platform notes §9.2 and §9.4, and the firmware's own code:
up to v1.6 a packet of its own begins a session; v1.8 looks for the header of any known command in the stream of bytes.
"""

from __future__ import annotations

import struct

ATTACH_PACKETS = (b"\x30\x8d\x04\x00\x00\x00", b"\x30\x80\x0c\x00\x00\x00", b"\x30\x87\x04\x00\x00\x00")
HEADER_BYTES = 6
PAYLOAD_MAX = 8 << 20
_START = b"\x30"
# What newer firmware takes for the beginning of a session: everything that it has a name for.
_KNOWN = frozenset((0x00, *range(0x05, 0x0A), 0x0B, 0x0C, 0x0D, 0x11, 0x12, 0x20, 0x21, *range(0x80, 0x84), 0x87, 0x8A,
                    *range(0x8D, 0x91), *range(0xA0, 0xB1)))  # fmt: skip
# The older firmware takes packets that begin so for an IDE that looks for a serial port, and drops them.
_SWALLOWED = (b"from machine import UAR", b"repl = UART.repl_uart()", b"repl.init(1500000, 8, N")
_LONE_CTRL_C = (b"\x03", b"\x03\r\n")


class PacketWatch:
    """Up to v1.6: one of three packets begins a session, and nothing is held back."""

    def split(self, packet: bytes) -> tuple[bytes, bytes]:
        """(console input, what the IDE sent): the second is empty unless a session begins here.

        A pseudo-terminal glues together what two programs wrote one after the other; one of the three at the end of a packet
        counts as a packet of its own, as it is on a USB cable.
        """
        if packet.startswith(_SWALLOWED):
            return b"", b""
        for cut in (0, len(packet) - HEADER_BYTES):
            frames = packet[max(0, cut) :]
            if frames[:HEADER_BYTES] in ATTACH_PACKETS and frames[HEADER_BYTES:][:1] in (b"", _START):
                return packet[: max(0, cut)], frames
        return packet, b""

    def release(self) -> bytes:
        """What was held back: nothing."""
        return b""


class StreamWatch:
    """v1.8: a `0` and the five bytes after it are held back until they are six, or no more come (see UsbPort)."""

    def __init__(self) -> None:
        self._held = b""

    def split(self, packet: bytes) -> tuple[bytes, bytes]:
        """(console input, what the IDE sent): the second is empty unless a session begins here."""
        if packet in _LONE_CTRL_C:  # must stop a script that runs at once
            return packet, b""
        data, passed = self._held + packet, []
        self._held = b""
        while data:
            start = data.find(_START)
            if start < 0:
                passed.append(data)
                break
            passed.append(data[:start])
            data = data[start:]
            if len(data) < HEADER_BYTES:
                self._held = data
                break
            if _is_header(data):
                return b"".join(passed), data
            passed.append(data[:HEADER_BYTES])
            data = data[HEADER_BYTES:]
        return b"".join(passed), b""

    def release(self) -> bytes:
        """What was held back, which is console input then."""
        held, self._held = self._held, b""
        return held


def _is_header(data: bytes) -> bool:
    return data[1] in _KNOWN and struct.unpack_from("<I", data, 2)[0] <= PAYLOAD_MAX
