"""Label shapes under one finger: which corner is meant, moving, resizing, freehand outlines made simple. Pure arithmetic, photo px.

A shape is a shared sample_record Box: a rectangle, or, with `points`, a polygon (segmentation) or a quad (text) that it encloses.
"""

from snaploop_shared.sample_record import MAX_POINTS, MIN_BOX_PX, Box, clipped_box

HANDLE_OFFSET_PX = 14  # handles stand outside the corner, so that small boxes keep an inside to be moved by
HANDLE_REACH_PX = 22  # half of a handle's touch square: 44 px
EDGE_HANDLES_FROM_PX = 120  # sides this long get a handle in their middle
TRACE_STEP_PX = 4  # a finger's outline keeps a point this often
TRACE_TOLERANCE_PX = 3

_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))
_EDGES = ((0, -1), (1, 0), (0, 1), (-1, 0))


def handles(box: Box) -> "list[tuple]":
    """(x, y, grip) of each handle; grip is (dx, dy) of a side or corner, or the index of a point."""
    if box.points:
        return [(box.points[index][0], box.points[index][1], index) for index in range(len(box.points))]
    found = []
    for dx, dy in _CORNERS:
        found.append((_at(box.x, box.w, dx), _at(box.y, box.h, dy), (dx, dy)))
    for dx, dy in _EDGES:
        if (box.h if dx else box.w) >= EDGE_HANDLES_FROM_PX:
            found.append((_at(box.x, box.w, dx), _at(box.y, box.h, dy), (dx, dy)))
    return found


def grip_at(box: Box, x: int, y: int) -> "object":
    """What a finger at a point would take of this shape: a grip of `handles`, "move" inside, None outside."""
    best, best_far = None, HANDLE_REACH_PX + 1
    for handle_x, handle_y, grip in handles(box):
        far = max(abs(handle_x - x), abs(handle_y - y))
        if far < best_far:
            best, best_far = grip, far
    if best is not None:
        return best
    return "move" if contains(box, x, y) else None


def contains(box: Box, x: int, y: int) -> bool:
    """Whether the point lies in the shape's rectangle."""
    return box.x <= x < box.x + box.w and box.y <= y < box.y + box.h


def dragged(box: Box, grip, dx: int, dy: int, width: int, height: int) -> Box:
    """The shape after its grip was drawn by (dx, dy), kept inside the photo and never thinner than a box may be."""
    if grip == "move":
        dx = min(max(dx, -box.x), width - box.x - box.w)
        dy = min(max(dy, -box.y), height - box.y - box.h)
        points = [(point[0] + dx, point[1] + dy) for point in box.points]
        return Box(box.class_name, box.x + dx, box.y + dy, box.w, box.h, points, box.text)
    if box.points:
        points = list(box.points)
        x, y = points[grip]
        points[grip] = (min(max(x + dx, 0), width - 1), min(max(y + dy, 0), height - 1))
        return _told(around(box.class_name, points, width, height), box) or box
    x0, y0, x1, y1 = box.x, box.y, box.x + box.w, box.y + box.h
    if grip[0] < 0:
        x0 += dx
    elif grip[0] > 0:
        x1 += dx
    if grip[1] < 0:
        y0 += dy
    elif grip[1] > 0:
        y1 += dy
    return _told(clipped_box(box.class_name, x0, y0, x1, y1, width, height), box) or box


def around(class_name: str, points: "list[tuple[int, int]]", width: int, height: int) -> "Box | None":
    """The polygon through these points with the rectangle it fills; None when that is too thin to be meant."""
    inside = [(min(max(x, 0), width - 1), min(max(y, 0), height - 1)) for x, y in points]
    if len(inside) < 3:
        return None
    x0, x1 = min([point[0] for point in inside]), max([point[0] for point in inside])
    y0, y1 = min([point[1] for point in inside]), max([point[1] for point in inside])
    if x1 - x0 + 1 < MIN_BOX_PX or y1 - y0 + 1 < MIN_BOX_PX:
        return None
    return Box(class_name, x0, y0, x1 - x0 + 1, y1 - y0 + 1, inside)


def quad(box: Box, width: int, height: int) -> "Box | None":
    """The rectangle as four corners, from the top left clockwise, so that each can be pulled on its own (text)."""
    x1, y1 = box.x + box.w - 1, box.y + box.h - 1
    return around(box.class_name, [(box.x, box.y), (x1, box.y), (x1, y1), (box.x, y1)], width, height)


def simplified(points: "list[tuple[int, int]]", most: int = MAX_POINTS) -> "list[tuple[int, int]]":
    """The outline with fewer points (Douglas and Peucker): none lies further than the tolerance from it; at most `most` points."""
    tolerance = TRACE_TOLERANCE_PX
    while True:
        kept = _reduced(points, tolerance)
        if len(kept) <= most:
            return kept
        tolerance = tolerance * 3 // 2 + 1


def _told(moved, box):
    """The shape with what was said of it before."""
    if moved is not None:
        moved.text = box.text
    return moved


def _at(start, length, side):
    if side == 0:
        return start + length // 2
    return start - HANDLE_OFFSET_PX if side < 0 else start + length + HANDLE_OFFSET_PX


def _reduced(points, tolerance):
    last = len(points) - 1
    if last < 2:
        return list(points)
    keep = bytearray(last + 1)
    keep[0] = keep[last] = 1
    spans = [(0, last)]  # a stack instead of recursion: the board's is small
    while spans:
        first, end = spans.pop()
        far, at = 0, 0
        for index in range(first + 1, end):
            distance = _distance_square(points[index], points[first], points[end])
            if distance > far:
                far, at = distance, index
        if far > tolerance * tolerance:
            keep[at] = 1
            spans.append((first, at))
            spans.append((at, end))
    return [points[index] for index in range(last + 1) if keep[index]]


def _distance_square(point, start, end):
    """Squared distance of a point from the line through two others; from the point when they are one (a closed outline)."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    px, py = point[0] - start[0], point[1] - start[1]
    length = dx * dx + dy * dy
    if not length:
        return px * px + py * py
    cross = dx * py - dy * px
    return cross * cross // length
