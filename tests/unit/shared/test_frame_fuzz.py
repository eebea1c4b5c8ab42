"""Frames that nobody sent, a million of them with SNAPLOOP_SWEEP=full: no exception but ProtocolError, bounded memory, sane afterwards."""

from __future__ import annotations

import os
import random
import tracemalloc
from collections.abc import Callable

import pytest

from snaploop_shared import frames, link, messages
from snaploop_shared.errors import ProtocolError
from snaploop_shared.frames import Decoder, Frame

COUNT = 1_000_000 if os.environ.get("SNAPLOOP_SWEEP") == "full" else 100_000
BATCH = 100
MOST_HELD_BYTES = 2_000_000  # one message of 80 KiB in parts, a window of frames, a batch, and Python's own
SESSION = 7


def broken(dice: random.Random, originals: list[bytes]) -> bytes:
    """One frame line, or what is left of it."""
    line = dice.choice(originals)
    luck = dice.random()
    if luck < 0.25:
        return line
    at = dice.randrange(len(line))
    if luck < 0.5:
        return line[:at] + bytes([dice.randrange(256)]) + line[at + 1 :]
    if luck < 0.65:
        return line[:at]
    if luck < 0.8:
        return line[:at] + dice.randbytes(dice.randrange(40)) + line[at:]
    if luck < 0.95:  # a whole frame with a right checksum and senseless fields
        fields = [dice.choice((0, 1, SESSION, 2**31, 2**32 - 1, dice.getrandbits(32))) for _ in range(3)]
        kind = dice.choice(frames.KINDS)
        return frames.encode(
            Frame(kind, dice.choice((SESSION, fields[0])), fields[1] % 64, fields[2], dice.randbytes(9))
        )
    return dice.randbytes(dice.randrange(1, 300))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fuzzed_frames_raise_nothing_but_protocol_error(tally: Callable[[str], None]) -> None:
    dice = random.Random(42)
    kinds = [frames.SYN, frames.SYNACK, frames.DATA, frames.DATA_END, frames.ACK, frames.NAK, frames.RESET]
    originals = [
        frames.encode(Frame(dice.choice(kinds), SESSION, number % 8, dice.randrange(4), dice.randbytes(size)))
        for number, size in enumerate([0, 1, 30, 200, frames.MAX_PAYLOAD_BYTES] * 8)
    ]
    decoder = Decoder()
    sides = [link.Link(False, link.TO_BOARD_WINDOW_FRAMES), link.Link(True, link.TO_HOST_WINDOW_FRAMES)]
    decoded = refused = delivered = 0
    tracemalloc.start()
    try:
        for now_ms in range(0, COUNT // BATCH):
            data = b"".join([broken(dice, originals) for _ in range(BATCH)])
            decoded += len(decoder.feed(data))
            assert len(decoder.take_text()) <= 4096
            for side in sides:
                if side.is_client and side.state == link.CLOSED:
                    side.open(SESSION, now_ms)
                try:
                    for message in side.receive(data, now_ms):
                        delivered += 1
                        with pytest.raises(ProtocolError):
                            messages.decode_request(message)
                except ProtocolError:
                    refused += 1
                side.output(now_ms)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert decoded > COUNT // 5 and decoder.damaged > COUNT // 5
    assert peak < MOST_HELD_BYTES and held < MOST_HELD_BYTES
    good = frames.encode(Frame(frames.DATA_END, 1, 2, 3, b"after the storm"))
    assert [frame.payload for frame in decoder.feed(b"\n" + good)][-1:] == [b"after the storm"]
    tally(
        f"fuzzed frames: {COUNT} into the decoder ({decoded} whole, {decoder.damaged} damaged) and both sides of the link "
        f"({delivered} messages, {refused} refused), peak {peak // 1000} KB, no other exception than ProtocolError"
    )


@pytest.mark.timeout(300)
def test_endless_line_is_not_kept() -> None:
    decoder = Decoder()
    decoder.feed(b"\x1e")
    for _ in range(300):
        decoder.feed(b"A" * 700)
        assert len(decoder._line) <= frames.MAX_LINE_BYTES + 700
