"""Live: what the model sees, over the video."""

from .. import layout
from . import label
from . import widgets as w


def draw(state, canvas) -> None:
    """Draw the screen; the boxes come first in the draw calls, so that they are easy to read back."""
    rects = w.rects_of(state)
    labels = state.model.labels if state.model is not None else []
    for index, score_permille, x, y, width, height in state.detections:
        name = labels[index] if index < len(labels) else str(index)
        text = "{} {}".format(name, (score_permille + 5) // 10)
        label.box(canvas, x, y, width, height, layout.class_colour(colour_index(state, name, index)), text)
    w.bars(canvas, state, rects)
    if layout.is_wide(state.panel_w):
        _side(canvas, state)
    _strip(canvas, state, labels)
    can_choose = len(state.models) > 1
    w.button(canvas, state, rects, "previous", "<", enabled=can_choose)
    w.button(canvas, state, rects, "next", ">", enabled=can_choose)
    if state.model is None:
        canvas.rectangle(120, 150, 400, 60, w.BLACK, fill=True, alpha=180)
        w.centred(canvas, (120, 150, 400, 60), 22, w.fitted(state.model_state, 22, 390), w.WARN)
    w.message(canvas, state)


def touched(state, event, name, x, y):
    """Previous and next model."""
    if event == "tap" and name == "previous":
        return ("choose_model", -1)
    if event == "tap" and name == "next":
        return ("choose_model", 1)
    return None


def colour_index(state, name: str, index: int) -> int:
    """The class's place in the project where it has one, so that Label and Live show a class in one colour."""
    return state.classes.index(name) if name in state.classes else index


def _side(canvas, state):
    canvas.text(656, 10, 36, "{}.{}".format(state.fps_tenths // 10, state.fps_tenths % 10), w.TEXT)
    canvas.text(656, 52, 18, "frames a second", w.DIM)
    canvas.text(656, 88, 18, "model", w.DIM)
    if state.model is None:
        canvas.text(656, 110, 18, "none", w.TEXT)
        return
    canvas.text(656, 110, 20, state.model.short, w.TEXT)
    y = 140
    for name, text in score_lines(state.model.scores):
        canvas.text(656, y, 16, name, w.DIM)
        canvas.text(794 - w.text_width(text, 16), y, 16, text, w.TEXT)
        y += 24
    for line in wrapped(state.model_state, 16, 136):
        canvas.text(656, y + 8, 16, line, w.ACCENT)
        y += 20


def _strip(canvas, state, labels):
    x, y, width, _h = layout.strip_rect(state.panel_w, state.panel_h)
    room = width - 24 if layout.is_wide(state.panel_w) else 480
    at = x + 16
    for index in range(len(labels)):
        count = sum([1 for one in state.detections if one[0] == index])
        text = "{} {}".format(labels[index], count)
        if at + 24 + w.text_width(text, 20) > x + room:
            break
        canvas.rectangle(at, y + 22, 16, 16, layout.class_colour(colour_index(state, labels[index], index)), fill=True)
        canvas.text(at + 24, y + 18, 20, text, w.TEXT)
        at += 44 + w.text_width(text, 20)


def score_lines(scores: dict) -> "list[tuple[str, str]]":
    """Up to two scores of the manifest as (name, text): the kmodel's own first."""
    lines = []
    for key, title in (("kmodel_map50", "mAP50"), ("kmodel_map50_95", "mAP50-95"), ("float_map50", "float mAP50")):
        value = scores.get(key)
        if isinstance(value, (int, float)) and len(lines) < 2:
            lines.append((title, "{:.1f} %".format(value * 100)))
    return lines


def wrapped(text: str, size: int, width: int) -> "list[str]":
    """The text in lines of at most `width` px, three at most."""
    lines = []
    line = ""
    for word in text.split(" "):
        longer = line + " " + word if line else word
        if w.text_width(longer, size) > width and line:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    return [w.fitted(one, size, width) for one in lines[:3]]
