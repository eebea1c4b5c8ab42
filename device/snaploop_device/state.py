"""The one state of the app. Only app.apply(command) changes it; screens, sync and models read it."""

from snaploop_shared import palette
from snaploop_shared.portable import ticks_since

from .labelling import DETECT
from .layout import CAPTURE

MESSAGE_MS = 4000
FLASH_MS = 200
CURVE_POINTS = 240


class AppState:
    """What the screens show. `dirty` and `picture_dirty` say that a new picture of panels or of the video's overlay is due."""

    def __init__(self, panel_w: int, panel_h: int) -> None:
        """The state at start: live view, nothing known."""
        self.panel_w = panel_w
        self.panel_h = panel_h
        self.has_touch = True
        self.dirty = True
        self.picture_dirty = True
        self.screen = CAPTURE
        self.pressed = ""  # name of the button under the finger
        self.message = ""
        self.message_level = "info"
        self.message_ms = None
        self.flash_ms = None  # when the last photo was taken
        self.facts = []  # (name, value) lines of About
        # project
        self.project = ""
        self.task = DETECT
        self.classes = []
        self._coloured = None  # the list of classes for which `_colours` was made
        self._colours = {}
        self._strangers = []  # labels of models that are no classes of the project
        # samples
        self.photos = 0
        self.unlabelled = 0
        self.class_counts = {}
        self.free_bytes = 0
        # capture
        self.shot_class = ""  # classify, multilabel: the class that the next photo gets, "" to say it afterwards
        self.held_ms = None  # since the last photo, while the shutter is held
        self.burst = 0  # photos taken since the finger came down on the shutter
        # labelling
        self.labelling = None
        self.class_page = 0
        self.class_index = 0
        self.label_at_once = True
        self.after_label = CAPTURE
        self.gallery = None
        self.deleted = ""  # the photo that Undo brings back
        self.summary_of = None  # function(sample name) → (state, boxes), the store's
        # sync
        self.is_paired = False
        self.pair_text = ""  # how pairing by QR code goes
        self.pair_failed = False
        self.road = "auto"
        self.usb = "off"  # off, waiting, connected
        self.wifi = "off"  # off, connecting, connected, failed
        self.wifi_address = ""  # this board's own
        self.host_at = ""  # address and port of the host, "" without one
        self.activity = ""
        self.pending = 0
        self.progress = None  # (done bytes, all bytes) of the model that is being fetched
        self.synced = {"usb": 0, "wifi": 0}
        self.run = None  # as in the answer to GET /status
        self.train_refused = ""  # why the host did not start a training; stays on the Sync screen until the next try
        self.curve = []  # (epoch, mAP50 permille, loss milli)
        # models and live video
        self.model = None  # Manifest of the live model
        self.model_state = "no model yet"
        self.models = []  # digests on the card, oldest first
        self.score_permille = None  # what Live shows from; None without a model
        self.is_pinned = False
        self.is_frozen = False
        self.detections = []  # (class index, score permille, x, y, w, h) photo px
        self.library = None  # self_learning.Library while the live model is one of vectors
        self.vector = None  # of the newest frame
        self.recognised = ("", 0)  # (name, likeness permille)
        self.counts_changed = False  # of detections: the strip may follow more slowly than the boxes
        self.fps_tenths = 0
        self.inferences = 0
        self.gap_frames = 0

    def colour_of(self, name: str) -> "tuple[int, int, int]":
        """The RGB colour of a class, in Label as in Live."""
        if self._coloured is not self.classes:
            self._coloured = self.classes
            self._strangers = []
            self._colours = palette.colours(self.classes)
        if name not in self._colours:
            self._strangers.append(name)
            self._colours = palette.colours(list(self.classes) + self._strangers)
        return self._colours[name]

    def say(self, text: str, level: str, now_ms: int) -> None:
        """Show one line for some seconds."""
        self.message = text
        self.message_level = level
        self.message_ms = now_ms
        self.dirty = True

    def expire(self, now_ms: int) -> None:
        """Drop what was to be shown for a moment only."""
        if self.message_ms is not None and ticks_since(now_ms, self.message_ms) > MESSAGE_MS:
            self.message = ""
            self.message_ms = None
            self.dirty = True
        if self.flash_ms is not None and ticks_since(now_ms, self.flash_ms) > FLASH_MS:
            self.flash_ms = None
            self.picture_dirty = True
