"""Gallery: sixteen photos a page, newest first; the photos lie on the contact sheet, their states are drawn over it."""

from .. import layout
from . import widgets as w

_STATE_COLOURS = {"new": w.WARN, "labelled": w.GOOD, "rejected": w.BAD}


def draw(state, canvas) -> None:
    """Draw the panels around the sheet."""
    rects = w.rects_of(state)
    w.bars(canvas, state, rects)
    gallery = state.gallery
    wide = layout.is_wide(state.panel_w)
    w.button(canvas, state, rects, "page:back", "<", enabled=gallery.page > 0)
    on = ">" if wide else "{}/{} >".format(gallery.page + 1, gallery.pages)
    w.button(canvas, state, rects, "page:on", on, enabled=gallery.page + 1 < gallery.pages)
    w.button(canvas, state, rects, "undo", "Undo", enabled=bool(state.deleted))
    w.button(canvas, state, rects, "delete", "Delete", enabled=bool(gallery.chosen))
    w.button(canvas, state, rects, "open", "Open", enabled=bool(gallery.chosen))
    if wide:
        canvas.text(656, 76, 18, "page {} of {}".format(gallery.page + 1, gallery.pages), w.TEXT)
        canvas.text(656, 100, 16, w.fitted(gallery.chosen or "tap a photo", 16, 140), w.DIM)
        x, y, _w, _h = layout.strip_rect(state.panel_w, state.panel_h)
        _legend(canvas, x + 16, y + 18, state)
    w.message(canvas, state)


def draw_picture(state, overlay) -> None:
    """States and the chosen one; says so when there are none."""
    gallery = state.gallery
    names = gallery.shown
    if not names:
        overlay.rectangle(0, 0, layout.PHOTO_W, layout.PHOTO_H, w.BACKGROUND, fill=True)
        w.centred(overlay, (0, 120, layout.PHOTO_W, 60), 28, "No photos yet", w.TEXT)
        w.centred(overlay, (0, 170, layout.PHOTO_W, 40), 20, "Take one on the Capture screen", w.DIM)
        return
    for index in range(len(names)):
        x = index % layout.THUMBS_ACROSS * layout.THUMB_W
        y = index // layout.THUMBS_ACROSS * layout.THUMB_H
        overlay.rectangle(x, y, layout.THUMB_W, layout.THUMB_H, w.BACKGROUND, thickness=2)
        _mark(overlay, x, y, names[index], state)
        if names[index] == gallery.chosen:
            overlay.rectangle(x, y, layout.THUMB_W, layout.THUMB_H, w.WHITE, thickness=5)


def touched(state, event, name, x, y):
    """Pages, thumbnails, buttons."""
    if event != "tap":
        return None
    if name.startswith("thumb:"):
        return ("gallery_tap", int(name[6:]))
    if name == "page:back":
        return ("gallery_page", -1)
    if name == "page:on":
        return ("gallery_page", 1)
    if name in ("open", "delete", "undo"):
        return ("gallery_" + name,)
    return None


def _mark(overlay, x, y, name, state):
    label_state, boxes = state.summary_of(name)
    text = {"new": "new", "rejected": "rejected"}.get(label_state, str(boxes) if boxes else "empty")
    if name in state.gallery.broken:
        text, label_state = "unreadable", "rejected"
        overlay.rectangle(x, y, layout.THUMB_W, layout.THUMB_H, w.PANEL, fill=True)
    width = w.text_width(text, 16) + 30
    overlay.rectangle(x + 3, y + 65, width, 22, w.BLACK, fill=True, alpha=190)
    overlay.circle(x + 14, y + 76, 6, _STATE_COLOURS[label_state], fill=True)
    overlay.text(x + 25, y + 66, 16, text, w.TEXT)


def _legend(canvas, x, y, state):
    for label_state, title in (
        ("new", "{} to label".format(state.unlabelled)),
        ("labelled", "labelled: number of boxes"),
        ("rejected", "rejected"),
    ):
        canvas.circle(x + 8, y + 10, 7, _STATE_COLOURS[label_state], fill=True)
        canvas.text(x + 24, y, 18, title, w.TEXT)
        x += 48 + w.text_width(title, 18)
