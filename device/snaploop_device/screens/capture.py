"""Capture: live view with a framing guide, shutter, the class bar with counts, free space."""

from .. import layout
from ..labelling import WHOLE_PHOTO_TASKS
from . import widgets as w

WHITE_RING = (200, 204, 210)
GUIDE = (225, 230, 238)
GUIDE_ARM_PX = 26
GUIDE_INSET_PX = 40  # things inside are whole on the photo and clear of its edge
LOW_SPACE_BYTES = 8 << 20


def draw(state, canvas) -> None:
    """Draw the panels around the picture."""
    rects = w.rects_of(state)
    w.bars(canvas, state, rects)
    if layout.is_wide(state.panel_w):
        _side(canvas, state)
    else:
        _head(canvas, state)
    x, y = layout.shutter_centre(state.panel_w, state.panel_h)
    canvas.circle(x, y, layout.SHUTTER_RING_R_PX, WHITE_RING, thickness=5)
    canvas.circle(x, y, layout.SHUTTER_R_PX, w.ACCENT if state.pressed == "shutter" else w.WHITE, fill=True)
    if state.classes:
        chosen = state.shot_class
        if state.task not in WHOLE_PHOTO_TASKS:
            chosen = state.classes[state.class_index]
        w.class_bar(canvas, state, rects, (chosen,), state.class_counts)
    else:
        text = "Tap the white disc to take a photo. " + w.no_classes(state)
        w.strip_paragraph(canvas, state, text, w.TEXT, (18, 16, 14))
    w.message(canvas, state)


def draw_picture(state, overlay) -> None:
    """The framing guide, and the flash of a shot."""
    right, bottom = layout.PHOTO_W - GUIDE_INSET_PX, layout.PHOTO_H - GUIDE_INSET_PX
    for x, dx in ((GUIDE_INSET_PX, GUIDE_ARM_PX), (right, -GUIDE_ARM_PX)):
        for y, dy in ((GUIDE_INSET_PX, GUIDE_ARM_PX), (bottom, -GUIDE_ARM_PX)):
            overlay.line(x, y, x + dx, y, GUIDE, 2)
            overlay.line(x, y, x, y + dy, GUIDE, 2)
    x, y = layout.PHOTO_W // 2, layout.PHOTO_H // 2
    overlay.line(x - 9, y, x + 9, y, GUIDE, 1)
    overlay.line(x, y - 9, x, y + 9, GUIDE, 1)
    if state.flash_ms is not None:
        overlay.rectangle(0, 0, layout.PHOTO_W, layout.PHOTO_H, w.WHITE, thickness=12)


def touched(state, event, name, x, y):
    """A press on the shutter shoots at once (requirement S0-02); lifting the finger ends a burst."""
    if event == "down" and name == "shutter":
        return ("shoot",)
    if event == "up" and state.pressed == "shutter":
        return ("shutter_up",)
    if event == "tap" and name.startswith("class:"):
        return ("choose_shot_class", name[6:])
    if event == "tap" and name == "classes":
        return ("class_page",)
    return None


def _hint(state):
    """What to do next, in two short lines."""
    if not state.has_touch:
        return "no touch panel:", "preview only"
    if state.burst > 1:
        return "{} in a row".format(state.burst), "lift to stop"
    if not state.classes and state.photos:
        return ("sync to get", "classes") if state.is_paired else ("next: pair", "on Sync")
    if state.unlabelled:
        return "{} to label".format(state.unlabelled), "in Label"
    if state.task in WHOLE_PHOTO_TASKS and not state.shot_class:
        return "class: before", "or after the shot"
    return "tap: a photo,", "hold: many"


def _side(canvas, state):
    canvas.text(656, 8, 44, str(state.photos), w.TEXT)
    canvas.text(656, 60, 18, "photo" if state.photos == 1 else "photos", w.DIM)
    lines = _hint(state)
    colour = w.WARN if state.unlabelled and state.has_touch else w.TEXT
    canvas.text(656, 96, 18, lines[0], colour)
    canvas.text(656, 120, 18, lines[1], colour)
    canvas.text(656, 308, 16, w.free_text(state.free_bytes), w.BAD if state.free_bytes < LOW_SPACE_BYTES else w.DIM)
    canvas.text(656, 332, 16, w.fitted(state.project, 16, 140), w.DIM)


def _head(canvas, state):
    """On a narrow panel the same in one line over the picture."""
    lines = _hint(state)
    count = "1 photo" if state.photos == 1 else "{} photos".format(state.photos)
    text = "{}   {} {}   {}".format(count, lines[0], lines[1], w.free_text(state.free_bytes))
    canvas.rectangle(0, 0, layout.PHOTO_W, 28, w.BLACK, fill=True, alpha=150)
    colour = w.BAD if state.free_bytes < LOW_SPACE_BYTES else w.TEXT
    canvas.text(10, 3, 18, w.fitted(text, 18, layout.PHOTO_W - 20), colour)
