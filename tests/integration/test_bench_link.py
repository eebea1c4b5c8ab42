"""The link bench on small sizes: it runs with its real parts and says its four figures. What they are worth takes a quiet machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from snaploop_host.bench import link
from snaploop_host.bench.link_photos import noise_jpegs

SMALL = link.Sizes(pairs=1, usb_photos=3, wifi_photos=3, all_photos=3, fetch_bytes=100_000, mpremote_bytes=4096)


@pytest.mark.timeout(900)
def test_link_bench_gives_its_figures(tmp_path: Path, tally: Callable[[str], None]) -> None:
    figures = {figure.name: figure for figure in link.measure(tmp_path, SMALL)}
    assert list(figures) == ["usb_up_vs_mpremote", "usb_down_vs_mpremote", "wifi_vs_bare_socket", "hundred_photos_s"]
    assert figures["usb_up_vs_mpremote"].value > 2 and figures["usb_down_vs_mpremote"].value > 2
    assert 0.05 < figures["wifi_vs_bare_socket"].value < 1.2
    peer = figures["usb_down_vs_mpremote"].peer_value
    assert peer is not None and peer < 16_000, "the cable is quicker than a board's (k230-platform §9.8)"
    assert 0.1 < figures["hundred_photos_s"].value < 100
    tally("link bench, small sizes: " + ", ".join(f"{one.name} {one.value:.2f}" for one in figures.values()))


def test_photos_have_the_size_that_was_asked_for() -> None:
    photos = noise_jpegs(60_000)
    one, two = next(photos), next(photos)
    assert len(one) == len(two) == 60_000 and one != two
    with pytest.raises(ValueError, match="ask for more"):
        next(noise_jpegs(3000))
