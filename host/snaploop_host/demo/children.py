"""Child processes of the demo: the daemon and the virtual board, started by their commands and always ended again."""

from __future__ import annotations

import functools
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ..parent_process import end_with_parent
from .errors import DemoError

logger = logging.getLogger(__name__)

STOP_WAIT_S = 10


def command_path(name: str) -> str:
    """The installed command of that name beside this interpreter, so that a demo never picks up another installation."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


class Child:
    """A running command whose standard error goes to a log file; ends with the `with` block, or when its parent is killed.

    Start it in the main thread: the kernel tells a child of the end of the thread that started it.
    """

    def __init__(self, name: str, argv: Sequence[str], log: Path) -> None:
        """Start the command.

        Raises:
            DemoError: it cannot be started.
        """
        self.name = name
        self.log = log
        self._lines: queue.Queue[str | None] = queue.Queue()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stderr:
            try:
                # A session of its own: Ctrl-C reaches us alone, and we end the children in order.
                self._process = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                    start_new_session=True,
                    preexec_fn=functools.partial(end_with_parent, os.getpid(), signal.SIGTERM),  # noqa: PLW1509  # two system calls, no lock
                )
            except OSError as error:
                raise DemoError(
                    f"{name}: {argv[0]} cannot be started ({error}); is the environment set up? make setup"
                ) from error
        self._reader = threading.Thread(target=self._read_lines, name=f"{name} output", daemon=True)
        self._reader.start()

    def first_json_line(self, timeout_s: float) -> dict[str, object]:
        """The first line of its output that is a JSON object: how our commands say where they listen.

        Raises:
            DemoError: it ended or said nothing in time; holds the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                break
            if line.lstrip().startswith("{"):
                found = json.loads(line)
                if isinstance(found, dict):
                    return found
        raise DemoError(f"{self.name} did not start: {self.log_end()}")

    def log_end(self) -> str:
        """The last lines of its log, for an error message."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-3:]) if lines else f"nothing in {self.log}"

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process still lives."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it: politely, then not."""
        if self.is_running:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                logger.warning("%s did not stop in %s s and is killed", self.name, STOP_WAIT_S)
        self._signal(signal.SIGKILL)  # also what it may have left in its session
        self._process.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


def run_command(name: str, argv: Sequence[str], timeout_s: float = 120) -> str:
    """What a command printed.

    Raises:
        DemoError: it failed; holds its last words.
    """
    try:
        done = subprocess.run(
            list(argv), capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DemoError(f"{name} did not finish in {timeout_s:.0f} s") from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise DemoError(f"{name} failed: {' | '.join(words[-5:])}")
    return done.stdout
