"""The IDE's protocol on a virtual board, older (profile B) and version 2 (profile D), spoken by an independent client."""

from __future__ import annotations

import io
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from fakes.ide_client import ATTACH, NONE, VERIFY_OK, IdeClient
from virtual_k230.board import VirtualK230

MAIN_LOOPS = (
    "import time\nprint('main runs')\ntry:\n    while True:\n        time.sleep_ms(5)\n"
    "except BaseException as error:\n    print('main got', error)\n    raise\n"
)


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[VirtualK230, IdeClient]]]:
    made: list[VirtualK230 | IdeClient] = []

    def start(profile: str, main: str | None = None) -> tuple[VirtualK230, IdeClient]:
        board = VirtualK230(profile=profile)
        made.append(board)
        if main is not None:
            board.host_path("/sdcard").joinpath("main.py").write_text(main)
        board.start()
        client = IdeClient(board.pty)
        made.append(client)
        return board, client

    yield start
    for part in reversed(made):
        part.close()


def next_frame(ide: IdeClient) -> tuple[int, int, bytes]:
    """The next picture: what a script has shown is encoded beside it, and given at most 30 times a second."""
    ends = time.monotonic() + 180
    while not (frame := ide.frame())[0]:
        assert time.monotonic() < ends, "no picture came"
        time.sleep(0.02)
    return frame


def test_attach_stops_main_and_the_ide_runs_a_script_each_in_a_fresh_interpreter(started) -> None:
    board, ide = started("B", MAIN_LOOPS)
    board.wait_for("main runs")
    assert ide.handshake() == (1, 4, 0)
    board.wait_for("main got IDE interrupt")
    ide.wait_until_running(False)
    arch = ide.ask(0x83, 64).rstrip(b"\0").decode()
    assert "[CanMV K230 HiWonder - 1G:" in arch
    ide.run("left = 'over'\nprint('first')")
    ide.console_until("first")
    ide.wait_until_running(False)
    ide.run("print('left' in globals(), 'second')")
    assert "False second" in ide.console_until("second").replace("\r\n", "\n")
    assert board.log.count("main runs") == 1
    ide.leave()  # and the board starts as after power-on
    board.wait_for("main runs", start=len(board.log))


def test_the_first_answer_is_followed_by_nothing_of_a_script_that_prints_without_end(started) -> None:
    board, ide = started("D", "import sys\nwhile True:\n    sys.stdout.write('noise ' * 3000)\n")
    board.wait_for("noise")
    shown = 0
    while shown < len(board.log):  # what nobody reads fills the terminal, and the script waits in the middle of a line
        shown = len(board.log)
        time.sleep(0.1)
    assert ide.handshake() == (1, 8, 0)
    ide.wait_until_running(False)
    board.wait_for("IDE interrupt")


def test_an_ide_is_known_though_the_terminal_glued_its_query_to_what_came_before(started) -> None:
    board, ide = started("D", "import time\nprint('main runs')\nwhile True:\n    time.sleep_ms(5)\n")
    board.wait_for("main runs")
    while not ide.silent():
        pass
    board.usb.feed(b"the end of another program's line" + ATTACH[0])
    assert ide.receive(4) == b"\xaa\xbb\xee\xff"
    assert board.usb.take() == b"the end of another program's line"


@pytest.mark.parametrize(("profile", "is_swallowed"), [("B", True), ("D", False)])
def test_a_packet_that_begins_like_an_old_ide_looking_for_its_port(started, profile: str, is_swallowed: bool) -> None:
    board, _ = started(profile)
    board.wait_for(">>> ")
    board.usb.feed(b"from machine import UART\rprint('ran')\r")
    board.usb.feed(b"print('next')\r")
    assert ("\nran" in board.wait_for("\nnext")) is not is_swallowed


def test_a_typed_zero_that_newer_firmware_holds_back_arrives_all_the_same(started) -> None:
    board, _ = started("D")
    board.wait_for(">>> ")
    with open(board.pty, "wb", buffering=0) as port:
        port.write(b"print(7 * 10)\r")
        board.wait_for(
            "\n70\n"
        )  # a fifth of a second later than on older firmware: unit/virtual_k230/test_ide_session.py
        port.write(b"print(0)\rprint(000000000)\rprint(8 * 10)\r")
        board.wait_for("\n80\n")
    assert board.log.count("\n0\n") == 2


def test_a_script_that_raises_shows_its_traceback_and_stop_stops_a_loop(started) -> None:
    _, ide = started("B")
    ide.handshake()
    ide.run("def f():\n    1 / 0\nf()")
    assert "ZeroDivisionError: divide by zero" in ide.console_until("Error")
    ide.run("import time\nprint('loops')\nwhile True:\n    time.sleep_ms(10)")
    ide.console_until("loops")
    assert ide.is_running()
    ide.stop()
    assert "Exception: IDE interrupt" in ide.console_until("IDE interrupt")
    ide.wait_until_running(False)


