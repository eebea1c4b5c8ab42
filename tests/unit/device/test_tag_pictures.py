"""Name tags as pictures: drawn twice, then copied; given up where the firmware does not copy them unchanged or has no memory for them."""

import sys
import types

import pytest

from snaploop_device.board import k230_tags

TAG = (60, 26, (10, 20, 30), 20, "red 90", (255, 255, 255))


class Picture:
    """An image of the firmware that remembers its calls; its bytes are what was drawn, and where."""

    made = 0
    most = 1000
    is_faithful = True

    def __init__(self, width, height, pixels):
        if Picture.made == Picture.most:
            raise MemoryError("memory allocation failed")
        Picture.made += 1
        self.size = (width, height, pixels)
        self.calls = []

    def clear(self):
        self.calls = []

    def draw_rectangle(self, x, y, w, h, colour, thickness, fill):
        self.calls.append((x, y, w, h, colour, thickness, fill))

    def draw_string_advanced(self, x, y, size, text, colour):
        self.calls.append((x, y, size, text, colour))

    def draw_image(self, other, x, y):
        if Picture.is_faithful:
            self.calls += [(call[0] + x, call[1] + y, *call[2:]) for call in other.calls]

    def bytearray(self):
        return bytearray(repr(self.calls).encode())


@pytest.fixture
def firmware(monkeypatch):
    monkeypatch.setitem(sys.modules, "image", types.SimpleNamespace(Image=Picture, ARGB8888=8))
    monkeypatch.setattr(Picture, "made", 0)
    return monkeypatch


def test_what_comes_again_becomes_a_picture_of_its_text(firmware):
    tags = k230_tags.TagPictures()
    assert tags.picture(*TAG) is None
    picture = tags.picture(*TAG)
    assert picture.size == (60, 26, 8)
    assert picture.calls == [
        (0, 0, 60, 26, (255, 10, 20, 30), 1, True),
        (4, 1, 20, "red 90", (255, 255, 255, 255)),
    ]
    assert tags.picture(*TAG) is picture
    assert tags.picture(60, 26, (10, 20, 31), 20, "red 90", (255, 255, 255)) is None  # another colour is another tag


def test_a_firmware_that_blends_gets_no_pictures(firmware):
    firmware.setattr(Picture, "is_faithful", False)
    tags = k230_tags.TagPictures()
    assert [tags.picture(*TAG) for _ in range(4)] == [None] * 4
    assert Picture.made == 3  # the trial, once


def test_without_memory_tags_are_drawn_as_before(firmware, capsys):
    firmware.setattr(Picture, "most", 4)
    tags = k230_tags.TagPictures()
    other = (60, 26, (10, 20, 30), 20, "red 91", (255, 255, 255))
    assert [tags.picture(*tag) is None for tag in (TAG, TAG, TAG, other, other, TAG)] == [
        True,
        False,
        False,
        True,
        True,
        True,
    ]
    assert "without pictures: MemoryError: memory allocation failed" in capsys.readouterr().out


def test_the_pictures_are_bounded(firmware):
    tags = k230_tags.TagPictures()
    for number in range(5 * k230_tags.MOST_SEEN):
        for _ in range(2):
            tags.picture(60, 26, (10, 20, 30), 20, str(number), (0, 0, 0))
        assert len(tags._pictures) <= k230_tags.MOST_PICTURES and len(tags._seen) <= k230_tags.MOST_SEEN
