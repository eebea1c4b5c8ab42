"""The card's store: power cut at every write, full card, leftovers, counts, outbox."""

import io

import pytest

from snaploop_device import boot_count
from snaploop_device import card as cards
from snaploop_device.card import Card
from snaploop_device.log import MAX_BYTES, Log
from snaploop_device.samples import SampleStore
from snaploop_shared.errors import CardFullError
from snaploop_shared.sample_record import LABELLED, Box, SampleRecord

PHOTO = b"\xff\xd8" + bytes(range(256)) * 20


class PowerCutError(Exception):
    """The board went dark."""


class CutCard(Card):
    """Loses power at the n-th change of the card: writes break in the middle, renames and removes do not happen."""

    def __init__(self, root, changes_left=1 << 30):
        self.changes_left = changes_left
        super().__init__(root)

    def spend(self):
        self.changes_left -= 1
        if self.changes_left < 0:
            raise PowerCutError

    def _write_all(self, file, data):
        try:
            self.spend()
        except PowerCutError:
            file.write(data[: len(data) // 2])
            raise
        super()._write_all(file, data)

    def rename(self, name, target):
        self.remove(target)
        self.spend()
        cards.os.rename(self.path(name), self.path(target))

    def remove(self, name):
        if self.has(name):
            self.spend()
        super().remove(name)


def log():
    return Log(echo=lambda line: None)


def opened(root, boot=1, card=None):
    store = SampleStore(card or Card(str(root)), boot, log())
    while store.step():
        pass
    return store


def labelled(record, rev=1):
    boxes = [Box("red", 1, 2, 30, 40), Box("green", 5, 6, 7, 8)]
    return SampleRecord(record.name, record.photo, record.size, record.width, record.height, rev, LABELLED, boxes)


def test_add_save_and_open_again(tmp_path):
    store = opened(tmp_path)
    record = store.add(PHOTO, 640, 360)
    assert record.name == "b1-000001"
    store.save(labelled(record))
    assert store.class_counts == {"red": 1, "green": 1} and store.pending(9) == [record.name]
    again = opened(tmp_path, boot=2)
    assert again.class_counts == {"red": 1, "green": 1} and again.count_new() == 0
    assert again.add(PHOTO, 640, 360).name == "b2-000001"
    assert again.names == ["b1-000001", "b2-000001"]
    assert again.read_photo(record.name, 2, 3) == PHOTO[2:5]


def test_power_cut_at_every_change_loses_nothing_that_was_said_to_be_saved(tmp_path):
    cuts = 0
    for changes in range(40):
        root = tmp_path / str(changes)
        card = CutCard(str(root))
        store = opened(root, card=card)
        first = store.add(PHOTO, 640, 360)
        card.changes_left = changes
        saved_revs, added = {first.name: 0}, 1
        try:
            store.save(labelled(first, 1))
            saved_revs[first.name] = 1
            second = store.add(PHOTO + b"2", 640, 360)
            added = 2
            saved_revs[second.name] = 0
            store.save(labelled(first, 2))
            saved_revs[first.name] = 2
            store.mark_synced(first.name, 2)
        except PowerCutError:
            cuts += 1
        again = opened(root, boot=2)
        assert len(again) >= added
        for name, rev in saved_revs.items():
            assert again.load(name).rev >= rev
            assert again._card.size(f"samples/{name}.jpg") == again.load(name).size
        left = [path.name for path in (root / "samples").iterdir() if path.name.endswith(".part")]
        assert left == []
        if not cuts or changes_done(card):
            break
    assert cuts >= 10
    print(f"power cut at {cuts} card changes, nothing lost")


def changes_done(card):
    return card.changes_left > 0


def test_full_card_refuses_before_writing(tmp_path):
    store = opened(tmp_path)
    store.add(PHOTO, 640, 360)
    store._card.free_bytes = lambda: 1000
    with pytest.raises(CardFullError, match="sync, then delete"):
        store.add(PHOTO, 640, 360)
    assert len(store) == 1 and len(list((tmp_path / "samples").iterdir())) == 2


def test_card_that_fills_up_while_writing_undoes_the_photo(tmp_path):
    store = opened(tmp_path)

    def write_all(file, data):
        if b'"photo"' in bytes(data):
            raise OSError(28)
        file.write(data)

    store._card._write_all = write_all
    with pytest.raises(CardFullError):
        store.add(PHOTO, 640, 360)
    assert list((tmp_path / "samples").iterdir()) == [] and len(store) == 0


def test_full_card_is_one_line_on_the_screen(rig):
    rig.app.card.free_bytes = lambda: 5000
    rig.tap("shutter")
    assert rig.state.message.startswith("card full: 4 KiB free")
    assert rig.state.screen == "capture"


def test_leftovers_are_finished_or_undone(tmp_path):
    store = opened(tmp_path)
    record = store.add(PHOTO, 640, 360)
    folder = tmp_path / "samples"
    (folder / "b1-000001.json").rename(folder / "b1-000001.json.part")  # cut between remove and rename
    (folder / "b1-000002.jpg").write_bytes(PHOTO)  # cut before the record
    (folder / "b1-000003.jpg.part").write_bytes(PHOTO[:9])
    again = opened(tmp_path, boot=2)
    assert again.names == [record.name]
    assert sorted(path.name for path in folder.iterdir()) == ["b1-000001.jpg", "b1-000001.json"]


def test_damaged_record_is_told_and_left_alone(tmp_path):
    store = opened(tmp_path)
    store.add(PHOTO, 640, 360)
    (tmp_path / "samples" / "b1-000001.json").write_text("{")
    lines = []
    again = SampleStore(Card(str(tmp_path)), 2, Log(echo=lines.append))
    again.step()
    assert len(again) == 0 and "b1-000001" in lines[0]


def test_outbox_is_remembered_and_forgotten(tmp_path):
    store = opened(tmp_path)
    record = store.add(PHOTO, 640, 360)
    store.mark_synced(record.name, 0)
    assert opened(tmp_path, 2).pending(9) == []
    with (tmp_path / "outbox").open("ab") as file:
        file.write(b"b1-000001 torn\nb9-1 4\nb1-00")
    again = opened(tmp_path, 3)
    assert again.pending(9) == []
    again.save(labelled(record, 1))
    assert again.pending(9) == [record.name]
    again.mark_synced(record.name, 1)
    again.forget_synced()
    assert again.pending(9) == [record.name] and not (tmp_path / "outbox").exists()


def test_boot_count_only_grows(tmp_path):
    card = Card(str(tmp_path))
    assert [boot_count.next_boot(card) for _ in range(3)] == [1, 2, 3]
    (tmp_path / "boot_count").rename(tmp_path / "boot_count.part")
    assert boot_count.next_boot(card) == 4
    (tmp_path / "boot_count").unlink()
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "b17-000001.json").touch()
    assert boot_count.next_boot(card) == 18


def test_read_only_card_names_the_file(tmp_path, monkeypatch):
    card = Card(str(tmp_path))

    def refuse(*arguments):
        raise OSError(30, "read-only")

    monkeypatch.setattr(card, "_write_all", refuse)
    with pytest.raises(OSError, match="read-only: config"):
        card.write("config", b"x")


def test_log_is_bounded_and_survives_a_full_card(tmp_path):
    card = Card(str(tmp_path))
    lines = []
    kept = Log(card, echo=lines.append)
    for number in range(3000):
        kept.info("test", f"line {number} " + "x" * 60)
        kept.step(10_000 * number)
    kept.error("test", "last")
    assert (tmp_path / "log.txt").stat().st_size <= MAX_BYTES and (tmp_path / "log.old").stat().st_size <= MAX_BYTES
    assert (tmp_path / "log.txt").read_text().endswith("error test last\n")

    def full(file, data):
        raise OSError(28)

    card._write_all = full
    kept.error("test", "no room")
    assert kept.lost_lines == 1 and "lines lost" in lines[-1]


def test_short_writes_are_continued():
    class Slow(io.BytesIO):
        def write(self, data):
            return super().write(bytes(data[:7]))

    out = Slow()
    Card._write_all(None, out, PHOTO)
    assert out.getvalue() == PHOTO