def test_a_loop_without_hardware_calls_is_stopped_too(started) -> None:
    _, ide = started("B")
    ide.handshake()
    ide.run("print('spins')\nwhile True:\n    pass")
    ide.console_until("spins")
    ide.stop()
    ide.console_until("IDE interrupt")
    ide.wait_until_running(False)


def test_input_reaches_the_script_and_the_console_ring_drops_what_does_not_fit(started) -> None:
    _, ide = started("B")
    ide.handshake()
    ide.run(
        "import sys\nprint('name?')\nprint('hello', sys.stdin.readline())\nprint('x' * 100000)\nprint('y' * 100000)\nprint('end')"
    )
    ide.console_until("name?")
    ide.send(0x11, 4, b"bob\n")
    ide.wait_until_running(False)
    seen = ide.console_until("end")
    assert "hello bob" in seen
    assert "x" * 100000 in seen and "y" not in seen


def test_a_closed_port_stops_the_script_and_leaves_ide_mode(started) -> None:
    board, ide = started("B")
    ide.handshake()
    ide.run("import time\nprint('loops')\nwhile True:\n    time.sleep_ms(10)")
    ide.console_until("loops")
    ide.close()
    board.wait_for(">>> ", start=board.log.rindex("loops"))
    assert not board.ide.attached


def test_files_go_up_with_their_digest(started) -> None:
    board, ide = started("B")
    ide.handshake()
    data = bytes(range(256)) * 40 + b"rest"
    assert ide.upload("folder.bin", data) == VERIFY_OK
    assert board.host_path("/sdcard/folder.bin").read_bytes() == data
    assert ide.upload("/data/absolute.bin", b"short") == VERIFY_OK
    assert board.host_path("/data/absolute.bin").read_bytes() == b"short"
    ide.create("wrong.bin", b"what was promised")
    ide.write(b"what came instead...")
    assert ide.numbers(0xA1)[0] == 1030  # SHA-256 differs


def test_every_refusal_of_an_upload_has_its_status(started) -> None:
    board, ide = started("B", None)
    ide.handshake()
    assert ide.create("../outside", b"") == 1025
    assert ide.create("", b"") == 1025
    ide.send(0x20, 3, b"abc")
    assert ide.numbers(0xA0)[0] == 1025
    assert ide.create("no/such/folder/file", b"") == 1032
    assert ide.write(b"nothing is open") == 1027
    assert ide.create("small", b"", chunk_bytes=4) == NONE
    assert ide.write(b"12345") == 1027
    assert ide.create("never", b"", chunk_bytes=0) == 1028
    ide.create("../outside", b"")
    assert ide.numbers(0xA1)[0] == 1029
    board.faults.set("card.full", 0)
    assert ide.create("late", b"x") in (1032, 1027)
    board.faults.clear("card.full")
    board.faults.set("card.read_only")
    assert ide.create("late", b"x") == 1032


def test_the_live_picture_is_the_screen_no_faster_than_30_per_second(started) -> None:
    _, ide = started("B")
    ide.handshake()
    ide.send(0x0D, 2, b"\x01\x00")
    assert ide.frame() == (0, 0, b"")
    ide.run(
        "import time, image\nfrom media.display import *\nfrom media.media import *\n"
        "Display.init(Display.VIRT, width=320, height=240, to_ide=True)\nMediaManager.init()\n"
        "img = image.Image(320, 240, image.RGB888)\nimg.clear()\nimg.draw_rectangle(0, 0, 320, 240, color=(0, 255, 0), fill=True)\n"
        "Display.show_image(img)\nprint('shown')\nwhile True:\n    time.sleep_ms(10)"
    )
    ide.console_until("shown")
    width, height, jpeg = next_frame(ide)
    assert (width, height) == (320, 240)
    red, green, blue = Image.open(io.BytesIO(jpeg)).convert("RGB").getpixel((160, 120))
    assert green > 240 and red < 20 and blue < 20
    started = time.monotonic()
    n_pictures = sum(ide.frame()[0] > 0 for _ in range(20))
    assert n_pictures <= 1 + (time.monotonic() - started) / 0.033
    ide.send(0x0D, 2, b"\x00\x00")
    time.sleep(0.05)
    assert ide.frame() == (0, 0, b"")
    ide.stop()


def test_a_script_shows_pictures_of_its_own(started) -> None:
    _, ide = started("B")
    ide.handshake()
    ide.run(
        "import image\nimg = image.Image(64, 48, image.RGB565)\nimg.draw_rectangle(0, 0, 64, 48, color=(255, 0, 0), fill=True)\n"
        "img.compress_for_ide()\nprint(img.format() == image.RGB565)"
    )
    assert "True" in ide.console_until("True")
    width, height, jpeg = next_frame(ide)
    assert (width, height) == (64, 48) and Image.open(io.BytesIO(jpeg)).convert("RGB").getpixel((5, 5))[0] > 240
    time.sleep(0.05)
    assert ide.frame() == (0, 0, b"")


