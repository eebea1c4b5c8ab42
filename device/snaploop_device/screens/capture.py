"""Capture: live view, shutter, how many photos and boxes of each class there are, free space."""

from .. import layout
from . import widgets as w

WHITE_RING = (200, 204, 210)


def draw(state, canvas) -> None:
    """Draw the screen."""
    rects = w.rects_of(state)
    w.bars(canvas, state, rects)
    wide = layout.is_wide(state.panel_w)
    if wide:
        _side(canvas, state)
    _strip(canvas, state, wide)
    x, y = layout.shutter_centre(state.panel_w, state.panel_h)
    canvas.circle(x, y, layout.SHUTTER_RING_R_PX, WHITE_RING, thickness=5)
    canvas.circle(x, y, layout.SHUTTER_R_PX, w.ACCENT if state.pressed == "shutter" else w.WHITE, fill=True)
    if state.flash_ms is not None:
        canvas.rectangle(0, 0, layout.PHOTO_W, layout.PHOTO_H, w.WHITE, thickness=12)
    w.message(canvas, state)


def touched(state, event, name, x, y):
    """A press on the shutter shoots at once (requirement S0-02)."""
    if event == "down" and name == "shutter":
        return ("shoot",)
    return None


def _side(canvas, state):
    canvas.text(656, 10, 40, str(state.photos), w.TEXT)
    canvas.text(656, 56, 18, "photos", w.DIM)
    y = 88
    shown = state.classes[:4]
    for index in range(len(shown)):
        canvas.rectangle(656, y + 4, 14, 14, layout.class_colour(index), fill=True)
        count = str(state.class_counts.get(shown[index], 0))
        canvas.text(676, y, 18, w.fitted(shown[index], 18, 84), w.TEXT)
        canvas.text(794 - w.text_width(count, 18), y, 18, count, w.TEXT)
        y += 26
    if len(state.classes) > 4:
        canvas.text(676, y - 4, 14, "and {} more".format(len(state.classes) - 4), w.DIM)
    canvas.text(656, 296, 16, w.free_text(state.free_bytes), w.BAD if state.free_bytes < (8 << 20) else w.DIM)
    canvas.text(656, 324, 16, w.fitted(state.project, 16, 140), w.DIM)


def _strip(canvas, state, wide):
    x, y, width, _h = layout.strip_rect(state.panel_w, state.panel_h)
    if not state.classes:
        text = "Tap the white disc. Classes come with the first sync." if wide else "Classes come with the first sync."
    elif state.unlabelled:
        text = "{} photos are waiting for labels".format(state.unlabelled)
    else:
        text = "Point, tap the white disc, draw the boxes"
    if wide:
        canvas.text(x + 16, y + 18, 20, w.fitted(text, 20, width - 32), w.DIM)
        return
    canvas.text(
        x + 12,
        y + 6,
        20,
        w.fitted("{} photos, {}".format(state.photos, w.free_text(state.free_bytes)), 20, width - 24),
        w.TEXT,
    )
    counts = ["{} {}".format(name, state.class_counts.get(name, 0)) for name in state.classes]
    canvas.text(x + 12, y + 32, 18, w.fitted("  ".join(counts) or text, 18, width - 24), w.DIM)
