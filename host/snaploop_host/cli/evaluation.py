"""`snaploop evaluate`: a model's float and kmodel side by side, on as many validation pictures as one has time for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..domain.scores import METRIC_TITLES
from .options import DataOption, JsonOption, opened


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(
    model: Annotated[
        str, typer.Argument(help="The model's digest or its first 12 digits; `snaploop models` lists them.")
    ],
    pictures: Annotated[
        int, typer.Option("--pictures", min=1, help="How many validation pictures the (slow) simulator sees.")
    ] = 24,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the best and the worst pictures.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a model's float network and its kmodel on the same validation pictures, and say how sure that is."""
    from ..training.errors import TrainingError
    from ..training.evaluate import evaluate as evaluated
    from ..training.evaluate import open_run

    with opened(data) as host:
        found = host.train.publisher.find(model)
        folder = host.jobs.artifact(found.run_id, "model.onnx").parents[1]
    say = (lambda text: None) if as_json else (lambda text: print(text, flush=True))
    try:
        figures = evaluated(open_run(folder), pictures, out or Path(f"evaluation_{found.short}"), say)
    except (TrainingError, FileNotFoundError) as error:
        print(f"snaploop: the job of run {found.run_id} cannot be looked at again: {error}")
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps(figures, indent=1))
    else:
        _show(figures)


def _show(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    names = list(figures["float"]["values"])
    table = Table("", "float", "kmodel")
    for name in names:
        forms = (figures[form]["values"][name] for form in ("float", "kmodel"))
        table.add_row(METRIC_TITLES.get(name, name), *(f"{value:.3f}" for value in forms))
    console.print(table)
    for name in names:
        if name in figures["loss"]:
            console.print(figures["loss"][name]["text"])
    console.print(figures["doubt"])
    cosines = ", ".join(f"{one['mean']:.4f}" for one in figures["cosines"])
    console.print(f"cosine of the outputs: {cosines}")
    if figures["operators_on_cpu"]:
        slow = ", ".join(f"{name} {count}" for name, count in figures["operators_on_cpu"].items())
        console.print(f"outside the KPU, per picture: {slow}")
    console.print(f"worst pictures: {', '.join(figures['worst'])}")