def test_older_firmware_does_not_answer_version_2(started) -> None:
    _, ide = started("A")
    assert ide.handshake() == (1, 2, 2)
    ide.send(0xA2, 8, b"\0")
    assert ide.silent()
    assert not ide.is_running()  # and goes on


def test_garbage_between_frames_is_skipped(started) -> None:
    _, ide = started("B")
    ide.handshake()
    ide._port.write(b"\xff\x00noise\x30\x55\x00\x00\x00\x00more")
    assert ide.numbers(0x8D)[0] == 0xFFEEBBAA


def test_version_2_attaches_beside_a_running_main_and_reads_the_card(started) -> None:
    board, ide = started("D", MAIN_LOOPS)
    board.wait_for("main runs")
    board.host_path("/sdcard").joinpath("Photo.txt").write_bytes(b"0123456789")
    ide.attach()
    assert ide.capabilities() == (2, 0x3FF)
    assert ide.ask(0xA3, 128).rstrip(b"\0") == b"K230-v1.8"
    assert ide.numbers(0xA4)[0] == 1
    assert board.main_running  # looking does not stop it
    status, entries = ide.list("/")
    assert status == 0 and {name for name, _, _ in entries} == {"sdcard", "data"}
    status, entries = ide.list("/sdcard")
    assert status == 0 and ("Photo.txt", 0, 10) in entries
    assert ide.read("/sdcard/photo.TXT", 4, 3) == (0, 10, b"456")
    assert ide.read("Photo.txt", 10, 5) == (0, 10, b"")
    assert ide.read("/sdcard/none")[0] == 1033
    assert ide.read("/sdcard")[0] == 1035
    assert ide.stat("/sdcard/Photo.txt")[:3] == (0, 0, 10)
    assert ide.stat("/sdcard")[:3] == (0, 1, 0)
    assert ide.stat("../secret")[0] == 1035
    assert ide.path_command(0xAA, "/sdcard/main.py") == 1037  # it runs, so it is locked
    ide.stop()
    board.wait_for("main got IDE interrupt")


def test_version_2_changes_the_card(started) -> None:
    board, ide = started("D")
    ide.attach()
    ide.capabilities()
    data = bytes(range(256)) * 1000
    assert ide.numbers(0xA8, 1, ide.info("big.bin", data, 131072)) == (0,)
    assert ide.numbers(0xA9, 1, data[:131072]) == (0,)
    assert ide.numbers(0xA9, 1, data[131072:]) == (0,)
    assert ide.numbers(0xA1) == (VERIFY_OK,)
    assert board.host_path("/sdcard/big.bin").read_bytes() == data
    assert ide.path_command(0xAC, "/data/new") == NONE
    assert ide.path_command(0xAC, "/data/new") == 1034
    assert ide.path_command(0xAB, "/sdcard/big.bin", "/sdcard/small.bin") == 0
    assert ide.path_command(0xAB, "/sdcard/big.bin", "/sdcard/other.bin") == 1033
    assert ide.path_command(0xAA, "/sdcard/small.bin") == NONE
    assert ide.path_command(0xAA, "/sdcard/small.bin") == 1033
    board.host_path("/data/new").joinpath("file").write_text("x")
    assert ide.path_command(0xAD, "/data/new") == 1036
    assert ide.path_command(0xAA, "/data/new/file") == NONE
    assert ide.path_command(0xAD, "/data/new") == NONE


def test_version_2_runs_a_file_of_the_card_and_touches_the_panel(started) -> None:
    board, ide = started("D")
    board.host_path("/sdcard").joinpath("tap.py").write_text(
        "import time\nfrom machine import TOUCH\ntouch = TOUCH(0)\nprint('ready')\n"
        "while True:\n    points = touch.read()\n    if points:\n"
        "        print('at', points[0].x, points[0].y, points[0].event)\n        break\n"
        "    time.sleep_ms(5)\n"
    )
    ide.attach()
    ide.capabilities()
    assert ide.numbers(0xAF, 5)[:2] == (1, 0)
    ide.send(0xAE, 0, b"/sdcard/tap.py\0")
    ide.console_until("ready")
    assert ide.numbers(0xAF, 5)[:4] == (1, 1, 800, 480)
    ide.send(0xB0, 12, struct.pack("<HHBBHI", 120, 45, 2, 0, 1, 0))
    assert "at 120 45 2" in ide.console_until("at ")
    ide.console_until(">>> ")
    ide.send(0x11, 9, b"print(7)\r")  # the REPL is still there
    ide.console_until("7\r\n")


