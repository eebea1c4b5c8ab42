"""Class colours: apart for all kinds of eyes, the same everywhere, and a class keeps its own."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaploop_shared.palette import PALETTE, colours, slots

ROOT = Path(__file__).resolve().parents[3]
NAMES = st.lists(st.text(min_size=1, max_size=12), max_size=14, unique=True)
LEAST_APART = 20  # CIE76; 2.3 is a just noticeable difference
# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
EYES = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(rgb: tuple[int, int, int], eyes: str) -> np.ndarray:
    share = np.array(rgb) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(EYES[eyes]) @ linear, 0, 1)
    x, y, z = np.cbrt(TO_XYZ @ seen / np.array([0.9505, 1, 1.089]))  # none is so dark that the linear part matters
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", sorted(EYES))
def test_all_pairs_are_apart_for_all_eyes(eyes: str) -> None:
    seen = [lab(colour, eyes) for colour in PALETTE]
    assert min(float(np.linalg.norm(one - other)) for one, other in itertools.combinations(seen, 2)) > LEAST_APART


def test_a_name_that_says_a_colour_gets_it() -> None:
    found = colours(["Red light", "green", "big_yellow-ball", "green apple"])
    assert [PALETTE.index(found[name]) for name in ("Red light", "green", "big_yellow-ball")] == [0, 2, 1]
    assert found["green apple"] != found["green"]


@given(names=NAMES, more=NAMES)
def test_classes_keep_their_colours_when_others_follow(names: list[str], more: list[str]) -> None:
    before, after = slots(names), slots([*names, *more])
    assert {name: after[name] for name in before} == before
    assert len(set(before.values())) == min(len(names), len(PALETTE))


def test_the_pages_style_sheet_has_these_colours() -> None:
    sheet = (ROOT / "host/snaploop_host/web/static/page.css").read_text()
    told = dict(re.findall(r"--c(\d): (#[0-9a-f]{6})", sheet))
    assert told == {str(index): "#{:02x}{:02x}{:02x}".format(*colour) for index, colour in enumerate(PALETTE)}
