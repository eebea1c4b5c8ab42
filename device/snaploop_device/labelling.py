"""Editing the boxes of one photo with one finger: pure logic, no screen, no card. The Label screen and the app use it."""

from snaploop_shared.sample_record import MAX_BOXES, SampleRecord, clipped_box

TAP_PX = 10  # a finger that moved less than this meant a tap
UNDO_STEPS = 50


class Labelling:
    """The boxes of one photo while a person edits them. `record` is what is on the card; `changed` tells whether it differs."""

    def __init__(self, record: SampleRecord, classes: "list[str]", class_index: int = 0) -> None:
        """Begin with the boxes of `record`; new boxes get class number `class_index`."""
        self.record = record
        self.classes = classes
        self.boxes = list(record.boxes)
        self.class_index = class_index if class_index < len(classes) else 0
        self.selected = -1  # index into boxes
        self.drag = None  # [x0, y0, x1, y1] photo px while a finger is down
        self.changed = False
        self._undo = []

    @property
    def class_name(self) -> str:
        """The class of the next box, "" without classes."""
        return self.classes[self.class_index] if self.classes else ""

    def press(self, x: int, y: int) -> None:
        """A finger came down on the photo."""
        self.drag = [x, y, x, y]

    def move(self, x: int, y: int) -> None:
        """The finger moved."""
        if self.drag is not None:
            self.drag[2], self.drag[3] = x, y

    def release(self) -> str:
        """The finger went up: "box" was added, "selected", "deselected", "small" (too thin), "full", "no_class" or ""."""
        drag, self.drag = self.drag, None
        if drag is None:
            return ""
        x0, y0, x1, y1 = drag
        if abs(x1 - x0) < TAP_PX and abs(y1 - y0) < TAP_PX:
            return self._tap(x0, y0)
        if not self.classes:
            return "no_class"
        box = clipped_box(self.class_name, x0, y0, x1, y1, self.record.width, self.record.height)
        if box is None:
            return "small"
        if len(self.boxes) >= MAX_BOXES:
            return "full"
        self._remember()
        self.boxes.append(box)
        self.selected = -1
        return "box"

    def choose_class(self, name: str) -> None:
        """Use this class for the next box, and for the selected one.

        Raises:
            ValueError: the project has no such class.
        """
        if name not in self.classes:
            raise ValueError("no class {!r} in this project".format(name))
        self.class_index = self.classes.index(name)
        if self.selected >= 0 and self.boxes[self.selected].class_name != name:
            self._remember()
            old = self.boxes[self.selected]
            self.boxes[self.selected] = old.__class__(name, old.x, old.y, old.w, old.h)

    def undo(self) -> bool:
        """Take the last change back; False when there is none."""
        if not self._undo:
            return False
        self.boxes = self._undo.pop()
        self.selected = -1
        self.changed = self.boxes != self.record.boxes
        return True

    def delete(self) -> bool:
        """Remove the selected box; False when none is selected."""
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

    def _tap(self, x, y):
        best = -1
        for index in range(len(self.boxes)):
            box = self.boxes[index]
            if box.x <= x < box.x + box.w and box.y <= y < box.y + box.h:
                if best < 0 or box.w * box.h < self.boxes[best].w * self.boxes[best].h:
                    best = index
        self.selected = -1 if best == self.selected else best
        return "selected" if self.selected >= 0 else "deselected"

    def _remember(self):
        self._undo.append(list(self.boxes))
        if len(self._undo) > UNDO_STEPS:
            self._undo.pop(0)
        self.changed = True
