"""Live: what the model sees, over the video."""

from snaploop_shared.manifest import HEAD_CTC, HEAD_TEXTMAP, SCORE_HEADS, SHARE_HEADS

from .. import layout
from . import label, reading, verdict
from . import widgets as w
from .tags import Tags

HEAD_PX = 28  # the line at the top of a narrow panel
REGION_ALPHA = 120  # of a segmentation's colour over the video
COUNT_PX = 170  # a class and how many of it, in the strip
SCORES = [" {}".format(percent) for percent in range(101)]  # what stands behind a name: made once, not for each box


def draw(state, canvas) -> None:
    """Draw the panels around the video."""
    rects = w.rects_of(state)
    labels = state.model.labels if state.model is not None else []
    w.bars(canvas, state, rects)
    if layout.is_wide(state.panel_w):
        _side(canvas, state)
    else:
        _head(canvas, state)
    if state.library is not None:
        _things(canvas, state, rects["slider"][0])
    else:
        _strip(canvas, state, labels, rects["slider"][0])
    _slider(canvas, state, rects["slider"])
    can_choose = len(state.models) > 1
    w.button(canvas, state, rects, "previous", "<", enabled=can_choose)
    w.button(canvas, state, rects, "next", ">", enabled=can_choose)
    if state.library is not None:
        w.button(canvas, state, rects, "freeze", "Forget", size=18, enabled=bool(state.recognised[0]))
        w.button(canvas, state, rects, "keep", "Teach", size=18, fill=label.SAVE_FILL, enabled=state.vector is not None)
    else:
        title = "Run" if state.is_frozen else "Freeze"
        w.button(canvas, state, rects, "freeze", title, size=18, fill=w.ACCENT if state.is_frozen else w.BUTTON)
        w.button(canvas, state, rects, "keep", "Keep", size=20, fill=label.SAVE_FILL, enabled=state.is_frozen)
    title = "Pinned" if state.is_pinned else "Pin"
    if layout.is_wide(state.panel_w):
        title += " model"
    fill, ink = (w.WARN, w.BLACK) if state.is_pinned else (w.BUTTON, w.TEXT)
    w.button(canvas, state, rects, "pin", title, size=18, fill=fill, ink=ink, enabled=state.model is not None)
    if state.model is None:
        canvas.rectangle(80, 150, 460, 66, w.BLACK, fill=True, alpha=190)
        size, lines = w.paragraph_lines(_no_model(state), 440, 62)
        top = 150 + (66 - w.line_px(size) * len(lines)) // 2
        for index, line in enumerate(lines):
            w.centred(canvas, (80, top + w.line_px(size) * index, 460, w.line_px(size)), size, line, w.WARN)
    w.message(canvas, state)


