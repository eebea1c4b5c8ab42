"""`snaploop board install` on the virtual board: real MicroPython, real mpremote, a main.py that must be stopped first."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from snaploop_host.errors import BoardLinkError, PortBusyError
from snaploop_host.links import board_console, installer

virtual_k230 = pytest.importorskip("virtual_k230", reason="the virtual board is not installed")

LOOPING_MAIN = b"import time\nprint('app version %d')\nwhile True:\n    time.sleep_ms(20)\n"
STUBBORN_MAIN = b"""import time
print("stubborn")
while True:
    try:
        time.sleep_ms(20)
    except KeyboardInterrupt:
        pass
"""


def files(version=1):
    return {
        "/sdcard/main.py": LOOPING_MAIN % version,
        "/sdcard/snaploop_shared/__init__.py": b'"""shared"""\n',
        "/sdcard/snaploop_device/__init__.py": b"",
        "/sdcard/snaploop_device/screens/__init__.py": b"",
        "/sdcard/snaploop_device/screens/live.py": b"X = %d\n" % version + b"# a longer file\n" * 300,
    }


CONFIG = {
    "id": "abc",
    "key": "00" * 32,
    "name": "desk",
    "host": ["127.0.0.1", 8230],
    "wifi": ["", ""],
    "project": "lights",
}


@pytest.fixture
def board(tmp_path):
    if shutil.which("node") is None:
        pytest.fail("Node is not on PATH: install Node 18 or newer")
    for name in ("sd", "data"):
        (tmp_path / name).mkdir()
    with virtual_k230.VirtualK230(sd=tmp_path / "sd", data=tmp_path / "data") as board:
        yield board


def install(board, wanted, config=CONFIG):
    said = []
    with board_console.opened(board.pty, said.append) as console:
        identity = installer.identify(console)
        done = installer.install(console, wanted, config, said.append)
        installer.restart(console)
    return identity, done, said


def test_installs_on_an_empty_board_and_starts_the_app(board, tmp_path):
    identity, done, said = install(board, files())
    assert identity.id.isalnum()
    assert identity.machine.startswith("k230")
    assert len(done.written) == 6
    assert any("copying 6 of 6" in line for line in said)
    board.wait_for("app version 1", 180)
    assert json.loads((tmp_path / "data" / "snaploop" / "config.json").read_bytes()) == CONFIG
    assert (tmp_path / "sd" / "snaploop_device" / "screens" / "live.py").read_bytes() == files()[
        "/sdcard/snaploop_device/screens/live.py"
    ]


def test_firmware_without_zlib_gets_the_files_one_by_one(board, tmp_path, monkeypatch):
    monkeypatch.setattr(installer.snippets, "CAN_UNPACK", "print(False)")
    _, done, _ = install(board, files())
    assert len(done.written) == 6
    board.wait_for("app version 1", 180)
    assert not list(tmp_path.rglob("*.part"))


def test_again_stops_the_running_app_and_writes_only_what_differs(board, tmp_path):
    install(board, files())
    board.wait_for("app version 1", 180)
    (tmp_path / "sd" / "snaploop_device" / "gone.py").write_text("was removed from the app\n")
    (tmp_path / "sd" / "snaploop_device" / "live.py.part").write_text("of an installation that was cut\n")
    _, done, _ = install(board, files(2))
    assert sorted(done.written) == ["/sdcard/main.py", "/sdcard/snaploop_device/screens/live.py"]
    assert done.skipped == 4
    board.wait_for("app version 2", 180)
    assert not (tmp_path / "sd" / "snaploop_device" / "gone.py").exists()
    assert not (tmp_path / "sd" / "snaploop_device" / "live.py.part").exists()
    _, done, _ = install(board, files(2))
    assert done.written == ()


def test_script_that_catches_ctrl_c_is_stopped_too(board, tmp_path, monkeypatch):
    monkeypatch.setattr(board_console, "INTERRUPTS", 8)
    (tmp_path / "sd" / "main.py").write_bytes(STUBBORN_MAIN)
    board.reset()
    board.wait_for("stubborn", 180)
    _, done, said = install(board, files())
    assert len(done.written) == 6
    assert any("restarting" in line for line in said)
    assert not (tmp_path / "sd" / "main_aside.py").exists()
    board.wait_for("app version 1", 180)


def test_port_in_use_is_named_with_its_holder(board):
    with (
        board_console.opened(board.pty, print),
        pytest.raises(PortBusyError, match="held by"),
        board_console.opened(board.pty, print),
    ):
        pass


def test_missing_port_says_so(tmp_path):
    with pytest.raises(BoardLinkError, match="not there"), board_console.opened(str(tmp_path / "ttyACM0"), print):
        pass


def test_something_that_is_no_micropython(monkeypatch):
    monkeypatch.setattr(board_console, "INTERRUPTS", 3)
    monkeypatch.setattr(board_console, "INTERRUPTS_AFTER_RESET", 3)
    master, slave = os.openpty()
    with pytest.raises(BoardLinkError, match="reset button"), board_console.opened(os.ttyname(slave), print):
        pass
    os.close(master)
    os.close(slave)
