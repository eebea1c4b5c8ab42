"""Where everything is on the panel: one place for the screens, the tests and the demo's scripted finger. Pure arithmetic.

Two shapes. Wide (from 800x480): the picture at the top left, a side column of 160 px to its right, a strip and the tabs below.
Narrow (640x480): the picture as wide as the panel; strip and tabs below; Label puts its buttons where the tabs are.
All rectangles are (x, y, w, h) in panel px, origin top left. The picture window is PHOTO_W x PHOTO_H at (0, 0): photo px are panel px.
"""

PHOTO_W = 640
PHOTO_H = 360
PICTURE = (0, 0, PHOTO_W, PHOTO_H)

CAPTURE = "capture"
LABEL = "label"
SYNC = "sync"
LIVE = "live"
SCREENS = (CAPTURE, LABEL, SYNC, LIVE)
ROADS = ("auto", "usb", "wifi")

MIN_TOUCH_PX = 48  # a fingertip on a 3.5" panel
SHUTTER_R_PX = 25  # white disc (requirement S0-02)
SHUTTER_RING_R_PX = 40
CLASSES_PER_PAGE = 8

# RGB; told apart by hue and by lightness. The class index picks the colour, boxes are drawn in exactly these values.
CLASS_COLOURS = (
    (230, 57, 70),
    (255, 200, 40),
    (60, 200, 90),
    (70, 150, 255),
    (255, 130, 30),
    (190, 100, 255),
    (40, 220, 220),
    (255, 120, 190),
    (170, 210, 60),
    (205, 175, 140),
)


def class_colour(index: int) -> "tuple[int, int, int]":
    """The RGB colour of a class index; colours repeat after ten."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def is_wide(panel_w: int) -> bool:
    """Whether there is room for the side column beside the picture."""
    return panel_w >= PHOTO_W + 160


def strip_rect(panel_w: int, panel_h: int) -> "tuple[int, int, int, int]":
    """The row between picture and tabs."""
    return (0, PHOTO_H, min(panel_w, 800), 60)


def tabs_rect(panel_w: int, panel_h: int) -> "tuple[int, int, int, int]":
    """The home bar."""
    return (0, PHOTO_H + 60, min(panel_w, 800), 60)


def side_rect(panel_w: int, panel_h: int) -> "tuple[int, int, int, int]":
    """The column beside the picture; width 0 on a narrow panel."""
    return (PHOTO_W, 0, 160 if is_wide(panel_w) else 0, PHOTO_H)


def shutter_centre(panel_w: int, panel_h: int) -> "tuple[int, int]":
    """Where the shutter is."""
    return (720, 240) if is_wide(panel_w) else (585, 240)


def button_rects(screen: str, panel_w: int, panel_h: int, classes: "list[str]" = (), page: int = 0) -> dict:
    """Name → rectangle of everything that can be touched on a screen.

    Args:
        screen: one of SCREENS.
        panel_w: panel width in px; 640 or from 800.
        panel_h: panel height in px; from 480.
        classes: the project's class names (used by Label).
        page: which page of the class bar, when there are more classes than fit.

    Returns:
        Names: "tab:<screen>", "shutter", "picture", "class:<name>", "classes" (next page), "older", "newer", "undo", "delete",
        "reject", "save", "back" (narrow Label), "road:<road>", "train", "previous", "next" (model).

    Raises:
        ValueError: no such screen, or a panel that is too small.
    """
    if panel_w < PHOTO_W or panel_h < 480:
        raise ValueError("panel of {}x{}: the app needs 640x480 or more".format(panel_w, panel_h))
    wide = is_wide(panel_w)
    rects = {}
    if screen != LABEL or wide:
        x, y, w, h = tabs_rect(panel_w, panel_h)
        for index in range(len(SCREENS)):
            rects["tab:" + SCREENS[index]] = (x + index * (w // 4), y, w // 4, h)
    if screen == CAPTURE:
        x, y = shutter_centre(panel_w, panel_h)
        r = SHUTTER_RING_R_PX
        rects["shutter"] = (x - r, y - r, 2 * r, 2 * r)
    elif screen == LABEL:
        rects["picture"] = PICTURE
        _add_class_bar(rects, panel_w, panel_h, classes, page)
        _add_label_buttons(rects, panel_w, panel_h)
    elif screen == SYNC:
        for index in range(len(ROADS)):
            rects["road:" + ROADS[index]] = (20 + index * 96, 132, 92, 56)
        rects["train"] = (20, 296, 284, 64)
    elif screen == LIVE:
        if wide:
            rects["previous"] = (648, 300, 70, 52)
            rects["next"] = (722, 300, 70, 52)
        else:
            rects["previous"] = (500, 364, 66, 52)
            rects["next"] = (570, 364, 66, 52)
    else:
        raise ValueError("no screen called {!r}; there are {}".format(screen, ", ".join(SCREENS)))
    return rects


def class_page(classes: "list[str]", page: int) -> "tuple[int, list[str]]":
    """(index of the first class shown, names shown) on a page of the class bar."""
    if len(classes) <= CLASSES_PER_PAGE:
        return 0, list(classes)
    per_page = CLASSES_PER_PAGE - 1
    pages = (len(classes) + per_page - 1) // per_page
    first = (page % pages) * per_page
    return first, list(classes[first : first + per_page])


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


def _add_label_buttons(rects, panel_w, panel_h):
    if is_wide(panel_w):
        rects["older"] = (648, 8, 70, 56)
        rects["newer"] = (722, 8, 70, 56)
        names = ("undo", "delete", "reject", "save")
        for index in range(4):
            rects[names[index]] = (648, 72 + index * 72, 144, 64)
        return
    names = ("back", "older", "newer", "undo", "delete", "reject", "save")
    y = PHOTO_H + 62
    x = 0
    for name in names:
        width = 72 if name in ("older", "newer") else 92
        if name == "save":
            width = PHOTO_W - x
        rects[name] = (x + 2, y, width - 4, 56)
        x += width
