"""Run one of our nncase children: own folder, own process group, time and memory limits, and the reason when it dies.

Called by `kmodel_compiler` and `simulator`. The compiler aborts the process on anything it does not support, and its useful words are
in the middle of a .NET stack trace on stderr.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..parent_process import end_with_parent
from .nncase_environment import nncase_environment

logger = logging.getLogger(__name__)

POLL_S = 0.25
REASON_STARTS = (
    "Unhandled exception.",
    "---> ",
    "RuntimeError:",
    "ValueError:",
    "OSError:",
    "MemoryError",
    "snaploop_host.",  # one of our own errors, with its module before it
    "sh: ",
    "terminate called",
    "Process terminated.",
)
LONGEST_REASON = 400
WAITING_FACTOR = 6
FULL_BYTES = 64 << 10


class ChildFailedError(Exception):
    """A child ended without an answer; `reason` is one line, `exit_code` as subprocess gives it, None when we ended it.

    `is_own_words` is False when the line says no more than that it crashed or was ended.
    """

    def __init__(self, reason: str, exit_code: int | None) -> None:
        """Keep both for the caller's message."""
        super().__init__(reason)
        self.reason, self.exit_code = reason, exit_code
        self.is_own_words = exit_code == 1  # Python's own end with an exception; a crash or a limit tells of no cause


class Child:
    """One running `python -m MODULE SPEC` with a folder of its own; use `finish`, or `run_children` for several."""

    def __init__(
        self, module: str, spec: Mapping[str, Any], parent_folder: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        """Start the child. `spec` reaches it as a JSON file; it answers by writing answer.json into its folder."""
        variables = nncase_environment(
            environ if environ is not None else os.environ
        )  # raises before anything exists to clean up
        parent_folder = parent_folder.resolve()  # the child has a working folder of its own
        parent_folder.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{module.rpartition('.')[2]}-", dir=parent_folder))
        (self.folder / "tmp").mkdir()
        (self.folder / "spec.json").write_text(json.dumps(dict(spec)))
        self._errors = (self.folder / "stderr.txt").open("wb")
        self._prints = (self.folder / "stdout.txt").open("wb")
        self.started = time.monotonic()
        self.peak_bytes = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, str(self.folder / "spec.json")],
            cwd=self.folder,
            env={**variables, "TMPDIR": str(self.folder / "tmp")},  # nncase leaves its temporary files there
            stdin=subprocess.DEVNULL,
            stdout=self._prints,
            stderr=self._errors,
            start_new_session=True,  # so that the simulator's own children can be ended with it
        )

    def poll(self, time_limit_s: float, memory_limit_bytes: int) -> bool:
        """Whether the child has ended; ends it when it exceeds a limit.

        The time is that of a processor, so that a busy machine does not end good work; one that only waits is ended after a multiple.

        Raises:
            ChildFailedError: a limit was exceeded.
        """
        if self.process.poll() is not None:
            return True
        used, computed_s = group_use(self.process.pid)
        self.peak_bytes = max(self.peak_bytes, used)
        if used > memory_limit_bytes:
            self.kill()
            raise ChildFailedError(f"it needed more than {memory_limit_bytes >> 20} MiB of memory", None)
        if computed_s > time_limit_s or time.monotonic() - self.started > WAITING_FACTOR * time_limit_s:
            self.kill()
            raise ChildFailedError(f"it was not done after {time_limit_s:.0f} s", None)
        return False

    def answer(self) -> dict[str, Any]:
        """What the ended child wrote.

        Raises:
            ChildFailedError: it ended without an answer.
        """
        path = self.folder / "answer.json"
        if self.process.returncode != 0 or not path.exists():
            if shutil.disk_usage(self.folder).free < FULL_BYTES:  # .NET then dies without a word
                raise ChildFailedError(f"the disk of {self.folder.parent} is full: free some", 1)
            words = (self.folder / "stderr.txt").read_text(errors="replace")
            raise ChildFailedError(failure_reason(words, self.process.returncode), self.process.returncode)
        answer: dict[str, Any] = json.loads(path.read_text())
        return {**answer, "seconds": round(time.monotonic() - self.started, 2), "peak_mib": self.peak_bytes >> 20}

    def kill(self) -> None:
        """End the child and everything it started."""
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:  # it ended between poll and kill
                logger.debug("child %d was gone already", self.process.pid)
            self.process.wait()

    def close(self) -> None:
        """End the child if it still runs, and delete its folder (a compile leaves hundreds of temporary files)."""
        self.kill()
        self._errors.close()
        self._prints.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def run_children(
    module: str,
    specs: Sequence[Mapping[str, Any]],
    folder: Path,
    time_limit_s: float,
    memory_limit_bytes: int,
    on_tick: Callable[[], None] | None = None,
) -> list[dict[str, Any]]:
    """Run one child per spec, side by side, and return their answers in order; all are ended when one fails or we are interrupted.

    Raises:
        ChildFailedError: one of them failed.
    """
    children: list[Child] = []
    try:
        for spec in specs:
            try:
                children.append(Child(module, spec, folder))
            except OSError as error:
                raise ChildFailedError(f"no folder for it: {error}", 1) from error
        waiting = list(children)
        while waiting:
            waiting = [child for child in waiting if not child.poll(time_limit_s, memory_limit_bytes)]
            for child in children:
                if child.process.returncode not in (None, 0):
                    child.answer()  # raises with the reason, without waiting for the others
            if on_tick:
                on_tick()
            if waiting:
                time.sleep(POLL_S)
        return [child.answer() for child in children]
    finally:
        for child in children:
            child.close()


def failure_reason(words: str, exit_code: int | None) -> str:
    """The one or two lines of a dead child's stderr that say why."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    telling = [next((line for line in lines if line.startswith(start)), None) for start in REASON_STARTS]
    chosen = list(dict.fromkeys(line for line in telling if line))[:2] or lines[-1:]
    if any(
        line.startswith("Process terminated.") for line in chosen
    ):  # a failed assertion tells no more than its place
        chosen += [line for line in lines if line.startswith("at Nncase.")][:1]
    said = " / ".join(chosen)[:LONGEST_REASON] or "it said nothing"
    if exit_code is not None and exit_code < 0:
        return f"{said} (ended by {signal.Signals(-exit_code).name})"
    return f"{said} (exit code {exit_code})"


def group_use(group: int) -> tuple[int, float]:
    """Resident bytes of all processes of a process group, and the seconds they and their ended children computed.

    Zeros where /proc does not tell.
    """
    used, ticks = 0, 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group:
                    used += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
                    ticks += sum(int(field) for field in fields[11:15])
            except (OSError, ValueError, IndexError):  # it ended while we looked
                continue
    return used, ticks / os.sysconf("SC_CLK_TCK")


def start_as_child() -> tuple[dict[str, Any], Path]:
    """For the child's side: read the spec named on the command line; make the kernel end us when the parent is killed."""
    end_with_parent()
    path = Path(sys.argv[1])
    return json.loads(path.read_text()), path.parent / "answer.json"
