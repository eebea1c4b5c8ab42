"""The few things that CPython and MicroPython do differently, under one name each. The only shared module that asks."""

import json
import os
import sys
import time

IS_MICROPYTHON = sys.implementation.name == "micropython"

# The firmware freezes Python files called binascii and hashlib over its C modules (k230-platform §1.1): slower, and with other
# errors. The u-names always mean the C ones.
try:
    import ubinascii as binascii
    import uhashlib as hashlib
except ImportError:
    import binascii
    import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def sha256_hex(data: "bytes | bytearray | memoryview") -> str:
    """The SHA-256 of `data` as 64 lower-case hex digits."""
    return sha256_hex_of((data,))


def sha256_hex_of(chunks: "Iterable[bytes | bytearray | memoryview]") -> str:
    """The SHA-256 of the chunks joined, without ever holding them together."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return hex_of(digest.digest())


def hex_of(data: bytes) -> str:
    """Lower-case hex digits of `data` (MicroPython's bytes have no reliable .hex())."""
    return binascii.hexlify(data).decode()


def parse_json(data: "bytes | bytearray | memoryview") -> "object":
    """The value of a whole JSON document.

    MicroPython 1.21 takes `{"a": 1` for a whole document (measured), so the text of a half-written file would pass. Here it is
    parsed as the first of two list elements: what is cut short swallows or loses the second one.

    Raises:
        ValueError: not JSON, or not all of it.
    """
    try:
        whole = json.loads(b"[" + bytes(data) + b",0]")
    except UnicodeError:  # a ValueError in CPython only
        raise ValueError("not UTF-8")
    if len(whole) != 2 or whole[1] != 0:
        raise ValueError("the JSON document is cut short")
    return whole[0]


if IS_MICROPYTHON:

    def ticks_ms() -> int:
        """Milliseconds from an arbitrary start; compare only with `ticks_since`."""
        return time.ticks_ms()  # type: ignore[attr-defined]  # MicroPython only

    def ticks_since(now_ms: int, then_ms: int) -> int:
        """Milliseconds from `then_ms` to `now_ms`, right across the wrap of the tick counter."""
        return time.ticks_diff(now_ms, then_ms)  # type: ignore[attr-defined]  # MicroPython only

else:

    def ticks_ms() -> int:
        """Milliseconds from an arbitrary start; compare only with `ticks_since`."""
        return int(time.monotonic() * 1000)

    def ticks_since(now_ms: int, then_ms: int) -> int:
        """Milliseconds from `then_ms` to `now_ms`."""
        return now_ms - then_ms


def has_passed(now_ms: int, then_ms: int, ms: int) -> bool:
    """Whether `ms` have gone by since `then_ms`; also when the clock was set back, since nobody knows how long it is then."""
    spent = ticks_since(now_ms, then_ms)
    return spent >= ms or spent < 0


def path_exists(path: str) -> bool:
    """Whether something is at `path` (MicroPython has no os.path)."""
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def file_size(path: str) -> int:
    """Size of the file in bytes, -1 when there is none."""
    try:
        return os.stat(path)[6]
    except OSError:
        return -1


def sync_card() -> None:
    """Ask the system to write its buffers to the card, where it can."""
    if hasattr(os, "sync"):
        os.sync()