def test_version_2_lists_a_thousand_files(started) -> None:
    board, ide = started("D")
    folder: Path = board.host_path("/data")
    for number in range(1000):
        folder.joinpath(f"{number:04d}.jpg").write_bytes(b"")
    ide.attach()
    ide.capabilities()
    status, entries = ide.list("/data")
    assert status == 0 and len(entries) == 1000


def test_version_2_answers_every_command_of_the_list(started) -> None:
    """One exchange each; the tests above look closer."""
    board, ide = started("D")
    (board.host_path("/sdcard") / "tap.py").write_bytes(b"print('file ran \xff')\n")
    assert ide.handshake() == (1, 8, 0)
    assert ide.numbers(0x8D) == (0xFFEEBBAA,)
    assert ide.ask(0x83, 64).count(b"[CanMV K230 HiWonder - 1G:") == 1
    assert ide.numbers(0x81, 3) == (0, 0, 0)
    assert ide.capabilities() == (2, 0x3FF)
    assert ide.ask(0xA3, 128).startswith(b"K230-v1.8\0")
    ide.send(0x07)  # SCRIPT_SAVE does nothing, and says nothing
    assert ide.numbers(0x87) == (0,) and ide.numbers(0xA4) == (0,)
    assert ide.upload("old.txt", b"older command") == VERIFY_OK
    ide.send(0xA8, 0, ide.info("new.txt", b"newer command"))  # without a length: the firmware reads what it needs
    assert ide.numbers_now(1) == (0,)
    ide.send(0xA9, 0, struct.pack("<I", 5) + b"newer")
    assert ide.numbers_now(1) == (0,)
    assert ide.path_command(0xAA, "/sdcard/old.txt") == NONE  # closes the upload, which goes on all the same
    assert ide.numbers(0xA9, 1, b" command") == (0,)
    assert ide.numbers(0xA1) == (VERIFY_OK,)
    assert ide.numbers(0xA9, 1, b"too late") == (1028,)
    assert ide.stat("/sdcard/new.txt")[:3] == (0, 0, 13)
    assert ide.stat("/")[:3] == (0, 1, 0)
    assert ide.path_command(0xAC, "made") == NONE
    assert ide.path_command(0xAB, "new.txt", "made/moved.txt") == 0
    assert ide.list("/sdcard/made") == (0, [("moved.txt", 0, 13)])
    assert ide.list("/sdcard/tap.py")[0] == 1038
    assert ide.list("/nowhere")[0] == 1033
    assert ide.read("made/moved.txt", 6) == (0, 13, b"command")
    assert ide.path_command(0xAA, "made/moved.txt") == NONE
    assert ide.path_command(0xAD, "made") == NONE
    assert ide.path_command(0xAC, "no/such") == 1035
    assert ide.path_command(0xAA, "x" * 600) == 1035
    ide.send(0x0D, 2, b"\x01\x00")
    ide.send(0xAE, 0, b"tap.py\0")
    assert "file ran" in ide.console_until("file ran")
    ide.send(0xAE, 0, b"none.py\0")
    assert "Errno 2" in ide.console_until("none.py")
    assert ide.numbers(0xAF, 5) == (1, 0, 0, 0, 0)
    ide.send(0xB0, 12, struct.pack("<HHBBHI", 1, 1, 2, 0, 1, 0))  # nobody has opened the panel: dropped
    assert ide.numbers(0xAF, 5) == (1, 0, 0, 0, 0)


def test_virtual_touch_keeps_the_last_16_events(started) -> None:
    board, ide = started("D")
    ide.attach()
    ide.capabilities()
    ide.run("from machine import TOUCH\nimport time\nTOUCH(0)\nprint('ready')\ntime.sleep(20)\n")
    ide.console_until("ready")
    for number in range(20):
        ide.send(0xB0, 12, struct.pack("<HHBBHI", number, 5, 3, 0, 1, 0))
    assert ide.numbers(0xAF, 5) == (1, 1, 800, 480, 16)
    assert board.touches.take(1)[0][3:5] == [4, 5]
    ide.stop()


def test_names_that_are_no_text_and_files_that_vanish_are_listed(started) -> None:
    board, ide = started("D")
    folder = board.host_path("/data")
    os.close(os.open(os.fsencode(folder) + b"/\xff\xfe.bin", os.O_CREAT))
    (folder / "gone").symlink_to(folder / "nothing")
    ide.attach()
    ide.capabilities()
    body = b"/data\0"
    status, length, count = ide.numbers(0xA6, 3, body)
    assert (status, count) == (0, 2)
    assert ide.receive(length).count(b"\xff\xfe.bin") == 1
    assert ide.numbers(0x8D) == (0xFFEEBBAA,)
