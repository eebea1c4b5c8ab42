"""Rectangles: inside the panel, big enough for a finger, never overlapping, found at their centres."""

import itertools

import pytest

from snaploop_device import layout

CLASSES = [[], ["a"], ["red", "yellow", "green"], [f"c{i}" for i in range(8)], [f"c{i}" for i in range(23)]]


@pytest.mark.parametrize("panel", [(800, 480), (640, 480), (1920, 1080)])
@pytest.mark.parametrize("screen", layout.SCREENS)
@pytest.mark.parametrize("classes", CLASSES, ids=len)
def test_buttons_fit_a_finger_and_do_not_overlap(panel, screen, classes):
    rects = layout.button_rects(screen, *panel, classes)
    for name, (x, y, w, h) in rects.items():
        assert x >= 0 and y >= 0 and x + w <= panel[0] and y + h <= panel[1], name
        assert w >= layout.MIN_TOUCH_PX and h >= layout.MIN_TOUCH_PX, name
        assert layout.button_at(rects, x + w // 2, y + h // 2) == name
    for (one, a), (two, b) in itertools.combinations(rects.items(), 2):
        apart = a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]
        assert apart, (one, two)


def test_shutter_is_where_the_requirement_says():
    assert layout.shutter_centre(800, 480) == (720, 240)
    assert layout.button_rects("capture", 800, 480)["shutter"] == (660, 180, 120, 120)


def test_every_class_is_on_one_page():
    classes = CLASSES[-1]
    seen = []
    for page in range(4):
        first, names = layout.class_page(classes, page)
        assert classes[first : first + len(names)] == names
        seen += names
    assert seen == classes
    assert "class:c20" not in layout.button_rects("label", 800, 480, classes, 0)
    assert "class:c20" in layout.button_rects("label", 800, 480, classes, 2)


def test_bad_questions():
    with pytest.raises(ValueError, match="no screen"):
        layout.button_rects("home", 800, 480)
    with pytest.raises(ValueError, match="needs 640x480"):
        layout.button_rects("capture", 320, 240)


def test_tabs_on_every_screen_of_a_wide_panel():
    for screen in layout.SCREENS:
        assert {f"tab:{one}" for one in layout.TABS} <= set(layout.button_rects(screen, 800, 480))
    assert "back" in layout.button_rects("label", 640, 480)
