"""Job folders under jobs/<run id>/ and the process that works in each. The real `ports.Jobs`.

    job.json        what to do, written before the process starts
    process.json    {"pid", "started"}: `started` is the kernel's start time of that pid, so a reused pid is not taken for ours
    events.jsonl    what the job says, one JSON object a line, appended by the job
    log.txt         its stdout and stderr
    artifacts/      what it made

The process is its own session and writes to files only: it goes on when the daemon dies, and the next daemon finds it again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CannotTrainError, MissingToolError, NotFoundError, StorageError
from ..files import is_full, write_atomically

logger = logging.getLogger(__name__)

WORKER = (sys.executable, "-m", "snaploop_host.training.job")
ASKED = {  # what a question about a job is answered by, in a process of its own: nothing of it may be loaded into the daemon
    "estimate": (sys.executable, "-m", "snaploop_host.training.estimate"),
    "preview": (sys.executable, "-m", "snaploop_host.training.preview"),
}
LONGEST_ANSWER_S = 300.0
NICE = 10  # the daemon, the page and the desktop come first
STOP_WAIT_S = 10.0  # time to write "cancelled" and close files, then SIGKILL
LAST_WORDS_BYTES = 2000
LAST_WORDS_WAIT_S = 5.0  # a process that is gone already hands over its return code at once
_SOURCE_ROOTS = (Path(__file__).resolve().parents[2], Path(__file__).resolve().parents[3] / "shared")


class JobProcesses:
    """Prepare, start, watch and stop the jobs below one folder."""

    def __init__(self, folder: Path, worker: Sequence[str] = WORKER, weights: Path | None = None) -> None:
        """Make the folder; `worker` is the command that gets a job folder as its argument, `weights` where pretrained ones are kept."""
        self._folder = folder
        self._weights = weights
        self._worker = tuple(worker)
        self._children: dict[
            int, subprocess.Popen[bytes]
        ] = {}  # of this daemon: must be waited for, or they stay as zombies
        self._endings: dict[int, int] = {}  # their return codes
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder} cannot be made ({error.strerror})") from error

    def prepare(self, run_id: int, job: Mapping[str, Any]) -> None:
        """Write the job's folder and job.json."""
        (self._job(run_id) / "artifacts").mkdir(parents=True, exist_ok=True)
        write_atomically(self._job(run_id) / "job.json", json.dumps(job, indent=1).encode())

    def is_prepared(self, run_id: int) -> bool:
        """Whether the job's folder is there, new or used."""
        return (self._job(run_id) / "job.json").exists()

    def ask(self, question: str, job: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a worker that looks at a job which is no run: "estimate" or "preview"; takes seconds to a minute.

        Raises:
            CannotTrainError: the job cannot be done as it is; the line is the worker's.
            MissingToolError: the worker did not get as far as an answer.
        """
        self._clear_questions()
        folder = self._folder / f"{question}-{os.getpid()}-{threading.get_ident()}"
        words: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "job.json", json.dumps(job).encode())
            command = ["nice", "-n", str(NICE), *ASKED[question], str(folder)]
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=_environ(self._weights),
                timeout=LONGEST_ANSWER_S,
                check=False,
            )
            words = done.stderr.decode(errors="replace").strip().splitlines()
            answer = json.loads(done.stdout.splitlines()[-1])
            if picture := answer.get("picture"):
                answer["picture"] = Path(picture).read_bytes()
        except subprocess.TimeoutExpired as error:
            raise MissingToolError(
                f"the {question} took more than {LONGEST_ANSWER_S:.0f} s: is the machine busy?"
            ) from error
        except (IndexError, ValueError, OSError) as error:
            raise MissingToolError(f"the {question} failed: {words[-1] if words else error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if "error" in answer:
            raise CannotTrainError(str(answer["error"]))
        found: dict[str, Any] = answer
        return found

    def _clear_questions(self) -> None:
        """Remove what a killed process left of its questions."""
        for question in ASKED:
            for left in self._folder.glob(f"{question}-*-*"):
                pid = left.name.split("-")[1]
                if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
                    shutil.rmtree(left, ignore_errors=True)

    def start(self, run_id: int) -> None:
        """Start the job's process.

        Raises:
            NotFoundError: it was not prepared.
            MissingToolError: the worker's program is not there.
        """
        folder = self._job(run_id)
        if not (folder / "job.json").exists():
            raise NotFoundError(f"{folder} holds no job.json: start the training again")
        try:
            with (folder / "log.txt").open("ab") as log:
                child = subprocess.Popen(
                    ["nice", "-n", str(NICE), *self._worker, str(folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=_environ(self._weights),
                )
        except FileNotFoundError as error:
            raise MissingToolError(f"{error.filename} is not on this machine: install coreutils") from error
        self._children[run_id] = child
        identity = {"pid": child.pid, "started": _start_time(child.pid)}  # nice execs the worker: the pid stays
        write_atomically(folder / "process.json", json.dumps(identity).encode())
        logger.info("job of run %d is process %d", run_id, child.pid)

    def is_running(self, run_id: int) -> bool:
        """Whether the job's process is alive, whoever started it."""
        return self._pid(run_id) is not None

    def stop(self, run_id: int) -> None:
        """End the job's process and all that it started: SIGTERM, then SIGKILL after STOP_WAIT_S."""
        for sign, wait_s in ((signal.SIGTERM, STOP_WAIT_S), (signal.SIGKILL, STOP_WAIT_S)):
            pid = self._pid(run_id)
            if pid is None:
                return
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                os.killpg(pid, sign)
            deadline = time.monotonic() + wait_s
            while self._pid(run_id) is not None and time.monotonic() < deadline:
                time.sleep(0.05)

    def events(self, run_id: int) -> list[dict[str, Any]]:
        """What the job said so far, oldest first; a line that is still being written is left for the next time."""
        try:
            lines = (self._job(run_id) / "events.jsonl").read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # torn by a crash of the job in the middle of a line
            if isinstance(event, dict):
                found.append(event)
        return found

    def last_words(self, run_id: int) -> str:
        """Why the job's process ended without saying so, for people: what the system did to it, else the last line of its log."""
        folder = self._job(run_id)
        if folder.is_dir() and is_full(folder):
            return f"the disk of {folder} is full: free some, then let the run go on"
        if (
            child := self._children.pop(run_id, None)
        ) is not None:  # it was seen to be a zombie before it could be waited for
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._endings[run_id] = child.wait(LAST_WORDS_WAIT_S)
        if self._endings.get(run_id) == -signal.SIGKILL:
            return (
                "the system killed it, most likely for want of memory: close other programs and let the run go on, "
                "or train anew with a smaller batch or imgsz"
            )
        try:
            with (self._job(run_id) / "log.txt").open("rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(0, log.tell() - LAST_WORDS_BYTES))
                lines = log.read().decode(errors="replace").strip().splitlines()
        except FileNotFoundError:
            return "it left no log"
        return lines[-1].strip() if lines else "its log is empty (out of memory?)"

    def artifact(self, run_id: int, name: str) -> Path:
        """Where the job puts (or put) a file that it makes."""
        return self._job(run_id) / "artifacts" / name

    def _job(self, run_id: int) -> Path:
        return self._folder / str(run_id)

    def _pid(self, run_id: int) -> int | None:
        """The pid of the job's process while it lives."""
        child = self._children.get(run_id)
        if child is not None and child.poll() is not None:
            self._endings[run_id] = child.returncode
            del self._children[run_id]
            return None
        try:
            identity = json.loads((self._job(run_id) / "process.json").read_bytes())
            pid, started = int(identity["pid"]), identity["started"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return pid if started is not None and _start_time(pid) == started else None


def _environ(weights: Path | None) -> dict[str, str]:
    """Ours, with our own sources first and output at once."""
    environ = dict(os.environ)
    environ["PYTHONPATH"] = os.pathsep.join([*map(str, _SOURCE_ROOTS), *filter(None, [environ.get("PYTHONPATH")])])
    environ["PYTHONUNBUFFERED"] = "1"
    if weights is not None:
        environ.setdefault("SNAPLOOP_WEIGHTS", str(weights))
    return environ


def _start_time(pid: int) -> str | None:
    """When the kernel started this process (boot id and clock ticks), None when there is no such living one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"
