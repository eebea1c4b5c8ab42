"""A million frames that nobody sent: no exception but ProtocolError, bounded memory, sane afterwards."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable

import pytest

from snaploop_shared import frames, link, messages
from snaploop_shared.errors import ProtocolError
from snaploop_shared.frames import Decoder, Frame

COUNT = 1_000_000
KINDS_OF_DAMAGE = 6_000  # lines made one by one; batches of them are damaged further, so that no two batches are alike
BATCH = 250
HURT_BYTES = 60  # of a batch, changed once more
LINKED_BATCHES = 800  # also go through both sides of the link, with every byte of memory counted
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


class Storm:
    """An endless stream of damaged frames, the same with every run."""

    def __init__(self) -> None:
        self.dice = random.Random(42)
        kinds = [frames.SYN, frames.SYNACK, frames.DATA, frames.DATA_END, frames.ACK, frames.NAK, frames.RESET]
        originals = [
            frames.encode(
                Frame(self.dice.choice(kinds), SESSION, number % 8, self.dice.randrange(4), self.dice.randbytes(size))
            )
            for number, size in enumerate([0, 1, 30, 60, 120, 200, frames.MAX_PAYLOAD_BYTES] * 8)
        ]
        self.lines = [broken(self.dice, originals) for _ in range(KINDS_OF_DAMAGE)]

    def batch(self) -> bytes:
        """The next BATCH frames."""
        data = bytearray(b"".join(self.dice.choices(self.lines, k=BATCH)))
        for value in self.dice.randbytes(HURT_BYTES):
            data[self.dice.randrange(len(data))] = value
        return bytes(data)


@pytest.fixture(scope="module")
def storm() -> Storm:
    return Storm()


def check_still_sane(decoder: Decoder) -> None:
    good = frames.encode(Frame(frames.DATA_END, 1, 2, 3, b"after the storm"))
    assert [frame.payload for frame in decoder.feed(b"\n" + good)][-1:] == [b"after the storm"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_million_fuzzed_frames_raise_nothing(storm: Storm, tally: Callable[[str], None]) -> None:
    decoder = Decoder()
    decoded = 0
    for _ in range(COUNT // BATCH):
        decoded += len(decoder.feed(storm.batch()))
        assert len(decoder.take_text()) <= 4096 and len(decoder._line) <= frames.MAX_LINE_BYTES
    assert decoded > COUNT // 5 and decoder.damaged > COUNT // 5
    check_still_sane(decoder)
    tally(f"fuzzed frames: {COUNT} into the decoder ({decoded} whole, {decoder.damaged} damaged), no exception")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_fuzzed_frames_at_both_sides_of_the_link(storm: Storm, tally: Callable[[str], None]) -> None:
    sides = [link.Link(False, link.TO_BOARD_WINDOW_FRAMES), link.Link(True, link.TO_HOST_WINDOW_FRAMES)]
    refused = delivered = 0
    tracemalloc.start()
    try:
        for now_ms in range(LINKED_BATCHES):
            data = storm.batch()
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
    assert peak < MOST_HELD_BYTES and held < MOST_HELD_BYTES
    tally(
        f"fuzzed frames: {LINKED_BATCHES * BATCH} into both sides of the link ({delivered} messages, {refused} batches refused), "
        f"peak {peak // 1000} KB, no other exception than ProtocolError"
    )


@pytest.mark.timeout(900)
def test_endless_line_is_not_kept() -> None:
    decoder = Decoder()
    decoder.feed(b"\x1e")
    for _ in range(300):
        decoder.feed(b"A" * 700)
        assert len(decoder._line) <= frames.MAX_LINE_BYTES + 700
