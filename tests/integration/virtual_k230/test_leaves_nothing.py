"""However a program with virtual boards ends, it leaves no process and no temporary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes.tiny_kmodel import CannotCompileError, compile_tiny

HOST = str(Path(__file__).parents[3] / "host")
BOARDS = """
import sys, time
from virtual_k230 import VirtualK230
boards = [VirtualK230(), VirtualK230()]
for board in boards:
    (board.card.partitions["/sdcard"].root / "main.py").write_text("print('busy')\\nwhile True:\\n    pass\\n")
    board.start()
for board in boards:
    board.wait_for("busy")
print("ready", flush=True)
"""


def left(folder: Path) -> tuple[list[str], list[str]]:
    """Command lines of processes that live with TMPDIR=folder, and names in it."""
    processes = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if f"TMPDIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    processes.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:80])
            except OSError:  # it has ended meanwhile, or is another user's
                continue
    return [line for line in processes if line], sorted(path.name for path in folder.iterdir())


def started(folder: Path, *argv: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": HOST, "TMPDIR": str(folder)}
    return subprocess.Popen([sys.executable, *argv], stdout=subprocess.PIPE, text=True, env=environment)


def until_nothing_is_left(folder: Path) -> None:
    deadline = time.monotonic() + 180
    while left(folder) != ([], []):
        assert time.monotonic() < deadline, left(folder)
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("ending", "exit_code"),
    [
        ("boards[0].close()\nassert boards[1].is_on\nboards[1].close()", 0),
        ("raise RuntimeError('boom')", 1),
        ("sys.exit(3)", 3),
        ("time.sleep(60)", -signal.SIGKILL),
    ],
    ids=["both closed", "an exception", "sys.exit", "killed"],
)
def test_two_boards_that_only_compute(tmp_path: Path, ending: str, exit_code: int) -> None:
    with started(tmp_path, "-c", BOARDS + ending) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        if exit_code == -signal.SIGKILL:
            processes, folders = left(tmp_path)
            assert len(processes) == 3 and len(folders) == 6  # each board: /sdcard, /data, the serial port
            owner.kill()
        assert owner.wait(180) == exit_code
    until_nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("argv", "number", "exit_code"),
    [
        (["serve", "--port", "0"], signal.SIGTERM, 0),
        (["serve", "--port", "0"], signal.SIGINT, 0),
        (["run", "SCRIPT"], signal.SIGTERM, 128 + signal.SIGTERM),
        (["run", "SCRIPT"], signal.SIGHUP, 128 + signal.SIGHUP),
        (["run", "SCRIPT"], signal.SIGINT, 1),
        (["run", "SCRIPT"], signal.SIGKILL, -signal.SIGKILL),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_the_command_ended_by_a_signal(tmp_path: Path, argv: list[str], number: int, exit_code: int) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('runs')\nwhile True:\n    pass\n")
    folder = tmp_path / "tmp"
    folder.mkdir()
    with started(
        folder, "-m", "virtual_k230", *(str(script) if word == "SCRIPT" else word for word in argv)
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline()
        assert left(folder)[1]
        command.send_signal(number)
        assert command.wait(180) == exit_code
    until_nothing_is_left(folder)


def test_a_killed_owner_of_a_kpu(tmp_path: Path) -> None:
    """The simulator is a process with a folder of its own."""
    card, folder = tmp_path / "sd", tmp_path / "tmp"
    card.mkdir()
    folder.mkdir()
    try:
        compile_tiny(card)
    except CannotCompileError as error:
        pytest.skip(f"NOT TESTED: what a killed owner of a KPU simulator leaves: {error}")
    (card / "main.py").write_text(
        "import nncase_runtime as nn\nkpu = nn.kpu()\nkpu.load_kmodel('/sdcard/tiny.kmodel')\nprint('loaded')\nwhile True:\n    pass\n"
    )
    code = (
        f"import time\nfrom virtual_k230 import VirtualK230\nboard = VirtualK230(sd={str(card)!r}).start()\n"
        "board.wait_for('loaded')\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    with started(folder, "-c", code) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        assert any(name.startswith("virtual-k230-kpu") for name in left(folder)[1])
        owner.kill()
    until_nothing_is_left(folder)
