"""Fakes on the path, and an app on a fake board with its card in a temporary folder."""

import gc
import json

import pytest

from fakes.device_board import FakeBoard
from fakes.device_host import BOARD_ID, KEY, FakeHost
from snaploop_device import layout
from snaploop_device.app import App


class Rig:
    """An app, its fake board and fake host, and a finger."""

    def __init__(self, root, host=None, paired=True, width=800, **settings):
        self.root = root
        self.host = host
        root.mkdir(parents=True, exist_ok=True)
        if paired:
            fields = {
                "id": BOARD_ID,
                "key": KEY.hex(),
                "name": "kit",
                "host": ["10.0.0.1", 8765],
                "wifi": ["net", "secret"],
            }
            fields.update(settings)
            (root / "config.json").write_text(json.dumps(fields))
        self.board = FakeBoard(host, width)
        self.app = App(self.board, str(root))
        self.app.start()

    @property
    def state(self):
        return self.app.state

    def steps(self, count=1):
        for _ in range(count):
            self.app.step()

    def until(self, condition, limit=7000):
        for _ in range(limit):
            if condition():
                return
            self.app.step()
        raise AssertionError(
            f"not within {limit} steps; message: {self.state.message!r}, model: {self.state.model_state!r}"
        )

    def rects(self):
        state = self.state
        return layout.button_rects(state.screen, state.panel_w, state.panel_h, state.classes, state.class_page)

    def tap(self, name):
        self.board.touch.tap(self.rects()[name])
        self.steps(2)

    def drag(self, x0, y0, x1, y1):
        self.board.touch.drag(x0, y0, x1, y1)
        self.steps(2)

    def shoot_and_label(self, class_name, box):
        """One photo with one box (x, y, w, h), by finger only."""
        if self.state.screen != "capture":
            self.tap("tab:capture")
        self.tap("shutter")
        self.tap("class:" + class_name)
        x, y, w, h = box
        self.drag(x, y, x + w, y + h)
        self.tap("save")

    def restart(self, **changes):
        """Switch off and on again: a new app on the same card."""
        self.app.close()
        board = FakeBoard(self.host, self.board.display.width)
        for name, value in changes.items():
            setattr(board, name, value)
        self.board = board
        self.app = App(board, str(self.root))
        self.app.start()


@pytest.fixture
def make_rig(tmp_path):
    """Make a Rig on a card of its own."""
    made = []

    def make(**arguments):
        made.append(Rig(tmp_path / f"card{len(made)}", **arguments))
        return made[-1]

    yield make
    for rig in made:
        rig.app.close()


@pytest.fixture
def host():
    """A fake host with the classes red and green."""
    return FakeHost()


@pytest.fixture
def rig(make_rig, host):
    """A paired board with its host, greeted."""
    made = make_rig(host=host)
    made.until(lambda: made.state.classes)
    return made


@pytest.fixture(autouse=True, scope="session")
def quick_collections():
    """The app collects garbage in every live frame, as the board must; what other tests imported need not be searched."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
