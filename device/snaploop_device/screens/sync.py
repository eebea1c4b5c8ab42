"""Sync: which road, what is still to send, the training run on the host with its curve, the model that is coming."""

from .. import layout
from . import widgets as w
from .live import score_lines

_LINK_COLOURS = {"connected": w.GOOD, "waiting": w.WARN, "connecting": w.WARN, "failed": w.BAD, "off": w.DIM}
_HOW_TO_PAIR = (
    "On a PC start: snaploop serve. Its page opens a project, where you name your classes, and there 'Pair a board by QR code'. "
    "Then tap the blue button."
)
_ROAD_TITLES = {"auto": "Auto", "usb": "USB", "wifi": "Wi-Fi"}


def draw(state, canvas) -> None:
    """Draw the screen."""
    rects = w.rects_of(state)
    width = min(state.panel_w, layout.UI_W)
    canvas.rectangle(0, 0, width, layout.PHOTO_H, w.BACKGROUND, fill=True)
    w.bars(canvas, state, rects)
    _links(canvas, state)
    for road in layout.ROADS:
        chosen = road == state.road
        fill, ink = (w.ACCENT, w.BLACK) if chosen else (w.BUTTON, w.TEXT)
        w.button(canvas, state, rects, "road:" + road, _ROAD_TITLES[road], fill=fill, ink=ink)
    w.button(canvas, state, rects, "about", "About", size=18)
    _photos(canvas, state)
    if state.is_paired:
        title = "Training.." if is_training(state) else "Train"
        w.button(canvas, state, rects, "train", title, size=28, fill=(36, 120, 60), enabled=can_train(state))
    else:
        w.button(canvas, state, rects, "train", "Pair with QR code", size=22, fill=w.ACCENT, ink=w.BLACK)
    _run(canvas, state, 330, width - 346)
    if state.message:
        w.strip_paragraph(canvas, state, state.message, w.LEVEL_COLOURS.get(state.message_level, w.TEXT))
    elif state.progress is not None:
        x, y, _w, _h = layout.strip_rect(state.panel_w, state.panel_h)
        canvas.text(x + 20, y + 8, 20, w.fitted("Model: " + state.model_state, 20, width - 40), w.TEXT)
        _bar(canvas, 20, y + 38, width - 40, 12, state.progress[0], state.progress[1])
    else:
        w.strip_paragraph(canvas, state, "Model: " + state.model_state, w.TEXT)


def draw_picture(state, overlay) -> None:
    """Nothing: the page covers the picture."""


def touched(state, event, name, x, y):
    """Road buttons and Train."""
    if event == "tap" and name.startswith("road:"):
        return ("road", name[5:])
    if event == "tap" and name == "about":
        return ("open", layout.ABOUT)
    if event == "tap" and name == "train" and not state.is_paired:
        return ("open", layout.PAIR)
    if event == "tap" and name == "train" and can_train(state):
        return ("train",)
    return None


def is_training(state) -> bool:
    """Whether the host is busy with a run."""
    return state.run is not None and state.run.get("state") in ("queued", "running")


def can_train(state) -> bool:
    """Whether the Train button does something."""
    return state.is_paired and not is_training(state)


def _links(canvas, state):
    w.paragraph(canvas, 20, 10, 204, 36, state.project or "Sync", w.TEXT, (26, 20, 14))
    rows = (("USB: " + state.usb, state.usb), ("Wi-Fi: " + state.wifi, state.wifi))
    for index in range(2):
        text, link = rows[index]
        y = 50 + index * 28
        canvas.circle(32, y + 12, 8, _LINK_COLOURS.get(link, w.DIM), fill=True)
        canvas.text(52, y, 20, w.fitted(text, 20, 252), w.TEXT)
    if state.wifi != "off" and state.host_at:
        text = (
            "{} to {}".format(state.wifi_address, state.host_at) if state.wifi == "connected" else "to " + state.host_at
        )
        size = 15 if w.text_width(text, 15) <= 264 else 13
        canvas.text(52, 107, size, w.fitted_middle(text, size, 264), w.DIM)


def _photos(canvas, state):
    if not state.photos:
        text = "no photos yet"
    elif not state.pending:
        text = "all {} photos sent".format(state.photos) if state.photos > 1 else "the photo is sent"
    else:
        text = "{} of {} photos to send".format(state.pending, state.photos)
    canvas.text(20, 200, 20, w.fitted(text, 20, 284), w.TEXT)
    _bar(canvas, 20, 230, 284, 14, state.photos - state.pending, state.photos)
    sent = "sent now: {} USB, {} Wi-Fi".format(state.synced["usb"], state.synced["wifi"])
    canvas.text(20, 252, 17, w.fitted(sent, 17, 284), w.DIM)
    if state.activity:
        canvas.text(20, 273, 16, w.fitted(state.activity, 16, 284), w.DIM)


