"""The scripted finger: taps and drags on the virtual board's panel, aimed by the board app's own layout."""

from __future__ import annotations

import time
from collections.abc import Callable

from snaploop_device import layout
from snaploop_device.screens.label import BOX_THICKNESS_PX
from snaploop_shared import palette

from .errors import DemoError
from .json_http import JsonHttp
from .live_check import LabelledBox, drawn_boxes

PICTURE_LAYER = "OSD1"  # boxes over the picture
PANEL_LAYER = "OSD2"  # buttons and texts around it
LOOK_EVERY_S = 0.01
BOXES_WAIT_S = 30


class Finger:
    """One finger and two eyes in front of a board's panel. It knows what is drawn, nothing of the app's inside."""

    def __init__(self, board: JsonHttp, panel: tuple[int, int], classes: list[str]) -> None:
        """Aim at this board's panel (w, h in px) with these classes in the label screen's bar."""
        self.board = board
        self.panel = panel
        self.classes = classes
        self.colours = {colour: name for name, colour in palette.colours(classes).items()}
        self._page = 0

    def tap(self, screen: str, button: str) -> None:
        """Tap the middle of a button and wait until the board has taken it."""
        self._touch(self._tap_events(screen, button), waits=True)

    def start_tap(self, screen: str, button: str) -> None:
        """Tap a button and do not wait: look for what it changes with `wait_for`."""
        self._touch(self._tap_events(screen, button), waits=False)

    def draw_boxes(self, boxes: list[LabelledBox]) -> list[LabelledBox]:
        """Draw the boxes in the label screen, as far as they lie in the picture; what the screen then shows.

        Raises:
            DemoError: the screen does not show as many boxes in time.
        """
        events: list[tuple[str, int, int]] = []
        chosen = ""
        for box in sorted(boxes, key=lambda one: one.label):
            if box.label != chosen:
                events += self._choose_class_events(box.label)
                chosen = box.label
            events += self._drag_events(box)
        self._touch(events, waits=False)
        deadline = time.monotonic() + BOXES_WAIT_S
        while len(drawn := self.boxes(BOX_THICKNESS_PX)) != len(boxes):
            if time.monotonic() > deadline:
                raise DemoError(f"{len(boxes)} boxes were drawn with the finger, the label screen shows {len(drawn)}")
            time.sleep(LOOK_EVERY_S)
        return drawn

    def texts(self) -> list[str]:
        """Every text that stands on the panel now."""
        calls = self._drawn(PICTURE_LAYER) + self._drawn(PANEL_LAYER)
        return [str(call[4]) for call in calls if call[0] == "string"]

    def boxes(self, thickness: int) -> list[LabelledBox]:
        """The class-coloured outlines of this thickness in the picture window."""
        return drawn_boxes(self._drawn(PICTURE_LAYER), self.colours, thickness, (layout.PHOTO_W, layout.PHOTO_H))

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

    def _tap_events(self, screen: str, button: str) -> list[tuple[str, int, int]]:
        x, y, w, h = layout.button_rects(screen, *self.panel, self.classes, self._page)[button]
        return [("down", x + w // 2, y + h // 2), ("up", x + w // 2, y + h // 2)]

    def _drag_events(self, box: LabelledBox) -> list[tuple[str, int, int]]:
        """From corner to corner. A finger that left the picture would press what is beside it, so its edge is the limit."""
        left, top = max(0, round(box.x)), max(0, round(box.y))
        right, bottom = min(layout.PHOTO_W - 1, round(box.x + box.w)), min(layout.PHOTO_H - 1, round(box.y + box.h))
        middle = ((left + right) // 2, (top + bottom) // 2)
        return [("down", left, top), ("move", *middle), ("move", right, bottom), ("up", right, bottom)]

    def _choose_class_events(self, label: str) -> list[tuple[str, int, int]]:
        """Taps on "more" until the bar shows the class, then on the class."""
        events: list[tuple[str, int, int]] = []
        for _ in range(len(self.classes)):
            if f"class:{label}" in layout.button_rects(layout.LABEL, *self.panel, self.classes, self._page):
                return events + self._tap_events(layout.LABEL, f"class:{label}")
            events += self._tap_events(layout.LABEL, "classes")
            self._page += 1  # the app counts its pages up in the same way; both wrap where the layout does
        raise DemoError(f"the label screen has no class {label!r}")

    def _drawn(self, layer: str) -> list[list[object]]:
        calls = self.board.get(f"/drawn?layer={layer}")["calls"]
        assert isinstance(calls, list)
        return calls

    def _touch(self, events: list[tuple[str, int, int]], waits: bool) -> None:
        queued = [{"event": event, "x": x, "y": y} for event, x, y in events]
        self.board.post("/touch", {"events": queued, "wait": waits})
