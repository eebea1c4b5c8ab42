"""Shapes under a finger: handles, moving, resizing inside the photo, outlines made simple."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snaploop_device import shapes
from snaploop_shared.sample_record import MAX_POINTS, Box

W, H = 640, 360
boxes = st.builds(
    lambda x, y, w, h: Box("a", x, y, min(w, W - x), min(h, H - y)),
    st.integers(0, W - 8),
    st.integers(0, H - 8),
    st.integers(4, W),
    st.integers(4, H),
)
moves = st.integers(-900, 900)


def is_inside(box):
    return box.x >= 0 and box.y >= 0 and box.x + box.w <= W and box.y + box.h <= H and box.w >= 4 and box.h >= 4


@given(boxes, moves, moves)
def test_moving_keeps_the_size_and_stays_inside(box, dx, dy):
    moved = shapes.dragged(box, "move", dx, dy, W, H)
    assert (moved.w, moved.h) == (box.w, box.h) and is_inside(moved)


@given(boxes, st.integers(0, 7), moves, moves)
def test_resizing_stays_inside_and_leaves_the_other_side(box, number, dx, dy):
    grips = [grip for _x, _y, grip in shapes.handles(box)]
    grip = grips[number % len(grips)]
    resized = shapes.dragged(box, grip, dx, dy, W, H)
    assert is_inside(resized)
    if grip[0] == 0:
        assert (resized.x, resized.w) == (box.x, box.w)


@given(boxes, moves, moves)
def test_a_quad_is_moved_as_a_whole_and_its_corners_one_by_one(box, dx, dy):
    quad = shapes.quad(box, W, H)
    moved = shapes.dragged(quad, "move", dx, dy, W, H)
    assert (
        is_inside(moved)
        and len({(a[0] - b[0], a[1] - b[1]) for a, b in zip(moved.points, quad.points, strict=True)}) == 1
    )
    pulled = shapes.dragged(quad, 2, dx, dy, W, H)
    assert [pulled.points[index] for index in (0, 1, 3)] == [quad.points[index] for index in (0, 1, 3)]
    assert all(pulled.x <= x < pulled.x + pulled.w and pulled.y <= y < pulled.y + pulled.h for x, y in pulled.points)


def test_handles_are_40_px_to_the_finger_and_leave_small_boxes_an_inside():
    box = Box("a", 100, 100, 30, 30)
    assert shapes.grip_at(box, 115, 115) == "move"
    assert shapes.grip_at(box, 66, 66) == (-1, -1) and shapes.grip_at(box, 107, 107) == (-1, -1)
    assert shapes.grip_at(box, 60, 60) is None
    assert 2 * shapes.HANDLE_REACH_PX >= 40


def test_long_sides_have_a_handle_in_their_middle():
    assert len(shapes.handles(Box("a", 10, 10, 100, 100))) == 4
    assert len(shapes.handles(Box("a", 10, 10, 200, 100))) == 6
    assert len(shapes.handles(Box("a", 10, 10, 200, 200))) == 8


@given(st.lists(st.tuples(st.integers(0, W - 1), st.integers(0, H - 1)), min_size=3, max_size=120))
def test_simplified_outline_keeps_its_ends_and_fits(points):
    kept = shapes.simplified(points)
    assert kept[0] == points[0] and kept[-1] == points[-1] and len(kept) <= MAX_POINTS
    assert set(kept) <= set(points)


def test_simplified_outline_agrees_with_opencv():
    angles = np.linspace(0, 6.2, 200)
    points = [
        (int(320 + 120 * np.cos(a) + 15 * np.cos(5 * a)), int(180 + 100 * np.sin(a) + 15 * np.sin(7 * a)))
        for a in angles
    ]
    ours = np.array(shapes.simplified(points), np.int32)
    theirs = cv2.approxPolyDP(np.array(points, np.int32), shapes.TRACE_TOLERANCE_PX, False).reshape(-1, 2)
    assert abs(len(ours) - len(theirs)) <= 4
    masks = [cv2.fillPoly(np.zeros((H, W), np.uint8), [outline], 1) for outline in (ours, np.array(points, np.int32))]
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() > 0.97
