"""For all tests: the environment that they and the processes they start run in, Hypothesis's ways, and the line of counts.

`make test` shares the files out to two processes (pytest-xdist), but for the tests that train (marked slow), which come after them and
have the machine to themselves. A file's tests run one after the other in one process: what a test needs is therefore its own or its
file's: folders below tmp_path, port 0, boards and daemons that it starts itself.

`tally` keeps a line of counts (cases, faults, frames) that is printed when the run ends, also when all passed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ["SNAPLOOP_OFFLINE"] = "1"  # trainings would fetch pretrained weights where there is a network
# Threads of one computation spin at barriers, and two tests run at a time: one each is quicker than two each. Set before anything
# imports numpy or torch. Trainings still try more: `thread_tuner` sets its number itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# An example may take as long as a busy machine needs, and the same ones come every time: a new find belongs to who looks for it
# (SNAPLOOP_SWEEP=full, docs/wire_faults.md), not to who happens to run the tests.
settings.register_profile("snaploop", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("full", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("full" if os.environ.get("SNAPLOOP_SWEEP") == "full" else "snaploop")

_LINES: list[str] = []


@pytest.fixture(scope="session")
def tally() -> Callable[[str], None]:
    """Keep a line for the end of the run."""
    return _LINES.append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the lines of a process of xdist's to the one that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = _LINES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the lines of a process of xdist's that has ended."""
    _LINES.extend(getattr(node, "workeroutput", {}).get("tally", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines."""
    if _LINES:
        terminalreporter.section("counts")
        for line in _LINES:
            terminalreporter.write_line(line)
