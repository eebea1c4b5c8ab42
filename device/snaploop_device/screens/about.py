"""About: what this board is and what the app found on it; the same facts go to the host with hello."""

from .. import layout
from . import widgets as w

ROW_PX = 26


def draw(state, canvas) -> None:
    """Draw the screen."""
    rects = w.rects_of(state)
    width = min(state.panel_w, layout.UI_W)
    canvas.rectangle(0, 0, width, layout.PHOTO_H, w.BACKGROUND, fill=True)
    w.bars(canvas, state, rects)
    canvas.text(20, 12, 26, "About this board", w.TEXT)
    y = 54
    for name, value in state.facts:
        canvas.text(20, y, 18, name, w.DIM)
        room = width - 150 if y + ROW_PX < rects["pair"][1] else layout.PHOTO_W - 320
        canvas.text(130, y, 18, w.fitted(value, 18, room), w.TEXT)
        y += ROW_PX
    w.button(canvas, state, rects, "pair", "Pair anew" if state.is_paired else "Pair", size=20)
    w.button(canvas, state, rects, "close", "Close")
    x, y, width, _h = layout.strip_rect(state.panel_w, state.panel_h)
    text = state.message or "AGPL-3.0-or-later, source: see the project's README"
    canvas.text(x + 20, y + 18, 18, w.fitted(text, 18, width - 40), w.DIM)


def draw_picture(state, overlay) -> None:
    """Nothing: the page covers the picture."""


def touched(state, event, name, x, y):
    """Close goes back to Sync, where About was opened; Pair reads the QR code of a host, also of another one."""
    if event == "tap" and name == "close":
        return ("open", layout.SYNC)
    if event == "tap" and name == "pair":
        return ("open", layout.PAIR)
    return None
