"""The sample record: what a person said about one photo, as JSON beside the photo on the card and in the host's store.

    {"v": 1, "name": "b3-000012", "photo": sha256, "size": bytes, "w": 640, "h": 360, "rev": 2, "state": "labelled",
     "boxes": [{"class": "red", "xywh_px": [x, y, w, h]}]}

`rev` grows with every change of the labels, so the newest wins whichever road it took. state: "new" (not looked at yet),
"labelled" (boxes are complete; none means background), "rejected" (not for training).

A box may have "points_px": [[x, y], ...], the polygon (task segment) or the four corners from the top left clockwise (ocr) that it
encloses, and "text": what is written there (ocr). A class said of the whole photo (classify, multilabel) is a box as large as the photo.
"""

import json

from .errors import RecordError
from .portable import parse_json

VERSION = 1
NEW = "new"
LABELLED = "labelled"
REJECTED = "rejected"
STATES = (NEW, LABELLED, REJECTED)
MIN_BOX_PX = 4
MAX_BOXES = 300
MAX_POINTS = 48  # of one polygon
MAX_RECORD_POINTS = 2400  # of all polygons of a photo: the record fits a message
MAX_NAME_CHARS = 60
MAX_TEXT_CHARS = 100
MAX_RECORD_TEXT_CHARS = 4000  # of all boxes of a photo: the record fits a message


class Box:
    """A labelled rectangle in photo pixels, origin top left: class name, left, top, width, height (integers).

    `points`: the polygon or quad inside it, as (x, y) in photo pixels; none for a plain rectangle.
    `text`: what is written there, "" where nobody said.
    """

    def __init__(self, class_name: str, x: int, y: int, w: int, h: int, points=(), text: str = "") -> None:
        """Keep the fields; `SampleRecord.check` judges them."""
        self.class_name = class_name
        self.x = x
        self.y = y
        self.w = w
        self.h = h
        self.points = tuple([tuple(point) for point in points])
        self.text = text

    def __eq__(self, other: object) -> bool:
        """Equal when every field is."""
        return isinstance(other, Box) and self._fields() == other._fields()

    def __hash__(self) -> int:
        """By the fields."""
        return hash(self._fields())

    def __repr__(self) -> str:
        """For logs and test output."""
        outline = ", {} points".format(len(self.points)) if self.points else ""
        if self.text:
            outline += ", {!r}".format(self.text)
        return "Box({!r}, {}, {}, {}, {}{})".format(self.class_name, self.x, self.y, self.w, self.h, outline)

    def _fields(self):
        return (self.class_name, self.x, self.y, self.w, self.h, self.points, self.text)


