"""What all screens look alike with: colours, buttons, tabs, the message line. Only the screens use it."""

from .. import layout

BACKGROUND = (18, 21, 27)
PANEL = (34, 39, 49)
BUTTON = (52, 60, 75)
BUTTON_PRESSED = (96, 112, 140)
OUTLINE = (84, 96, 118)
TEXT = (240, 243, 248)
DIM = (158, 168, 184)
ACCENT = (64, 156, 255)
GOOD = (60, 200, 90)
WARN = (255, 190, 60)
BAD = (255, 84, 84)
BLACK = (0, 0, 0)
WHITE = (255, 255, 255)

TAB_TITLES = {
    layout.CAPTURE: "Capture",
    layout.LABEL: "Label",
    layout.GALLERY: "Gallery",
    layout.SYNC: "Sync",
    layout.LIVE: "Live",
}
LEVEL_COLOURS = {"info": TEXT, "good": GOOD, "warning": WARN, "error": BAD}


def rects_of(state) -> dict:
    """The buttons of the screen that is shown."""
    return layout.button_rects(state.screen, state.panel_w, state.panel_h, state.classes, state.class_page)


def text_width(text: str, size: int) -> int:
    """About how wide a line is, px; wide scripts count full."""
    width = 0
    for character in text:
        width += size if ord(character) > 0x2E7F else size * 11 // 20
    return width


def fitted(text: str, size: int, width: int) -> str:
    """The text, cut with dots to fit the width."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "..", size) > width:
        text = text[:-1]
    return text + ".."


def wrapped(text: str, size: int, width: int) -> "list[str]":
    """The text on one line, or on two when it does not fit on one: the mend stands at the end of an error, and must be seen."""
    if text_width(text, size) <= width:
        return [text]
    first = ""
    for word in text.split(" "):
        longer = first + " " + word if first else word
        if text_width(longer, size) > width:
            break
        first = longer
    if not first:  # one long word
        return [fitted(text, size, width)]
    return [first, fitted(text[len(first) + 1 :], size, width)]


def centred(canvas, rect, size: int, text: str, colour) -> None:
    """One line in the middle of a rectangle."""
    text = fitted(text, size, rect[2] - 4)
    x = rect[0] + (rect[2] - text_width(text, size)) // 2
    canvas.text(x, rect[1] + (rect[3] - size * 5 // 4) // 2, size, text, colour)


def button(
    canvas, state, rects, name: str, title: str, size: int = 22, fill=BUTTON, ink=TEXT, enabled: bool = True
) -> None:
    """A button with a title; darker when it does nothing now, lighter under the finger."""
    x, y, w, h = rects[name]
    if state.pressed == name and enabled:
        fill = BUTTON_PRESSED
    if not enabled:
        fill, ink = PANEL, OUTLINE
    canvas.rectangle(x, y, w, h, fill, fill=True)
    canvas.rectangle(x, y, w, h, OUTLINE)
    centred(canvas, rects[name], size, title, ink)


def ink_on(colour) -> "tuple[int, int, int]":
    """Black or white, whichever reads better on the colour."""
    return BLACK if colour[0] * 3 + colour[1] * 6 + colour[2] > 1400 else WHITE


def bars(canvas, state, rects) -> None:
    """The tabs, and the background of strip and side column."""
    x, y, w, h = layout.strip_rect(state.panel_w, state.panel_h)
    canvas.rectangle(x, y, w, h, BACKGROUND, fill=True)
    side = layout.side_rect(state.panel_w, state.panel_h)
    if side[2]:
        canvas.rectangle(side[0], side[1], side[2], side[3], BACKGROUND, fill=True)
    x, y, w, h = layout.tabs_rect(state.panel_w, state.panel_h)
    canvas.rectangle(x, y, w, h, BACKGROUND, fill=True)
    for screen in layout.TABS:
        name = "tab:" + screen
        if name not in rects:
            continue
        x, y, w, h = rects[name]
        chosen = screen == state.screen
        canvas.rectangle(x + 1, y, w - 2, h, BUTTON if chosen or state.pressed == name else PANEL, fill=True)
        if chosen:
            canvas.rectangle(x + 1, y, w - 2, 4, ACCENT, fill=True)
        centred(canvas, rects[name], 22, TAB_TITLES[screen] + _badge(state, screen), TEXT if chosen else DIM)


def class_bar(canvas, state, rects, chosen, counts=None) -> None:
    """The classes as buttons in their colours, the chosen ones framed; with how many boxes each has where `counts` tells."""
    first, names = layout.class_page(state.classes, state.class_page)
    for index in range(len(names)):
        rect = rects["class:" + names[index]]
        colour = layout.class_colour(first + index)
        canvas.rectangle(rect[0], rect[1], rect[2], rect[3], colour, fill=True)
        if names[index] in chosen:
            canvas.rectangle(rect[0], rect[1], rect[2], rect[3], WHITE, thickness=5)
        if counts is None:
            centred(canvas, rect, 24, names[index], ink_on(colour))
            continue
        centred(canvas, (rect[0], rect[1] + 2, rect[2], rect[3] - 22), 20, names[index], ink_on(colour))
        count = str(counts.get(names[index], 0))
        centred(canvas, (rect[0], rect[1] + rect[3] - 26, rect[2], 22), 16, count, ink_on(colour))
    if "classes" in rects:
        button(canvas, state, rects, "classes", "more")


def message(canvas, state) -> None:
    """The line for people, two when it is long, over the lower edge of the picture."""
    if state.message:
        lines = wrapped(state.message, 20, layout.PHOTO_W - 20)
        top = layout.PHOTO_H - 8 - 26 * len(lines)
        canvas.rectangle(0, top, layout.PHOTO_W, layout.PHOTO_H - top, BLACK, fill=True, alpha=200)
        colour = LEVEL_COLOURS.get(state.message_level, TEXT)
        for index in range(len(lines)):
            canvas.text(10, top + 4 + 26 * index, 20, lines[index], colour)


def free_text(free_bytes: int) -> str:
    """Free space for people."""
    mib = free_bytes >> 20
    return "{}.{} GB free".format(mib // 1024, mib % 1024 * 10 // 1024) if mib >= 1024 else "{} MB free".format(mib)


def percent(permille: int) -> str:
    """876 → "87.6 %"."""
    return "{}.{} %".format(permille // 10, permille % 10)


def _badge(state, screen):
    if screen == layout.LABEL and state.unlabelled:
        return " {}".format(state.unlabelled)
    if screen == layout.SYNC and state.pending:
        return " {}".format(state.pending)
    return ""