def _run(canvas, state, x, width):
    canvas.rectangle(x, 12, width, 348, w.PANEL, fill=True)
    run = state.run
    if state.train_refused:
        canvas.text(x + 14, 18, 24, w.fitted("Training did not start", 24, width - 28), w.WARN)
        w.paragraph(canvas, x + 14, 56, width - 28, 290, state.train_refused, w.TEXT)
        return
    if run is None:
        w.centred(canvas, (x, 130, width, 40), 24, "No training yet", w.DIM)
        if state.is_paired:
            w.centred(canvas, (x, 170, width, 40), 17, "Label photos, then tap Train", w.DIM)
            return
        w.centred(canvas, (x, 162, width, 40), 17, "Not paired with a host yet", w.DIM)
        w.paragraph(canvas, x + 20, 214, width - 40, 130, _HOW_TO_PAIR, w.DIM, (17, 15, 13))
        return
    title = "Run {}: {}".format(run.get("id", ""), run.get("state", ""))
    colour = w.BAD if run.get("state") == "failed" else w.TEXT
    canvas.text(x + 14, 18, 24, w.fitted(title, 24, width - 28), colour)
    if run.get("state") in ("failed", "refused") and run.get("text"):
        has_curve = len(state.curve) > 1
        w.paragraph(canvas, x + 14, 52, width - 28, 120 if has_curve else 290, run["text"], w.WARN, (18, 16, 14))
        if has_curve:
            _curve(canvas, state.curve, x + 14, 180, width - 28, 166)
        return
    if run.get("state") == "succeeded" and state.model is not None:
        scores = ["{} {}".format(name, text) for name, text in score_lines(state.model.scores)]
        canvas.text(
            x + 14,
            52,
            17,
            w.fitted("on the board: " + ", ".join(scores) if width > 400 else ", ".join(scores), 17, width - 28),
            w.TEXT,
        )
    elif run.get("state") == "succeeded":
        canvas.text(x + 14, 52, 17, w.fitted("the model comes by itself", 17, width - 28), w.DIM)
    else:
        canvas.text(x + 14, 52, 17, w.fitted(_stage(run), 17, width - 28), w.DIM)
    if run.get("score_permille") is not None:
        canvas.text(x + 14, 82, 34, w.percent(run["score_permille"]), w.GOOD)
        canvas.text(x + 132, 96, 16, w.fitted(run.get("score_name") or "", 16, 62), w.DIM)
    if run.get("loss_milli") is not None:
        canvas.text(
            x + 198, 96, 16, "loss {}.{:03d}".format(run["loss_milli"] // 1000, run["loss_milli"] % 1000), w.DIM
        )
    _curve(canvas, state.curve, x + 14, 136, width - 28, 210)


def _stage(run):
    parts = [str(run.get("stage") or "")]
    if run.get("epochs"):
        parts.append("epoch {}/{}".format(run.get("epoch", 0), run["epochs"]))
    if run.get("queue"):
        parts.append("{} before it".format(run["queue"]))
    if run.get("eta_s"):
        parts.append("{}:{:02d} left".format(run["eta_s"] // 60, run["eta_s"] % 60))
    return ", ".join([part for part in parts if part])


def _curve(canvas, points, x, y, width, height):
    """mAP50 (green, 0 to 100 %) and loss (orange, own scale) over the epochs."""
    canvas.rectangle(x, y, width, height, w.OUTLINE)
    for quarter in (1, 2, 3):
        canvas.line(x, y + height * quarter // 4, x + width - 1, y + height * quarter // 4, w.BUTTON)
    if len(points) < 2:
        return
    most_loss = max([point[2] or 0 for point in points]) or 1
    last = len(points) - 1
    for index in range(last):
        x0 = x + 2 + index * (width - 4) // last
        x1 = x + 2 + (index + 1) * (width - 4) // last
        one, two = points[index], points[index + 1]
        if one[2] is not None and two[2] is not None:
            canvas.line(
                x0, y + height - one[2] * height // most_loss, x1, y + height - two[2] * height // most_loss, w.WARN, 2
            )
        if one[1] is not None and two[1] is not None:
            canvas.line(x0, y + height - one[1] * height // 1000, x1, y + height - two[1] * height // 1000, w.GOOD, 3)


def _bar(canvas, x, y, width, height, done, total):
    canvas.rectangle(x, y, width, height, w.BUTTON, fill=True)
    if total > 0 and done > 0:
        canvas.rectangle(x, y, max(2, width * min(done, total) // total), height, w.ACCENT, fill=True)
