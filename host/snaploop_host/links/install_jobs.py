"""Installations that somebody asked for on the page: each in a thread of its own, one per port, with what it said so far."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import ConflictError, HostError, NotFoundError
from ..services.pair_board import PairBoard
from .install_board import InstalledBoard, InstallWish, install_board

logger = logging.getLogger(__name__)

RUNNING, DONE, FAILED = "running", "done", "failed"
PAUSE_S = 300.0  # an installation over a slow console takes a minute or two

Install = Callable[[PairBoard, InstallWish, Callable[[str], None], Callable[[int, int], None]], InstalledBoard]


class Ports(Protocol):
    """The served serial ports."""

    def state(self) -> list[dict[str, object]]:
        """Each port with its state."""

    def pause(self, port: str, seconds: float) -> bool:
        """Let a port go; whether it is ours."""

    def resume(self, port: str) -> bool:
        """Take it back; whether it is ours."""


@dataclass
class InstallJob:
    """One installation. `text` is its newest line; `done` and `total` are bytes on the wire, 0 before the copying."""

    port: str
    project: str
    state: str = RUNNING
    text: str = "stopping what runs on the board"
    done: int = 0
    total: int = 0
    lines: list[str] = field(default_factory=list)


class InstallJobs:
    """The newest installation of each port."""

    def __init__(self, pair: PairBoard, ports: Ports, install: Install = install_board) -> None:
        """Wire it up."""
        self._pair = pair
        self._ports = ports
        self._install = install
        self._jobs: dict[str, InstallJob] = {}
        self._lock = threading.Lock()

    def state(self) -> list[dict[str, Any]]:
        """Each port's newest installation: port, project, state ("running", "done", "failed"), text, done and total bytes, lines."""
        with self._lock:
            return [vars(job) | {"lines": list(job.lines)} for job in self._jobs.values()]

    def begin(self, port: str, project: str, config: dict[str, Any]) -> None:
        """Start one; `state` tells how it goes.

        Args:
            port: one of those that we serve.
            project: what the board is to work for.
            config: fields of the board's config.json; others stay as they are on it.

        Raises:
            NotFoundError: the port is none of those that we serve.
            ConflictError: an installation is at work there.
        """
        ports = [str(one["port"]) for one in self._ports.state()]
        if port not in ports:
            served = ", ".join(ports) or "none yet: plug a board in"
            raise NotFoundError(f"no board at {port or 'an unnamed port'}: the ports served now are {served}")
        job = InstallJob(port, project)
        with self._lock:
            known = self._jobs.get(port)
            if known is not None and known.state == RUNNING:
                raise ConflictError(f"an installation is at work on {port} already: wait for it")
            self._jobs[port] = job
        wish = InstallWish(port, project=project, asked=config, defaults={"wifi": ["", ""]})
        threading.Thread(target=self._run, args=(job, wish), name=f"install {port}", daemon=True).start()

    def _run(self, job: InstallJob, wish: InstallWish) -> None:
        def say(line: str) -> None:
            logger.info("%s: %s", wish.port, line)
            with self._lock:
                job.text = line
                job.lines.append(line)

        def progress(done: int, total: int) -> None:
            with self._lock:
                job.done, job.total = done, total

        end = FAILED
        try:
            self._ports.pause(wish.port, PAUSE_S)
            with contextlib.ExitStack() as stack:
                stack.callback(self._ports.resume, wish.port)
                done = self._install(self._pair, wish, say, progress)
            say(f"{done.board} has the app and works for {done.project}; it starts now")
            end = DONE
        except HostError as error:
            say(str(error))
        except Exception:  # boundary: a job's thread must say that it ended
            logger.exception("installing on %s failed", wish.port)
            say("the host failed on this installation: see its log")
        with self._lock:
            job.state = end
