"""What of the console's input is the IDE's: by packet on older firmware, in the stream on newer; nothing is lost or reordered."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_k230.ide_session import ATTACH_PACKETS, PAYLOAD_MAX, PacketWatch, StreamWatch

QUERY = ATTACH_PACKETS[0]
INPUT_BYTES = st.sampled_from(b"0019\x8d\x00ab\r")  # many a beginning of a frame


@pytest.mark.parametrize("packet", ATTACH_PACKETS)
def test_older_firmware_takes_three_packets_alone_or_at_the_end(packet: bytes) -> None:
    watch = PacketWatch()
    assert watch.split(packet) == (b"", packet)
    assert watch.split(packet + b"0\x80more") == (b"", packet + b"0\x80more")
    assert watch.split(b"text" + packet) == (b"text", packet)
    assert watch.split(packet + b"x") == (packet + b"x", b"")
    assert watch.split(packet[:5]) == (packet[:5], b"")
    assert watch.split(b"print(0)\r") == (b"print(0)\r", b"")
    assert watch.release() == b""


@pytest.mark.parametrize("line", [b"from machine import UART\r", b"repl = UART.repl_uart()\r"])
def test_older_firmware_swallows_lines_of_an_ide_that_looks_for_a_port(line: bytes) -> None:
    assert PacketWatch().split(line + b"x = 1\r") == (b"", b"")
    assert PacketWatch().split(b" " + line) == (b" " + line, b"")
    assert StreamWatch().split(line)[0] == line


def test_newer_firmware_finds_a_known_header_anywhere_and_in_pieces() -> None:
    for command in (0x05, 0x8D, 0xA2, 0xB0):
        frame = struct.pack("<BBI", 0x30, command, 9) + b"\0"
        for cut in range(1, 6):
            watch = StreamWatch()
            assert watch.split(b"x = 1\r" + frame[:cut]) == (b"x = 1\r", b"")
            assert watch.split(frame[cut:]) == (b"", frame)
            assert watch.release() == b""


def test_newer_firmware_knows_its_commands_and_lengths() -> None:
    for command, length in ((0x42, 4), (0xB1, 4), (0x8D, PAYLOAD_MAX + 1)):
        packet = struct.pack("<BBI", 0x30, command, length)
        assert StreamWatch().split(packet) == (packet, b"")


def test_newer_firmware_holds_a_zero_and_what_follows_it_back() -> None:
    watch = StreamWatch()
    assert watch.split(b"print(10)\r") == (b"print(1", b"")
    assert watch.split(b"\x03") == (b"\x03", b"")  # a lone Ctrl-C is never kept waiting
    assert watch.release() == b"0)\r"
    assert watch.release() == b""
    assert watch.split(b"x0") == (b"x", b"")
    assert watch.split(b"12345 and on") == (b"012345 and on", b"")


@given(st.lists(st.lists(INPUT_BYTES, max_size=20).map(bytes), max_size=12), st.sets(st.integers(0, 11)))
def test_newer_firmware_loses_and_reorders_nothing_until_a_session_begins(
    pieces: list[bytes], pauses: set[int]
) -> None:
    watch, console, sent = StreamWatch(), b"", b""
    for number, piece in enumerate(pieces):
        sent += piece
        passed, frames = watch.split(piece)
        console += passed
        if frames:
            assert console + frames == sent and frames[0] == 0x30
            return
        if number in pauses:
            console += watch.release()
            assert console == sent
    assert (console + watch.release()) == sent
    assert len(sent) - len(console) < 6
