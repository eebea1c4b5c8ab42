"""The commands of the Label screen."""

from snaploop_shared.errors import RecordError
from snaploop_shared.sample_record import LABELLED, REJECTED

from .labelling import (
    CLASSIFY,
    DETECT,
    MULTILABEL,
    OCR_DETECT,
    OCR_RECOGNIZE,
    ONE_CLASS_TASKS,
    SEGMENT,
    WHOLE_PHOTO_TASKS,
    Labelling,
)
from .layout import CAPTURE, GALLERY, LABEL, LIVE

_SHAPES = {SEGMENT: ("outline", "outlines"), OCR_DETECT: ("text", "texts"), OCR_RECOGNIZE: ("text", "texts")}
_OUTCOMES = {
    "small": ("too small: draw around the whole thing", "info"),
    "no_class": ("no classes yet: sync once, they come from the host", "warning"),
    "full": ("no more shapes fit on one photo", "warning"),
}


class LabelActions:
    """Part of Actions."""

    def do_drag_start(self, x: int, y: int) -> None:
        """A finger came down on the photo."""
        self._editing().press(x, y)

    def do_drag_move(self, x: int, y: int) -> None:
        """It moved."""
        self._editing().move(x, y)

    def do_drag_end(self, x: int, y: int) -> None:
        """It went up."""
        editing = self._editing()
        editing.move(x, y)
        told = _OUTCOMES.get(editing.release())
        if told is not None:
            self.do_say(told[0], told[1])

    def do_choose_class(self, name: str) -> None:
        """The class of the next shape, of the selected one, or of the whole photo (then classify is done)."""
        state = self._app.state
        if name in state.classes:
            state.class_index = state.classes.index(name)
        if state.labelling is not None and state.labelling.choose_class(name):
            self._finish(LABELLED)

    def do_class_page(self) -> None:
        """The next page of the class bar."""
        self._app.state.class_page += 1

    def do_undo(self) -> None:
        """Take the last change back."""
        if not self._editing().undo():
            self.do_say("nothing to undo")

    def do_delete(self) -> None:
        """Remove the selected shape."""
        if not self._editing().delete():
            self.do_say("tap a box first")

    def do_accept(self) -> None:
        """All proposals of the model are right."""
        editing = self._editing()
        count = editing.accept_all()
        if not count:
            self.do_say("the model proposes nothing here")
        elif editing.task in ONE_CLASS_TASKS:
            self._finish(LABELLED)

    def do_empty(self) -> None:
        """Nothing of the classes is on this photo: a background image, worth as much as one with boxes."""
        editing = self._editing()
        if editing.boxes:
            self.do_say("there are boxes on it: undo or delete them first", "info")
            return
        self._finish(LABELLED)

    def do_reject(self) -> None:
        """This photo is not for training."""
        self._finish(REJECTED)

    def do_save(self) -> None:
        """The labels are complete."""
        editing = self._editing()
        if editing.proposals and not editing.boxes and editing.task not in WHOLE_PHOTO_TASKS:
            self.do_say("accept or draw first; Empty says that nothing is there")
            return
        if editing.task in WHOLE_PHOTO_TASKS and not editing.boxes:
            self.do_say("tap Accept or a class first; Empty says that none fits")
            return
        self._finish(LABELLED)

    def do_older(self) -> None:
        """Open the photo before this one."""
        self._turn(-1)

    def do_newer(self) -> None:
        """Open the photo after this one."""
        self._turn(1)

    def can_propose(self) -> bool:
        """Whether the photo on the screen was just taken, nobody labelled it yet, and a model is there to look at it."""
        app = self._app
        editing = app.state.labelling
        return (
            app.capture.frame is not None
            and app.models.is_ready
            and not app.models.is_trial
            and editing is not None
            and editing.task in (DETECT, SEGMENT, CLASSIFY, MULTILABEL)
            and editing.task == app.models.manifest.task
            and editing.record.rev == 0
            and not editing.changed
            and editing.drag is None
        )

    def do_propose(self) -> None:
        """Let the live model look at the photo that was just taken."""
        app = self._app
        editing = self._editing()
        frame, app.capture.frame = app.capture.frame, None
        found = app.models.detect(frame, app.now_ms)
        if found and editing.propose(app.models.as_boxes(found)):
            told = "dashed: what the model sees. Tap one to accept it, or draw it anew"
            if editing.task in WHOLE_PHOTO_TASKS:
                told = "what the model sees: tap Accept, or the right class"
            app.state.say(told, "info", app.now_ms)

    # -- helpers --

    def _editing(self):
        editing = self._app.state.labelling
        if editing is None:
            raise RecordError("no photo is open")
        return editing

    def _open_label(self):
        state = self._app.state
        state.after_label = LABEL
        store = self._app.store
        name = state.labelling.record.name if state.labelling is not None else ""
        if not store.has(name):
            state.labelling = None
            name = store.first_new() or store.neighbour("", 0)
        if name:
            self._show(name)

    def _show(self, name):
        """Open a stored photo; edits of this very photo that were not saved yet stay."""
        state = self._app.state
        record = self._app.capture.reopen(name)
        if state.labelling is None or state.labelling.record.name != name:
            state.labelling = Labelling(record, state.classes, state.class_index, state.task)

    def _turn(self, step):
        self._keep_edits()
        name = self._app.store.neighbour(self._editing().record.name, step)
        if not name:
            self.do_say("this is the {} photo".format("newest" if step > 0 else "oldest"))
            return
        self._app.state.after_label = LABEL
        self._show(name)

    def _keep_edits(self):
        """Nobody's boxes are lost: what was drawn is saved when something else is opened."""
        editing = self._app.state.labelling
        if editing is not None and editing.changed:
            editing.cancel()
            self._store(editing.result(LABELLED))

    def _store(self, record):
        self._app.store.save(record)
        editing = self._app.state.labelling
        editing.record = record
        editing.changed = False
        self.do_counts_changed()

    def _finish(self, label_state):
        app = self._app
        state = app.state
        editing = self._editing()
        self._store(editing.result(label_state))
        following = app.store.first_new() if state.after_label == LABEL else ""
        state.labelling = None
        if following:
            self._show(following)
        else:
            self.do_open(state.after_label if state.after_label in (GALLERY, LIVE) else CAPTURE)
        state.say("saved {}: {}".format(editing.record.name, _said(editing, label_state)), "good", app.now_ms)


def _said(editing, label_state):
    """What was saved, in words."""
    if label_state == REJECTED:
        return "rejected"
    if not editing.boxes:
        return "background, nothing on it"
    if editing.task in WHOLE_PHOTO_TASKS:
        return ", ".join(editing.chosen_names)
    count = len(editing.boxes)
    one, many = _SHAPES.get(editing.task, ("box", "boxes"))
    return "{} {}".format(count, one if count == 1 else many)
