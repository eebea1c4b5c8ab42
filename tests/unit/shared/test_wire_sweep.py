"""Every byte of a session's wire cut, flipped, dropped, doubled or followed by noise; the host restarted, clocks jumping: same final state.

2400 seeded cases by default; SNAPLOOP_SWEEP=full takes every byte of both directions with every kind of fault (minutes).
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.device_host import FakeHost
from fakes.wire_session import TO_BOARD, TO_HOST, Fault, Session
from snaploop_device.board.ports import Clock
from snaploop_shared import messages
from snaploop_shared.portable import sha256_hex

KINDS = ("cut", "drop", "flip", "double", "noise", "restart")
SEEDED_CASES = 2400
SLOWEST_MS = 15_000  # less than the requester's patience: the link itself must mend it
HOUR_MS = 3_600_000
IS_FULL = os.environ.get("SNAPLOOP_SWEEP") == "full"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card with one sample; every session finds it unsynced."""
    return tmp_path_factory.mktemp("card")


@pytest.fixture(scope="module")
def healthy(folder: Path) -> Session:
    """The session without a fault."""
    session = Session(folder, 1)
    session.run()
    assert session.host.photos and session.host.records and session.store.count_pending() == 0
    return session


def faults(lengths: dict[str, int]) -> Iterator[Fault]:
    places = [(direction, at) for direction in (TO_HOST, TO_BOARD) for at in range(lengths[direction])]
    if IS_FULL:
        for direction, at in places:
            for kind in KINDS:
                yield Fault(kind, direction, at)
        return
    dice = random.Random(20261121)
    for number in range(SEEDED_CASES):
        direction, at = dice.choice(places)
        yield Fault(KINDS[number % len(KINDS)], direction, at)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_same_final_state_whatever_happens_to_a_byte(
    folder: Path, healthy: Session, tally: Callable[[str], None]
) -> None:
    lengths = {name: wire.carried for name, wire in healthy.wires.items()}
    counts: Counter[str] = Counter()
    longest_ms = 0
    for number, fault in enumerate(faults(lengths)):
        session = Session(folder, 2 + number, fault)
        session.run()
        assert session.state == healthy.state, fault
        assert session.host_ms < SLOWEST_MS, f"{fault}: it took {session.host_ms} ms"
        counts[fault.kind] += session.wires[fault.direction].fault is None  # it did happen
        longest_ms = max(longest_ms, session.host_ms)
    cases = sum(counts.values())
    assert cases >= 2000
    tally(
        f"wire faults: {cases} sessions ({', '.join(f'{kind} {counts[kind]}' for kind in KINDS)}) of "
        f"{lengths[TO_HOST]} + {lengths[TO_BOARD]} bytes, same state in all, longest {longest_ms / 1000:.1f} s simulated"
    )


@pytest.mark.parametrize("jump_ms", [-HOUR_MS, -1000, 700, HOUR_MS, 30 * 24 * HOUR_MS])
def test_clock_that_jumps_changes_nothing(folder: Path, healthy: Session, jump_ms: int) -> None:
    dice = random.Random(jump_ms)
    for number in range(40):
        direction = dice.choice((TO_HOST, TO_BOARD))
        fault = Fault("clock", direction, dice.randrange(healthy.wires[direction].carried), jump_ms)
        session = Session(folder, 100_000 + number, fault)
        session.run()
        assert session.state == healthy.state, fault
        assert session.host_ms < 60_000, fault


class BigPhotoHost(FakeHost):
    """Remembers where each piece of a photo began and how long it was."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[tuple[int, int]] = []

    def put_photo(self, arguments, body, road):
        self.pieces.append((arguments["offset"], len(body)))
        return super().put_photo(arguments, body, road)


def test_large_photo_goes_on_where_it_was_cut(tmp_path: Path, tally: Callable[[str], None]) -> None:
    photo = random.Random(3).randbytes(200_000)
    dice = random.Random(4)
    resumed = 0
    for number in range(25):
        folder = tmp_path / str(number)
        host = BigPhotoHost()
        fault = Fault(dice.choice(("cut", "restart", "drop")), TO_HOST, dice.randrange(100_000, 260_000))
        session = Session(folder, 1, fault, host)
        session.store.add(photo, 640, 360)
        session.run()
        assert host.photos[sha256_hex(photo)] == photo
        whole = {offset for offset, size in host.pieces if size == messages.MAX_BODY_BYTES}
        again = sum(size for _, size in host.pieces) - sum(len(data) for data in host.photos.values())
        assert again <= messages.MAX_BODY_BYTES, "more than one piece was sent twice"
        resumed += len(whole) > 1
    assert resumed == 25
    tally("wire faults: 25 photos of 200 KB cut inside, none began anew, at most one piece sent twice")


def test_session_is_a_clock_for_sync() -> None:
    assert {"now_ms", "pause"} <= set(dir(Session)) & set(dir(Clock)), (
        "the simulation must offer what the board's clock does"
    )
