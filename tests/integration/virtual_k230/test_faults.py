"""Faults on demand, each as a script on the board meets it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from virtual_k230.board import VirtualK230
from virtual_k230.faults import BY_NAME, CATALOGUE, parse
from virtual_k230.wire_faults import WireFaults


@pytest.fixture(scope="module")
def powered_off() -> Iterator[VirtualK230]:
    board = VirtualK230()
    yield board
    board.close()


@pytest.fixture
def board(powered_off: VirtualK230) -> VirtualK230:
    powered_off.faults.clear_all()
    return powered_off


WRITE = """
try:
    with open("/data/{name}", "w") as file:
        file.write("x" * 40000)
    print("written")
except OSError as error:
    print("errno", error.errno)
"""


def test_every_fault_has_words_and_can_be_switched_on_and_off(board: VirtualK230) -> None:
    assert len({fault.name for fault in CATALOGUE}) == len(CATALOGUE)
    for fault in CATALOGUE:
        assert fault.text
        board.faults.set(fault.name)
        assert board.faults.state()[fault.name] == fault.default
        board.faults.clear(fault.name)
        assert board.faults.state() == {}


def test_a_read_only_card_is_errno_30_for_every_change(board: VirtualK230) -> None:
    assert board.run_code(WRITE.format(name="kept")) == "written\n"
    board.faults.set("card.read_only")
    tried = board.run_code(
        "import os\n"
        "for change in (lambda: open('/data/kept', 'w'), lambda: open('/data/kept', 'a').write('x'), lambda: os.remove('/data/kept'),\n"
        "               lambda: os.rename('/data/kept', '/data/other'), lambda: os.mkdir('/data/new')):\n"
        "    try:\n"
        "        change()\n"
        "        print('changed')\n"
        "    except OSError as error:\n"
        "        print(error.errno)\n"
        "print(len(open('/data/kept').read()))\n"
    )
    assert tried.split() == ["30"] * 5 + ["40000"]


def test_a_full_card_is_errno_28_until_there_is_room_again(board: VirtualK230) -> None:
    board.faults.set("card.full", 100)
    assert board.run_code(WRITE.format(name="full")) == "errno 28\n"
    assert board.run_code("import os\nprint(os.statvfs('/data')[3])") == "0\n"
    board.faults.clear("card.full")
    assert board.run_code(WRITE.format(name="full")) == "written\n"


def test_power_goes_at_the_nth_write_and_half_of_its_bytes_arrive(board: VirtualK230) -> None:
    board.faults.set("card.power_cut", 3)
    printed = board.run_code(
        "file = open('/data/torn', 'wb')\n"
        "for number in range(5):\n"
        "    file.write(bytes((number,)) * 100)\n"
        "    print(number)\n"
    )
    assert "4" not in printed
    torn = board.host_path("/data/torn").read_bytes()
    assert torn == b"\0" * 100 + b"\1" * 50  # creating the file was the first write
    assert board.faults.state() == {}


def test_the_camera_times_out_as_often_as_asked(board: VirtualK230) -> None:
    board.faults.set("camera.timeout", 1)
    printed = board.run_code(
        "from media.sensor import *\nfrom media.media import *\n"
        "sensor = Sensor()\nsensor.reset()\nsensor.set_framesize(w=320, h=240)\nsensor.set_pixformat(Sensor.RGB565)\n"
        "MediaManager.init()\nsensor.run()\n"
        "for attempt in range(2):\n"
        "    try:\n"
        "        print(sensor.snapshot().width())\n"
        "    except RuntimeError as error:\n"
        "        print(error)\n"
    )
    assert printed.split("\n")[-3:-1] == ["sensor(0) snapshot chn(0) failed(3)", "320"]


def test_a_kmodel_does_not_load(board: VirtualK230) -> None:
    board.host_path("/data").joinpath("tiny.kmodel").write_bytes(b"LDMK")
    board.faults.set("kpu.load")
    board.faults.set("kpu.run", 2)
    printed = board.run_code(
        "import nncase_runtime as nn\n"
        "kpu = nn.kpu()\n"
        "try:\n    kpu.load_kmodel('/data/tiny.kmodel')\nexcept EOFError as error:\n    print(error)\n"
    )
    assert printed == "KPU load model failed from path.\n"
    assert board.faults.state() == {"kpu.run": 2}


def test_the_touch_panel_fails_as_often_as_asked(board: VirtualK230) -> None:
    board.faults.set("touch.read", 1)
    printed = board.run_code(
        "from machine import TOUCH\ntouch = TOUCH(0)\n"
        "for attempt in range(2):\n    try:\n        print(touch.read(1))\n    except RuntimeError as error:\n        print(error)\n"
    )
    assert printed == "read touch failed, -1\n()\n"


def test_a_full_heap_is_a_memory_error_and_comes_back(board: VirtualK230) -> None:
    source = (
        "import gc, time\n"
        "def probe():\n"
        "    try:\n"
        "        return len(bytearray(200000))\n"
        "    except MemoryError as error:\n"
        "        return error\n"
        "print(probe())\n"
        "print('waiting')\n"
        "while gc.mem_free() > 100000:\n"
        "    time.sleep_ms(5)\n"
        "print(probe())\n"
        "while gc.mem_free() < 300000:\n"
        "    time.sleep_ms(5)\n"
        "print(probe())\n"
    )
    start = len(board.log)
    board.start_source(source)
    board.wait_for("waiting", start=start)
    board.faults.set("heap.left", 20000)
    board.wait_for("memory allocation failed", start=start)
    board.faults.clear("heap.left")
    deadline = time.monotonic() + 180
    while board.is_on and time.monotonic() < deadline:
        time.sleep(0.01)
    first, _, refused, again = board.log[start:].split("\n")[:4]
    assert (first, again) == ("200000", "200000")
    assert refused.startswith("memory allocation failed, allocating")


def test_wifi_off_refuses_and_comes_back(board: VirtualK230) -> None:
    join = "import network\nwlan = network.WLAN(network.STA_IF)\nwlan.connect('any', 'long enough')\nprint(wlan.isconnected())\n"
    board.faults.set("wifi.off")
    assert board.run_code(join).endswith("False\n")
    board.faults.clear("wifi.off")
    assert board.run_code(join).endswith("True\n")


@pytest.mark.parametrize(("name", "rate"), [("drop", 0.02), ("flip", 0.02), ("duplicate", 0.02)])
def test_a_bad_cable_hits_about_so_many_bytes_the_same_ones_each_time(name: str, rate: float) -> None:
    sent = bytes(range(256)) * 40
    arrived = []
    for _ in range(2):
        wire = WireFaults()
        setattr(wire, name, rate)
        wire.seed = 7
        arrived.append(wire.bend(sent, "to board"))
        assert 0.5 * rate < wire.hit / len(sent) < 1.5 * rate
    assert arrived[0] == arrived[1] != sent
    assert len(arrived[0]) - len(sent) == {"drop": -wire.hit, "flip": 0, "duplicate": wire.hit}[name]


def test_the_cables_faults_are_on_the_real_port(board: VirtualK230) -> None:
    board.faults.set("usb.drop", 1)
    fd = os.open(board.pty, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(fd, b"lost")
        time.sleep(0.1)
        assert board.usb.take() == b""
        board.faults.clear("usb.drop")
        board.faults.set("usb.delay_ms", 30)
        reader = threading.Thread(target=lambda: os.write(fd, b"late"))
        reader.start()
        deadline = time.monotonic() + 180
        while len(board.usb.ring) < 4 and time.monotonic() < deadline:
            time.sleep(0.005)
        reader.join()
        assert board.usb.take() == b"late"
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("text", "says"), [("meteor", "meteor"), ("kpu.run=soon", "kpu.run=soon"), ("usb.drop=-1", "0 or more")]
)
def test_wrong_faults_are_named_with_the_mend(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(text)


def test_a_fault_without_a_value_has_its_default() -> None:
    assert parse("card.power_cut") == ("card.power_cut", BY_NAME["card.power_cut"].default)
    assert parse("usb.drop=0.25") == ("usb.drop", 0.25)
