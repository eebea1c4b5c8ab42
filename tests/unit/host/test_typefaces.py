"""Words in pictures: class names of any language are letters there, not boxes."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed: pip install 'snaploop[train]'")

from snaploop_host.training.typefaces import NO_CHARACTER, width_of, write


def drawn(text):
    picture = np.zeros((40, 60, 3), np.uint8)
    write(picture, text, (4, 30), (255, 200, 0), 24)
    return picture


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="no font with umlauts without matplotlib")
def test_umlauts_are_letters():
    pictures = [drawn(letter).tobytes() for letter in ("Ä", "ß", "Ж", NO_CHARACTER)]
    assert len(set(pictures)) == 4


def test_letters_stand_on_their_line_in_their_colour():
    rows, columns, _ = np.nonzero(drawn("H"))
    assert rows.max() in (29, 30) and columns.min() in range(3, 10)
    assert (drawn("H").reshape(-1, 3).max(axis=0) == (255, 200, 0)).all()
    assert 0 < width_of("a", 24) < width_of("aaa", 24)


def test_words_end_inside_the_picture_and_dark_ones_have_a_light_edge():
    picture = np.full((40, 60, 3), 90, np.uint8)
    write(picture, "ab", (55, 30), (20, 20, 60), 16, edge_px=1)
    _, columns, _ = np.nonzero(picture != 90)
    assert 20 < columns.min() < 50 and picture.max() > 240
