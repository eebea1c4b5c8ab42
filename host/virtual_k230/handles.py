"""Objects that live on the Python side while the script on the virtual board only holds their numbers.

Images, arrays, tensors and models share one table per board. A number is freed when MicroPython's collector drops the
wrapper that holds it (`board.on_free`), or all at once when the board resets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from .hal import HalError

T = TypeVar("T")


class Handles:
    """Numbered objects; a number is never given twice, so a stale one is noticed."""

    def __init__(self, new_number: Callable[[], int] | None = None) -> None:
        self._objects: dict[int, Any] = {}
        self._new_number = new_number or itertools.count(1).__next__

    def put(self, thing: Any) -> int:
        """Keep `thing` and return its number (1, 2, …)."""
        handle = self._new_number()
        self._objects[handle] = thing
        return handle

    def get(self, handle: int, kind: type[T]) -> T:
        """The object behind a number.

        Raises:
            HalError: ValueError in the script when it is gone, TypeError when it is something else.
        """
        thing = self._objects.get(handle)
        if thing is None:
            raise HalError("ValueError", f"{kind.__name__.lower()} was released")
        if not isinstance(thing, kind):
            raise HalError("TypeError", f"{kind.__name__.lower()} expected, not {type(thing).__name__.lower()}")
        return thing

    def drop(self, handle: int) -> bool:
        """Forget a number; True if it was known."""
        thing = self._objects.pop(handle, None)
        close = getattr(thing, "close", None)  # a loaded model ends its child process
        if close is not None:
            close()
        return thing is not None

    def clear(self) -> None:
        """Forget all, as a reset does; numbers go on counting."""
        for handle in list(self._objects):
            self.drop(handle)

    def objects(self) -> list[Any]:
        """Everything that is kept now (memory figures count it)."""
        return list(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)


def handles_of(board: Any) -> Handles:
    """The board's one table, made and wired to the collector and to resets at first use."""
    table = getattr(board, "handles", None)
    if table is None:
        table = board.handles = Handles(getattr(board, "new_handle", None))
        board.on_free(table.drop)
        board.on_reset(table.clear)
    return table  # board is duck-typed: unit tests hand in a small one
