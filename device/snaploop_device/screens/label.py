"""Label: the frozen photo, the class bar, boxes drawn with one finger."""

from .. import layout
from . import widgets as w

BOX_THICKNESS_PX = 3
NAME_SIZE_PX = 20


def draw(state, canvas) -> None:
    """Draw the screen."""
    rects = w.rects_of(state)
    w.bars(canvas, state, rects)
    editing = state.labelling
    if editing is None:
        canvas.rectangle(0, 0, layout.PHOTO_W, layout.PHOTO_H, w.BACKGROUND, fill=True)
        w.centred(canvas, (0, 120, layout.PHOTO_W, 60), 28, "No photos yet", w.TEXT)
        w.centred(canvas, (0, 170, layout.PHOTO_W, 40), 20, "Take one on the Capture screen", w.DIM)
    else:
        _boxes(canvas, state, editing)
    _class_bar(canvas, state, rects, editing)
    _buttons(canvas, state, rects, editing)
    w.message(canvas, state)


def touched(state, event, name, x, y):
    """Drags on the photo, taps on the buttons."""
    editing = state.labelling
    if editing is not None:
        if event == "down" and name == "picture":
            return ("drag_start", x, y)
        if editing.drag is not None:
            if event == "move":
                return ("drag_move", x, y)
            if event == "up":
                return ("drag_end", x, y)
    if event != "tap":
        return None
    if name == "back":
        return ("open", layout.CAPTURE)
    if name.startswith("class:"):
        return ("choose_class", name[6:])
    if name == "classes":
        return ("class_page",)
    if editing is not None and name in ("undo", "delete", "reject", "save", "older", "newer"):
        return (name,)
    return None


def box(canvas, x, y, width, height, colour, text) -> None:
    """A box with its name above it, or inside when there is no room above; Live draws its detections alike."""
    canvas.rectangle(x, y, width, height, colour, thickness=BOX_THICKNESS_PX)
    if text:
        text_x = max(0, min(x, layout.PHOTO_W - w.text_width(text, NAME_SIZE_PX) - 8))
        text_y = y - NAME_SIZE_PX - 6 if y > NAME_SIZE_PX + 6 else y + 4
        canvas.rectangle(
            text_x, text_y, w.text_width(text, NAME_SIZE_PX) + 8, NAME_SIZE_PX + 6, w.BLACK, fill=True, alpha=150
        )
        canvas.text(text_x + 4, text_y + 1, NAME_SIZE_PX, text, colour)


def _boxes(canvas, state, editing):
    for index in range(len(editing.boxes)):
        one = editing.boxes[index]
        known = one.class_name in state.classes
        colour = layout.class_colour(state.classes.index(one.class_name)) if known else w.DIM
        box(canvas, one.x, one.y, one.w, one.h, colour, one.class_name)
        if index == editing.selected:
            canvas.rectangle(max(0, one.x - 4), max(0, one.y - 4), one.w + 8, one.h + 8, w.WHITE, thickness=2)
    if editing.drag is not None:
        x0, y0, x1, y1 = editing.drag
        x0, x1 = max(0, min(x0, x1)), min(layout.PHOTO_W, max(x0, x1))
        y0, y1 = max(0, min(y0, y1)), min(layout.PHOTO_H, max(y0, y1))
        if x1 > x0 and y1 > y0:
            colour = layout.class_colour(editing.class_index) if editing.classes else w.DIM
            canvas.rectangle(x0, y0, x1 - x0, y1 - y0, colour, thickness=BOX_THICKNESS_PX)
    if editing.record.state == "rejected":
        canvas.text(10, 8, 24, "rejected", w.BAD)


def _class_bar(canvas, state, rects, editing):
    if not state.classes:
        x, y, width, _h = layout.strip_rect(state.panel_w, state.panel_h)
        canvas.text(
            x + 16, y + 18, 20, w.fitted("No classes yet: sync once, they come from the host", 20, width - 32), w.WARN
        )
        return
    chosen = editing.class_index if editing is not None else state.class_index
    first, names = layout.class_page(state.classes, state.class_page)
    for index in range(len(names)):
        rect = rects["class:" + names[index]]
        colour = layout.class_colour(first + index)
        canvas.rectangle(rect[0], rect[1], rect[2], rect[3], colour, fill=True)
        if first + index == chosen:
            canvas.rectangle(rect[0], rect[1], rect[2], rect[3], w.WHITE, thickness=5)
        w.centred(canvas, rect, 24, names[index], w.ink_on(colour))
    if "classes" in rects:
        w.button(canvas, state, rects, "classes", "more")


def _buttons(canvas, state, rects, editing):
    is_open = editing is not None
    w.button(canvas, state, rects, "older", "<", enabled=is_open)
    w.button(canvas, state, rects, "newer", ">", enabled=is_open)
    w.button(canvas, state, rects, "undo", "Undo", enabled=is_open)
    w.button(canvas, state, rects, "delete", "Delete", enabled=is_open and editing.selected >= 0)
    w.button(canvas, state, rects, "reject", "Reject", enabled=is_open)
    w.button(canvas, state, rects, "save", "Save", size=26, fill=(36, 120, 60), enabled=is_open)
    if "back" in rects:
        w.button(canvas, state, rects, "back", "Back")
