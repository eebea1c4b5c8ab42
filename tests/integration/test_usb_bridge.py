"""The USB bridge over a real pseudo-terminal: whole syncs, noise on the console, unplugging, letting the port go."""

from __future__ import annotations

import fcntl
import logging
import os
import select
import time

import pytest
import serial

from fakes.board_client import BoardClient, jpeg
from fakes.cable import Cable
from fakes.host_folder import make_host
from fakes.waiting import wait_until
from snaploop_host.links import usb_bridge
from snaploop_host.links.usb_bridge import OPEN, PAUSED, WAITING, UsbBridge
from snaploop_host.links.usb_ports import UsbPorts
from snaploop_shared.frames import CELL_BYTES
from snaploop_shared.sample_record import Box


@pytest.fixture
def host(tmp_path):
    host = make_host(tmp_path / "data")
    yield host
    host.close()


@pytest.fixture
def cable(tmp_path):
    return Cable(tmp_path / "ttyACM0")


@pytest.fixture
def bridge(host, cable):
    bridge = UsbBridge(str(cable.port), lambda request: host.board_api.handle(request, "usb"))
    yield bridge
    bridge.close()


@pytest.fixture
def board(host, cable):
    paired, _ = host.pair.pair("a1b2", "desk", None)
    return BoardClient(paired.id, paired.key, cable.ask)


def test_samples_arrive_over_the_cable(host, bridge, cable, board):
    assert board.hello().status == 200
    data = jpeg(3, 640, 360)
    assert board.send_sample("b1-000001", data, [Box("red", 1, 2, 30, 40)]).status == 400  # its record says 64x36
    assert board.ask("PUT", "/record", {}, board.record("b1-000001", data, [], size=(640, 360))).status == 200
    assert host.store.road_counts(1)["usb"] == 1
    assert bridge.state == OPEN
    assert bridge.requests >= 4


def test_prints_of_the_board_go_to_the_log(bridge, cable, board, caplog):
    caplog.set_level(logging.INFO)
    wait_until(lambda: bridge.state == OPEN)  # opening a port drops what was sent before
    cable.write(b"hello from ")
    cable.write(b"main.py\r\n")
    assert board.hello().status == 200
    assert "hello from main.py" in caplog.text


def test_nothing_is_written_to_a_board_at_its_prompt(bridge, cable):
    wait_until(lambda: bridge.state == OPEN)
    cable.write(b"\r\n>>> ")
    time.sleep(0.7)
    os.set_blocking(cable._master, False)
    with pytest.raises(BlockingIOError):
        os.read(cable._master, 100)


def test_unplugged_and_plugged_in_again(bridge, cable, board):
    assert board.hello().status == 200
    cable.unplug()
    wait_until(lambda: bridge.state == WAITING)
    cable.plug()
    cable.link.close()
    assert board.hello().status == 200


def test_a_stranger_is_met_with_silence(bridge, cable, board):
    stranger = BoardClient("ffff", bytes(32), lambda request: cable.ask(request, timeout_s=1.0))
    with pytest.raises(AssertionError, match="silent"):
        stranger.hello()
    cable.link.close()
    assert board.hello().status == 200


def test_paused_port_is_free_for_others(bridge, cable, board):
    assert board.hello().status == 200
    bridge.pause(30)
    assert bridge.state == PAUSED
    with serial.Serial(str(cable.port), exclusive=True):  # as mpremote opens it
        time.sleep(0.2)
        bridge.resume()
        time.sleep(0.3)
        assert bridge.state != OPEN
    wait_until(lambda: bridge.state == OPEN)
    cable.link.close()
    assert board.hello().status == 200


def test_open_port_is_refused_to_others(bridge, cable):
    wait_until(lambda: bridge.state == OPEN)
    with pytest.raises(serial.SerialException, match="lock"):
        serial.Serial(str(cable.port), exclusive=True)


def test_boards_are_found_and_served_once(host, cable, tmp_path):
    other_name = tmp_path / "by-id"
    other_name.symlink_to(cable.port)
    ports = UsbPorts(
        [str(other_name)], True, lambda request: host.board_api.handle(request, "usb"), look=lambda: [str(cable.port)]
    )
    try:
        wait_until(lambda: [one["state"] for one in ports.state()] == [OPEN])
        assert ports.pause(str(cable.port), 5)
        assert not ports.pause("/dev/ttyACM99", 5)
        assert ports.resume(str(other_name))
    finally:
        ports.close()


def test_held_port_is_told_once(host, cable, caplog):
    caplog.set_level(logging.INFO)
    with serial.Serial(str(cable.port), exclusive=True) as holder:
        fcntl.flock(holder.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        bridge = UsbBridge(str(cable.port), lambda request: None)
        wait_until(lambda: bridge.state == "busy")
        bridge.close()
    assert caplog.text.count("held by another program") == 1


def read_for(cable, seconds):
    """What the host sends in this time."""
    got, deadline = b"", time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([cable._master], [], [], left)[0]:
            got += os.read(cable._master, 4096)
    return got


def test_board_that_fell_silent_gets_empty_cells_until_it_is_at_its_prompt(bridge, cable, board, monkeypatch):
    monkeypatch.setattr(usb_bridge, "STIR_FOR_S", 60.0)  # nothing but the prompt ends it here
    assert board.hello().status == 200
    stirred = read_for(cable, 1.3)
    assert stirred and len(stirred) % CELL_BYTES == 0 and not stirred.strip()
    cable.write(b"Traceback of a script\r\n>>> ")
    read_for(cable, 1.0)
    cable.write(b"   ")  # the prompt echoes what was on its way
    assert read_for(cable, 1.3) == b""
