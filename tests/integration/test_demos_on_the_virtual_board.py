"""Each demo of firmware_scripts as on a card, on an early and on a late firmware: runs its model, shows what it should, ends tidily.

The model is a small one that really looks at the picture (fakes/twin_model.py).
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from fakes.desk import Desk, says, texts, wait
from fakes.twin_model import make_twin, picture, put_on_card
from snaploop_device.handheld import NO_MODEL

DEMOS = Path(__file__).resolve().parents[2] / "firmware_scripts" / "demos"
PROFILES = {"A": "2.9.0", "D": "2.11.0"}  # firmware generation → its nncase
VIEWS = {
    "nothing": [],
    "red": [("red", 4, 3)],
    "yellow": [("yellow", 4, 3)],
    "green": [("green", 4, 3)],
    "one red": [("red", 4, 3), ("green", 13, 7)],
    "two red": [("red", 4, 3), ("red", 14, 7)],
    "blue": [("blue", 9, 5), ("blue", 10, 5), ("blue", 9, 6), ("blue", 10, 6)],
}
LED_PIN = "33"
BUZZER = "0"


class Stage:
    """A desk with one board, its camera in front of one of VIEWS, and a demo on its card."""

    def __init__(self, folder: Path, profile: str, stack: contextlib.ExitStack) -> None:
        self.nncase = PROFILES[profile]
        self.desk = Desk(folder)
        self.desk.install()
        views = folder / "views"
        views.mkdir()
        for index, things in enumerate(VIEWS.values()):
            Image.fromarray(picture(things)).save(views / f"{index}.png")
        self.detector = make_twin(folder / "detector")
        self.embedder = make_twin(folder / "embedder", (), "embedding")
        twins = {one.digest: one.onnx for one in (self.detector, self.embedder)}
        options = {"profile": profile, "camera": views, "kpu": "onnx", "onnx_twins": twins, "wifi": "home:12345678"}
        self._power = lambda: stack.enter_context(self.desk.board(**options))
        self.board = None

    def start(self, name, model=None):
        """Switch on, or off and on again, with this demo and this model on the card."""
        root = self.desk.folder / "data" / "snaploop"
        for path in (DEMOS / name).glob("*.py"):
            shutil.copy(path, self.desk.folder / "sd" / path.name)
        for left in ("models", "library", "slots", "slots.a", "slots.b"):
            path = root / left
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if model is not None:
            key = bytes.fromhex(json.loads((root / "config.json").read_text())["key"])
            put_on_card(root, key, model, self.nncase)
        if self.board is None:
            self.board = self._power()
        else:
            self.board.reset()
        self.look_at("nothing")
        return self.board

    def look_at(self, view):
        self.board.camera.show(list(VIEWS).index(view))

    def pins(self):
        return self.board.hardware.state()

    def led_is(self, level):
        wait(f"LED {level}", lambda: self.pins()["pins"].get(LED_PIN, {"level": 0})["level"] == level, self.board)

    def ended_tidily(self):
        self.board.stop()
        wait("the end of the script", lambda: self.board.log.rstrip().endswith(">>>"), self.board)
        assert "KeyboardInterrupt" in self.board.log[-600:] and "Error" not in self.board.log[-600:]


@pytest.fixture(scope="module", params=list(PROFILES))
def stage(request, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Stage(tmp_path_factory.mktemp("demos"), request.param, stack)


def test_traffic_light_says_what_it_sees_and_lights_its_led_with_green(stage):
    board = stage.start("traffic_light", stage.detector)
    for view, word, level in (("red", "STOP", 0), ("green", "GO", 1), ("yellow", "WAIT", 0)):
        stage.look_at(view)
        says(board, word)
        stage.led_is(level)
    stage.look_at("green")
    stage.led_is(1)
    stage.ended_tidily()
    stage.led_is(0)


def test_class_counter_counts_rings_and_is_silent_again(stage):
    board = stage.start("class_counter", stage.detector)
    stage.look_at("one red")
    wait("one", lambda: {"1", "red", "most: 1"} <= set(texts(board)), board)
    assert not stage.pins()["pwm"]
    stage.look_at("two red")
    says(board, "alarms: 1")
    assert BUZZER in stage.pins()["pwm"]
    stage.led_is(1)
    stage.look_at("nothing")
    stage.led_is(0)
    assert not stage.pins()["pwm"] and "most: 2" in texts(board)
    stage.ended_tidily()


@pytest.mark.parametrize("name", ["traffic_light", "class_counter"])
def test_model_demos_say_that_there_is_no_model_and_hold_their_pins_still(stage, name):
    board = stage.start(name)
    says(board, NO_MODEL)
    stage.led_is(0)
    assert not stage.pins()["pwm"]
    stage.ended_tidily()


def test_self_learning_learns_and_forgets_by_the_vectors_of_a_model(stage):
    board = stage.start("self_learning", stage.embedder)
    stage.look_at("red")
    says(board, "hold something up")
    learn_and_check(stage, board)
    kept = list((stage.desk.folder / "data/snaploop/library").glob("*.json"))
    assert [path.stem for path in kept] == [stage.embedder.digest[:12]]
    stage.ended_tidily()


def test_self_learning_learns_by_colours_without_a_model(stage):
    board = stage.start("self_learning")
    stage.look_at("blue")
    says(board, "hold something up")
    learn_and_check(stage, board)
    stage.ended_tidily()


def learn_and_check(stage, board):
    """Learn what is in view, look away, look back, forget it."""
    view = stage.board.camera.index
    board.touch(720, 220)
    says(board, "thing 1 (")
    stage.look_at("two red")
    says(board, "hold something up")
    board.camera.show(view)
    says(board, "thing 1 (")
    board.touch(720, 310)
    says(board, "hold something up")


def test_photo_booth_takes_four(stage):
    taken = len(list(stage.desk.samples.glob("*.jpg")))
    board = stage.start("photo_booth")
    says(board, "tap the screen")
    board.touch(300, 200)
    says(board, f"{taken + 4} photos on the card")
    assert len(list(stage.desk.samples.glob("*.jpg"))) == taken + 4
    stage.ended_tidily()


def test_link_probe_prints_a_table(stage):
    desk = stage.desk
    with desk.daemon():
        config = desk.folder / "data/snaploop/config.json"
        fields = json.loads(config.read_text())
        address, port = desk.url.removeprefix("http://").split(":")
        config.write_text(json.dumps(fields | {"host": [address, int(port)], "wifi": ["home", "12345678"]}))
        board = stage.start("link_probe")
        board.wait_for("link probe: done", 180)
    printed = board.log[board.log.rindex("| what |") :]
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]*) \|", printed.replace("\r", ""), re.M))
    assert "failed" not in printed, printed
    for name in ("card write", "card read", "usb board to PC", "wifi down", "wifi up", "wifi request", "camera"):
        assert float(rows[name]) > 0, (name, rows)
    assert rows["nncase"] == stage.nncase


@pytest.mark.parametrize("name", sorted(path.parent.name for path in DEMOS.glob("*/README.md")))
def test_readme_names_its_files_and_what_can_be_changed(name):
    text = (DEMOS / name / "README.md").read_text()
    source = (DEMOS / name / f"{name}.py").read_text()
    assert f"`{name}.py`" in text and "`main.py`" in text and "virtual-k230 serve" in text
    to_change = text.split("To change", 1)[1] if "To change" in text else ""
    for word in re.findall(r"`([A-Z_]{3,})`", to_change):
        assert re.search(rf"^{word} = ", source, re.M), (
            f"{name}/README.md names {word}, the script has no such constant"
        )
    assert f"[{name}](demos/{name})" in (DEMOS.parent / "README.md").read_text()
