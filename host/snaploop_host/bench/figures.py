"""The one form in which every bench answers: figures with a peer and a goal, as JSON or as a table."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured value; with a peer, `value` is the ratio ours / peer's.

    `at_most` says which side of the goal is good; a value without a goal is told only.
    """

    name: str
    value: float
    unit: str
    goal: float | None
    at_most: bool = True
    peer: str | None = None
    peer_value: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def machine() -> dict[str, object]:
    """What it ran on, as far as numbers depend on it."""
    memory_kib = next(
        (
            int(line.split()[1])
            for line in Path("/proc/meminfo").read_text().splitlines()
            if line.startswith("MemTotal")
        ),
        0,
    )
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory_kib / 2**20, 1),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def as_json(bench: str, figures: list[Figure]) -> str:
    """The object of design §10."""
    rows = []
    for figure in figures:
        row = asdict(figure)
        row["value"] = round(figure.value, 4)
        sign = "<=" if row.pop("at_most") else ">="
        row["goal"] = None if figure.goal is None else f"{sign} {figure.goal:g}"
        row["met"] = figure.met
        rows.append(row)
    return json.dumps({"bench": bench, "machine": machine(), "figures": rows}, indent=1)


def show_table(bench: str, figures: list[Figure]) -> None:
    """The same for people, on standard output."""
    table = Table(title=f"snaploop bench {bench}")
    for column in ("figure", "value", "unit", "goal", "met", "peer", "peer's value"):
        table.add_column(column)
    for figure in figures:
        goal = "-" if figure.goal is None else f"{'≤' if figure.at_most else '≥'} {figure.goal:g}"
        peer_value = "" if figure.peer_value is None else f"{figure.peer_value:.3g}"
        table.add_row(
            figure.name,
            f"{figure.value:.3g}",
            figure.unit,
            goal,
            {True: "yes", False: "NO", None: "-"}[figure.met],
            figure.peer or "",
            peer_value,
        )
    Console().print(table)
