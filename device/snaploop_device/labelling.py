"""Editing the labels of one photo with one finger: pure logic, no screen, no card. The Label screen and the app use it.

Per task: detect draws boxes, segment traces outlines, the text tasks draw boxes whose four corners can be pulled. Classify, embed and
multilabel say classes of the whole photo (a box as large as the photo), the first two one at most. A drag draws, unless it begins on the
selected shape: then it moves or resizes that one. A new shape is not selected, so that things that touch each other can be drawn one
after another.
"""

from snaploop_shared.manifest import iou_permille
from snaploop_shared.sample_record import MAX_BOXES, MAX_POINTS, MAX_RECORD_POINTS, Box, SampleRecord, clipped_box

from . import shapes

DETECT = "detect"
SEGMENT = "segment"
OCR_DETECT = "ocr_detect"
OCR_RECOGNIZE = "ocr_recognize"
TEXT_TASKS = (OCR_DETECT, OCR_RECOGNIZE)
CLASSIFY = "classify"
MULTILABEL = "multilabel"
EMBED = "embed"
ONE_CLASS_TASKS = (CLASSIFY, EMBED)
WHOLE_PHOTO_TASKS = (CLASSIFY, MULTILABEL, EMBED)

TAP_PX = 10  # a finger that moved less than this meant a tap
UNDO_STEPS = 50
SAME_THING_PERMILLE = 500  # a shape drawn over a proposal this closely takes its place


