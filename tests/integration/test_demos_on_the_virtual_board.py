"""Each demo of firmware_scripts as it lies on a card, on the virtual board: it starts, shows what it should, and stops tidily."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

import pytest

from fakes.desk import Desk, says, wait

DEMOS = Path(__file__).resolve().parents[2] / "firmware_scripts" / "demos"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("demos"))
    desk.install()
    return desk


@pytest.fixture(scope="module")
def powered(desk):
    with contextlib.ExitStack() as stack:
        boards = []

        def power() -> object:
            if not boards:
                boards.append(stack.enter_context(desk.board(wifi="home:12345678")))
            else:
                boards[0].reset()
            return boards[0]

        yield power


@pytest.fixture
def started(desk, powered):
    def start(name):
        for path in (DEMOS / name).glob("*.py"):
            shutil.copy(path, desk.folder / "sd" / path.name)
        return powered()

    return start


def ended_tidily(board):
    board.stop()
    wait("the end of the script", lambda: board.log.rstrip().endswith(">>>"), board)
    assert "KeyboardInterrupt" in board.log[-600:] and "Error" not in board.log[-600:]


@pytest.mark.parametrize("name", ["traffic_light", "class_counter"])
def test_model_demos_say_that_there_is_no_model_and_hold_their_pins_still(started, name):
    board = started(name)
    says(board, "no model on this card yet")
    ended_tidily(board)


def test_photo_booth_takes_four(started, desk):
    board = started("photo_booth")
    says(board, "tap the screen")
    board.touch(300, 200)
    says(board, "4 photos on the card")
    assert len(list(desk.samples.glob("*.jpg"))) == 4
    ended_tidily(board)


def test_self_learning_learns_what_is_in_view(started):
    board = started("self_learning")
    says(board, "hold something up")
    board.touch(720, 220)
    says(board, "% alike")
    ended_tidily(board)


def test_link_probe_prints_a_table(started, desk):
    with desk.daemon():
        config = desk.folder / "data/snaploop/config.json"
        fields = json.loads(config.read_text())
        address, port = desk.url.removeprefix("http://").split(":")
        config.write_text(json.dumps(fields | {"host": [address, int(port)], "wifi": ["home", "12345678"]}))
        board = started("link_probe")
        board.wait_for("link probe: done", 60)
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]*) \|", board.log.replace("\r", ""), re.M))
    assert "failed" not in board.log, board.log[-1500:]
    for name in ("card write", "card read", "usb board to PC", "wifi down", "wifi up", "wifi request", "camera"):
        assert float(rows[name]) > 0, (name, rows)
