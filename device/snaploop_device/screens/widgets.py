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

# Widths of characters in hundredths of the text size, of a sans-serif face as firmwares carry; rather too wide than too narrow.
_WIDTHS = {}
for _width, _characters in ((26, " .,:;'|!ijl"), (34, 'Ifrt()[]{}/-"`'), (50, "czsJ?"), (86, "mwM%@"), (94, "W")):
    for _one in _characters:
        _WIDTHS[_one] = _width
_SMALL, _LARGE, _FULL = 59, 70, 100  # the other small letters and digits, capitals, wide scripts
_BREAK_AFTER = "_-/.:,;"  # where a word that is too long for a line may end
PARAGRAPH_SIZES = (20, 18, 16, 14)
MESSAGE_PX = 84  # a message covers no more of the picture


def rects_of(state) -> dict:
    """The buttons of the screen that is shown."""
    return layout.button_rects(state.screen, state.panel_w, state.panel_h, state.classes, state.class_page)


def text_width(text: str, size: int) -> int:
    """About how wide a line is, px."""
    width = 0
    for character in text:
        if character in _WIDTHS:
            width += _WIDTHS[character]
        elif character > "\u2e7f":
            width += _FULL
        else:
            width += _LARGE if "A" <= character <= "Z" else _SMALL
    return (width * size + 99) // 100


def fitted(text: str, size: int, width: int) -> str:
    """The text, cut with dots to fit the width."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "..", size) > width:
        text = text[:-1]
    return text + ".."


def fitted_middle(text: str, size: int, width: int) -> str:
    """The text, its middle cut out to fit the width: of an address both ends matter."""
    cut = text
    while len(cut) > 4 and text_width(cut, size) > width:
        keep = len(cut) - 3 if cut != text else len(text) - 2
        cut = text[: (keep + 1) // 2] + ".." + text[len(text) - keep // 2 :]
    return cut


def wrapped(text: str, size: int, width: int) -> "list[str]":
    """The text in as many lines of at most `width` px as it takes; a word that is too long is broken."""
    lines = []
    line = ""
    for word in text.split(" "):
        longer = line + " " + word if line else word
        if text_width(longer, size) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while text_width(word, size) > width:
            head = _head_that_fits(word, size, width)
            lines.append(head)
            word = word[len(head) :]
        line = word
    lines.append(line)
    return lines


def paragraph_lines(text: str, width: int, height: int, sizes=PARAGRAPH_SIZES) -> "tuple[int, list[str]]":
    """(size, lines) of the text at the largest of these sizes that fits; cut with dots when none does.

    The mend stands at the end of an error, so that rather the letters get smaller than the end gets lost.
    """
    for size in sizes:
        lines = wrapped(text, size, width)
        if len(lines) * line_px(size) <= height:
            return size, lines
    most = max(1, height // line_px(size))
    last = " ".join(lines[most - 1 :])
    return size, lines[: most - 1] + [fitted(last, size, width)]


def paragraph(canvas, x: int, y: int, width: int, height: int, text: str, colour, sizes=PARAGRAPH_SIZES) -> None:
    """A text from this corner on, in a rectangle of this size."""
    size, lines = paragraph_lines(text, width, height, sizes)
    for index in range(len(lines)):
        canvas.text(x, y + line_px(size) * index, size, lines[index], colour)


def line_px(size: int) -> int:
    """The height of a line of a paragraph."""
    return size * 5 // 4 + 1


def _head_that_fits(word, size, width):
    """The beginning of a long word that fills a line, up to a sign where it may be broken if there is one."""
    end = 1
    while end < len(word) and text_width(word[: end + 1], size) <= width:
        end += 1
    for at in range(end, end // 2, -1):
        if word[at - 1] in _BREAK_AFTER:
            return word[:at]
    return word[:end]


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
    _first, names = layout.class_page(state.classes, state.class_page)
    for index in range(len(names)):
        rect = rects["class:" + names[index]]
        colour = state.colour_of(names[index])
        canvas.rectangle(rect[0], rect[1], rect[2], rect[3], colour, fill=True)
        if names[index] in chosen:
            canvas.rectangle(rect[0], rect[1], rect[2], rect[3], WHITE, thickness=5)
        ink = ink_on(colour)
        if counts is None:
            _class_name(canvas, rect, rect[3], names[index], ink, (24, 20, 16))
            continue
        _class_name(canvas, rect, rect[3] - 14, names[index], ink, (20, 17, 13))
        count = str(counts.get(names[index], 0))
        centred(canvas, (rect[0], rect[1] + rect[3] - 21, rect[2], 20), 14, count, ink)
    if "classes" in rects:
        button(canvas, state, rects, "classes", "more")


def message(canvas, state) -> None:
    """The line for people, more when it is long, over the lower edge of the picture."""
    if state.message:
        size, lines = paragraph_lines(state.message, layout.PHOTO_W - 20, MESSAGE_PX)
        top = layout.PHOTO_H - 8 - line_px(size) * len(lines)
        canvas.rectangle(0, top, layout.PHOTO_W, layout.PHOTO_H - top, BLACK, fill=True, alpha=200)
        colour = LEVEL_COLOURS.get(state.message_level, TEXT)
        for index in range(len(lines)):
            canvas.text(10, top + 4 + line_px(size) * index, size, lines[index], colour)


def strip_paragraph(canvas, state, text: str, colour, sizes=PARAGRAPH_SIZES) -> None:
    """A text in the row between picture and tabs."""
    x, y, width, height = layout.strip_rect(state.panel_w, state.panel_h)
    size, lines = paragraph_lines(text, width - 32, height - 4, sizes)
    top = y + max(2, (height - len(lines) * line_px(size)) // 2)
    for index in range(len(lines)):
        canvas.text(x + 16, top + line_px(size) * index, size, lines[index], colour)


def no_classes(state) -> str:
    """Where the names of the things come from, and what to do to get them."""
    if state.is_paired:
        return "No classes yet: they come from the host with the first sync. Plug the board in, or wait for Wi-Fi: Sync shows how it goes"
    return "No classes yet. They are named on the host's page, on a PC: open Sync here and tap Pair"


def free_text(free_bytes: int) -> str:
    """Free space for people."""
    mib = free_bytes >> 20
    return "{}.{} GB free".format(mib // 1024, mib % 1024 * 10 // 1024) if mib >= 1024 else "{} MB free".format(mib)


def percent(permille: int) -> str:
    """876 → "87.6 %"."""
    return "{}.{} %".format(permille // 10, permille % 10)


def _class_name(canvas, rect, height, name, ink, sizes):
    """A class name on its button: large, or smaller, or on two lines."""
    width = rect[2] - 14  # clear of the frame of the chosen one
    for size in sizes[:2]:
        if text_width(name, size) <= width:
            centred(canvas, (rect[0], rect[1], rect[2], height), size, name, ink)
            return
    size = sizes[2]
    lines = wrapped(name, size, width)
    if len(lines) > 2:
        lines = [lines[0], fitted(" ".join(lines[1:]), size, width)]
    top = rect[1] + (height - line_px(size) * len(lines)) // 2
    for index in range(len(lines)):
        centred(canvas, (rect[0], top + line_px(size) * index, rect[2], line_px(size)), size, lines[index], ink)


def _badge(state, screen):
    if screen == layout.LABEL and state.unlabelled:
        return " {}".format(state.unlabelled)
    if screen == layout.SYNC and state.pending:
        return " {}".format(state.pending)
    return ""
