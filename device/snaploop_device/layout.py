"""Where everything is on the panel: one place for the screens, the tests and the demo's scripted finger. Pure arithmetic.

Two shapes. Wide (from 800x480): the picture at the top left, a side column of 160 px to its right, a strip and the tabs below.
Narrow (640x480): the picture as wide as the panel; strip and tabs below; Label puts its buttons where the tabs are.
All rectangles are (x, y, w, h) in panel px, origin top left. The picture window is PHOTO_W x PHOTO_H at (0, 0): photo px are panel px.
"""

PHOTO_W = 640
PHOTO_H = 360
PICTURE = (0, 0, PHOTO_W, PHOTO_H)
UI_W = 800  # nothing is drawn beyond, however large the panel is
UI_H = 480

CAPTURE = "capture"
LABEL = "label"
GALLERY = "gallery"
SYNC = "sync"
LIVE = "live"
ABOUT = "about"
PAIR = "pair"
TABS = (CAPTURE, LABEL, GALLERY, SYNC, LIVE)
SCREENS = TABS + (ABOUT, PAIR)
ROADS = ("auto", "usb", "wifi")

MIN_TOUCH_PX = 48  # a fingertip on a 3.5" panel
SHUTTER_R_PX = 25  # white disc (requirement S0-02)
SHUTTER_RING_R_PX = 40
SHUTTER_TOUCH_PX = 120  # the finger may be this far off
CLASSES_PER_PAGE = 8
THUMB_W = 160
THUMB_H = 90
THUMBS_ACROSS = 4
THUMBS = 16
SLIDER_INSET_PX = 14  # the slider's knob never leaves its rectangle
SCORE_LOW_PERMILLE = 50
SCORE_HIGH_PERMILLE = 950


def is_wide(panel_w: int) -> bool:
    """Whether there is room for the side column beside the picture."""
    return panel_w >= PHOTO_W + 160


def strip_rect(panel_w: int, panel_h: int) -> "tuple[int, int, int, int]":
    """The row between picture and tabs."""
    return (0, PHOTO_H, min(panel_w, UI_W), 60)


def tabs_rect(panel_w: int, panel_h: int) -> "tuple[int, int, int, int]":
    """The home bar."""
    return (0, PHOTO_H + 60, min(panel_w, UI_W), 60)


def side_rect(panel_w: int, panel_h: int) -> "tuple[int, int, int, int]":
    """The column beside the picture; width 0 on a narrow panel."""
    return (PHOTO_W, 0, 160 if is_wide(panel_w) else 0, PHOTO_H)


def shutter_centre(panel_w: int, panel_h: int) -> "tuple[int, int]":
    """Where the shutter is."""
    return (720, 240) if is_wide(panel_w) else (580, 240)


