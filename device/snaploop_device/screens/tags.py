"""Name tags of boxes: above the box where there is room, else below or inside it, and never over the tag of another box. Label and Live."""

from .. import layout
from . import widgets as w

SIZE_PX = 20
HEIGHT_PX = SIZE_PX + 6
MOST_NAME_PX = 220  # a longer name is cut
MOST_OFF_PX = 4 * HEIGHT_PX  # a tag that stands further off belongs to nothing
MOST_PLACED = 12  # further tags stand above their box whatever is there: placing takes time, and so many overlap anyway
BOX_THICKNESS_PX = 3


MOST_KNOWN = 250
_known = {}  # (name, more, colour) → (text, width px, ink): measuring takes as long as drawing, and names come with every frame


def _measured(name, more, colour):
    key = (name, more, colour)
    known = _known.get(key)
    if known is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        shown = w.fitted(name, SIZE_PX, MOST_NAME_PX)
        wide = w.text_width(shown, SIZE_PX) + w.text_width(more, SIZE_PX) + 8
        known = _known[key] = (shown + more, wide, w.ink_on(colour))
    return known


class Tags:
    """The tags of one picture; boxes are drawn as they come, their tags all together by `draw`, so that no box cuts a name."""

    def __init__(self, canvas, top: int = 0) -> None:
        """Draw on this canvas; its first `top` rows belong to somebody else."""
        self._canvas = canvas
        self._top = top
        self._placed = []  # (x, y, width, colour, text, ink) of the tags so far

    def box(self, x, y, width, height, colour, name, more="") -> None:
        """A box with its name; `more` (a score) is never cut."""
        self._canvas.rectangle(x, y, width, height, colour, BOX_THICKNESS_PX)
        self.name(x, y, width, height, colour, name, more)

    def name(self, x, y, width, height, colour, name, more="") -> None:
        """The name of something in this rectangle."""
        if not name:
            return
        text, wide, ink = _measured(name, more, colour)
        at_x, at_y = self._place(x, y, width, height, wide)
        self._placed.append((at_x, at_y, wide, colour, text, ink))

    def draw(self) -> None:
        """Draw the tags."""
        tag = self._canvas.tag
        for x, y, wide, colour, text, ink in self._placed:
            tag(x, y, wide, HEIGHT_PX, colour, SIZE_PX, text, ink)

    def _place(self, x, y, width, height, wide):
        """The first free place: above the box, below it, inside it; at its left edge, then at its right one; then further off."""
        rightmost = layout.PHOTO_W - wide
        above = y - HEIGHT_PX
        lowest = layout.PHOTO_H - HEIGHT_PX
        if 0 <= x <= rightmost and self._top <= above <= lowest and self._is_free(x, above, wide):
            return x, above  # as most of them
        left = min(max(x, 0), rightmost)
        right = min(max(x + width - wide, 0), rightmost)
        below = y + height
        if len(self._placed) < MOST_PLACED:
            for at_x in (left, right):
                for at_y in (above, below, y):
                    if self._top <= at_y <= lowest and self._is_free(at_x, at_y, wide):
                        return at_x, at_y
            for step in range(HEIGHT_PX, MOST_OFF_PX, HEIGHT_PX):
                for at_y in (above - step, below + step):
                    if self._top <= at_y <= lowest and self._is_free(left, at_y, wide):
                        return left, at_y
        return left, min(max(above, self._top), lowest)

    def _is_free(self, x, y, wide):
        right = x + wide
        for other in self._placed:
            if x < other[0] + other[2] and other[0] < right and abs(y - other[1]) < HEIGHT_PX:
                return False
        return True
