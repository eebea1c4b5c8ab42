"""Label: the frozen photo, the class bar, shapes drawn with one finger, the model's proposals dashed."""

from .. import layout, shapes
from ..labelling import CLASSIFY, EMBED, MULTILABEL, OCR_DETECT, OCR_RECOGNIZE, SEGMENT, WHOLE_PHOTO_TASKS
from . import widgets as w
from .tags import BOX_THICKNESS_PX, Tags

HELP_PX = 28  # the line at the top of the picture
DASH_PX = 12
HANDLE_R_PX = 11
POINT_R_PX = 6  # of outlines with many points
MOST_BIG_HANDLES = 8
SAVE_FILL = (36, 120, 60)

_HELP = {
    CLASSIFY: "Tap the class of this photo",
    EMBED: "Tap what this photo shows",
    MULTILABEL: "Tap every class that is there, then Save",
    SEGMENT: "Trace around each thing, then Save",
    OCR_DETECT: "Drag a box around each text, then Save",
    OCR_RECOGNIZE: "Drag a box around each text, then Save",
}
_HELP_BOXES = "Drag a box around each thing, then Save"
_HELP_SELECTED = "Pull a dot to resize, drag inside to move, tap a class to change it"


def draw(state, canvas) -> None:
    """Draw the panels around the photo."""
    rects = w.rects_of(state)
    editing = state.labelling
    w.bars(canvas, state, rects)
    if editing is None:
        canvas.rectangle(0, 0, layout.PHOTO_W, layout.PHOTO_H, w.BACKGROUND, fill=True)
        w.centred(canvas, (0, 120, layout.PHOTO_W, 60), 28, "No photos yet", w.TEXT)
        w.centred(canvas, (0, 170, layout.PHOTO_W, 40), 20, "Take one on the Capture screen", w.DIM)
    _class_bar(canvas, state, rects, editing)
    _buttons(canvas, state, rects, editing)
    w.message(canvas, state)


def draw_picture(state, overlay) -> None:
    """Shapes, proposals, and what the finger is doing."""
    editing = state.labelling
    if editing is None:
        return
    if editing.task in WHOLE_PHOTO_TASKS:
        _whole_photo(state, overlay, editing)
    else:
        tags = Tags(overlay, HELP_PX)
        for box in editing.boxes:
            _shape(overlay, tags, box, _colour_of(state, box.class_name))
        for box in editing.proposals:
            colour = _colour_of(state, box.class_name)
            _dashed(overlay, box, colour)
            tags.name(box.x, box.y, box.w, box.h, colour, box.class_name, "?")
        tags.draw()
        if editing.selected >= 0:
            _handles(overlay, state, editing.boxes[editing.selected])
        if editing.drag is not None:
            _finger(state, overlay, editing)
    if editing.drag is None:
        _help(overlay, editing)


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
    if editing is not None and name in ("undo", "delete", "accept", "empty", "reject", "save", "older", "newer"):
        return (name,)
    return None


def _colour_of(state, name):
    return state.colour_of(name) if name in state.classes else w.DIM


def _shape(overlay, tags, one, colour):
    if not one.points:
        tags.box(one.x, one.y, one.w, one.h, colour, one.class_name)
        return
    last = one.points[-1]
    for point in one.points:
        overlay.line(last[0], last[1], point[0], point[1], colour, BOX_THICKNESS_PX)
        last = point
    tags.name(one.x, one.y, one.w, one.h, colour, one.class_name)


def _handles(overlay, state, one):
    colour = _colour_of(state, one.class_name)
    r = HANDLE_R_PX if len(one.points) <= MOST_BIG_HANDLES else POINT_R_PX
    for x, y, _grip in shapes.handles(one):
        x = min(max(x, r), layout.PHOTO_W - r - 1)
        y = min(max(y, r), layout.PHOTO_H - r - 1)
        overlay.circle(x, y, r, w.WHITE, fill=True)
        overlay.circle(x, y, r - 3, colour, fill=True)


def _dashed(overlay, one, colour):
    if one.points:
        _dashed_outline(overlay, one.points, colour)
        return
    right, bottom = one.x + one.w - 1, one.y + one.h - 1
    for x in range(one.x, right, 2 * DASH_PX):
        end = min(x + DASH_PX, right)
        overlay.line(x, one.y, end, one.y, colour, 2)
        overlay.line(x, bottom, end, bottom, colour, 2)
    for y in range(one.y, bottom, 2 * DASH_PX):
        end = min(y + DASH_PX, bottom)
        overlay.line(one.x, y, one.x, end, colour, 2)
        overlay.line(right, y, right, end, colour, 2)


