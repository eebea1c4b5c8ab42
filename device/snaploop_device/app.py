"""The app: builds everything from the board it is given, runs the one loop, and is the only one that changes the state."""

import gc
import sys

from snaploop_shared.errors import SnaploopError
from snaploop_shared.portable import ticks_since

from . import APP_VERSION, about, boot_count, config, layout, project
from .actions import Actions
from .actions_capture import hold_wait_ms
from .actions_live import PIN_FILE
from .capture import Capture
from .card import Card
from .host_finder import HostFinder
from .inference import looks_alike
from .log import FILE as LOG_FILE
from .log import OLD_FILE as OLD_LOG_FILE
from .log import Log
from .model_files import ModelFiles
from .models import ModelManager
from .painter import Painter
from .requester import Requester
from .samples import SampleStore
from .screens import about as about_screen
from .screens import capture as capture_screen
from .screens import gallery as gallery_screen
from .screens import label as label_screen
from .screens import live as live_screen
from .screens import pair as pair_screen
from .screens import sync as sync_screen
from .state import AppState
from .sync import Sync
from .usb_road import UsbRoad
from .wifi_road import WifiRoad

ROOT = "/data/snaploop"
FRAME_MS = 33
TOUCH_EVERY_MS = 8  # a finger is looked for no more often: each look costs as much as drawing a line
SLICE_MS = 12  # for USB bytes in a step: touch and video stay smooth
FETCH_SLICE_MS = 30  # while a model comes: video goes down to some 20 frames/s for a few seconds
BUSY_SLICE_MS = 50  # while the Sync screen watches a transfer
FPS_EVERY_MS = 1000
COLLECT_EVERY_STEPS = (
    42  # idle ones; a live frame counts for more, one for each 50 KiB that it leaves of a heap of 4 MiB
)
SYNC_EVERY_LIVE_FRAMES = (
    6  # while nothing moves: the host never speaks first, and a look at both roads takes as long as two boxes
)
SYNC_WITHIN_MS = 250  # also when a frame takes seconds, as in a simulator: the host must not think that we are gone
START_BYTES = 160 * 1024  # boot count, slots and three folders, a cluster of 32 KiB each
FULL_CARD_LOOK_MS = 1000
QUIET_MS = 200  # the model looks at a new photo when no finger is busy on it
PICTURE_COMMANDS = (
    "detections",
    "embedding",
    "drag_move",
    "thumbnail",
)  # they change nothing but what lies over the picture
MOST_FAILURES = 30  # steps in a row that failed: then the app gives up with its error

IDE_STOPS = ("IDE interrupt",)  # the firmware raises a plain Exception with these arguments (k230-platform §9.4)

SCREENS = {
    layout.CAPTURE: capture_screen,
    layout.LABEL: label_screen,
    layout.GALLERY: gallery_screen,
    layout.SYNC: sync_screen,
    layout.LIVE: live_screen,
    layout.ABOUT: about_screen,
    layout.PAIR: pair_screen,
}


