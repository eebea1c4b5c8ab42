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


def _train(out: Path) -> list[Figure]:
    from .train import WHOLE, measure

    return measure(out, WHOLE)


def _train_quickly(out: Path) -> list[Figure]:
    from .train import QUICK, measure

    return measure(out, QUICK)


BENCHES: dict[str, Callable[[Path], list[Figure]]] = {"loop": _loop, "board": _board, "link": _link, "train": _train}
QUICK_BENCHES: dict[str, Callable[[Path], list[Figure]]] = {"train": _train_quickly}  # less data, one pair


def run_bench(name: str, out: Path, as_json_object: bool, is_quick: bool = False) -> None:
    """Measure and print.

    Raises:
        KeyError: no bench of that name.
    """
    figures = (QUICK_BENCHES if is_quick else BENCHES)[name](out)
    if as_json_object:
        print(as_json(name, figures))  # noqa: T201  # the command's output
    else:
        show_table(name, figures)