class SampleRecord:
    """One photo with what is said about it; see the module docstring."""

    def __init__(self, name, photo, size, width, height, rev=0, state=NEW, boxes=()):
        """Make a record; call `check` before trusting fields from outside."""
        self.name = name
        self.photo = photo
        self.size = size
        self.width = width
        self.height = height
        self.rev = rev
        self.state = state
        self.boxes = list(boxes)

    def check(self) -> "SampleRecord":
        """Itself, when every rule holds.

        Raises:
            RecordError: names the rule and the value that breaks it.
        """
        if (
            not isinstance(self.name, str)
            or not 0 < len(self.name) <= MAX_NAME_CHARS
            or "/" in self.name
            or "\\" in self.name
        ):
            raise RecordError("sample name {!r}: 1 to {} characters without slashes".format(self.name, MAX_NAME_CHARS))
        if not is_digest(self.photo):
            raise RecordError("sample {}: photo {!r} is no SHA-256".format(self.name, self.photo))
        for what in (self.size, self.width, self.height, self.rev):
            if not isinstance(what, int) or isinstance(what, bool) or what < 0:
                raise RecordError(
                    "sample {}: size, w, h and rev must be whole numbers, got {!r}".format(self.name, what)
                )
        if self.state not in STATES:
            raise RecordError("sample {}: state {!r} is none of {}".format(self.name, self.state, ", ".join(STATES)))
        if len(self.boxes) > MAX_BOXES:
            raise RecordError("sample {}: {} boxes, at most {} fit".format(self.name, len(self.boxes), MAX_BOXES))
        points = sum([len(box.points) for box in self.boxes])
        if points > MAX_RECORD_POINTS:
            raise RecordError(
                "sample {}: outlines of {} points, at most {} fit".format(self.name, points, MAX_RECORD_POINTS)
            )
        for box in self.boxes:
            self._check_box(box)
        letters = sum([len(box.text) for box in self.boxes])
        if letters > MAX_RECORD_TEXT_CHARS:
            raise RecordError(
                "sample {}: texts of {} characters, at most {} fit".format(self.name, letters, MAX_RECORD_TEXT_CHARS)
            )
        return self

    def to_json(self) -> bytes:
        """The record as UTF-8 JSON."""
        boxes = [_box_fields(box) for box in self.boxes]
        return json.dumps(
            {
                "v": VERSION,
                "name": self.name,
                "photo": self.photo,
                "size": self.size,
                "w": self.width,
                "h": self.height,
                "rev": self.rev,
                "state": self.state,
                "boxes": boxes,
            }
        ).encode()

    def _check_box(self, box) -> None:
        if not isinstance(box.class_name, str) or not box.class_name:
            raise RecordError("sample {}: a box without a class".format(self.name))
        for what in (box.x, box.y, box.w, box.h):
            if not isinstance(what, int) or isinstance(what, bool):
                raise RecordError("sample {}: box {!r} must be whole pixels".format(self.name, box))
        inside = box.x >= 0 and box.y >= 0 and box.x + box.w <= self.width and box.y + box.h <= self.height
        if box.w < 1 or box.h < 1 or not inside:
            raise RecordError(
                "sample {}: box {!r} lies outside the {}x{} photo".format(self.name, box, self.width, self.height)
            )
        if not isinstance(box.text, str) or len(box.text) > MAX_TEXT_CHARS:
            raise RecordError(
                "sample {}: text {!r}, a string of at most {} characters fits".format(
                    self.name, box.text, MAX_TEXT_CHARS
                )
            )
        if box.points:
            self._check_points(box)

    def _check_points(self, box) -> None:
        if not 3 <= len(box.points) <= MAX_POINTS:
            raise RecordError(
                "sample {}: an outline of {} points, 3 to {} fit".format(self.name, len(box.points), MAX_POINTS)
            )
        for point in box.points:
            if len(point) != 2 or not isinstance(point[0], int) or not isinstance(point[1], int):
                raise RecordError("sample {}: point {!r} must be two whole pixels".format(self.name, point))
            if not (box.x <= point[0] < box.x + box.w and box.y <= point[1] < box.y + box.h):
                raise RecordError("sample {}: point {!r} lies outside its box {!r}".format(self.name, point, box))


def parse(data: bytes) -> SampleRecord:
    """The checked record in JSON bytes.

    Raises:
        RecordError: not JSON, a field missing, another version, or a rule broken.
    """
    try:
        fields = parse_json(data)
        if fields["v"] != VERSION:
            raise RecordError("sample record of version {}, this side knows {}: update it".format(fields["v"], VERSION))
        boxes = [_box(one) for one in fields["boxes"]]
        record = SampleRecord(
            fields["name"],
            fields["photo"],
            fields["size"],
            fields["w"],
            fields["h"],
            fields["rev"],
            fields["state"],
            boxes,
        )
    except ValueError:
        raise RecordError("sample record is not JSON")
    except (KeyError, TypeError) as error:
        raise RecordError("sample record is incomplete: {}".format(error))
    return record.check()


def _box_fields(box):
    fields = {"class": box.class_name, "xywh_px": [box.x, box.y, box.w, box.h]}
    if box.points:
        fields["points_px"] = [list(point) for point in box.points]
    if box.text:
        fields["text"] = box.text
    return fields


def _box(fields):
    x, y, w, h = fields["xywh_px"]
    return Box(fields["class"], x, y, w, h, fields.get("points_px", ()), fields.get("text", ""))


def clipped_box(class_name: str, x0: int, y0: int, x1: int, y1: int, width: int, height: int) -> "Box | None":
    """The box spanned by two corners in any order, cut to the photo; None when less than MIN_BOX_PX remain on a side."""
    left, right = max(0, min(x0, x1)), min(width, max(x0, x1))
    top, bottom = max(0, min(y0, y1)), min(height, max(y0, y1))
    if right - left < MIN_BOX_PX or bottom - top < MIN_BOX_PX:
        return None
    return Box(class_name, left, top, right - left, bottom - top)


def is_digest(text: object) -> bool:
    """Whether it is a SHA-256 as 64 lower-case hex digits."""
    if not isinstance(text, str) or len(text) != 64:
        return False
    for character in text:
        if character not in "0123456789abcdef":
            return False
    return True
