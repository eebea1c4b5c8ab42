"""Hardware calls of canmv/_boot.py and canmv/_repl.py: what the interpreter is doing now, and what comes next.

A life of the interpreter goes from boot to reset: boot.py and main.py, then the REPL, or scripts that the IDE brings.
"""

from __future__ import annotations

import logging
from typing import Any

from .hal import Hal, Reply

logger = logging.getLogger(__name__)


class LifeOps:
    """The operations, on the board's own attributes: state, exception, next_life, interrupts."""

    def __init__(self, board: Any) -> None:
        self._board = board

    def register(self, hal: Hal) -> None:
        """Give the board these operations."""
        for name, handler in (
            ("board.state", self.set_state), ("board.soft_reset", self.soft_reset), ("board.life", self.life),
            ("board.after_scripts", self.after_scripts), ("board.measured", self.measured),
            ("board.exit_flag", self._board.interrupts.set_exit_flag), ("board.thread", self.set_thread),
            ("script.end", self.script_end), ("script.ended", self.script_ended), ("ide.next", self.next_ide_script),
        ):  # fmt: skip
            hal.op(name, handler)

    def set_state(self, state: str) -> None:
        """A state of VirtualK230.state, or the path of a script of the card that begins (it is locked meanwhile)."""
        board = self._board
        board.card.locked.clear()
        board.interrupts.forget_stop()
        if state.startswith("/"):
            board.card.locked.add(state.lower())
            board.exception = None
            state = "script"
        board.state = state

    def set_thread(self, number: int) -> None:
        """Which thread of the script runs."""
        self._board.interrupts.thread = number

    def script_end(self) -> None:
        """A line of the REPL has ended."""
        self._board.interrupts.pending = None
        self._board.state = "repl"

    def script_ended(self, path: str, report: str | None) -> None:
        """A script has ended; report: its traceback, or None."""
        self._board.exception = report
        self._board.card.locked.clear()
        self._board.ide.script_ended()
        if report:
            logger.info("%s ended: %s", path, report.strip().splitlines()[-1])

    def measured(self, hal_call_us: float, peak_heap_bytes: int) -> None:
        """What a start_source() script cost."""
        self._board.hal_call_us, self._board.peak_heap_bytes = hal_call_us, peak_heap_bytes

    def soft_reset(self, raw: bool) -> None:
        """Ctrl-D: the interpreter ends now, and another life begins."""
        self._board.say("MPY: soft reboot\n")
        self._board.next_life = (raw, True)

    def life(self, run_scripts: bool) -> str:
        """What the interpreter does after a reset: "boot" scripts and REPL, "repl", "ide": run what the IDE brings."""
        ide = self._board.ide
        if ide.attached and (ide.script is not None or not ide.has_version_2):
            return "ide"
        return "boot" if run_scripts and not ide.attached else "repl"

    def after_scripts(self) -> bool:
        """boot.py and main.py have ended. True when the firmware now resets: after Ctrl-C, or because the IDE is there."""
        board = self._board
        if board.ide.attached or board.was_interrupted:
            board.say("MPY: soft reboot\n")
            # An IDE that leaves before the interpreter is there again finds the board starting as after power-on.
            board.next_life = (False, not board.was_interrupted)
            return True
        return False

    def next_ide_script(self) -> Reply:
        """Wait for a script of the IDE; None when it has left instead."""
        board, ide = self._board, self._board.ide
        board.state = "ide"
        while ide.attached and ide.script is None and not board.is_ending:
            board.wait_fds({}, 50)
        source, ide.script = ide.script, None
        return Reply(source is not None, (source or "").encode())
