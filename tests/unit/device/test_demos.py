"""The demos of firmware_scripts on the fake board: with a model, a finger, and pins that remember."""

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import ClassVar

import pytest

from fakes.device_board import FakeBoard, raw_heads
from fakes.device_host import FakeHost
from snaploop_device.handheld import NO_MODEL

DEMOS = Path(__file__).resolve().parents[3] / "firmware_scripts" / "demos"


class FakePin:
    OUT = 0
    levels: ClassVar[dict] = {}

    def __init__(self, number, mode):
        self.number = number

    def value(self, level):
        FakePin.levels[self.number] = level


class FakePwm:
    on = False

    def __init__(self, channel, freq, duty, enable=True):
        FakePwm.on = enable

    def enable(self, on):
        FakePwm.on = on

    def deinit(self):
        FakePwm.on = False


class FakeFpioa:
    PWM0 = 1

    def set_function(self, pad, function):
        pass


@pytest.fixture
def demo(monkeypatch, tmp_path):
    """Load a demo's module; make its class on a card that has a model when asked."""
    machine = types.ModuleType("machine")
    machine.Pin, machine.PWM, machine.FPIOA = FakePin, FakePwm, FakeFpioa
    monkeypatch.setitem(sys.modules, "machine", machine)
    FakePin.levels = {}
    made = []

    def make(name, class_name, rig=None, **attributes):
        spec = importlib.util.spec_from_file_location(name, DEMOS / name / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for attribute, value in attributes.items():
            setattr(module, attribute, value)
        root = tmp_path / "plain" if rig is None else rig.root
        root.mkdir(exist_ok=True)
        board = FakeBoard()
        script = getattr(module, class_name)(board, str(root))
        if hasattr(script, "start"):
            script.start()
            made.append(script)
        return script, board

    yield make
    for script in made:
        script.close()


@pytest.fixture
def with_model(make_rig):
    """A card whose app took a model for red, yellow, green."""
    host = FakeHost(classes=("red", "yellow", "green"))
    rig = make_rig(host=host)
    rig.board.kpu.golden_outputs = lambda network: raw_heads([(1, 100, 50, 40, 40)], 320, 192, 3)
    rig.board.kpu.live_outputs = lambda network: raw_heads([], 320, 192, 3)
    digest = host.publish(1)
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
    rig.app.close()
    return rig


def sees(board, *boxes):
    board.kpu.live_outputs = lambda network: raw_heads(boxes, 320, 192, 3)


def steps(script, count):
    for _ in range(count):
        script.step()


def test_traffic_light_lights_its_led_with_green_only(demo, with_model):
    script, board = demo("traffic_light", "TrafficLight", with_model)
    for lamp, word, level in ((0, "STOP", 0), (2, "GO", 1), (1, "WAIT", 0)):
        sees(board, (lamp, 40, 40, 30, 60))
        steps(script, 5)
        assert word in board.display.canvas.texts() and FakePin.levels == {33: level}
    sees(board, (2, 40, 40, 30, 60))
    steps(script, 1)
    assert "WAIT" in board.display.canvas.texts()  # one frame is no lamp
    steps(script, 5)
    script.close()
    assert FakePin.levels == {33: 0}


def test_counter_counts_its_class_and_rings(demo, with_model):
    script, board = demo("class_counter", "ClassCounter", with_model, CLASS="green")
    sees(board, (2, 40, 40, 30, 60), (0, 120, 40, 30, 60))
    steps(script, 3)
    assert "1" in board.display.canvas.texts() and not FakePwm.on
    sees(board, (2, 40, 40, 30, 60), (2, 120, 40, 30, 60))
    steps(script, 1)
    assert FakePwm.on and FakePin.levels[33] == 1 and "alarm" in board.display.canvas.texts()
    sees(board)
    steps(script, 5)
    assert FakePwm.on  # held
    steps(script, 30)
    assert not FakePwm.on and script.alarms == 1 and script.most == 2
    script.close()


@pytest.mark.parametrize("name, class_name", [("traffic_light", "TrafficLight"), ("class_counter", "ClassCounter")])
def test_without_a_model_they_say_so(demo, name, class_name):
    script, board = demo(name, class_name)
    steps(script, 3)
    assert NO_MODEL in board.display.canvas.texts()


def test_booth_counts_down_and_keeps_four_photos(demo, tmp_path):
    script, board = demo("photo_booth", "PhotoBooth")
    steps(script, 2)
    assert "tap the screen" in board.display.canvas.texts()
    board.touch.tap((100, 100, 10, 10))
    seen = set()
    for _ in range(400):
        script.step()
        seen.update(board.display.canvas.texts())
    assert {"3", "2", "1", "4 photos on the card: tap for more"} <= seen
    assert len(list((tmp_path / "plain" / "samples").glob("*.jpg"))) == 4
    assert board.display.photo is None


def test_booth_says_that_the_card_is_full(demo):
    script, board = demo("photo_booth", "PhotoBooth")
    script.card.free_bytes = lambda: 1000
    board.touch.tap((100, 100, 10, 10))
    steps(script, 200)
    assert any("card full" in text for text in board.display.canvas.texts()) and not script.taken


def test_self_learning_knows_what_it_was_shown(demo):
    script, board = demo("self_learning", "SelfLearning")
    learn, forget = (648, 180, 144, 80), (648, 270, 144, 80)
    frame = board.camera.ai

    def hold_up(red, green, blue):
        frame[:] = 40
        for plane, value in enumerate((red, green, blue)):
            frame[plane, 100:260, 220:420] = value
        steps(script, 2)

    names = []
    for colour in ((220, 30, 30), (30, 200, 60), (40, 60, 230)):
        hold_up(*colour)
        assert script.name == ""
        board.touch.tap(learn)
        steps(script, 2)
        names.append(script.name)
    assert len(set(names)) == 3 and all(names)
    for colour, name in (((215, 35, 33), names[0]), ((36, 190, 66), names[1]), ((44, 66, 220), names[2])):
        hold_up(*colour)
        assert script.name == name and any(name in text for text in board.display.canvas.texts())
    board.touch.tap(forget)
    steps(script, 2)
    assert script.name == ""
    kept = json.loads((Path(script.root) / "library" / "colours.json").read_text())
    assert names[2] not in json.dumps(kept) and names[0] in json.dumps(kept)
