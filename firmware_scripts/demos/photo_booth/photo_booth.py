"""A photo booth: tap the screen, 3, 2, 1, four photos. No model, no host; the photos wait in the app's store for its next sync."""

from snaploop_device import layout
from snaploop_device.capture import Capture
from snaploop_device.handheld import Handheld
from snaploop_device.samples import SampleStore
from snaploop_shared.errors import SnaploopError

COUNT_MS = 800  # between the numbers
PHOTOS = 4
PAUSE_MS = 900  # between two photos
SHOW_MS = 500  # how long a photo stands still
WHITE, GOOD = (255, 255, 255), (60, 200, 90)


class PhotoBooth(Handheld):
    """Capture only."""

    needs_model = False

    def ready(self) -> None:
        """Open the store of samples."""
        self.store = SampleStore(self.card, self.boot, self.log)
        self.capture = Capture(self.board.camera, self.display, self.store)
        self.due = []  # (time, what): a number to show, "shoot" or "live"
        self.text = "tap the screen"
        self.shown = None
        self.taken = 0

    def touched(self, event, x, y) -> None:
        """A tap starts a round."""
        if event != "up" or self.due:
            return
        now_ms = self.board.clock.now_ms()
        for index in range(3):
            self.due.append((now_ms + index * COUNT_MS, str(3 - index)))
        for index in range(PHOTOS):
            at_ms = now_ms + 3 * COUNT_MS + index * PAUSE_MS
            self.due += [(at_ms, "shoot"), (at_ms + SHOW_MS, "live")]

    def frame(self, found, now_ms) -> None:
        """Do what is due, and draw when something changed."""
        while self.due and now_ms >= self.due[0][0]:
            what = self.due.pop(0)[1]
            if what == "shoot":
                self.shoot()
            elif what == "live":
                self.capture.resume_live()
                if not self.due:
                    self.text = "{} photos on the card: tap for more".format(len(self.store))
            else:
                self.text = what
        if self.text != self.shown:
            self.shown = self.text
            self.canvas.clear()
            if self.text in ("1", "2", "3"):
                self.canvas.text(layout.PHOTO_W // 2 - 50, 80, 180, self.text, WHITE)
            self.say(self.text, GOOD if self.taken else WHITE, 26)
            self.canvas.show()

    def shoot(self) -> None:
        """One photo."""
        try:
            record = self.capture.shoot()
        except (OSError, SnaploopError) as error:
            self.text = str(error)
            self.due = []
            return
        self.taken += 1
        self.text = "{} saved".format(record.name)
