"""A kit owner's first minute, on the virtual board: serve, install over USB while the daemon holds the port, and the app says hello."""

from __future__ import annotations

import json
import time

import pytest

from integration.test_commands import fetched, serving, snaploop
from virtual_k230 import VirtualK230

pytestmark = pytest.mark.slow  # starts MicroPython twice: some 20 s on two cores


def test_board_is_installed_paired_and_greets_over_usb_and_wifi(tmp_path):
    for name in ("sd", "data"):
        (tmp_path / name).mkdir()
    host = tmp_path / "host"
    snaploop("projects", "add", "lights", "--classes", "red,yellow,green", "--data", host)
    with (
        VirtualK230(sd=tmp_path / "sd", data=tmp_path / "data", profile="D", wifi="home:12345678") as board,
        serving(host, "--usb", board.pty) as (said, _),
    ):
        install = ["board", "install", "--port", board.pty, "--name", "desk", "--wifi", "home:12345678", "--data", host]
        address = said["url"].removeprefix("http://")
        done = snaploop(*install, "--host", address, "--road", "usb")
        assert "board desk is paired for project lights" in done.stdout
        assert greeted(said["url"], "usb")["app"]
        done = snaploop(*install, "--road", "wifi")
        assert "1 files written" in done.stdout  # only config.json differs
        assert greeted(said["url"], "wifi")["name"] == "desk"
        assert json.loads((tmp_path / "data" / "snaploop" / "config.json").read_text())["host"] == [
            "127.0.0.1",
            int(address.split(":")[1]),
        ]


def greeted(url, road, seconds=180):
    """The board's row, once it was heard on this road."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        [row] = fetched(f"{url}/api/boards")
        if row["last_road"] == road:
            return row
        time.sleep(0.3)
    raise AssertionError(f"the board did not say hello over {road}: {row}")
