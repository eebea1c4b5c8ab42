"""Pair: live video with a frame for the QR code of the host's page, and one line that says how it goes."""

from .. import layout
from . import widgets as w

CODE_PX = 280  # the frame's side: a code that fills it is read from some 20 cm


def draw(state, canvas) -> None:
    """Draw the screen; the picture is left to live video."""
    rects = w.rects_of(state)
    w.bars(canvas, state, rects)
    x, y = (layout.PHOTO_W - CODE_PX) // 2, (layout.PHOTO_H - CODE_PX) // 2
    canvas.rectangle(x, y, CODE_PX, CODE_PX, w.ACCENT, thickness=4)
    w.button(canvas, state, rects, "close", "Close")
    text = state.message or state.pair_text
    colour = w.LEVEL_COLOURS.get(state.message_level if state.message else "", w.BAD if state.pair_failed else w.TEXT)
    w.strip_paragraph(canvas, state, text, colour)


def draw_picture(state, overlay) -> None:
    """Nothing lies over the video."""


def touched(state, event, name, x, y):
    """Close goes back to Sync."""
    if event == "tap" and name == "close":
        return ("open", layout.SYNC)
    return None