def draw_picture(state, overlay) -> None:
    """The detections, and nothing else: this is drawn with every frame."""
    if state.library is not None:
        _recognised(overlay, state)
        return
    if state.model is not None and state.model.head in (HEAD_TEXTMAP, HEAD_CTC):
        reading.draw(state, overlay)
        return
    if state.model is not None and state.model.head in SCORE_HEADS:
        verdict.draw(state, overlay)
        return
    labels = state.model.labels if state.model is not None else []
    tags = Tags(overlay, 0 if layout.is_wide(state.panel_w) else HEAD_PX)
    for one in state.detections:
        index = one[0]
        name = labels[index] if index < len(labels) else str(index)
        colour = state.colour_of(name)
        if len(one) == 6:
            tags.box(one[2], one[3], one[4], one[5], colour, name, SCORES[(one[1] + 5) // 10])
            continue
        for run in one[6]:
            overlay.rectangle(run[0], run[1], run[2], run[3], colour, fill=True, alpha=REGION_ALPHA)
        x, y, width, height = one[6][len(one[6]) // 2]  # the tag belongs on the region, not into a corner of its box
        tags.name(x, y, width, height, colour, name)
    tags.draw()


def touched(state, event, name, x, y):
    """The slider follows the finger; the other buttons are taps."""
    if event in ("down", "move") and state.pressed == "slider":
        rect = w.rects_of(state)["slider"]
        return ("score", layout.slider_score(rect, x))
    if event != "tap":
        return None
    if name == "previous":
        return ("choose_model", -1)
    if name == "next":
        return ("choose_model", 1)
    if state.library is not None and name in ("keep", "freeze"):
        return ("teach",) if name == "keep" else ("forget",)
    if name == "keep" and not state.is_frozen:
        return ("say", "freeze a frame first")
    if name in ("freeze", "keep", "pin"):
        return (name,)
    return None


def _no_model(state):
    if state.model_state == "no model yet":
        what = (
            "label some photos, then tap Train on the Sync screen"
            if state.is_paired
            else "open Sync and tap Pair first"
        )
        return "No model yet: " + what
    return state.model_state


def _side(canvas, state):
    fps = "{}.{}".format(state.fps_tenths // 10, state.fps_tenths % 10)
    canvas.text(656, 6, 32, fps, w.TEXT)
    canvas.text(664 + w.text_width(fps, 32), 20, 16, "FPS", w.DIM)
    if state.model is None:
        canvas.text(656, 52, 18, "no model", w.DIM)
        return
    canvas.text(656, 48, 18, state.model.short, w.TEXT)
    y = 74
    for name, text in score_lines(state.model.scores):
        canvas.text(656, y, 16, name, w.DIM)
        canvas.text(794 - w.text_width(text, 16), y, 16, text, w.TEXT)
        y += 22
    told = state.model_state.replace("model " + state.model.short, "").strip()
    if state.model.is_forced:
        told = "forced: lost too much as kmodel. " + told
    w.paragraph(canvas, 656, y + 2, 140, 174 - y, told, w.WARN if state.model.is_forced else w.ACCENT, (16, 14, 12))


def _head(canvas, state):
    """On a narrow panel the same in one line over the video."""
    model = "no model" if state.model is None else "model " + state.model.short
    if state.model is not None and state.model.is_forced:
        model += " (forced)"
    text = "{}.{} FPS   {}".format(state.fps_tenths // 10, state.fps_tenths % 10, model)
    if state.model is not None:
        text += "".join(["   {} {}".format(name, value) for name, value in score_lines(state.model.scores)[:1]])
    canvas.rectangle(0, 0, layout.PHOTO_W, HEAD_PX, w.BLACK, fill=True, alpha=220)
    canvas.text(10, 3, 18, w.fitted(text, 18, layout.PHOTO_W - 20), w.TEXT)


def _strip(canvas, state, labels, end):
    x, y, _width, _h = layout.strip_rect(state.panel_w, state.panel_h)
    at = x + 16
    if state.model is not None and state.model.head == HEAD_CTC:
        canvas.text(at, y + 18, 18, w.fitted("reads " + "".join(labels), 18, end - at - 8), w.DIM)
        return
    counts = [0] * len(labels)
    is_segmap = state.model is not None and state.model.head in SHARE_HEADS
    is_whole_photo = state.model is not None and state.model.head in SCORE_HEADS
    for one in state.detections:
        if one[0] < len(counts):
            counts[one[0]] += one[1] if is_segmap else 1
    for index in sorted(
        range(1 if is_segmap else 0, len(labels)), key=lambda index: index if counts[index] else index + 1000
    ):  # in view first; the background is no news
        count = " {} %".format((counts[index] + 5) // 10) if is_segmap else " {}".format(counts[index])
        if is_whole_photo:
            count = ""
        text = w.fitted(labels[index], 20, min(COUNT_PX, end - x - 48) - w.text_width(count, 20)) + count
        if at + 24 + w.text_width(text, 20) > end:
            break
        canvas.rectangle(at, y + 22, 16, 16, state.colour_of(labels[index]), fill=True)
        canvas.text(at + 24, y + 18, 20, text, w.DIM if is_whole_photo and not counts[index] else w.TEXT)
        at += 40 + w.text_width(text, 20)


def _recognised(overlay, state):
    """Self-learning: the name of what is in view, or how to give it one."""
    name, likeness = state.recognised
    text = "{} {}".format(name, (likeness + 5) // 10) if name else "unknown: hold it in the frame and tap Teach"
    size = 34 if name else 20
    width = w.text_width(text, size) + 24
    overlay.rectangle(120, 60, 400, 240, w.GOOD if name else w.WHITE, thickness=3)
    overlay.rectangle((layout.PHOTO_W - width) // 2, 306, width, size + 14, w.BLACK, fill=True, alpha=190)
    overlay.text((layout.PHOTO_W - width) // 2 + 12, 310, size, text, w.GOOD if name else w.TEXT)


def _things(canvas, state, end):
    """Self-learning: what is known, the one in view marked."""
    x, y, _width, _h = layout.strip_rect(state.panel_w, state.panel_h)
    at = x + 16
    if not state.library.things:
        canvas.text(at, y + 18, 18, w.fitted("nothing learnt yet: tap Teach", 18, end - at - 8), w.DIM)
    for name in state.library.names:
        if at + w.text_width(name, 20) > end - 8:
            break
        canvas.text(at, y + 18, 20, name, w.GOOD if name == state.recognised[0] else w.TEXT)
        at += w.text_width(name, 20) + 24


def _slider(canvas, state, rect):
    x, y, width, height = rect
    canvas.rectangle(x, y, width, height, w.PANEL, fill=True)
    if state.score_permille is None:
        w.centred(canvas, rect, 18, "threshold: no model", w.OUTLINE)
        return
    knob = layout.slider_x(rect, state.score_permille)
    middle = y + height * 2 // 3
    canvas.text(x + 10, y + 2, 16, "from {} %".format(state.score_permille // 10), w.TEXT)
    canvas.text(x + width - 10 - w.text_width("fewer", 14), y + 3, 14, "fewer", w.DIM)
    canvas.line(x + layout.SLIDER_INSET_PX, middle, x + width - layout.SLIDER_INSET_PX, middle, w.OUTLINE, 4)
    canvas.line(x + layout.SLIDER_INSET_PX, middle, knob, middle, w.ACCENT, 4)
    canvas.circle(knob, middle, 12, w.ACCENT if state.pressed == "slider" else w.WHITE, fill=True)


SCORE_TITLES = {
    "map50": "mAP50",
    "map50_95": "mAP50-95",
    "miou": "mIoU",
    "top1": "right",
    "mean_ap": "mean AP",
    "map_at_r": "mAP@R",
}


def score_lines(scores: dict) -> "list[tuple[str, str]]":
    """Up to two scores of the manifest as (name, text): the kmodel's own first, then the float model's for comparison."""
    lines = []
    for name in sorted([key[7:] for key in scores if key.startswith("kmodel_")], key=len):
        for key, title in (
            ("kmodel_" + name, SCORE_TITLES.get(name) or name.replace("_", " ")),
            ("float_" + name, "float"),
        ):
            value = scores.get(key)
            if isinstance(value, (int, float)) and len(lines) < 2:
                lines.append((title, "{:.1f} %".format(value * 100)))
    return lines
