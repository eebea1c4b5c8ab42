"""`snaploop try`: host and virtual board come up with their pages, and both end when the command is killed without a word."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("host", "shared", "device"))}
WAIT_S = 120
TRY = [sys.executable, "-m", "snaploop_host", "try", "--no-browser", "--out"]


def fetched(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=180) as answer:
        return json.loads(answer.read())


def is_served(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=180):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.mark.slow
def test_both_pages_come_up_and_end_with_the_command(tmp_path: Path) -> None:
    with subprocess.Popen([*TRY, str(tmp_path / "try")], env=ENVIRON, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        try:
            said = ""
            while "goes on from there" not in said:
                line = command.stdout.readline()
                assert line, said
                said += line
            host, board = re.findall(r"http://127\.0\.0\.1:\d+", said)
            (port,) = fetched(host + "/api/health")["usb"]
            state = fetched(board + "/state")
            assert port["port"] == state["pty"] and not state["has_main"]
            assert "snaploop" in fetched(board + "/apps")["apps"]
        finally:
            command.send_signal(signal.SIGKILL)
            command.wait(WAIT_S)
    ends = time.monotonic() + WAIT_S
    while is_served(host) or is_served(board) or (tmp_path / "try/host/daemon.json").exists():  # the host ends in order
        assert time.monotonic() < ends, "host or board live on"
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--camera", "no/such/pictures"], "virtual board did not start: .*no/such/pictures"),
        (["--out", "/proc/here"], "/proc/here cannot be made .*choose another folder with --out"),
    ],
)
def test_what_cannot_start_is_said_in_a_line(tmp_path: Path, more: list[str], words: str) -> None:
    done = subprocess.run(
        [*TRY, str(tmp_path / "try"), *more], env=ENVIRON, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert re.search(words, done.stderr.splitlines()[-1]), done.stderr
