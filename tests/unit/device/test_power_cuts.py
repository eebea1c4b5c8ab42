"""Power cut at every card write of a capture-label-sync-swap session, a card that fills up, one that locks: nothing promised is lost."""

import json
import random
from collections import Counter

import pytest

from fakes.card_session import CONFIG, Moment, Session, host_now, record_session
from fakes.fat_card import FatCard, PowerCutError, torn_files
from snaploop_device import config
from snaploop_device.app import ROOT
from snaploop_device.card import Card

SETTLE_EVERY = 3  # every cut is checked after its start; each third also until host and model are where they were going


@pytest.fixture(scope="module")
def mount():
    with pytest.MonkeyPatch.context() as patch:
        card = FatCard()
        card.mount(patch)
        yield card


@pytest.fixture(scope="module")
def moments(mount):
    return record_session(mount)[0]


def switched_on(card, moment: Moment, files) -> Session:
    card.put(files, moment.folders)
    return Session(card, host_now(moment.host), moment.promise)


def cards_after(number: int, moment: Moment):
    """The card as a cut in this write may leave it."""
    yield "before", moment.files
    kind, path, old, new = moment.write
    for torn in torn_files(kind, path, old, new, random.Random(number)):
        yield "torn", moment.files | {path: torn}


def settled_model(session):
    """The host has heard that the live model is confirmed, whenever the cut came."""
    active = session.app.models.active
    if active:
        session.until(
            lambda: [one["state"] for one in session.host.deployments if one["digest"] == active][-1:] == ["confirmed"]
        )


@pytest.mark.slow
def test_power_cut_at_every_write(mount, moments, capsys):
    counts = Counter()
    for number, moment in enumerate(moments):
        for kind, files in cards_after(number, moment):
            session = switched_on(mount, moment, files).start()
            session.check()
            if number % SETTLE_EVERY == 0:
                session.until(session.is_settled)
                for photo, rev, _ in moment.promise.samples.values():
                    assert photo in session.host.photos and session.host.records[photo]["rev"] >= rev
                settled_model(session)
                counts["settled"] += 1
            session.app.close()
            counts[kind] += 1
            counts["photos checked"] += len(moment.promise.samples)
            counts["models checked"] += moment.promise.has_model
    with capsys.disabled():
        print(f"\npower cuts: {len(moments)} writes, {dict(counts)}, nothing lost")
    assert counts["before"] == len(moments) > 200 and counts["torn"] > 80
    assert counts["photos checked"] > 500 and counts["models checked"] > 100


@pytest.mark.slow
def test_second_cut_while_the_first_is_mended(mount, moments, capsys):
    counts = Counter()
    for number, moment in enumerate(moments):
        files = list(cards_after(number, moment))[-1][1]
        session = switched_on(mount, moment, files)
        mount.cut_at = random.Random(number).randrange(1, 16)
        try:
            session.start().steps(40)
        except PowerCutError:
            counts["cut again"] += 1
        again = Session(mount, session.host, session.promise)
        mount.cut_at = None
        again.start().check()
        again.app.close()
        counts["starts"] += 1
    with capsys.disabled():
        print(f"\npower cuts while starting: {dict(counts)}, nothing lost")
    assert counts["cut again"] > 120


def test_power_cut_while_a_pairing_is_kept(mount, capsys):
    old, new = CONFIG | {"road": "usb"}, {"key": "11" * 32, "host": ["10.0.0.9", 8230]}
    writes = 0
    for cut_at in range(1, 12):
        mount.put({f"{ROOT}/config.json": json.dumps(old).encode()}, {"/data", ROOT})
        card = Card(ROOT)
        settings = config.load(card)[0]
        mount.cut_at = cut_at
        try:
            config.change(card, settings, new)
        except PowerCutError:
            writes += 1
        mount.cut_at = None
        settings, trouble = config.load(Card(ROOT))
        assert not trouble and settings.road == "usb"
        assert (settings.key.hex(), settings.host_address) in ((old["key"], "10.0.0.1"), (new["key"], "10.0.0.9"))
    with capsys.disabled():
        print(f"\npower cuts in a pairing: {writes} writes, the old one or the new one every time")
    assert writes >= 4 and settings.host_address == "10.0.0.9"


@pytest.mark.parametrize("fault", ["locked_at", "full_at"])
def test_card_that_locks_or_fills_up_in_the_session(mount, moments, capsys, fault):
    counts = Counter()
    for number in range(12, len(moments), 23):
        first = moments[0]
        session = switched_on(mount, first, first.files)
        session.promise.samples.clear()
        session.keeps_going = True
        setattr(mount, fault, number)
        session.start()
        play_on(session)
        session.app.close()
        counts["sessions"] += 1
        counts["struck"] += mount.n_writes >= number
        counts["said so"] += any("read-only" in line or "full" in line or "room" in line for line in session.lines)
        again = Session(mount, session.host, session.promise)
        mount.locked_at = mount.full_at = None
        again.start().check()
        again.until(again.is_settled)
        again.app.close()
        counts["photos checked"] += len(session.promise.samples)
    with capsys.disabled():
        print(f"\ncard {fault}: {dict(counts)}, nothing lost")
    assert counts["said so"] == counts["struck"] >= 7


def play_on(session):
    """The session with a finger that does not mind what the screen says, and a shorter patience."""
    until = session.until
    session.until = lambda condition, limit=250: until(condition, min(limit, 250))
    session.play()
    session.shoot_and_label("red", (40, 40, 90, 60))
