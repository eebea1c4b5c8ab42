"""What each command does to state, card and display. Only App.apply calls these; a command is (name, arguments...).

This file: what belongs to no screen, and sync and training. The other screens' commands are in actions_*.py.
"""

from . import project as projects
from .actions_capture import CaptureActions
from .actions_gallery import GalleryActions
from .actions_label import LabelActions
from .actions_live import LiveActions
from .actions_pair import PairActions
from .layout import ABOUT, GALLERY, LABEL, LIVE, PAIR, ROADS, SCREENS
from .state import CURVE_POINTS


class Actions(CaptureActions, LabelActions, GalleryActions, LiveActions, PairActions):
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
        self._leave()
        state.screen = screen
        state.pressed = ""
        if state.message_level not in ("warning", "error"):
            state.message = ""
        if screen == LABEL:
            self._open_label()
        elif screen == GALLERY:
            self._open_gallery()
        elif screen == LIVE:
            self.do_models_changed()
            self._app.restart_fps()
        elif screen == ABOUT:
            state.facts = self._app.facts()
        elif screen == PAIR:
            self._open_pair()

    def _leave(self):
        """Tidy up the screen that is shown: live video comes back."""
        state = self._app.state
        state.held_ms = None
        if state.screen in (LABEL, GALLERY) or state.is_frozen:
            self._app.capture.resume_live()
        state.is_frozen = False
        if state.screen == PAIR:
            self._close_pair()
        if state.labelling is not None:
            state.labelling.cancel()

    # -- sync --

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
        self._app.state.train_refused = ""
        self._app.sync.ask_for_training()
        self.do_say("training starts when all photos are sent")

    def do_train_refused(self, text: str) -> None:
        """The host cannot train now; why."""
        self._app.state.train_refused = text
        self.do_say(text, "warning")

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
        """Take classes, task and name over."""
        state = self._app.state
        state.project = project["name"]
        state.task = project["task"]
        state.classes = project["classes"]
        if state.class_index >= len(state.classes):
            state.class_index = 0
        if state.shot_class not in state.classes:
            state.shot_class = ""
        if state.labelling is not None:
            state.labelling.classes = state.classes
            state.labelling.class_index = state.class_index

    def do_run(self, run) -> None:
        """The newest state of the training on the host; its curve grows here."""
        state = self._app.state
        if run is None or state.run is None or run.get("id") != state.run.get("id"):
            state.curve = []
        state.run = run
        if run is not None and run.get("state") in ("queued", "running"):
            state.train_refused = ""
        if run is None or not run.get("epoch") or (state.curve and state.curve[-1][0] == run["epoch"]):
            return
        state.curve.append((run["epoch"], run.get("score_permille"), run.get("loss_milli")))
        if len(state.curve) > CURVE_POINTS:
            state.curve = state.curve[::2]

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
        config = self._app.config
        state.host_at = "{}:{}".format(config.host_address, config.host_port) if config.host_address else ""

    def do_counts_changed(self) -> None:
        """Show how many samples there are."""
        app = self._app
        state = app.state
        state.photos = len(app.store)
        state.unlabelled = app.store.count_new()
        state.class_counts = app.store.class_counts
        state.pending = app.store.count_pending()
        state.free_bytes = app.card.free_bytes()
