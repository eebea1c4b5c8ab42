"""The board's log: lines `ms level where text`, printed and kept in a bounded file on the card."""

from snaploop_shared.errors import SnaploopError
from snaploop_shared.portable import ticks_ms, ticks_since

FILE = "log.txt"
OLD_FILE = "log.old"
MAX_BYTES = 64 * 1024  # twice this at most, with the older half
FLUSH_EVERY_MS = 3000  # an append costs a card write; a cut may lose these last seconds
MAX_WAITING = 40


class Log:
    """Four verbs, as on the host. Never raises: a full card must not stop the app over its log."""

    def __init__(self, card=None, echo=print) -> None:
        """Log to `card` (None: only print) and to `echo`."""
        self._card = card
        self._echo = echo
        self._waiting = []
        self._flushed_ms = ticks_ms()
        self.lost_lines = 0

    def debug(self, where: str, text: str) -> None:
        """One message on the wire: only printed."""
        self._echo("{} debug {} {}".format(ticks_ms(), where, text))

    def info(self, where: str, text: str) -> None:
        """A change that a user would notice."""
        self._add("info", where, text)

    def warning(self, where: str, text: str) -> None:
        """We coped."""
        self._add("warning", where, text)

    def error(self, where: str, text: str) -> None:
        """Someone must act."""
        self._add("error", where, text)
        self.flush()

    def step(self, now_ms: int) -> None:
        """Write waiting lines now and then."""
        if self._waiting and (
            ticks_since(now_ms, self._flushed_ms) > FLUSH_EVERY_MS or len(self._waiting) > MAX_WAITING
        ):
            self._flushed_ms = now_ms
            self.flush()

    def flush(self) -> None:
        """Write the waiting lines to the card."""
        if self._card is None or not self._waiting:
            self._waiting = []
            return
        data = ("\n".join(self._waiting) + "\n").encode()
        try:
            if self._card.size(FILE) + len(data) > MAX_BYTES:
                self._card.rename(FILE, OLD_FILE)
            self._card.append(FILE, data)
        except (OSError, SnaploopError) as error:
            self.lost_lines += len(self._waiting)
            self._echo("{} warning log {} lines lost: {}".format(ticks_ms(), self.lost_lines, error))
        self._waiting = []

    def _add(self, level, where, text):
        line = "{} {} {} {}".format(ticks_ms(), level, where, text.replace("\n", " | "))
        self._echo(line)
        self._waiting.append(line)
