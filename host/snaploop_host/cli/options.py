"""Options that several commands share, and how lists are shown."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config import Config, data_dir

if TYPE_CHECKING:
    from ..app import Host

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder; default $SNAPLOOP_DATA or ~/.local/share/snaploop.", show_default=False),
]
ProjectFilter = Annotated[str | None, typer.Option("--project", "-p", help="Only this project.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@contextlib.contextmanager
def opened(data: Path | None) -> Iterator[Host]:
    """The host on the data folder, closed afterwards."""
    from ..app import open_host

    host = open_host(Config(data_dir(data)))
    try:
        yield host
    finally:
        host.close()


@contextlib.contextmanager
def caught_up(data: Path | None) -> Iterator[Host]:
    """The same; where no daemon looks after the jobs, first told what became of those whose command was closed meanwhile."""
    from ..app import sole_trainer
    from ..errors import ConflictError

    with opened(data) as host:
        with contextlib.suppress(ConflictError), sole_trainer(Config(data_dir(data))):  # else somebody looks after them
            host.train.catch_up()
        yield host


def show(rows: Sequence[dict[str, Any]], columns: dict[str, str], as_json: bool, empty: str) -> None:
    """A list as JSON or as a table.

    Args:
        rows: what there is.
        columns: field → heading, for the table.
        as_json: which of the two.
        empty: the next step, said when there is nothing.
    """
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    if not rows:
        print(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")  # names are to be typed: none is cut short
    for row in rows:
        table.add_row(*(_text(row.get(field)) for field in columns))
    Console().print(table)


def ago(then_s: float | None) -> str:
    """How long ago that was, in words for people."""
    if then_s is None:
        return "never"
    seconds = max(0.0, time.time() - then_s)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)
