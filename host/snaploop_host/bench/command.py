"""`snaploop bench NAME`: run a bench and print its figures; always succeeds when it could measure, whatever the figures say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .figures import Figure, as_json, show_table


def _loop(out: Path) -> list[Figure]:
    from .loop import measure

    return measure(out)


def _board(out: Path) -> list[Figure]:
    from .board import measure

    return measure(out)


def _link(out: Path) -> list[Figure]:
    from .link import measure

    return measure(out)


BENCHES: dict[str, Callable[[Path], list[Figure]]] = {"loop": _loop, "board": _board, "link": _link}


def run_bench(name: str, out: Path, as_json_object: bool) -> None:
    """Measure and print.

    Raises:
        KeyError: no bench of that name.
    """
    figures = BENCHES[name](out)
    if as_json_object:
        print(as_json(name, figures))  # noqa: T201  # the command's output
    else:
        show_table(name, figures)