class App:
    """Made with a board, started with `run` (or, in tests, `start`, `step` and `close`)."""

    def __init__(self, board, root: str = ROOT) -> None:
        """Keep board and card folder; nothing is touched yet."""
        self.board = board
        self.root = root
        self.now_ms = 0
        self.is_stopping = False
        self.state = None
        self.models = None
        self.pairing = None  # pairing.Pairing while its screen is open
        self.boot = 0  # the number of this start
        self.log = Log()
        self._uncollected = 0
        self._unsynced = 0  # live frames since the last look at the roads
        self._synced_ms = 0  # when the roads were looked at
        self._failures = 0
        self._links = None
        self._fps_ms = None
        self._fps_frames = 0
        self._touches = []  # what a finger did while the app rested
        self._touch_ms = 0
        self._felt_ms = 0  # when a finger was looked for

    def run(self) -> None:
        """Run until someone stops the script; everything is released then."""
        try:
            self.start()
            while not self.is_stopping:
                self._guarded_step()
        finally:
            self.close()

    def start(self) -> None:
        """Open card and board, and build the app on them.

        Raises:
            OSError, SnaploopError, RuntimeError: card or hardware refuse; the message says what.
        """
        self.now_ms = self.board.clock.now_ms()
        self.card = Card(self.root)
        self.log = Log(self.card)
        settings, trouble = config.load(self.card)
        self.config = settings
        self.board.open(settings.panel)
        display = self.board.display
        self.state = AppState(display.width, display.height)
        self.state.has_touch = self.board.touch.is_present
        self._painter = Painter(display, SCREENS)
        self._wait_for_room()
        boot = self.boot = boot_count.next_boot(self.card)
        identity = self.board.identity
        self.log.info(
            "app", "snaploop {} start {} on {}, {}".format(APP_VERSION, boot, identity.machine(), identity.firmware())
        )
        self.store = SampleStore(self.card, boot, self.log)
        self.capture = Capture(self.board.camera, display, self.store)
        files = ModelFiles(self.card, settings.key, layout.PHOTO_W, layout.PHOTO_H, self.log)
        runtime = "{} {}".format(identity.firmware(), APP_VERSION)
        self.models = ModelManager(files, self.board.kpu, settings.key, self.card, self.log, runtime)
        self.models.is_pinned = self.state.is_pinned = self.card.has(PIN_FILE)
        self.state.summary_of = self.store.summary
        self.usb = UsbRoad(self.board.usb, identity, self.log)
        self.wifi = WifiRoad(self.board.wifi, settings, self.log)
        self.finder = HostFinder(self.board.wifi, identity, settings, self.log)
        self.requester = Requester(settings, boot, self.usb, self.wifi, self._keep_boot_count, self.log)
        self.requester.road = settings.road
        self.sync = Sync(self.requester, self.store, self.models, self.board.clock, self._describe, self.log)
        self.actions = Actions(self)
        self.state.road = settings.road
        self.state.label_at_once = settings.label_at_once
        self.state.is_paired = settings.is_paired
        self.actions.use_project(project.load(self.card))
        self.actions.do_counts_changed()
        if trouble:
            self.apply(("say", trouble, "warning"))

    def close(self) -> None:
        """Release models, log and hardware; may be called at any time."""
        try:
            if self.models is not None:
                self.models.close()
            self.log.flush()
        finally:
            self.board.close()

    def apply(self, command: tuple) -> None:
        """Do a command. The only way the state changes; what goes wrong shows as one line."""
        name = command[0]
        action = getattr(self.actions, "do_" + name)
        self.state.picture_dirty = True
        if name not in PICTURE_COMMANDS:
            self.state.dirty = True
        try:
            action(*command[1:])
        except (
            SnaploopError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:  # boundary: one failed command must not stop the app
            self.log.error("app", "{}: {}: {}".format(name, type(error).__name__, error))
            self.state.say(str(error), "error", self.now_ms)

    def step(self) -> None:
        """One turn of the loop."""
        self.now_ms = self.board.clock.now_ms()
        if self._touches or ticks_since(self.now_ms, self._felt_ms) >= TOUCH_EVERY_MS:
            self._felt_ms = self.now_ms
            for event, x, y in self._touches + self.board.touch.events():
                self._touch_ms = self.now_ms
                self.touch(event, x, y)
            self._touches = []
        self._step_screen()
        if self.store.step():
            self.apply(("counts_changed",))
            for trouble in self.store.take_troubles():
                self.apply(("say", trouble, "error"))
        self._step_sync()
        self.models.step(self.now_ms)
        if self.models.changed:
            self.apply(("models_changed",))
        has_run = self._step_live()
        self.state.expire(self.now_ms)
        self.log.step(self.now_ms)
        has_drawn = self._painter.draw(self.state, self.now_ms)
        self._collect(max(2, self.models.garbage) if has_run else 2 if has_drawn else 1)
        spent = ticks_since(self.board.clock.now_ms(), self.now_ms)
        if self.sync.is_busy and self.state.screen == layout.SYNC:
            return  # sync rests by itself while it waits for the host
        self._rest(max(1, FRAME_MS - spent) if not has_run and not self.sync.is_busy else 1)

    def _rest(self, rest_ms):
        """Wait for the next step, or until a finger does something."""
        while rest_ms > 0 and not self._touches:
            self.board.clock.pause(min(rest_ms, TOUCH_EVERY_MS))
            rest_ms -= TOUCH_EVERY_MS
            if rest_ms > 0:
                self._touches = self.board.touch.events()

    def _collect(self, garbage):
        """Collect garbage often enough that video never stumbles over a big collection."""
        self._uncollected += garbage
        if self._uncollected >= COLLECT_EVERY_STEPS:
            self._uncollected = 0
            gc.collect()

    def touch(self, event: str, x: int, y: int) -> None:
        """A finger did something at a point of the panel."""
        state = self.state
        rects = layout.button_rects(state.screen, state.panel_w, state.panel_h, state.classes, state.class_page)
        name = layout.button_at(rects, x, y)
        screen = state.screen
        if event == "down" and name != "picture":
            self.apply(("press", name))
        self._pass_on(screen, event, name, x, y)
        if event == "up" and state.pressed:
            pressed = state.pressed
            self.apply(("press", ""))
            if pressed == name and state.screen == screen:
                if name.startswith("tab:"):
                    self.apply(("open", name[4:]))
                else:
                    self._pass_on(screen, "tap", name, x, y)

    def facts(self) -> "list[tuple[str, str]]":
        """What About shows: the arguments of hello in words."""
        return about.facts(self._describe(), self.state, self.config)

    def restart_fps(self) -> None:
        """Measure the frame rate anew."""
        self._fps_ms = None
        self._fps_frames = 0

    def _guarded_step(self):
        try:
            self.step()
            self._failures = 0
        except Exception as error:  # boundary: a failed step shows a line, the loop goes on
            self._failures += 1
            if self._failures > MOST_FAILURES or self.state is None or error.args == IDE_STOPS:
                raise
            if hasattr(sys, "print_exception"):
                sys.print_exception(error)
            text = "{}: {}".format(type(error).__name__, error)
            self.log.error("app", text)
            self.state.say(text, "error", self.now_ms)
            gc.collect()
            self.board.clock.pause(FRAME_MS)

    def _wait_for_room(self):
        """Return when the card can take what a start writes; until then the screen says what to do, and the app starts by itself."""
        for name in (OLD_LOG_FILE, LOG_FILE):  # photos are worth more than old log lines
            if self.card.free_bytes() < START_BYTES:
                self.card.remove(name)
        while self.card.free_bytes() < START_BYTES and not self.is_stopping:
            self.state.say(
                "card full, no room to start: delete something in /data with a PC, then the app starts by itself",
                "error",
                self.board.clock.now_ms(),
            )
            self._painter.draw(self.state, self.now_ms)
            self.board.clock.pause(FULL_CARD_LOOK_MS)
        self.state.message = ""

    def _pass_on(self, screen, event, name, x, y):
        command = SCREENS[screen].touched(self.state, event, name, x, y)
        if command is not None:
            self.apply(command)

    def _step_screen(self):
        """What goes on by itself on a screen: a burst, thumbnails, the model's look at a new photo."""
        state = self.state
        if state.screen == layout.CAPTURE:
            if state.held_ms is not None and state.pressed == "shutter":
                if ticks_since(self.now_ms, state.held_ms) >= hold_wait_ms(state):
                    self.apply(("hold",))
            elif not state.has_touch and self.models.is_ready:
                self.apply(("open", layout.LIVE))  # nobody can tap: show what the model sees
        elif state.screen == layout.PAIR:
            if self.pairing is not None:
                self.apply(("pair_step",))
        elif state.screen == layout.GALLERY:
            if state.gallery.is_waiting:
                self.apply(("thumbnail",))
        elif state.screen == layout.LABEL and ticks_since(self.now_ms, self._touch_ms) >= QUIET_MS:
            if self.actions.can_propose():
                self.apply(("propose",))

    def _step_sync(self):
        is_watched = self.state.screen == layout.SYNC
        if self.state.labelling is not None and self.state.labelling.drag is not None:
            return  # the finger has the board's whole attention
        if self.state.screen == layout.LIVE and self.models.is_ready and not self.sync.is_busy:
            self._unsynced += 1
            if self._unsynced < SYNC_EVERY_LIVE_FRAMES and ticks_since(self.now_ms, self._synced_ms) < SYNC_WITHIN_MS:
                return
        self._unsynced = 0
        self._synced_ms = self.now_ms
        slice_ms = SLICE_MS
        if self.sync.is_busy and (is_watched or self.models.progress is not None):
            slice_ms = BUSY_SLICE_MS if is_watched else FETCH_SLICE_MS
        for command in self.sync.step(self.now_ms, slice_ms, is_watched):
            self.apply(command)
        moved = self.finder.step(self.now_ms, self.wifi.is_lost)
        if moved is not None:
            self.apply(("host_moved",) + moved)
        links = (self.usb.status, self.wifi.status, self.wifi.address, self.sync.activity)
        if links != self._links:
            self._links = links
            self.apply(("links",) + links)

    def _step_live(self):
        """Run the model on a frame when Live shows it or a new model must prove itself; whether it ran."""
        is_shown = self.state.screen == layout.LIVE
        if is_shown:
            self.models.count_frame()
        if not self.models.is_ready or not ((is_shown and not self.state.is_frozen) or self.models.is_trial):
            return False
        self.capture.frame = None  # the camera takes it back now
        frame = self.board.camera.ai_frame()
        found = self.models.detect(frame, self.now_ms)
        if found is not None and is_shown and not self.state.is_frozen:
            if self.models.is_embedding:
                self.apply(("embedding", found))
            elif not looks_alike(found, self.state.detections):
                self.apply(("detections", found))
            self._count_fps()
        self.state.inferences += 1
        return True

    def _count_fps(self):
        now_ms = self.board.clock.now_ms()
        if self._fps_ms is None:
            self._fps_ms = now_ms
            return
        self._fps_frames += 1
        spent = ticks_since(now_ms, self._fps_ms)
        if spent >= FPS_EVERY_MS:
            self.apply(("fps", self._fps_frames * 10000 // spent))
            self._fps_ms = now_ms
            self._fps_frames = 0

    def _describe(self):
        """The arguments of hello."""
        return about.hello(self.board, self.config, self.state, self.card, self.models.active, len(self.store))

    def _keep_boot_count(self, count):
        boot_count.keep(self.card, count)
