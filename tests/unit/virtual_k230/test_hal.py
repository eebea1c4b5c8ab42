"""Hardware calls: names, values, bytes and errors over the pipe, without an interpreter at the other end."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

import pytest

from virtual_k230.hal import Hal, HalError, Reply


class Wire:
    """The child's side of the two pipes."""

    def __init__(self, hal: Hal) -> None:
        request_read, self.request_write = os.pipe()
        self.reply_read, reply_write = os.pipe()
        self.ended = False
        self.requests = os.fdopen(request_read, "rb")
        self.thread = hal.start(self.requests, reply_write, "test-hal", self._end)
        self.reply_write = reply_write

    def _end(self) -> None:
        self.ended = True

    def send(self, body: bytes, blob: bytes = b"") -> None:
        os.write(self.request_write, struct.pack("<II", len(body), len(blob)) + body + blob)

    def ask(self, op: str, *args: Any, blob: bytes = b"") -> tuple[list[Any], bytes]:
        self.send(json.dumps([op, args]).encode(), blob)
        return self.answer()

    def answer(self) -> tuple[list[Any], bytes]:
        n_text, n_blob = struct.unpack("<II", os.read(self.reply_read, 8))
        text = os.read(self.reply_read, n_text)
        return json.loads(text), os.read(self.reply_read, n_blob) if n_blob else b""

    def close(self) -> None:
        os.close(self.request_write)
        self.thread.join(60)
        self.requests.close()
        os.close(self.reply_read)
        os.close(self.reply_write)


@pytest.fixture
def hal() -> Hal:
    return Hal()


@pytest.fixture
def wire(hal: Hal) -> Any:
    wire = Wire(hal)
    yield wire
    wire.close()
    assert wire.ended


def test_arguments_and_value_travel(hal: Hal, wire: Wire) -> None:
    hal.op("add", lambda a, b: {"sum": a + b, "ä": None})
    assert wire.ask("add", 2, 3) == ([{"sum": 5, "ä": None}], b"")


def test_bytes_travel_both_ways(hal: Hal, wire: Wire) -> None:
    def turn(extra: int, blob: memoryview) -> Reply:
        return Reply(len(blob), bytes(reversed(blob)) + bytes([extra]))

    hal.op("turn", turn)
    assert wire.ask("turn", 9, blob=b"abc") == ([3], b"cba\x09")


def test_an_error_names_the_exception_of_the_script(hal: Hal, wire: Wire) -> None:
    def full() -> None:
        raise HalError("OSError", 28)

    hal.op("full", full)
    assert wire.ask("full")[0] == [None, "OSError", [28]]


def test_a_bug_in_an_operation_becomes_a_runtime_error_and_the_next_call_works(hal: Hal, wire: Wire) -> None:
    hal.op("broken", lambda: 1 // 0)
    hal.op("fine", lambda: 1)
    reply = wire.ask("broken")[0]
    assert reply[1] == "RuntimeError"
    assert "ZeroDivisionError" in reply[2][0]
    assert wire.ask("fine")[0] == [1]


def test_an_unknown_operation_is_named(wire: Wire) -> None:
    reply = wire.ask("camera.dance")[0]
    assert reply[1] == "NotImplementedError"
    assert "camera.dance" in reply[2][0]


def test_a_value_that_json_cannot_carry_is_an_error(hal: Hal, wire: Wire) -> None:
    hal.op("odd", object)
    assert wire.ask("odd")[0][1] == "RuntimeError"


def test_a_malformed_request_does_not_end_the_board(hal: Hal, wire: Wire) -> None:
    hal.op("fine", lambda: 1)
    wire.send(b'["fine",[inf]]')
    assert wire.answer()[0][1] == "ValueError"
    assert wire.ask("fine")[0] == [1]


def test_after_each_may_replace_the_answer_by_a_stop(hal: Hal, wire: Wire) -> None:
    hal.op("fine", lambda: 1)
    hal.after_each = lambda op: HalError("KeyboardInterrupt") if op == "fine" else None
    assert wire.ask("fine")[0] == [None, "KeyboardInterrupt", []]


def test_serving_ends_when_the_child_closes_in_the_middle_of_a_request(hal: Hal) -> None:
    wire = Wire(hal)
    os.write(wire.request_write, struct.pack("<II", 100, 0) + b"[")
    wire.close()
    assert wire.ended
