"""`snaploop models show`: everything about one model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain.scores import METRIC_TITLES
from .models import models
from .options import DataOption, JsonOption, ago, opened

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the command to `snaploop models`; `app` has that one already."""
    models.command("show")(show_model)


def show_model(
    model: Annotated[str, typer.Argument(help="The model's digest or its first 12 digits.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """One model: the gate's verdict, every rung of the ladder, scores by class, manifest, files, boards."""
    from ..services.model_details import ModelDetails

    with opened(data) as host:
        found = host.train.publisher.find(model)
        details = ModelDetails(host.store, host.jobs).model(found)
        boards = {board.id: board.name for board in host.store.boards()}
    if as_json:
        print(json.dumps(details, indent=1, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    _summary(console, details)
    if details["report"] is not None:
        _scores(console, details["report"])
        _rungs(console, details["report"])
        _classes(console, details["report"])
        for kind in ("worst", "best"):
            if details["report"][kind]:
                console.print(f"{kind} pictures: {', '.join(details['report'][kind])} beside model.kmodel")
        for note in details["report"]["notes"]:
            console.print(f"note: {note}")
    for one in details["deployments"]:
        told = one["text"] or one["reason"]
        console.print(f"{boards.get(one['board_id'], one['board_id'])}: {one['state']}{': ' + told if told else ''}")
    for name, path in details["files"].items():
        console.print(f"{name}: {path}", style="dim")


def _summary(console: Console, details: dict[str, Any]) -> None:
    fields = details["manifest"]
    width, height = details["input"]
    console.print(
        f"[bold]model {details['short']}[/bold] of {details['project']} ({details['task']}), made {ago(details['created_at_s'])}"
    )
    console.print(details["gate_text"])
    photos = details["run"]["photos"]
    console.print(
        f"{details['kmodel_bytes']:,} bytes, input {width}x{height}, head {fields['head']}, nncase {fields['nncase']}, "
        f"threshold {fields['score_permille'] / 1000:g}, serial {details['serial']}"
    )
    if photos["train"]:
        console.print(f"run {details['run_id']}: {photos['train']} photos to train, {photos['val']} to validate")
    labels = ", ".join(one for one in fields["labels"] if one) or "none (vectors)"
    console.print(f"labels: {labels}")


def _scores(console: Console, report: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("", "float", "kmodel", "what quantisation costs", box=None, pad_edge=False, header_style="bold")
    for name, value in report["float_score"]["values"].items():
        cost = report["loss"].get(name, {}).get("text", "")
        table.add_row(
            METRIC_TITLES.get(name, name), f"{value:.3f}", f"{report['kmodel_score']['values'][name]:.3f}", cost
        )
    console.print(table)
    if changed := report.get("softened"):
        kept = "the kmodel is of" if changed["is_taken"] else "no better was"
        scores = ", ".join(f"{METRIC_TITLES.get(name, name)} {value:.3f}" for name, value in changed["scores"].items())
        console.print(
            f"{kept} the network with {changed['what']} for {changed['seconds']:.0f} s: {scores} in float; "
            "what that costs is part of the loss"
        )


def _rungs(console: Console, report: dict[str, Any]) -> None:
    names = list(report["float_score"]["values"])[:2]
    console.print("[bold]ways of quantising[/bold] (* the kmodel's)")
    for rung in report["rungs"]:
        mark = "*" if rung["name"] == report["rung"] else "-"
        if not rung["kmodel_bytes"]:
            console.print(f"{mark} {rung['name']}: {rung['outcome']}: {rung['text']}")
            continue
        scores = ", ".join(f"{METRIC_TITLES.get(name, name)} {rung['scores'][name]:.3f}" for name in names)
        least = min((mean for mean, _ in rung["cosines"]), default=None)
        change = f"{'gains' if rung['lost'] < 0 else 'loses'} {abs(100 * rung['lost']):.1f}"
        on_cpu = ", ".join(f"{name} {count}" for name, count in rung["operators_on_cpu"].items()) or "nothing"
        console.print(
            f"{mark} {rung['name']}: {rung['outcome']}, {scores}, {change} points on {rung['images']} photos\n"
            f"    {rung['kmodel_bytes'] / 2**20:.2f} MiB, compiled in {rung['compile_seconds']:.0f} s, simulated in "
            f"{rung['simulate_seconds']:.0f} s, outputs' least cosine {'–' if least is None else f'{least:.4f}'}\n"
            f"    on the CPU core: {on_cpu}"
        )
        for note in rung["notes"]:
            console.print(f"    {note[:200]}", style="dim")


def _classes(console: Console, report: dict[str, Any]) -> None:
    from rich.table import Table

    names = list(dict.fromkeys(name for row in report["classes"] for name in row["float_scores"]))
    if not names:
        return
    table = Table(
        "class",
        "train",
        "val",
        *(METRIC_TITLES.get(name, name) for name in names),
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for row in report["classes"]:
        pairs = (
            f"{row['float_scores'][name]:.3f} → {row['kmodel_scores'].get(name, 0.0):.3f}"
            if name in row["float_scores"]
            else "–"
            for name in names
        )
        table.add_row(row["name"], str(row["train_examples"]), str(row["val_examples"]), *pairs)
    console.print(table)
