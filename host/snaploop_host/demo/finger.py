"""The scripted finger: taps and drags on the virtual board's panel, aimed by the board app's own layout."""

from __future__ import annotations

import time
from collections.abc import Callable

from snaploop_device import layout

from .errors import DemoError
from .json_http import JsonHttp
from .live_check import LabelledBox, drawn_boxes

UI_LAYER = "OSD1"
LOOK_EVERY_S = 0.02


class Finger:
    """One finger and two eyes in front of a board's panel. It knows what is drawn, nothing of the app's inside."""

    def __init__(self, board: JsonHttp, panel: tuple[int, int], classes: list[str]) -> None:
        """Aim at this board's panel (w, h in px) with these classes in the label screen's bar."""
        self.board = board
        self.panel = panel
        self.classes = classes
        self.colours = {layout.class_colour(index): name for index, name in enumerate(classes)}
        self._page = 0

    def tap(self, screen: str, button: str) -> None:
        """Tap the middle of a button and wait until the board has taken it."""
        x, y, w, h = layout.button_rects(screen, *self.panel, self.classes, self._page)[button]
        self._touch([("down", x + w // 2, y + h // 2), ("up", x + w // 2, y + h // 2)])

    def drag(self, x0: int, y0: int, x1: int, y1: int) -> None:
        """Draw from one point to the other."""
        middle = ((x0 + x1) // 2, (y0 + y1) // 2)
        self._touch([("down", x0, y0), ("move", *middle), ("move", x1, y1), ("up", x1, y1)])

    def draw_box(self, box: LabelledBox) -> None:
        """Choose the box's class in the bar and drag its corners, as far as they lie in the picture."""
        self._choose_class(box.label)
        left, top = max(0, round(box.x)), max(0, round(box.y))
        right, bottom = min(layout.PHOTO_W, round(box.x + box.w)), min(layout.PHOTO_H, round(box.y + box.h))
        # The last row and column of the picture are its edge: a finger that leaves the picture would press what is beside it.
        self.drag(left, top, min(right, layout.PHOTO_W - 1), min(bottom, layout.PHOTO_H - 1))

    def texts(self) -> list[str]:
        """Every text that stands on the panel now."""
        calls = self._drawn()
        return [str(call[4]) for call in calls if call[0] == "string"]

    def boxes(self, thickness: int) -> list[LabelledBox]:
        """The class-coloured outlines of this thickness in the picture window."""
        return drawn_boxes(self._drawn(), self.colours, thickness, (layout.PHOTO_W, layout.PHOTO_H))

    def wait_for(self, what: str, condition: Callable[[list[str]], bool], timeout_s: float) -> list[str]:
        """Look at the panel until its texts satisfy the condition; the texts.

        Raises:
            DemoError: it did not come in time; tells what the panel says instead.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            texts = self.texts()
            if condition(texts):
                return texts
            if time.monotonic() > deadline:
                raise DemoError(f"waited {timeout_s:.0f} s for {what}; the panel says: {' | '.join(texts)}")
            time.sleep(LOOK_EVERY_S)

    def _choose_class(self, label: str) -> None:
        first_page = self._page
        while f"class:{label}" not in layout.button_rects(layout.LABEL, *self.panel, self.classes, self._page):
            self.tap(layout.LABEL, "classes")
            self._page = (self._page + 1) % (
                (len(self.classes) + layout.CLASSES_PER_PAGE - 2) // (layout.CLASSES_PER_PAGE - 1)
            )
            if self._page == first_page:
                raise DemoError(f"the label screen has no class {label!r}")
        self.tap(layout.LABEL, f"class:{label}")

    def _drawn(self) -> list[list[object]]:
        calls = self.board.get(f"/drawn?layer={UI_LAYER}")["calls"]
        assert isinstance(calls, list)
        return calls

    def _touch(self, events: list[tuple[str, int, int]]) -> None:
        self.board.post(
            "/touch", {"events": [{"event": event, "x": x, "y": y} for event, x, y in events], "wait": True}
        )