def button_rects(screen: str, panel_w: int, panel_h: int, classes: "list[str]" = (), page: int = 0) -> dict:
    """Name → rectangle of everything that can be touched on a screen.

    Args:
        screen: one of SCREENS.
        panel_w: panel width in px; 640 or from 800.
        panel_h: panel height in px; from 480.
        classes: the project's class names (the class bar of Capture and Label).
        page: which page of the class bar, when there are more classes than fit.

    Returns:
        Names: "tab:<screen>"; "class:<name>", "classes" (next page); "shutter"; "picture", "older", "newer", "undo", "delete",
        "accept", "empty", "reject", "save", "back" (narrow Label); "thumb:<0 to 15>", "page:back", "page:on", "open";
        "road:<road>", "train", "about"; "close"; "slider", "freeze", "keep", "pin", "previous", "next" (model).

    Raises:
        ValueError: no such screen, or a panel that is too small.
    """
    if panel_w < PHOTO_W or panel_h < 480:
        raise ValueError("panel of {}x{}: the app needs 640x480 or more".format(panel_w, panel_h))
    if screen not in SCREENS:
        raise ValueError("no screen called {!r}; there are {}".format(screen, ", ".join(SCREENS)))
    wide = is_wide(panel_w)
    rects = {}
    if screen != LABEL or wide:
        x, y, w, h = tabs_rect(panel_w, panel_h)
        for index in range(len(TABS)):
            rects["tab:" + TABS[index]] = (x + index * (w // len(TABS)), y, w // len(TABS), h)
    if screen == CAPTURE:
        x, y = shutter_centre(panel_w, panel_h)
        r = SHUTTER_TOUCH_PX // 2
        rects["shutter"] = (x - r, y - r, 2 * r, 2 * r)
        _add_class_bar(rects, panel_w, panel_h, classes, page)
    elif screen == LABEL:
        rects["picture"] = PICTURE
        _add_class_bar(rects, panel_w, panel_h, classes, page)
        _add_label_buttons(rects, wide)
    elif screen == GALLERY:
        _add_gallery(rects, wide)
    elif screen == SYNC:
        for index in range(len(ROADS)):
            rects["road:" + ROADS[index]] = (20 + index * 96, 132, 92, 56)
        rects["train"] = (20, 296, 284, 64)
        rects["about"] = (232, 6, 76, 48)
    elif screen == PAIR:
        rects["close"] = (648, 8, 144, 58) if wide else (524, 8, 108, 52)
    elif screen == ABOUT:
        rects["pair"] = (PHOTO_W - 160, 240, 140, 52)
        rects["close"] = (PHOTO_W - 160, 300, 140, 52)
    else:
        _add_live_buttons(rects, wide)
    return rects


def class_page(classes: "list[str]", page: int) -> "tuple[int, list[str]]":
    """(index of the first class shown, names shown) on a page of the class bar."""
    if len(classes) <= CLASSES_PER_PAGE:
        return 0, list(classes)
    per_page = CLASSES_PER_PAGE - 1
    pages = (len(classes) + per_page - 1) // per_page
    first = (page % pages) * per_page
    return first, list(classes[first : first + per_page])


def slider_x(rect: "tuple[int, int, int, int]", permille: int) -> int:
    """Where the knob of the score slider stands, panel px."""
    span = rect[2] - 2 * SLIDER_INSET_PX
    part = min(max(permille, SCORE_LOW_PERMILLE), SCORE_HIGH_PERMILLE) - SCORE_LOW_PERMILLE
    return rect[0] + SLIDER_INSET_PX + part * span // (SCORE_HIGH_PERMILLE - SCORE_LOW_PERMILLE)


def slider_score(rect: "tuple[int, int, int, int]", x: int) -> int:
    """The score limit in permille, in steps of 10, that a finger at panel px `x` means."""
    span = rect[2] - 2 * SLIDER_INSET_PX
    part = min(max(x - rect[0] - SLIDER_INSET_PX, 0), span)
    score = SCORE_LOW_PERMILLE + part * (SCORE_HIGH_PERMILLE - SCORE_LOW_PERMILLE) // span
    return (score + 5) // 10 * 10


def contains(rect: "tuple[int, int, int, int]", x: int, y: int) -> bool:
    """Whether the point lies in the rectangle."""
    return rect[0] <= x < rect[0] + rect[2] and rect[1] <= y < rect[1] + rect[3]


def button_at(rects: dict, x: int, y: int) -> str:
    """The name of the button at a point, "" when there is none; buttons go before the picture below them."""
    found = ""
    for name, rect in rects.items():
        if contains(rect, x, y):
            if name != "picture":
                return name
            found = name
    return found


def _add_class_bar(rects, panel_w, panel_h, classes, page):
    _first, names = class_page(classes, page)
    x, y, w, h = strip_rect(panel_w, panel_h)
    has_more = len(classes) > len(names)
    slots = max(len(names) + (1 if has_more else 0), 3)
    width = w // slots
    for index in range(len(names)):
        rects["class:" + names[index]] = (x + index * width, y + 4, width - 4, h - 8)
    if has_more:
        rects["classes"] = (x + len(names) * width, y + 4, width - 4, h - 8)


def _add_label_buttons(rects, wide):
    if wide:
        rows = (("older", "newer"), ("undo", "delete"), ("accept",), ("empty", "reject"), ("save",))
        for index in range(len(rows)):
            y = 8 + index * 66
            height = 58 if index < 4 else 80
            if len(rows[index]) == 1:
                rects[rows[index][0]] = (648, y, 144, height)
            else:
                rects[rows[index][0]] = (648, y, 70, height)
                rects[rows[index][1]] = (722, y, 70, height)
        return
    x = 0
    for name, width in (
        ("back", 62),
        ("older", 54),
        ("newer", 54),
        ("undo", 70),
        ("delete", 76),
        ("accept", 76),
        ("empty", 74),
        ("reject", 76),
        ("save", 98),
    ):
        rects[name] = (x + 2, PHOTO_H + 62, width - 4, 56)
        x += width


def _add_gallery(rects, wide):
    for index in range(THUMBS):
        across, down = index % THUMBS_ACROSS, index // THUMBS_ACROSS
        rects["thumb:{}".format(index)] = (across * THUMB_W, down * THUMB_H, THUMB_W, THUMB_H)
    if wide:
        rects["page:back"] = (648, 8, 70, 58)
        rects["page:on"] = (722, 8, 70, 58)
        for index, name in enumerate(("undo", "delete", "open")):
            rects[name] = (648, 132 + index * 74, 144, 66)
        return
    for index, name in enumerate(("page:back", "page:on", "undo", "delete", "open")):
        rects[name] = (2 + index * 128, PHOTO_H + 4, 124, 52)


def _add_live_buttons(rects, wide):
    if wide:
        rects["freeze"] = (648, 180, 70, 56)
        rects["keep"] = (722, 180, 70, 56)
        rects["pin"] = (648, 241, 144, 54)
        rects["previous"] = (648, 300, 70, 56)
        rects["next"] = (722, 300, 70, 56)
        rects["slider"] = (500, PHOTO_H + 4, 292, 52)
        return
    for index, name in enumerate(("freeze", "keep", "pin")):
        rects[name] = (560, 60 + index * 60, 76, 54)
    rects["previous"] = (500, PHOTO_H + 4, 66, 52)
    rects["next"] = (570, PHOTO_H + 4, 66, 52)
    rects["slider"] = (260, PHOTO_H + 4, 230, 52)
