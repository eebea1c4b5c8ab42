"""The touch panel: first finger, as down, move and up."""

from . import ports

MOST_EVENTS = 16  # per call; more wait for the next frame


class K230Touch(ports.Touch):
    """machine.TOUCH(0), rotated as the panel is (k230-platform §4)."""

    def __init__(self) -> None:
        """Nothing is touched yet."""
        self._touch = None
        self._names = {}
        self._last = (0, 0)
        self._is_down = False

    def start(self) -> None:
        """Open the device. A board without one (HDMI) goes on without touch."""
        from machine import TOUCH

        self._names = {TOUCH.EVENT_UP: "up", TOUCH.EVENT_DOWN: "down", TOUCH.EVENT_MOVE: "move"}
        try:
            self._touch = TOUCH(0)
        except RuntimeError as error:
            self.is_present = False
            print("no touch panel:", error)

    def events(self) -> "list[tuple[str, int, int]]":
        """What happened since the last call, in order."""
        if self._touch is None:
            return []
        found = []
        while len(found) < MOST_EVENTS:
            points = self._touch.read(1)
            if not points:
                break
            name = self._names.get(points[0].event)
            if name is not None:
                self._add(found, name, points[0].x, points[0].y)
        return found

    def _add(self, found, name, x, y):
        if name == "up" and x == 0 and y == 0:  # some controllers lift the finger without a position
            x, y = self._last
        if name == "down" and self._is_down:  # some repeat DOWN while the finger stays
            name = "move"
        if name == "move":
            if (x, y) == self._last:
                return
            if not self._is_down:
                name = "down"
        self._is_down = name != "up"
        self._last = (x, y)
        found.append((name, x, y))
