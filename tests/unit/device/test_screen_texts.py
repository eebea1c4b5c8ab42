"""What the screens write: every line inside its place, whatever the names, addresses and errors are; tags never over each other."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.device_board import FakeCanvas, raw_heads
from fakes.device_host import FakeHost
from snaploop_device import layout
from snaploop_device.screens import widgets as w
from snaploop_device.screens.tags import HEIGHT_PX, Tags
from virtual_k230.drawing import font_of

LONG = [
    "traffic light red (left lane)",
    "yellow",
    "pedestrian crossing, lit",
    "WWWWWWWW WWWWWW",
    "an_identifier_without_spaces",
    *"hijklmn",
]
ERROR = (
    "host: this board is not paired with snaploop on long-host-name-of-the-school.example.local any more: pair it anew on About, "
    "or run `snaploop board install`"
)
PANELS = (800, 640)


def real_width(text, size):
    """As the virtual board draws it."""
    return font_of(size, None).getlength(text)


@pytest.mark.parametrize(
    "text", [*LONG, ERROR, "192.168.100.200:8765", "4988 of 5000 photos to send", "Run 12: running 87.6 %"]
)
def test_widths_are_those_of_a_face_and_rather_too_wide(text):
    for size in (14, 20, 34):
        assert 0.99 * real_width(text, size) <= w.text_width(text, size) <= 1.12 * real_width(text, size) + 2


@given(st.text(st.sampled_from("abcW .,-_/i"), max_size=200), st.integers(60, 640), st.integers(20, 120))
@settings(max_examples=200, deadline=None)
def test_paragraphs_stay_in_their_rectangle_and_lose_nothing_unsaid(text, width, height):
    size, lines = w.paragraph_lines(text, width, height)
    assert all(w.text_width(line, size) <= width for line in lines)
    assert len(lines) == 1 or len(lines) * w.line_px(size) <= height
    whole = "".join(lines).replace(" ", "")
    assert whole == text.replace(" ", "") or lines[-1].endswith("..")


def test_an_address_keeps_both_ends():
    cut = w.fitted_middle("192.168.100.201 to the-teacher-s-computer.school.example.local:8765", 15, 256)
    assert cut.startswith("192.168.1") and cut.endswith(".local:8765") and ".." in cut and w.text_width(cut, 15) <= 256
    assert w.fitted_middle("10.0.0.1", 15, 256) == "10.0.0.1"


boxes = st.lists(
    st.tuples(st.integers(0, 600), st.integers(30, 320), st.integers(8, 200), st.integers(8, 120)),
    min_size=2,
    max_size=4,
)


def tag_rects(canvas):
    return [call[1:5] for call in canvas.calls if call[0] == "rectangle" and call[7]]


def test_tags_of_close_boxes_stand_apart():
    canvas = FakeCanvas()
    tags = Tags(canvas)
    tags.box(100, 100, 40, 90, (60, 200, 90), "green", " 92")
    tags.box(130, 104, 40, 90, (255, 200, 40), "yellow", " 91")
    tags.draw()
    one, two = tag_rects(canvas)
    assert one[0] + one[2] <= two[0] or two[0] + two[2] <= one[0] or abs(one[1] - two[1]) >= HEIGHT_PX
    assert [call[4] for call in canvas.calls if call[0] == "text"] == ["green 92", "yellow 91"]


@given(boxes, st.sampled_from([0, 28]))
@settings(max_examples=150, deadline=None)
def test_up_to_three_tags_never_overlap_and_stay_in_the_picture(found, top):
    canvas = FakeCanvas()
    tags = Tags(canvas, top)
    for x, y, width, height in found[:3]:
        tags.box(x, y, width, height, (1, 2, 3), "name", " 50")
    tags.draw()
    rects = tag_rects(canvas)
    for x, y, width, height in rects:
        assert x >= 0 and x + width <= layout.PHOTO_W and top <= y and y + height <= layout.PHOTO_H
    for a, b in itertools.combinations(rects, 2):
        assert a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1], (a, b)


def check_all_texts(rig):
    """Every text of the shown picture ends inside the panel, and left of the run panel on Sync."""
    rig.state.dirty = rig.state.picture_dirty = True
    rig.app._painter.draw(rig.state, rig.app.now_ms)
    panel = rig.state.panel_w
    for canvas, right in ((rig.board.display.overlay, layout.PHOTO_W), (rig.board.display.canvas, panel)):
        for call in canvas.shown:
            if call[0] == "text":
                _kind, x, y, size, text, _colour = call
                end = 318 if rig.state.screen == layout.SYNC and x < 330 and y < layout.PHOTO_H else right
                assert x >= 0 and x + real_width(text, size) <= end + 1, (rig.state.screen, text, x, size)
                assert y >= 0 and y + size <= rig.state.panel_h, (rig.state.screen, text, y)


@pytest.mark.parametrize("width", PANELS)
@pytest.mark.parametrize("task", ["detect", "classify", "multilabel", "segment", "ocr_detect"])
def test_every_screen_holds_long_names_and_errors(make_rig, width, task):
    host = FakeHost(classes=LONG)
    host.task = task
    rig = make_rig(host=host, width=width, host_address="x")
    rig.until(lambda: rig.state.classes)
    state = rig.state
    rig.tap("shutter")
    check_all_texts(rig)
    if state.screen == layout.LABEL:
        for name in LONG[:3]:
            rig.app.apply(("choose_class", name)) if state.labelling else None
            check_all_texts(rig)
    for screen in layout.SCREENS:
        rig.app.apply(("open", screen))
        for message in ("", ERROR):
            state.message, state.message_level = message, "error"
            check_all_texts(rig)
            if message and screen not in (layout.ABOUT,):
                told = " ".join(rig.board.display.canvas.texts())
                assert "board install`" in told.replace(" ", " "), (screen, told)


@pytest.mark.parametrize("width", PANELS)
@pytest.mark.parametrize("host_at", ["192.168.100.200:8765", "the-teacher-s-computer.school.example.local:8765"])
def test_sync_shows_addresses_beside_the_run_panel(make_rig, width, host_at):
    rig = make_rig(host=FakeHost(), width=width)
    rig.until(lambda: rig.state.classes)
    rig.app.apply(("open", "sync"))
    rig.state.wifi, rig.state.wifi_address, rig.state.host_at = "connected", "192.168.100.201", host_at
    rig.state.project, rig.state.photos, rig.state.pending = "Ampelkreuzung-am-Marktplatz-Nordseite", 5000, 4988
    rig.state.run = {"id": 12, "state": "running", "stage": "train", "epoch": 37, "epochs": 150, "eta_s": 7540}
    check_all_texts(rig)
    texts = rig.board.display.canvas.texts()
    assert "4988 of 5000 photos to send" in texts
    assert any(text.startswith("192.168.100.201 to ") or ".." in text for text in texts)
    if len(host_at) < 24:
        assert "192.168.100.201 to " + host_at in texts


@pytest.mark.parametrize("width", PANELS)
def test_why_a_run_failed_is_said_to_its_end(make_rig, width):
    rig = make_rig(host=FakeHost(), width=width)
    rig.until(lambda: rig.state.classes)
    rig.app.apply(("open", "sync"))
    text = "3 photos have labels of classes that are not in the project any more: open them on the page and choose again, then train"
    for curve in ([], [(epoch, 500, 1000) for epoch in range(9)]):
        rig.state.run, rig.state.curve = {"id": 12, "state": "failed", "text": text}, curve
        check_all_texts(rig)
        assert "then train" in " ".join(rig.board.display.canvas.texts())


@pytest.mark.parametrize("width", PANELS)
def test_live_shows_what_is_in_view_first(make_rig, width):
    host = FakeHost(classes=LONG)
    rig = make_rig(host=host, width=width)
    rig.until(lambda: rig.state.classes)
    rig.board.kpu.golden_outputs = lambda network: raw_heads([(1, 100, 50, 40, 40)], 320, 192, len(LONG))
    rig.board.kpu.live_outputs = lambda network: raw_heads(
        [(3, 100, 50, 40, 40), (2, 180, 50, 40, 40)], 320, 192, len(LONG)
    )
    host.publish(1)
    rig.tap("tab:live")
    rig.until(lambda: rig.state.detections and not rig.app.models.is_trial)
    check_all_texts(rig)
    shown = [text for text in rig.board.display.canvas.texts() if text.endswith(" 1")]
    assert shown and shown[0].startswith("pedestrian")


@pytest.mark.parametrize("is_paired", [False, True])
def test_an_empty_card_says_where_classes_come_from(make_rig, is_paired):
    rig = make_rig(paired=is_paired)
    for screen in (layout.CAPTURE, layout.LABEL):
        rig.app.apply(("open", screen))
        rig.state.message = ""
        check_all_texts(rig)
        told = " ".join(rig.board.display.canvas.texts())
        assert "host" in told and ("first sync" if is_paired else "tap Pair") in told
