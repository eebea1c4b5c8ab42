"""How handlers of the IDE's commands ask for the bytes they need: generators that yield a count and are sent so many bytes."""

from __future__ import annotations

from collections.abc import Callable, Generator

from .ide_files import PATH_MAX

Talk = Generator[int, bytes, None]
Command = Callable[[int], Talk | None]
"""Called with the length that the frame's header gives; a generator when it needs more bytes."""


def payload(length: int) -> Generator[int, bytes, bytes]:
    """The next `length` bytes."""
    return (yield length) if length else b""


def path() -> Generator[int, bytes, str | None]:
    """A path that ends with a zero byte; None when it is longer than the board takes."""
    text = bytearray()
    while (byte := (yield 1)) != b"\0":
        text += byte
    return None if len(text) >= PATH_MAX else text.decode("utf-8", "replace")
