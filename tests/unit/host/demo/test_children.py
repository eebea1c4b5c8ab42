"""What the demo starts ends with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snaploop_host.demo.children import Child
from snaploop_host.demo.errors import DemoError

HOST = Path(__file__).resolve().parents[4] / "host"
SLEEPER = "import time; print('{\"up\": 1}', flush=True); time.sleep(600)"
PARENT = """
import sys, time
from pathlib import Path
from snaploop_host.demo.children import Child
with Child("sleeper", [sys.executable, "-c", sys.argv[1]], Path(sys.argv[2])) as child:
    child.first_json_line(60)
    print(child.pid, flush=True)
    time.sleep(600)
"""


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_child_ends_when_its_parent_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    environ = os.environ | {"PYTHONPATH": str(HOST)}
    argv = [sys.executable, "-c", PARENT, SLEEPER, str(tmp_path / "log")]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.send_signal(number)
        parent.wait(180)
        ends = time.monotonic() + 180
        while lives(pid):
            assert time.monotonic() < ends, "the child lives on"
            time.sleep(0.05)


def test_child_ends_with_the_block_and_says_why_it_did_not_start(tmp_path: Path) -> None:
    with Child("sleeper", [sys.executable, "-c", SLEEPER], tmp_path / "log") as child:
        assert child.first_json_line(60) == {"up": 1}
        assert child.is_running
    assert not child.is_running
    with (
        Child("broken", [sys.executable, "-c", "raise SystemExit('no such board')"], tmp_path / "log") as child,
        pytest.raises(DemoError, match=r"broken did not start: no such board"),
    ):
        child.first_json_line(60)
