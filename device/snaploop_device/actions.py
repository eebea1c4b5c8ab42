"""What each command does to state, card and display. Only App.apply calls these; a command is (name, arguments...)."""

from snaploop_shared.errors import RecordError
from snaploop_shared.sample_record import LABELLED, REJECTED

from . import project as projects
from .labelling import Labelling
from .layout import CAPTURE, LABEL, LIVE, ROADS, SCREENS
from .state import CURVE_POINTS


class Actions:
    """One method `do_<command>` per command; `app` has state, store, capture, sync, models, requester, card, log."""

    def __init__(self, app) -> None:
        """Act on this app."""
        self._app = app

    # -- anywhere --

    def do_press(self, name: str) -> None:
        """A finger is on this button ("" when it left)."""
        self._app.state.pressed = name

    def do_say(self, text: str, level: str = "info") -> None:
        """Show one line for some seconds."""
        self._app.state.say(text, level, self._app.now_ms)
        if level in ("warning", "error"):
            self._app.log.warning("app", text)

    def do_open(self, screen: str) -> None:
        """Go to a screen."""
        if screen not in SCREENS:
            raise ValueError("no screen called {!r}".format(screen))
        state = self._app.state
        if screen == state.screen:
            return
        if state.screen == LABEL:
            self._app.capture.resume_live()
            if state.labelling is not None:
                state.labelling.drag = None
        state.screen = screen
        state.pressed = ""
        if state.message_level not in ("warning", "error"):
            state.message = ""
        if screen == LABEL:
            self._open_label()
        elif screen == LIVE:
            self.do_models_changed()
            self._app.restart_fps()

    # -- capture --

    def do_shoot(self) -> None:
        """Take a photo; Label opens with it when that is wanted."""
        app = self._app
        state = app.state
        self._keep_edits()
        record = app.capture.shoot()
        state.flash_ms = app.now_ms
        self.do_counts_changed()
        if state.label_at_once and state.classes:
            state.screen = LABEL
            state.pressed = ""
            state.after_label = CAPTURE
            state.labelling = Labelling(record, state.classes, state.class_index)
        else:
            app.capture.resume_live()
            state.say("saved {}".format(record.name), "good", app.now_ms)

    # -- label --

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
        outcome = editing.release()
        if outcome == "small":
            self.do_say("too small: draw the box around the whole thing")
        elif outcome == "no_class":
            self.do_say("no classes yet: sync once, they come from the host", "warning")
        elif outcome == "full":
            self.do_say("no more boxes fit on one photo", "warning")

    def do_choose_class(self, name: str) -> None:
        """The class of the next box, or of the selected one."""
        state = self._app.state
        if name in state.classes:
            state.class_index = state.classes.index(name)
        if state.labelling is not None:
            state.labelling.choose_class(name)

    def do_class_page(self) -> None:
        """The next page of the class bar."""
        self._app.state.class_page += 1

    def do_undo(self) -> None:
        """Take the last change of the boxes back."""
        if not self._editing().undo():
            self.do_say("nothing to undo")

    def do_delete(self) -> None:
        """Remove the selected box."""
        if not self._editing().delete():
            self.do_say("tap a box first")

    def do_reject(self) -> None:
        """This photo is not for training."""
        self._finish(REJECTED)

    def do_save(self) -> None:
        """The boxes are complete."""
        self._finish(LABELLED)

    def do_older(self) -> None:
        """Open the photo before this one."""
        self._turn(-1)

    def do_newer(self) -> None:
        """Open the photo after this one."""
        self._turn(1)

    # -- sync and models --

    def do_road(self, road: str) -> None:
        """Prefer a road to the host."""
        if road not in ROADS:
            raise ValueError("no road called {!r}".format(road))
        app = self._app
        app.state.road = road
        app.requester.road = road
        app.sync.greet_again()

    def do_train(self) -> None:
        """Start a training on the host as soon as everything is there."""
        self._app.sync.ask_for_training()
        self.do_say("training starts when all photos are sent")

    def do_project(self, fields, host: str) -> None:
        """The host said which project this board works for."""
        app = self._app
        try:
            project = projects.checked(fields)
        except ValueError as error:
            self.do_say(str(error), "error")
            return
        project["host"] = host
        old = projects.load(app.card)
        if old["host"] and (old["host"], old["name"]) != (host, project["name"]):
            app.log.info("app", "another host or project: all photos are offered again")
            app.store.forget_synced()
        if old != project:
            projects.save(app.card, project)
        self.use_project(project)

    def use_project(self, project: dict) -> None:
        """Take classes and name over."""
        state = self._app.state
        state.project = project["name"]
        state.classes = project["classes"]
        if state.class_index >= len(state.classes):
            state.class_index = 0
        if state.labelling is not None:
            state.labelling.classes = state.classes
            state.labelling.class_index = state.class_index

    def do_run(self, run) -> None:
        """The newest state of the training on the host; its curve grows here."""
        state = self._app.state
        if run is None or state.run is None or run.get("id") != state.run.get("id"):
            state.curve = []
        state.run = run
        if run is None or not run.get("epoch") or (state.curve and state.curve[-1][0] == run["epoch"]):
            return
        state.curve.append((run["epoch"], run.get("map50_permille"), run.get("loss_milli")))
        if len(state.curve) > CURVE_POINTS:
            state.curve = state.curve[::2]

    def do_choose_model(self, step: int) -> None:
        """Change to an older (-1) or newer (1) model on the card."""
        self.do_say(self._app.models.choose(step, self._app.now_ms))

    def do_models_changed(self) -> None:
        """Show what the models say."""
        app = self._app
        app.models.changed = False
        state = app.state
        state.model = app.models.manifest
        state.model_state = app.models.status
        state.progress = app.models.progress
        if state.progress is None:
            state.models = [manifest.digest for manifest in app.models.listed()]
        if state.model is None:
            state.detections = []

    def do_sync_changed(self) -> None:
        """Show what sync says."""
        app = self._app
        state = app.state
        state.pending = app.store.count_pending()
        state.synced = app.sync.synced

    def do_links(self, usb: str, wifi: str, address: str, activity: str) -> None:
        """Show how the roads are."""
        state = self._app.state
        state.usb, state.wifi, state.wifi_address, state.activity = usb, wifi, address, activity

    def do_counts_changed(self) -> None:
        """Show how many samples there are."""
        app = self._app
        state = app.state
        state.photos = len(app.store)
        state.unlabelled = app.store.count_new()
        state.class_counts = app.store.class_counts
        state.pending = app.store.count_pending()
        state.free_bytes = app.card.free_bytes()

    def do_detections(self, detections: "list[tuple]") -> None:
        """What the model found in the newest frame."""
        self._app.state.detections = detections

    def do_fps(self, fps_tenths: int) -> None:
        """How fast live video is."""
        self._app.state.fps_tenths = fps_tenths

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
        name = (
            state.labelling.record.name if state.labelling is not None else store.first_new() or store.neighbour("", 0)
        )
        if name:
            self._show(name)

    def _show(self, name):
        """Open a stored photo; edits of this very photo that were not saved yet stay."""
        state = self._app.state
        record = self._app.capture.reopen(name)
        if state.labelling is None or state.labelling.record.name != name:
            state.labelling = Labelling(record, state.classes, state.class_index)

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
        count = len(editing.boxes)
        what = "rejected" if label_state == REJECTED else "{} box{}".format(count, "" if count == 1 else "es")
        state.say("saved {}: {}".format(editing.record.name, what), "good", app.now_ms)
        following = app.store.first_new() if state.after_label == LABEL else ""
        state.labelling = None
        if following:
            self._show(following)
        else:
            app.capture.resume_live()
            state.screen = CAPTURE
            state.pressed = ""
