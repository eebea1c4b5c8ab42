"""The real mpremote against a virtual board: exec, files, resume, soft reset, and a main.py that keeps it out."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtual_k230 import VirtualK230

USES_THE_PC = """
import os
with open('data.bin', 'rb') as file:
    data = file.read()
print(len(data), data == bytes(range(256)) * 8)
with open('/remote/made/on_the_board.txt', 'w') as file:
    print(file.write('one\\ntwo\\n'))
for line in open('made/on_the_board.txt'):
    print('line', line.strip())
os.rename('made/on_the_board.txt', 'renamed.txt')
os.rmdir('made')
print(os.getcwd(), sorted(os.listdir('/remote')), os.stat('renamed.txt')[6], sorted(os.ilistdir('empty')))
try:
    open('none.txt')
except OSError as error:
    print('no file:', error)
"""


@pytest.fixture
def board(tmp_path: Path) -> Iterator[VirtualK230]:
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd/boot.py").write_text("print('boot ran')\n")
    (tmp_path / "sd/main.py").write_text("print('main ran')\nlives = 9\n")
    with VirtualK230(sd=tmp_path / "sd") as virtual:
        virtual.wait_for(">>> ")
        yield virtual


def mpremote(board: VirtualK230, *argv: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mpremote", "connect", board.pty, *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_exec_answers(board: VirtualK230) -> None:
    done = mpremote(board, "exec", "import os; print(os.uname())")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "machine='k230_canmv_hiwonder'" in done.stdout
    assert board.log.count("main ran") == 2  # mpremote resets softly first, and that runs main.py again


def test_resume_does_not_reset_and_sees_mains_names(board: VirtualK230) -> None:
    done = mpremote(board, "resume", "exec", "print(lives)")
    assert done.stdout == "9\n", done.stderr
    assert board.resets == 0


def test_an_exception_comes_back(board: VirtualK230) -> None:
    done = mpremote(board, "resume", "exec", "1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout + done.stderr


def test_files_go_to_the_card_and_back(board: VirtualK230, tmp_path: Path) -> None:
    text = "".join(f"line {i}\n" for i in range(500))
    (tmp_path / "text.txt").write_text(text)
    assert mpremote(board, "resume", "fs", "cp", tmp_path / "text.txt", ":/sdcard/text.txt").returncode == 0
    assert (tmp_path / "sd/text.txt").read_text() == text
    listed = mpremote(board, "resume", "fs", "ls", ":/sdcard").stdout
    assert f"{len(text)} text.txt" in listed
    assert mpremote(board, "resume", "fs", "cat", ":/sdcard/text.txt").stdout == text
    assert mpremote(board, "resume", "fs", "mkdir", ":/sdcard/folder").returncode == 0
    assert (tmp_path / "sd/folder").is_dir()
    assert mpremote(board, "resume", "fs", "rm", ":/sdcard/text.txt").returncode == 0
    assert not (tmp_path / "sd/text.txt").exists()


def test_a_local_script_runs(board: VirtualK230, tmp_path: Path) -> None:
    script = tmp_path / "local.py"
    script.write_text("import gc\nfor i in range(3):\n    print('step', i)\nprint('x' * 5000)\n")
    done = mpremote(board, "run", script)
    assert done.stdout == "step 0\nstep 1\nstep 2\n" + "x" * 5000 + "\n", done.stderr


def test_soft_reset_runs_boot_and_main_from_the_card(board: VirtualK230) -> None:
    position = len(board.log)
    assert mpremote(board, "soft-reset").returncode == 0
    log = board.wait_for("main ran", start=position)
    assert "soft reboot\nboot ran\nmain ran" in log[position:]


def test_a_looping_main_keeps_mpremote_out_until_a_lone_ctrl_c(board: VirtualK230, tmp_path: Path) -> None:
    (tmp_path / "sd/main.py").write_text("import time\nprint('loops')\nwhile True:\n    time.sleep_ms(20)\n")
    board.reset(hard=True)
    board.wait_for("loops")
    done = mpremote(board, "exec", "print('in')")
    assert done.returncode != 0
    assert "could not enter raw repl" in done.stdout + done.stderr
    assert board.main_running
    with open(board.pty, "wb", buffering=0) as port:
        for _ in range(3):
            port.write(b"\x03")
            time.sleep(0.05)
    board.wait_for("KeyboardInterrupt")
    while board.state != "repl" or board.usb.ring:  # the fresh prompt reads what the first mpremote had sent in vain
        time.sleep(0.05)
    assert mpremote(board, "resume", "exec", "print('in')").stdout == "in\n"


@pytest.mark.parametrize("profile", ["A", "D"])  # without and with holding back what may be an IDE's frame
def test_a_mounted_folder_of_the_pc_is_imported_from_run_read_and_written(tmp_path: Path, profile: str) -> None:
    folder = tmp_path / "folder"
    for name in ("made", "empty"):
        (folder / name).mkdir(parents=True)
    (folder / "imported.py").write_text("value = 7\nprint('imported from', __name__)\n")
    (folder / "data.bin").write_bytes(bytes(range(256)) * 8)
    (folder / "script.py").write_text("import imported\nprint('ran', imported.value)\n")
    with VirtualK230(profile=profile) as board:
        board.wait_for(">>> ")
        mounted = f"Local directory {folder} is mounted at /remote\n"
        done = mpremote(board, "mount", folder, "exec", "import imported; print(imported.value)")
        assert done.stdout == mounted + "imported from imported\n7\n", done.stderr
        done = mpremote(board, "mount", folder, "run", folder / "script.py")
        assert done.stdout == mounted + "imported from imported\nran 7\n", done.stderr
        done = mpremote(board, "mount", folder, "ls", "/remote")
        listed = [line.split() for line in done.stdout.splitlines()[2:]]
        assert sorted(listed) == [["0", name] for name in ("data.bin", "empty/", "imported.py", "made/", "script.py")]
        done = mpremote(board, "mount", folder, "exec", USES_THE_PC)
        assert done.stdout == mounted + (
            "2048 True\n8\nline one\nline two\n"
            "/remote ['data.bin', 'empty', 'imported.py', 'renamed.txt', 'script.py'] 8 []\nno file: [Errno 2] ENOENT\n"
        ), done.stderr
        assert (folder / "renamed.txt").read_text() == "one\ntwo\n"


def test_unmounting_and_a_soft_reset_take_the_folder_away(board: VirtualK230, tmp_path: Path) -> None:
    (tmp_path / "sd/boot.py").unlink()
    look = "import os\ntry:\n    print(os.listdir('/remote'))\nexcept OSError as error:\n    print(error, os.getcwd())"
    done = mpremote(board, "resume", "mount", tmp_path / "sd", "exec", look, "umount", "exec", look)
    assert done.stdout.splitlines()[1:] == ["['main.py']", "[Errno 2] ENOENT /"], done.stderr
    resets = board.resets
    done = mpremote(board, "resume", "mount", tmp_path / "sd", "exec", look, "soft-reset", "exec", look)
    assert done.stdout.splitlines()[1:] == ["['main.py']", "[Errno 2] ENOENT /"], done.stderr
    assert board.resets == resets + 1
    assert mpremote(board, "resume", "exec", "print(lives)").stdout == "9\n"  # main.py ran, and the board is well
