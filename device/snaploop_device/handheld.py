"""For scripts of your own: camera, screen, finger and the live model of the card, in a few lines. firmware_scripts/demos shows how.

class MyScript(Handheld):
    def frame(self, found, now_ms): ...        # found: what the model sees in this frame

MyScript(K230Board()).run()
"""

import gc

from snaploop_shared.errors import SnaploopError

from . import APP_VERSION, boot_count, config, layout
from .card import Card
from .log import Log
from .model_files import ModelFiles
from .models import ModelManager

ROOT = "/data/snaploop"
FRAME_MS = 33
COLLECT_EVERY_FRAMES = 4  # a live frame leaves some 100 KB of a heap of 4 MiB
NO_MODEL = "no model on this card yet: train one with the snaploop app"


class Handheld:
    """A board with the app's parts, without its screens. Subclasses say in `frame` what to do with each frame."""

    needs_model = True

    def __init__(self, board, root: str = ROOT) -> None:
        """Keep board and card folder; nothing is touched yet."""
        self.board = board
        self.root = root
        self.models = None
        self.is_stopping = False
        self.frames = 0

    # -- for subclasses --

    def ready(self) -> None:
        """The board has started: make what the script needs."""

    def frame(self, found: "list[tuple]", now_ms: int) -> None:
        """A frame: draw on self.canvas and self.overlay, then show them.

        Args:
            found: (label, score permille, x, y, w, h) of each thing the model sees, photo px; with a model of vectors the vector;
                nothing without a model.
            now_ms: the time.
        """
        raise NotImplementedError

    def touched(self, event: str, x: int, y: int) -> None:
        """A finger: "down", "move" or "up" at a point of the panel."""

    def done(self) -> None:
        """The script ends: switch off what `ready` switched on."""

    # -- running --

    def run(self) -> None:
        """Run until someone stops the script; everything is released then."""
        try:
            self.start()
            while not self.is_stopping:
                self.step()
        finally:
            self.close()

    def start(self) -> None:
        """Open card, board and model.

        Raises:
            OSError, SnaploopError, RuntimeError: card or hardware refuse; the message says what.
        """
        self.card = Card(self.root)
        self.log = Log()
        settings, _trouble = config.load(self.card)
        self.board.open(settings.panel)
        self.display = self.board.display
        self.canvas = self.display.canvas
        self.overlay = self.display.overlay
        self.boot = boot_count.next_boot(self.card)
        files = ModelFiles(self.card, settings.key, layout.PHOTO_W, layout.PHOTO_H, self.log)
        runtime = "{} {}".format(self.board.identity.firmware(), APP_VERSION)
        self.models = ModelManager(files, self.board.kpu, settings.key, self.card, self.log, runtime)
        self.ready()

    def step(self) -> None:
        """One frame."""
        clock = self.board.clock
        now_ms = clock.now_ms()
        for event, x, y in self.board.touch.events():
            self.touched(event, x, y)
        self.models.step(now_ms)
        found = []
        if self.models.is_ready and self.needs_model:
            found = self._named(self.models.detect(self.board.camera.ai_frame(), now_ms) or [])
        else:
            clock.pause(FRAME_MS)
        self.frame(found, now_ms)
        self.frames += 1
        if self.frames % COLLECT_EVERY_FRAMES == 0:
            gc.collect()
        clock.pause(1)  # a stop that somebody asked for is raised here

    def close(self) -> None:
        """Release everything; may be called at any time."""
        try:
            self.done()
            if self.models is not None:
                self.models.close()
        except (OSError, RuntimeError, SnaploopError) as error:
            print("close:", error)
        finally:
            self.board.close()

    def say(self, text: str, colour=(255, 190, 60), size: int = 24) -> None:
        """One line below the picture, on the canvas; shown with the canvas's next show()."""
        x, y, w, h = layout.strip_rect(self.display.width, self.display.height)
        self.canvas.rectangle(x, y, w, h, (18, 21, 27), fill=True)
        self.canvas.text(x + 16, y + 14, size, text, colour)

    def _named(self, found):
        if self.models.is_embedding:
            return found
        labels = self.models.manifest.labels
        return [(labels[one[0]],) + tuple(one[1:]) for one in found if one[0] < len(labels)]
