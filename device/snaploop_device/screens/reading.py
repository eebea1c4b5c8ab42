"""Text over the video: a line around each that was found, or the strip that is read and what it says."""

from snaploop_shared.letterbox import strip_placement
from snaploop_shared.manifest import HEAD_TEXTMAP

from .. import layout
from . import widgets as w

QUAD_THICKNESS_PX = 3
SIZES = (48, 40, 32, 26)  # of what is read, the largest that fits
HINT = "hold a line of text into the frame"


def draw(state, overlay) -> None:
    """Draw what `state.detections` of a text model say."""
    if state.model.head == HEAD_TEXTMAP:
        colour = state.colour_of(state.model.labels[0])
        for one in state.detections:
            _quad(overlay, one[6], colour)
        return
    model = state.model
    x, y, width, height = strip_placement(layout.PHOTO_W, layout.PHOTO_H, model.input_w, model.input_h).cut
    text = state.detections[0][6] if state.detections else ""
    overlay.rectangle(x, y, width, height, w.GOOD if text else w.WHITE, thickness=3)
    top = y + height + 12
    if not text:
        wide = w.text_width(HINT, 20) + 24
        overlay.rectangle((layout.PHOTO_W - wide) // 2, top, wide, 34, w.BLACK, fill=True, alpha=190)
        overlay.text((layout.PHOTO_W - wide) // 2 + 12, top + 4, 20, HINT, w.TEXT)
        return
    chance = " {} %".format((state.detections[0][1] + 5) // 10)
    room = layout.PHOTO_W - 48 - w.text_width(chance, 20)
    for size in SIZES:
        if w.text_width(text, size) <= room:
            break
    shown = w.fitted(text, size, room)
    wide = w.text_width(shown, size) + w.text_width(chance, 20) + 24
    left = (layout.PHOTO_W - wide) // 2
    overlay.rectangle(left, top, wide, w.line_px(size) + 8, w.BLACK, fill=True, alpha=190)
    overlay.text(left + 12, top + 4, size, shown, w.GOOD)
    overlay.text(
        left + wide - 12 - w.text_width(chance, 20), top + 4 + (w.line_px(size) - w.line_px(20)), 20, chance, w.DIM
    )


def _quad(overlay, corners, colour):
    for at in range(0, 8, 2):
        after = (at + 2) % 8
        overlay.line(corners[at], corners[at + 1], corners[after], corners[after + 1], colour, QUAD_THICKNESS_PX)
