"""The commands of the Capture screen: a press shoots, holding goes on shooting, a class may be chosen before the shot."""

from snaploop_shared.sample_record import LABELLED

from .labelling import WHOLE_PHOTO_TASKS, Labelling
from .layout import CAPTURE, LABEL

BURST_AFTER_MS = 500  # a finger that stays this long wants more
BURST_EVERY_MS = 250


def hold_wait_ms(state) -> int:
    """How long after the last photo a finger that stays on the shutter takes the next one."""
    return BURST_EVERY_MS if state.burst > 1 else BURST_AFTER_MS


class CaptureActions:
    """Part of Actions."""

    def do_shoot(self) -> None:
        """Take a photo; it stays on the screen while the finger is down."""
        app = self._app
        state = app.state
        state.held_ms = None
        state.burst = 0
        self._keep_edits()
        self._shoot()

    def do_hold(self) -> None:
        """The finger is still on the shutter, and it is time (`hold_wait_ms`): take another photo."""
        self._app.state.held_ms = None  # stays so when the shot fails: no burst of errors
        self._shoot()

    def do_shutter_up(self) -> None:
        """The finger left the shutter: label the photo, or after a burst go on photographing."""
        app = self._app
        state = app.state
        if not state.burst:
            return
        taken, state.burst, state.held_ms = state.burst, 0, None
        record = state.labelling.record if state.labelling is not None else None
        if taken == 1 and record is not None and state.label_at_once and state.classes and not state.shot_class:
            state.screen = LABEL
            state.pressed = ""
            state.after_label = CAPTURE
            return
        app.capture.resume_live()
        if taken > 1:
            state.labelling = None
            where = "with class " + state.shot_class if state.shot_class else "label them in Label"
            state.say("{} photos saved: {}".format(taken, where), "good", app.now_ms)
        elif state.message_level != "warning" or not state.message:
            what = " as " + state.shot_class if state.shot_class else ""
            state.say("saved {}{}".format(record.name, what), "good", app.now_ms)
        if not state.classes or state.shot_class or not state.label_at_once:
            state.labelling = None

    def do_choose_shot_class(self, name: str) -> None:
        """The class of the next shapes; with whole-photo tasks the class that the next photos get, a second tap takes it back."""
        state = self._app.state
        if name not in state.classes:
            raise ValueError("no class {!r} in this project".format(name))
        state.class_index = state.classes.index(name)
        if state.task in WHOLE_PHOTO_TASKS:
            state.shot_class = "" if state.shot_class == name else name

    def _shoot(self):
        app = self._app
        state = app.state
        record = app.capture.shoot()
        state.flash_ms = app.now_ms
        state.burst += 1
        state.held_ms = app.now_ms
        state.labelling = Labelling(record, state.classes, state.class_index, state.task)
        if state.shot_class:
            state.labelling.choose_class(state.shot_class)
            self._store(state.labelling.result(LABELLED))
        self.do_counts_changed()
        hint = app.capture.hint(record)
        if hint and state.burst == 1:  # a burst is meant to look alike
            state.say(hint, "warning", app.now_ms)
