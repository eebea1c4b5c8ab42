"""For all tests: `tally` keeps a line of counts (cases, faults, frames) that is printed when the run ends, also when all passed."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

os.environ["SNAPLOOP_OFFLINE"] = "1"  # trainings would fetch pretrained weights where there is a network

_LINES: list[str] = []


@pytest.fixture(scope="session")
def tally() -> Callable[[str], None]:
    """Keep a line for the end of the run."""
    return _LINES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines."""
    if _LINES:
        terminalreporter.section("counts")
        for line in _LINES:
            terminalreporter.write_line(line)
