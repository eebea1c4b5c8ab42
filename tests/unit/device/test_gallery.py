"""The Gallery: pages, states, opening, deleting with undo, what a power cut leaves of a deletion."""

import pytest

from snaploop_device import layout
from snaploop_device.card import Card
from snaploop_device.gallery import Gallery
from snaploop_device.log import Log
from snaploop_device.samples import SampleStore
from snaploop_shared.errors import RecordError


def open_gallery(rig):
    rig.tap("tab:gallery")
    rig.until(lambda: not rig.state.gallery.is_waiting)


def photograph(rig, count):
    for _ in range(count):
        rig.app.apply(("shoot",))
        rig.app.apply(("shutter_up",))
        rig.app.apply(("open", layout.CAPTURE))
    rig.state.labelling = None


def test_pages_newest_first(rig):
    photograph(rig, 18)
    open_gallery(rig)
    gallery = rig.state.gallery
    assert gallery.pages == 2 and gallery.shown[0] == "b1-000018" and len(gallery.shown) == 16
    rig.tap("page:on")
    assert gallery.shown == ["b1-000002", "b1-000001"]
    rig.tap("page:on")
    assert "oldest" in rig.state.message and gallery.page == 1


def test_sheet_shows_the_photos(rig):
    photograph(rig, 1)
    photo = rig.app.capture._frozen.pixels
    open_gallery(rig)
    sheet = rig.board.display.photo.pixels
    assert abs(int(sheet[:90, :160].mean()) - int(photo.mean())) < 5 and sheet[90:].max() == 0


def test_second_tap_opens_in_label_and_save_comes_back(rig):
    photograph(rig, 2)
    open_gallery(rig)
    rig.tap("thumb:1")
    rig.tap("thumb:1")
    assert rig.state.screen == layout.LABEL and rig.state.labelling.record.name == "b1-000001"
    rig.drag(10, 10, 90, 90)
    rig.tap("save")
    assert rig.state.screen == layout.GALLERY
    assert rig.app.store.summary("b1-000001") == ("labelled", 1)
    assert "1" in rig.board.display.overlay.texts()


def test_delete_and_undo(rig):
    photograph(rig, 3)
    open_gallery(rig)
    rig.tap("thumb:1")
    rig.tap("delete")
    assert rig.state.gallery.names == ["b1-000003", "b1-000001"] and rig.state.photos == 2
    rig.tap("undo")
    assert rig.state.gallery.names == ["b1-000003", "b1-000002", "b1-000001"] and rig.state.photos == 3
    assert rig.app.store.load("b1-000002").name == "b1-000002"


def test_deleting_a_photo_that_the_host_has_says_so(rig):
    photograph(rig, 1)
    rig.until(lambda: rig.state.pending == 0)
    open_gallery(rig)
    rig.tap("thumb:0")
    rig.tap("delete")
    assert "host keeps its copy" in rig.state.message


def test_counts_follow_a_deletion(rig):
    rig.shoot_and_label("red", (10, 10, 50, 50))
    open_gallery(rig)
    rig.tap("thumb:0")
    rig.tap("delete")
    assert rig.state.class_counts["red"] == 0
    rig.tap("undo")
    assert rig.state.class_counts["red"] == 1


def test_an_unreadable_photo_does_not_hide_the_others(rig):
    photograph(rig, 3)
    (rig.root / "samples" / "b1-000002.jpg").write_bytes(b"no picture")
    open_gallery(rig)
    assert rig.state.gallery.broken == ["b1-000002"] and "unreadable" in rig.board.display.overlay.texts()


def test_nothing_chosen_is_said_in_words(rig):
    photograph(rig, 1)
    open_gallery(rig)
    rig.app.apply(("gallery_delete",))
    assert rig.state.message == "tap a photo first"


def test_empty_gallery_says_where_photos_come_from(rig):
    rig.tap("tab:gallery")
    rig.steps(2)
    assert any("Capture screen" in text for text in rig.board.display.overlay.texts())


def opened(root, boot):
    store = SampleStore(Card(str(root)), boot, Log(echo=lambda line: None))
    while store.step():
        pass
    return store


def test_a_deletion_is_final_after_a_restart(tmp_path):
    store = opened(tmp_path, 1)
    names = [store.add(b"\xff\xd8 photo", 640, 360).name for _ in range(2)]
    store.remove(names[0])
    again = opened(tmp_path, 2)
    assert again.names == [names[1]]
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [names[1] + ".jpg", names[1] + ".json"]
    with pytest.raises(RecordError, match="deleted last"):
        again.restore(names[0])


def test_only_the_last_deletion_comes_back(tmp_path):
    store = opened(tmp_path, 1)
    names = [store.add(b"\xff\xd8 photo", 640, 360).name for _ in range(2)]
    store.remove(names[0])
    store.remove(names[1])
    store.restore(names[1])
    assert store.names == [names[1]]
    assert not (tmp_path / "samples" / (names[0] + ".jpg")).exists()


def test_pages_shrink_with_the_photos():
    gallery = Gallery([str(n) for n in range(17)])
    assert gallery.turn(1) and gallery.shown == ["16"]
    gallery.renew([str(n) for n in range(16)])
    assert gallery.page == 0 and len(gallery.shown) == 16
