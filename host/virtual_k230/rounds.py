"""How often a script has been round its loop, as far as its board can see: what `virtual-k230 run --frames N` counts.

A round is a picture that was shown, or a camera frame that was followed by another. A script that does neither for long,
as one that only binds the camera to the panel and waits, is round once for each picture of the panel.
"""

from __future__ import annotations

import time
from typing import Any

_QUIET_S = 6.0  # longer than the pauses of the vendor's examples (5 s)
_CALLS_WITHIN_S = 1.0  # a script that makes no call at all computes
_PANEL_FPS = 30


class Rounds:
    """Counts for one board; `done` is to be asked often."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self._n_calls = self._n_deeds = -1
        self._called_at = self._quiet_since = time.monotonic()

    def done(self) -> int:
        """Rounds that are over."""
        board, hal, now = self._board, self._board.hal, time.monotonic()
        is_at_deed = hal.is_busy and hal.is_at_deed
        if hal.n_calls != self._n_calls or hal.is_busy:
            self._n_calls, self._called_at = hal.n_calls, now
        if hal.n_deeds != self._n_deeds or is_at_deed or now - self._called_at > _CALLS_WITHIN_S:
            self._n_deeds, self._quiet_since = hal.n_deeds, now
        waited = int((now - self._quiet_since - _QUIET_S) * _PANEL_FPS)
        return max(board.display.most_shows(), board.frames - 1, waited)