class Labelling:
    """The shapes of one photo while a person edits them. `record` is what is on the card; `changed` tells whether it differs."""

    def __init__(self, record: SampleRecord, classes: "list[str]", class_index: int = 0, task: str = DETECT) -> None:
        """Begin with the boxes of `record`; new ones get class number `class_index`."""
        self.record = record
        self.task = task
        self.classes = classes
        self.boxes = list(record.boxes)
        self.proposals = []  # what the model believes, as boxes; not saved unless accepted
        self.class_index = class_index if 0 <= class_index < len(classes) else 0
        self.selected = -1  # index into boxes
        self.drag = None  # [x0, y0, x1, y1] photo px while a finger is down
        self.grip = None  # what the drag holds of the selected shape, None: it draws
        self.trace = []  # the outline under the finger (segment)
        self.changed = False
        self._before = []  # boxes when the finger came down
        self._undo = []

    @property
    def class_name(self) -> str:
        """The class of the next box, "" without classes."""
        return self.classes[self.class_index] if self.classes else ""

    @property
    def chosen_names(self) -> "list[str]":
        """The classes that are said of the whole photo."""
        return [box.class_name for box in self.boxes]

    def propose(self, boxes: "list[Box]") -> bool:
        """Offer what the model found; ignored when the person was faster. Whether there is something to look at now."""
        if self.changed or self.boxes or self.drag is not None:
            return False
        self.proposals = [box for box in boxes if box.class_name in self.classes][:MAX_BOXES]
        return bool(self.proposals)

    def press(self, x: int, y: int) -> None:
        """A finger came down on the photo."""
        self.drag = [x, y, x, y]
        self.grip = None
        self.trace = []
        self._before = list(self.boxes)
        if self.task in WHOLE_PHOTO_TASKS:
            return
        if self.selected >= 0:
            self.grip = shapes.grip_at(self.boxes[self.selected], x, y)
        if self.grip is None and self.task == SEGMENT:
            self.trace = [(x, y)]

    def move(self, x: int, y: int) -> None:
        """The finger moved."""
        if self.drag is None:
            return
        self.drag[2], self.drag[3] = x, y
        if self.grip is not None:
            dx, dy = x - self.drag[0], y - self.drag[1]
            start = self._before[self.selected]
            self.boxes[self.selected] = shapes.dragged(start, self.grip, dx, dy, self.record.width, self.record.height)
        elif self.trace:
            last = self.trace[-1]
            if abs(last[0] - x) + abs(last[1] - y) >= shapes.TRACE_STEP_PX:
                self.trace.append((x, y))

    def cancel(self) -> None:
        """The finger is needed elsewhere: what it was just drawing never was."""
        if self.drag is not None:
            self.drag = None
            self.trace = []
            self.boxes = list(self._before)

    def release(self) -> str:
        """The finger went up: "box" was added, "moved", "selected", "deselected", "accepted", "small", "full", "no_class" or ""."""
        drag, self.drag = self.drag, None
        if drag is None or self.task in WHOLE_PHOTO_TASKS:
            return ""
        x0, y0, x1, y1 = drag
        trace, self.trace = self.trace, []
        if abs(x1 - x0) < TAP_PX and abs(y1 - y0) < TAP_PX and len(trace) * shapes.TRACE_STEP_PX < 4 * TAP_PX:
            self.boxes = list(self._before)
            return self._tap(x0, y0)
        if self.grip is not None:
            if self.boxes == self._before:
                return ""
            self._remember(self._before)
            return "moved"
        if not self.classes:
            return "no_class"
        box = self._drawn(x0, y0, x1, y1, trace)
        if box is None:
            return "small"
        points = sum([len(one.points) for one in self.boxes])
        if len(self.boxes) >= MAX_BOXES or points > MAX_RECORD_POINTS - MAX_POINTS:
            return "full"
        self._remember()
        self.boxes.append(box)
        self._drop_proposals_like(box)
        self.selected = -1
        return "box"

    def choose_class(self, name: str) -> bool:
        """Use this class for the next shape, and for the selected one; True when the photo is labelled by that (classify, embed).

        Raises:
            ValueError: the project has no such class.
        """
        if name not in self.classes:
            raise ValueError("no class {!r} in this project".format(name))
        self.class_index = self.classes.index(name)
        if self.task in WHOLE_PHOTO_TASKS:
            self._remember()
            whole = Box(name, 0, 0, self.record.width, self.record.height)
            self.proposals = [box for box in self.proposals if box.class_name != name]
            if self.task in ONE_CLASS_TASKS:
                self.boxes = [whole]
                self.proposals = []
                return True
            if name in self.chosen_names:
                self.boxes = [box for box in self.boxes if box.class_name != name]
            else:
                self.boxes.append(whole)
        elif self.selected >= 0 and self.boxes[self.selected].class_name != name:
            self._remember()
            old = self.boxes[self.selected]
            self.boxes[self.selected] = Box(name, old.x, old.y, old.w, old.h, old.points, old.text)
        return False

    def accept_all(self) -> int:
        """Make boxes of all proposals; how many."""
        count = len(self.proposals)
        if count:
            self._remember()
            self.boxes = (self.boxes + self.proposals)[:MAX_BOXES]
            self.proposals = []
        return count

    def undo(self) -> bool:
        """Take the last change back; False when there is none."""
        if not self._undo:
            return False
        self.boxes, self.proposals = self._undo.pop()
        self.selected = -1
        self.changed = self.boxes != self.record.boxes
        return True

    def delete(self) -> bool:
        """Remove the selected shape; False when none is selected."""
        if self.selected < 0:
            return False
        self._remember()
        self.boxes.pop(self.selected)
        self.selected = -1
        return True

    def result(self, state: str) -> SampleRecord:
        """The edited record with this state, one revision up, checked."""
        old = self.record
        record = SampleRecord(old.name, old.photo, old.size, old.width, old.height, old.rev + 1, state, self.boxes)
        return record.check()

    def _drawn(self, x0, y0, x1, y1, trace):
        """The shape that the drag drew, None when it is too thin."""
        width, height = self.record.width, self.record.height
        if self.task == SEGMENT:
            return shapes.around(self.class_name, shapes.simplified(trace), width, height)
        box = clipped_box(self.class_name, x0, y0, x1, y1, width, height)
        if box is not None and self.task in TEXT_TASKS:
            return shapes.quad(box, width, height)
        return box

    def _tap(self, x, y):
        best = _smallest_at(self.boxes, x, y)
        if best < 0 and self.selected < 0:
            accepted = _smallest_at(self.proposals, x, y)
            if accepted >= 0:
                self._remember()
                self.proposals = list(self.proposals)  # the undo step keeps the old list
                self.boxes.append(self.proposals.pop(accepted))
                self.selected = len(self.boxes) - 1
                return "accepted"
        self.selected = -1 if best == self.selected else best
        return "selected" if self.selected >= 0 else "deselected"

    def _drop_proposals_like(self, box):
        place = (box.x, box.y, box.w, box.h)
        self.proposals = [
            one for one in self.proposals if iou_permille((one.x, one.y, one.w, one.h), place) < SAME_THING_PERMILLE
        ]

    def _remember(self, boxes=None):
        self._undo.append((list(self.boxes) if boxes is None else boxes, self.proposals))
        if len(self._undo) > UNDO_STEPS:
            self._undo.pop(0)
        self.changed = True


def _smallest_at(boxes, x, y):
    """The index of the smallest box that holds the point, -1 without one."""
    best = -1
    for index in range(len(boxes)):
        box = boxes[index]
        if shapes.contains(box, x, y) and (best < 0 or box.w * box.h < boxes[best].w * boxes[best].h):
            best = index
    return best
