"""Addresses and the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from snaploop_host.config import Config, data_dir, parse_address
from snaploop_host.errors import BadInputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        (":9000", ("127.0.0.1", 9000)),
        ("9000", ("127.0.0.1", 9000)),
        ("192.168.1.5", ("192.168.1.5", 8230)),
        ("desk.local:1", ("desk.local", 1)),
        ("[::1]:0", ("::1", 0)),
        ("[::1]", ("::1", 8230)),
    ],
)
def test_addresses(text, expected):
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["a:b", "1.2.3.4:70000", "::1", "x:"])
def test_addresses_that_are_none(text):
    with pytest.raises(BadInputError, match="address"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("desk", False)]
)
def test_loopback(host, expected):
    assert Config(Path("/x"), host).is_loopback is expected


def test_data_folder_by_option_environment_and_default():
    assert data_dir(Path("/a"), {"SNAPLOOP_DATA": "/b"}) == Path("/a")
    assert data_dir(None, {"SNAPLOOP_DATA": "/b", "XDG_DATA_HOME": "/c"}) == Path("/b")
    assert data_dir(None, {"XDG_DATA_HOME": "/c"}) == Path("/c/snaploop")
    assert data_dir(None, {}) == Path.home() / ".local/share/snaploop"
