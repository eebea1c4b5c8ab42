"""A child with the board: random taps, drags and holds on every screen, per task; nothing breaks, and no label leaves its photo."""

import json
import random

import pytest
from tests.unit.device.test_models import go_live

from fakes.device_board import raw_heads
from snaploop_device import layout
from snaploop_shared.sample_record import parse

GESTURES = 250
UNDERSTANDABLE = ("tap a photo first", "freeze a frame first", "there is no", "a model is being changed")


def gesture(rig, rng):
    """One tap on a button, one drag anywhere, or a hold."""
    kind = rng.random()
    if kind < 0.6:
        rig.board.touch.tap(rng.choice(list(rig.rects().values())))
    elif kind < 0.9:
        points = [
            (rng.randrange(-5, rig.state.panel_w + 5), rng.randrange(-5, 485)) for _ in range(rng.randrange(2, 9))
        ]
        events = [("down", *points[0])] + [("move", *point) for point in points[1:]]
        rig.board.touch.waiting = [*events, ("up", *points[-1])]
    else:
        x, y = rng.randrange(rig.state.panel_w), rng.randrange(480)
        rig.board.touch.waiting = [("down", x, y)]
        for _ in range(rng.randrange(1, 30)):
            rig.app.step()
        rig.board.touch.waiting = [("up", x, y)]
    rig.steps(rng.randrange(1, 4))


@pytest.mark.parametrize("width", [640, 800])
@pytest.mark.parametrize("task", ["detect", "classify", "multilabel", "segment", "ocr_detect"])
def test_random_fingers_break_nothing(make_rig, host, task, width):
    rng = random.Random(f"{task} {width}")
    host.task, host.classes = task, [f"c{n}" for n in range(11)]
    rig = make_rig(host=host, width=width)
    rig.until(lambda: rig.state.classes)
    rig.board.kpu.live_outputs = lambda network: raw_heads([(0, 40, 40, 30, 60)], 320, 192, 11)
    rig.board.kpu.golden_outputs = lambda network: raw_heads([(1, 100, 50, 40, 40)], 320, 192, 11)
    go_live(rig, host)
    rig.app.apply(("shoot",))
    rig.app.apply(("shutter_up",))
    visited = set()
    for _ in range(GESTURES):
        gesture(rig, rng)
        visited.add(rig.state.screen)
        if rig.state.message_level == "error" and rig.state.message:
            assert rig.state.message.startswith(UNDERSTANDABLE), rig.state.message
    assert visited >= set(layout.TABS)
    records = sorted((rig.root / "samples").glob("*.json"))
    for path in records:
        parse(path.read_bytes())  # raises when a shape is outside its photo
    counted = {}
    for path in records:
        record = json.loads(path.read_text())
        for box in record["boxes"] if record["state"] != "rejected" else []:
            counted[box["class"]] = counted.get(box["class"], 0) + 1
    assert {name: count for name, count in rig.app.store.class_counts.items() if count} == counted
