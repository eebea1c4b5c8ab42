"""The USB port: ring, Ctrl-C rules, attach packets, an unopened port, unplugging."""

from __future__ import annotations

import errno
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator

import pytest

from virtual_k230.usb import RING_BYTES, UsbPort


@pytest.fixture
def usb() -> Iterator[UsbPort]:
    port = UsbPort()
    yield port
    port.close()


def until(condition: Callable[[], bool], timeout_s: float = 180) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def opened(usb: UsbPort) -> int:
    fd = os.open(usb.path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    until(usb.is_open)
    return fd


def test_bytes_travel_both_ways_unchanged(usb: UsbPort) -> None:
    fd = opened(usb)
    everything = bytes(range(256))
    usb.write(everything)
    assert os.read(fd, 1000) == everything
    os.write(fd, everything)
    until(lambda: len(usb.ring) == 256)
    assert usb.take() == everything
    os.close(fd)


def test_output_to_a_port_that_nobody_has_open_is_discarded_at_once(usb: UsbPort) -> None:
    usb.write(bytes(1 << 20))  # were it kept for somebody, this would wait for ever
    fd = opened(usb)
    usb.write(b"now")
    assert os.read(fd, 100) == b"now"
    os.close(fd)


def test_a_low_dtr_discards_too(usb: UsbPort) -> None:
    fd = opened(usb)
    usb.dtr = False
    usb.write(b"lost")
    usb.dtr = True
    usb.write(b"seen")
    assert os.read(fd, 100) == b"seen"
    os.close(fd)


def test_a_slow_reader_loses_nothing(usb: UsbPort) -> None:
    fd = opened(usb)
    sent = os.urandom(200_000)
    writer = threading.Thread(target=usb.write, args=(sent,))
    writer.start()
    received = b""
    while len(received) < len(sent):
        received += os.read(fd, 3000)
        time.sleep(0.0005)
    writer.join(60)
    assert received == sent
    os.close(fd)


def test_the_ring_holds_4096_bytes_and_drops_the_rest(usb: UsbPort) -> None:
    usb.push(bytes(4000))
    usb.push(b"x" * 200)
    assert len(usb.ring) == RING_BYTES
    assert usb.n_dropped == 104
    waiter = select.poll()
    waiter.register(usb.ready_fd, select.POLLIN)
    assert waiter.poll(0)
    assert len(usb.take()) == RING_BYTES
    assert not waiter.poll(0)


@pytest.mark.parametrize(
    ("packet", "stops"),
    [(b"\x03", True), (b"\x03\r\n", True), (b"\r\x03", False), (b"\x03\x03", False), (b"a\x03", False)],
)
def test_only_a_lone_ctrl_c_stops_a_running_script(usb: UsbPort, packet: bytes, stops: bool) -> None:
    said: list[str] = []
    usb.on_interrupt = lambda: said.append("stop")
    usb.is_script_running = lambda: True
    usb.feed(packet)
    assert said == (["stop"] if stops else [])
    assert usb.take() == (b"" if stops else packet)


def test_at_the_repl_ctrl_c_is_input(usb: UsbPort) -> None:
    usb.feed(b"\x03")
    assert usb.take() == b"\x03"


def test_the_ide_is_asked_first_and_its_packets_are_no_input(usb: UsbPort) -> None:
    seen: list[bytes] = []

    def take(packet: bytes) -> bytes:
        seen.append(packet)
        return b"" if packet.startswith(b"\x30") else packet

    usb.ide_takes = take
    usb.feed(b"\x30ide")
    usb.feed(b"text")
    assert seen == [b"\x30ide", b"text"]
    assert usb.take() == b"text"


def test_a_write_that_is_no_longer_wanted_ends_and_the_next_one_follows_at_once(usb: UsbPort) -> None:
    fd = opened(usb)
    wanted = threading.Event()
    wanted.set()
    writer = threading.Thread(target=usb.write, args=(bytes(1 << 20), wanted.is_set))
    writer.start()
    until(lambda: bool(select.select([fd], [], [], 0)[0]))
    wanted.clear()
    answer = threading.Thread(target=usb.write, args=(b"answer",))
    answer.start()
    received = b""
    while not received.endswith(b"answer"):
        received += os.read(fd, 65536)
    writer.join(timeout=180)
    answer.join(timeout=180)
    assert not writer.is_alive() and not answer.is_alive()
    assert len(received) < 1 << 20 and not received[: -len(b"answer")].strip(b"\0")
    os.close(fd)


def test_closing_the_port_is_noticed_once(usb: UsbPort) -> None:
    closed: list[int] = []
    usb.on_closed = lambda: closed.append(1)
    fd = opened(usb)
    time.sleep(0.3)
    os.close(fd)
    until(lambda: bool(closed))
    time.sleep(0.1)
    assert closed == [1]


def test_what_the_host_sent_before_it_closed_the_port_comes_first(usb: UsbPort) -> None:
    seen: list[bytes] = []
    usb.ide_takes = lambda packet: seen.append(packet) or b""
    usb.on_closed = lambda: seen.append(b"closed")
    for _ in range(5):
        fd = os.open(usb.path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(fd, termios.TCSANOW)
        os.write(fd, b"last words")
        os.close(fd)
        until(lambda: b"closed" in seen)
        assert seen == [b"last words", b"closed"]
        seen.clear()


def test_the_speed_0_lowers_dtr_as_on_a_serial_port(usb: UsbPort) -> None:
    closed: list[int] = []
    usb.on_closed = lambda: closed.append(1)
    fd = opened(usb)
    os.write(fd, b"x")
    until(lambda: bool(usb.ring))
    usual = termios.tcgetattr(fd)
    hung_up = [*usual[:4], termios.B0, termios.B0, usual[6]]
    termios.tcsetattr(fd, termios.TCSANOW, hung_up)
    assert not usb.is_open()
    usb.write(b"lost")
    until(lambda: bool(closed))
    termios.tcsetattr(fd, termios.TCSANOW, usual)
    usb.write(b"seen")
    assert os.read(fd, 100) == b"seen"
    os.close(fd)


def test_held_back_bytes_become_input_when_the_host_is_silent(usb: UsbPort) -> None:
    held = [b"0\r"]
    usb.ide_takes = lambda packet: b"1" if packet == b"10\r" else packet
    usb.ide_releases = lambda: held.pop() if held and usb.ring else b""
    started = time.monotonic()
    fd = opened(usb)
    os.write(fd, b"10\r")
    until(lambda: len(usb.ring) == 3)
    assert time.monotonic() - started >= 0.2
    assert usb.take() == b"10\r"
    os.close(fd)


def test_a_bug_in_the_ides_side_is_logged_and_the_port_goes_on(usb: UsbPort, caplog: pytest.LogCaptureFixture) -> None:
    def take(packet: bytes) -> bytes:
        if packet == b"bad":
            raise ValueError("a bug")
        return packet

    usb.ide_takes = take
    fd = opened(usb)
    os.write(fd, b"bad")
    until(lambda: "could not handle b'bad'" in caplog.text)
    os.write(fd, b"good")
    until(lambda: len(usb.ring) == 4)
    os.close(fd)


def test_a_hard_reset_hangs_up_at_once(usb: UsbPort) -> None:
    fd = opened(usb)
    waiter = select.poll()
    waiter.register(fd, select.POLLHUP)
    usb.re_enumerate()
    assert waiter.poll(0)
    os.close(fd)


def test_unplugging_hangs_up_and_the_name_comes_back(usb: UsbPort) -> None:
    fd = opened(usb)
    usb.set_plugged(False)
    assert not os.path.exists(usb.path)
    with pytest.raises(OSError) as error:
        os.write(fd, b"x")
    assert error.value.errno == errno.EIO
    os.close(fd)
    usb.set_plugged(True)
    fd = opened(usb)
    usb.write(b"again")
    assert os.read(fd, 100) == b"again"
    os.close(fd)


def test_round_trip_time_delays_input() -> None:
    usb = UsbPort(rtt_ms=100)
    try:
        fd = opened(usb)
        started = time.monotonic()
        os.write(fd, b"x")
        until(lambda: bool(usb.ring))
        assert time.monotonic() - started >= 0.09
        os.close(fd)
    finally:
        usb.close()
