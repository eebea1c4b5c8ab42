"""What a virtual board's console showed: text with positions, for those who wait for a word or follow along."""

from __future__ import annotations

import collections
import threading
import time

LIMIT_CHARS = 4 << 20


class ConsoleLog:
    """The last few million characters; positions count from the first character ever written."""

    def __init__(self, limit_chars: int = LIMIT_CHARS) -> None:
        self._limit = limit_chars
        self._pieces: collections.deque[tuple[int, str]] = collections.deque()
        self._end = 0
        self._changed = threading.Condition(threading.RLock())

    @property
    def end(self) -> int:
        """Position after the last character."""
        return self._end

    def append(self, text: str) -> None:
        """Add text; the oldest goes when there is too much."""
        with self._changed:
            self._pieces.append((self._end, text))
            self._end += len(text)
            while self._end - self._pieces[0][0] > self._limit + len(self._pieces[0][1]):
                self._pieces.popleft()
            self._changed.notify_all()

    def notice(self) -> None:
        """Wake those who wait, as when the board went off."""
        with self._changed:
            self._changed.notify_all()

    def since(self, position: int = 0) -> str:
        """The text from a position on, as far as it is still kept."""
        found: list[str] = []
        with self._changed:
            for start, text in reversed(self._pieces):
                if start + len(text) <= position:
                    break
                found.append(text[max(0, position - start) :])
        return "".join(reversed(found))

    def follow(self, position: int) -> tuple[int, str]:
        """The position to ask for next, and the text from `position` up to it."""
        with self._changed:
            return self._end, self.since(position)

    def wait_for(self, text: str, timeout_s: float, position: int = 0) -> bool:
        """Wait until `text` stands somewhere from `position` on; False when it did not come in time."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                looked_until = self._end
                if text in self.since(position):
                    return True
                position = max(position, looked_until - len(text))
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
