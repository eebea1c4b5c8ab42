"""The commands of the Live screen: detections, threshold, freeze, hard examples, which model."""

from snaploop_shared.errors import RecordError

from .labelling import Labelling
from .layout import LABEL, LIVE
from .self_learning import Library

PIN_FILE = "pinned"


class LiveActions:
    """Part of Actions."""

    def do_choose_model(self, step: int) -> None:
        """Change to an older (-1) or newer (1) model on the card."""
        self.do_say(self._app.models.choose(step, self._app.now_ms))

    def do_pin(self) -> None:
        """Keep this model whatever the host offers, or take new ones again; kept over a restart."""
        app = self._app
        state = app.state
        state.is_pinned = not state.is_pinned
        app.models.is_pinned = state.is_pinned
        if state.is_pinned:
            app.card.write(PIN_FILE, b"1\n")
        else:
            app.card.remove(PIN_FILE)
        self.do_say("this model stays until you unpin it" if state.is_pinned else "new models are taken again")

    def do_models_changed(self) -> None:
        """Show what the models say."""
        app = self._app
        app.models.changed = False
        state = app.state
        if state.model is not app.models.manifest:
            state.model = app.models.manifest
            state.score_permille = None if state.model is None else state.model.score_permille
        state.model_state = app.models.status
        state.progress = app.models.progress
        if state.progress is None:
            state.models = [manifest.digest for manifest in app.models.listed()]
        if state.model is None or app.models.is_embedding:
            state.detections = []
        if not app.models.is_embedding:
            state.library = None
        elif state.library is None or state.library.digest != state.model.digest:
            state.library = Library(app.card, state.model.digest)
            state.recognised = ("", 0)

    def do_detections(self, detections: "list[tuple]") -> None:
        """What the model found in the newest frame."""
        state = self._app.state
        old = sorted([one[0] for one in state.detections])
        shares_differ = len(detections) > 0 and len(detections[0]) > 6  # of regions the strip shows how much they cover
        state.counts_changed = state.counts_changed or shares_differ or old != sorted([one[0] for one in detections])
        state.detections = detections

    # -- self-learning: only with a model of head "embedding" --

    def do_embedding(self, vector: "list[int]") -> None:
        """The newest frame as a vector: what is it?"""
        state = self._app.state
        if state.library is None:
            self.do_models_changed()
        state.vector = vector
        old = state.recognised[0]
        state.recognised = state.library.recognise(vector, state.score_permille)
        state.counts_changed = state.counts_changed or old != state.recognised[0]

    def do_teach(self) -> None:
        """Learn what is in view: another example of what was recognised, else a new thing."""
        app = self._app
        state = app.state
        if state.library is None or state.vector is None:
            raise RecordError("there is no frame to learn from yet")
        name = state.recognised[0] or state.library.free_name(state.classes)
        state.library.add(name, state.vector)
        count = len(state.library.things[name])
        text = "learnt {}".format(name) if count == 1 else "{} views of {}".format(count, name)
        state.say(text, "good", app.now_ms)
        self.do_embedding(state.vector)

    def do_forget(self) -> None:
        """Forget the thing that is recognised now."""
        app = self._app
        state = app.state
        name = state.recognised[0]
        if state.library is None or not name:
            raise RecordError("hold what is to be forgotten in front of the camera")
        state.library.forget(name)
        state.say("forgot {}".format(name), "good", app.now_ms)
        self.do_embedding(state.vector)

    def do_fps(self, fps_tenths: int) -> None:
        """How fast live video is."""
        self._app.state.fps_tenths = fps_tenths

    def do_score(self, permille: int) -> None:
        """Show detections from this score on."""
        state = self._app.state
        if state.score_permille is not None:
            state.score_permille = permille
            self._app.models.set_score(permille)

    def do_freeze(self) -> None:
        """Stop the video at this frame with its detections, or let it run again."""
        app = self._app
        state = app.state
        if state.is_frozen:
            state.is_frozen = False
            app.capture.resume_live()
            app.restart_fps()
            return
        app.capture.freeze()
        state.is_frozen = True
        if app.models.is_ready:
            found = app.models.detect(app.board.camera.ai_frame(), app.now_ms)
            self.do_detections(found or [])

    def do_keep(self) -> None:
        """Keep the frozen frame as a hard example: Label opens with what the model saw, to be corrected."""
        app = self._app
        state = app.state
        if not state.is_frozen:
            raise RecordError("freeze a frame first")
        self._keep_edits()
        record = app.capture.keep()
        state.is_frozen = False
        state.labelling = Labelling(record, state.classes, state.class_index, state.task)
        state.labelling.propose(app.models.as_boxes(state.detections))
        state.screen = LABEL
        state.pressed = ""
        state.after_label = LIVE
        self.do_counts_changed()
        state.say("kept {}: accept what is right, draw what is missing".format(record.name), "good", app.now_ms)
