"""A board whose main.py hangs: `snaploop board recover`, and the bridge when a board falls silent. On the virtual board."""

from __future__ import annotations

import time

import pytest

from fakes.board_client import BoardClient
from fakes.cable import Cable
from fakes.host_folder import make_host
from fakes.waiting import wait_until
from integration.test_commands import fetched, serving, snaploop
from snaploop_host.errors import BoardLinkError
from snaploop_host.links import board_console, recover
from snaploop_host.links.usb_bridge import UsbBridge
from virtual_k230 import VirtualK230

COUNTS = """
try:
    with open("/data/starts") as file:
        n = int(file.read()) + 1
except OSError:
    n = 1
with open("/data/starts", "w") as file:
    file.write(str(n))
print("start", n, "of main.py")
"""
BUSY = COUNTS + "while True:\n    pass\n"
HARDWARE = (
    COUNTS + "import machine\npin = machine.Pin(3, machine.Pin.OUT)\nwhile True:\n    pin.value(1)\n    pin.value(0)\n"
)
STUBBORN = (
    COUNTS
    + "import time\nwhile True:\n    try:\n        time.sleep_ms(20)\n    except KeyboardInterrupt:\n        pass\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recover")
    for name in ("sd", "data"):
        (folder / name).mkdir()
    return folder


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A real board does not share the host's processor; the virtual one may answer late on a busy machine."""
    monkeypatch.setattr(recover, "IDE_ANSWER_S", 60.0)
    monkeypatch.setattr(board_console, "INTERRUPTS_AFTER_RESET", 1600)
    monkeypatch.setattr(board_console, "EXEC_PAUSE_S", 1.5)


@pytest.fixture(scope="module")
def board(folder):
    with VirtualK230(sd=folder / "sd", data=folder / "data") as board:
        yield board


def hang(board, folder, main):
    (folder / "sd" / "main.py").write_text(main)
    (folder / "data" / "starts").unlink(missing_ok=True)
    end = len(board.log)
    board.reset()
    board.wait_for("start 1 of main.py", 180, start=end)
    time.sleep(0.2)
    return len(board.log)


@pytest.mark.parametrize(
    "main, how", [(BUSY, recover.BY_CTRL_C), (HARDWARE, recover.BY_CTRL_C), (STUBBORN, recover.BY_IDE)]
)
def test_hanging_main_is_started_again(board, folder, monkeypatch, main, how):
    # The virtual board takes 3 s to see that a loop makes no hardware call; the real one looks at every bytecode.
    monkeypatch.setattr(board_console, "INTERRUPTS", 1000 if how == recover.BY_CTRL_C else 8)
    end = hang(board, folder, main)
    said = []
    assert recover.recover(board.pty, said.append) == how
    board.wait_for("start 2 of main.py", 180, start=end)
    assert said[0] == "sending Ctrl-C" and len(said) == (1 if how == recover.BY_CTRL_C else 2)


def test_stopped_board_stays_at_its_prompt(board, folder, monkeypatch):
    monkeypatch.setattr(board_console, "INTERRUPTS", 8)
    end = hang(board, folder, STUBBORN)
    assert recover.recover(board.pty, print, restart=False) == recover.BY_PROMPT
    time.sleep(0.5)
    assert "start 2" not in board.log[end:] and board.log.endswith(">>> ")
    assert sorted(path.name for path in (folder / "sd").iterdir()) == ["main.py"]


def test_board_that_answers_nothing_gets_one_line_of_advice(tmp_path, monkeypatch):
    monkeypatch.setattr(board_console, "INTERRUPTS", 3)
    monkeypatch.setattr(recover, "IDE_ANSWER_S", 0.2)
    cable = Cable(tmp_path / "ttyACM0")
    with pytest.raises(BoardLinkError, match=r"press its reset button; .*main\.py.*MTP.*card in a reader") as caught:
        recover.recover(str(cable.port), lambda line: None)
    assert "\n" not in str(caught.value)


@pytest.fixture
def desk(tmp_path):
    host = make_host(tmp_path / "data")
    cable = Cable(tmp_path / "ttyACM0")
    paired, _ = host.pair.pair("a1b2", "desk", None)
    yield host, cable, BoardClient(paired.id, paired.key, cable.ask)
    host.close()


def bridge_of(host, cable, is_heard_elsewhere=lambda board_id: False, silent_s=0.3):
    return UsbBridge(str(cable.port), lambda data: host.board_api.handle(data, "usb"), is_heard_elsewhere, silent_s)


def test_bridge_recovers_a_silent_board_once_until_it_speaks(desk, monkeypatch):
    monkeypatch.setattr(board_console, "INTERRUPTS", 3)
    monkeypatch.setattr(recover, "IDE_ANSWER_S", 0.1)
    host, cable, client = desk
    bridge = bridge_of(host, cable)
    try:
        time.sleep(1.0)
        assert bridge.recoveries == 0  # it never spoke: perhaps nothing of ours runs there
        assert client.hello().status == 200
        wait_until(lambda: bridge.recoveries == 1, seconds=180)
        time.sleep(1.5)
        assert bridge.recoveries == 1
        assert client.hello().status == 200
        wait_until(lambda: bridge.recoveries == 2, seconds=180)
    finally:
        bridge.close()


def test_bridge_leaves_a_board_alone_that_is_at_its_prompt_or_heard_over_wifi(desk):
    host, cable, client = desk
    asked = []
    bridge = bridge_of(host, cable, lambda board_id: bool(asked.append(board_id)) or True, silent_s=1.5)
    try:
        assert client.hello().status == 200
        wait_until(lambda: asked == ["a1b2"], seconds=180)
        assert client.hello().status == 200
        cable.write(b"Traceback\r\n>>> ")
        time.sleep(2.2)
        assert bridge.recoveries == 0 and asked == ["a1b2"]
    finally:
        bridge.close()


def test_command_borrows_the_port_from_the_daemon(board, folder, tmp_path):
    data = tmp_path / "host"
    snaploop("projects", "add", "lights", "--classes", "red", "--data", data)
    with serving(data, "--usb", board.pty) as (said, _):
        end = hang(board, folder, HARDWARE)
        done = snaploop("board", "recover", board.pty, "--data", data)
        assert "main.py runs again" in done.stdout  # by Ctrl-C, or on a busy machine by what comes after it
        board.wait_for("start 2 of main.py", 180, start=end)
        ends = time.monotonic() + 180
        while fetched(f"{said['url']}/api/health")["usb"][0]["state"] not in ("open", "waiting"):
            assert time.monotonic() < ends, "the daemon did not take the port back"
            time.sleep(0.2)
