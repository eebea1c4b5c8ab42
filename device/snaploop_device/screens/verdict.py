"""What a model says of the whole photo: one class and how sure it is, large, or a list of labels."""

from snaploop_shared.manifest import HEAD_LOGITS

from .. import layout
from . import widgets as w

SIZES = (48, 40, 32, 26)  # of the winner's name, the largest that fits
BAND_PX = 72
BAR_PX = 6  # how sure it is, along the lower edge of the band
LIST_SIZE, LIST_STEP_PX = 30, 44
LIST_TOP_PX = 40
MOST_LISTED = 6  # more would run over the picture's end
WIDEST_NAME_PX = 420


def draw(state, overlay) -> None:
    """Draw what `state.detections` of a whole photo say.

    Args:
        state: the app's, with a model.
        overlay: the canvas over the video.
    """
    labels = state.model.labels
    found = [one for one in state.detections if one[0] < len(labels)]
    if state.model.head == HEAD_LOGITS:
        if found:
            _winner(overlay, labels[found[0][0]], found[0][1], state.colour_of(labels[found[0][0]]))
        else:
            _doubt(overlay, "not sure: nothing scores {} %".format(state.score_permille // 10))
        return
    for index in range(min(len(found), MOST_LISTED)):
        label, permille = labels[found[index][0]], found[index][1]
        text = "{}  {} %".format(w.fitted(label, LIST_SIZE, WIDEST_NAME_PX), percent(permille))
        colour = state.colour_of(label)
        top = LIST_TOP_PX + LIST_STEP_PX * index
        overlay.rectangle(12, top, w.text_width(text, LIST_SIZE) + 24, LIST_STEP_PX - 4, colour, fill=True)
        overlay.text(24, top + 1, LIST_SIZE, text, w.ink_on(colour))
    if len(found) > MOST_LISTED:
        top = LIST_TOP_PX + LIST_STEP_PX * MOST_LISTED
        overlay.text(24, top, 20, "and {} more".format(len(found) - MOST_LISTED), w.WHITE)
    if not found:
        _doubt(overlay, "no label scores {} %".format(state.score_permille // 10))


def percent(permille: int) -> int:
    """Rounded to whole per cent."""
    return (permille + 5) // 10


def _winner(overlay, label, permille, colour):
    chance = "{} %".format(percent(permille))
    room = layout.PHOTO_W - 60 - 24
    for size in SIZES:
        if w.text_width(label, size) + w.text_width(chance, size) <= room:
            break
    text = w.fitted(label, size, room - w.text_width(chance, size))
    top = layout.PHOTO_H - BAND_PX
    overlay.rectangle(0, top, layout.PHOTO_W, BAND_PX, w.BLACK, fill=True, alpha=190)
    overlay.rectangle(0, layout.PHOTO_H - BAR_PX, layout.PHOTO_W * permille // 1000, BAR_PX, colour, fill=True)
    overlay.rectangle(14, top + 16, 30, 34, colour, fill=True)
    y = top + (BAND_PX - BAR_PX - size * 5 // 4) // 2
    overlay.text(60, y, size, text, w.TEXT)
    overlay.text(layout.PHOTO_W - 24 - w.text_width(chance, size), y, size, chance, w.TEXT)


def _doubt(overlay, text):
    top = layout.PHOTO_H - 44
    overlay.rectangle(0, top, layout.PHOTO_W, 44, w.BLACK, fill=True, alpha=150)
    w.centred(overlay, (0, top, layout.PHOTO_W, 44), 22, text, w.DIM)