def _dashed_outline(overlay, points, colour):
    """Dashes along a polygon; corners do not end a dash, so that short sides are dashed too."""
    walked = 0
    before = points[-1]
    for point in points:
        dx, dy = point[0] - before[0], point[1] - before[1]
        length = max(abs(dx), abs(dy))
        at = 0
        while at < length:
            end = min(length, at + DASH_PX - walked % DASH_PX)
            if walked // DASH_PX % 2 == 0:
                x0, y0 = before[0] + dx * at // length, before[1] + dy * at // length
                overlay.line(x0, y0, before[0] + dx * end // length, before[1] + dy * end // length, colour, 2)
            walked += end - at
            at = end
        before = point


def _finger(state, overlay, editing):
    """What is being drawn, with lines through the fingertip that stick out from under it."""
    x0, y0, x1, y1 = editing.drag
    colour = state.colour_of(editing.classes[editing.class_index]) if editing.classes else w.DIM
    x1, y1 = min(max(x1, 0), layout.PHOTO_W - 1), min(max(y1, 0), layout.PHOTO_H - 1)
    if editing.grip is None and editing.trace:
        last = editing.trace[0]
        for point in editing.trace[1:]:
            overlay.line(last[0], last[1], point[0], point[1], colour, BOX_THICKNESS_PX)
            last = point
        return
    if editing.grip == "move":
        return
    overlay.line(x1, 0, x1, layout.PHOTO_H - 1, w.WHITE, 1)
    overlay.line(0, y1, layout.PHOTO_W - 1, y1, w.WHITE, 1)
    if editing.grip is not None:
        return
    x0, x1 = min(x0, x1), max(x0, x1)
    y0, y1 = min(y0, y1), max(y0, y1)
    if x1 > x0 and y1 > y0:
        overlay.rectangle(x0, y0, x1 - x0, y1 - y0, colour, thickness=BOX_THICKNESS_PX)


def _whole_photo(state, overlay, editing):
    """What is said of the photo, and with a question mark what the model would say."""
    boxes = editing.boxes + editing.proposals
    for index in range(len(boxes)):
        name, top = boxes[index].class_name, 44 + 40 * index
        is_said = index < len(editing.boxes)
        colour = _colour_of(state, name)
        text = w.fitted(name if is_said else name + " ?", 28, layout.PHOTO_W - 44)
        width = w.text_width(text, 28) + 20
        if is_said:
            overlay.rectangle(12, top, width, 36, colour, fill=True)
        else:
            overlay.rectangle(12, top, width, 36, w.BLACK, fill=True, alpha=170)
            overlay.rectangle(12, top, width, 36, colour, thickness=2)
        overlay.text(22, top + 2, 28, text, w.ink_on(colour) if is_said else colour)


def _help(overlay, editing):
    """One line at the top: the state of this photo, or what to do with it."""
    text, colour = "", w.TEXT
    if editing.record.state == "rejected" and not editing.changed:
        text, colour = "rejected: not used for training", w.BAD
    elif editing.selected >= 0:
        text = _HELP_SELECTED
    elif not editing.boxes and not editing.proposals:
        if editing.record.state == "labelled" and not editing.changed:
            text, colour = "background: nothing of the classes is on it", w.GOOD
        else:
            text = _HELP.get(editing.task, _HELP_BOXES) + ". Nothing there? Empty"
    if text:
        width = min(w.text_width(text, 18) + 20, layout.PHOTO_W)
        overlay.rectangle(0, 0, width, HELP_PX, w.BLACK, fill=True, alpha=170)
        overlay.text(10, 3, 18, w.fitted(text, 18, layout.PHOTO_W - 20), colour)


def _class_bar(canvas, state, rects, editing):
    if not state.classes:
        w.strip_paragraph(canvas, state, w.no_classes(state), w.WARN)
        return
    if editing is not None and editing.task in WHOLE_PHOTO_TASKS:
        chosen = editing.chosen_names
    else:
        chosen = (state.classes[editing.class_index if editing is not None else state.class_index],)
    w.class_bar(canvas, state, rects, chosen)


def _buttons(canvas, state, rects, editing):
    is_open = editing is not None
    size = 22 if layout.is_wide(state.panel_w) else 18
    w.button(canvas, state, rects, "older", "<", enabled=is_open)
    w.button(canvas, state, rects, "newer", ">", enabled=is_open)
    w.button(canvas, state, rects, "undo", "Undo", size=min(size, 20), enabled=is_open and editing.changed)
    w.button(canvas, state, rects, "delete", "Delete", size=min(size, 20), enabled=is_open and editing.selected >= 0)
    has_proposals = is_open and bool(editing.proposals)
    title = "Accept" if size < 20 else "Accept all" if has_proposals else "Accept"
    w.button(canvas, state, rects, "accept", title, size=size, enabled=has_proposals)
    w.button(canvas, state, rects, "empty", "Empty", size=min(size, 20), enabled=is_open and not editing.boxes)
    w.button(canvas, state, rects, "reject", "Reject", size=min(size, 20), enabled=is_open)
    w.button(canvas, state, rects, "save", "Save", size=26, fill=SAVE_FILL, enabled=is_open)
    if "back" in rects:
        w.button(canvas, state, rects, "back", "Back", size=size)
