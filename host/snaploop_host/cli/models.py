"""`snaploop models`: what there is, and `snaploop models import` for kmodels that were trained elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.projects import check_task
from ..domain.scores import METRIC_TITLES
from .options import DataOption, JsonOption, ProjectFilter, caught_up, opened, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..domain.samples import Sample
    from ..domain.vendor_config import VendorModel
    from ..services.import_model import Proof

models = typer.Typer(help="Models with their float and kmodel scores; `import` takes one from a vendor package.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(models, name="models")


@models.callback(invoke_without_command=True)
def list_when_alone(
    context: typer.Context, project: ProjectFilter = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Models with their float and kmodel scores; `import` takes one from a vendor package."""
    if context.invoked_subcommand is None:
        list_models(project, data, as_json)


@models.command("list")
def list_models(project: ProjectFilter = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Models with their float and kmodel scores, as `snaploop models` alone lists them."""
    from ..services.overview import Overview

    with caught_up(data) as host:
        rows = Overview(host.store, host.train).models(host.store.project_named(project) if project else None)
        live = {board.name: board.model for board in host.store.boards()}
    if not as_json:
        rows = [
            row
            | {
                "where": [name for name, model in live.items() if model == row["digest"]],
                "is_gate_passed": "imported" if row["is_imported"] else row["is_gate_passed"],
                "scores": [
                    f"{METRIC_TITLES[name]} {_score(row.get(f'float_{name}'))} → {_score(row.get(f'kmodel_{name}'))}"
                    for name in row["metrics"]
                    if f"kmodel_{name}" in row
                ]
                or "not measured",
            }
            for row in rows
        ]
    columns = {
        "short": "model",
        "project": "project",
        "run_id": "run",
        "is_gate_passed": "gate",
        "scores": "float → kmodel",
        "where": "live on",
    }
    show(rows, columns, as_json, "no model yet: `snaploop train --project NAME` makes one")


@models.command("import")
def import_model(
    package: Annotated[
        Path, typer.Argument(help="The package: mp_deployment_source, a folder or zip around it, or its zip.")
    ],
    project: Annotated[
        str, typer.Option("--project", "-p", help="Project; made with the package's classes when it is new.")
    ],
    task: Annotated[
        str | None, typer.Option("--task", help="What the model does, when the package's model_type is not known.")
    ] = None,
    images: Annotated[
        int, typer.Option("--pictures", min=1, help="How many labelled photos the (slow) simulator sees.")
    ] = 12,
    force: Annotated[
        bool, typer.Option("--force", help="Also for another nncase version than the boards run.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a kmodel from a package of the vendor's cloud (mp_deployment_source) as a model, and offer it to the project's boards."""
    from ..services.import_model import ImportModel
    from ..storage.vendor_package import read_vendor_package

    if task is not None:
        check_task(task)
    found = read_vendor_package(package, task)

    def tried(
        model: VendorModel, kmodel: bytes, photos: Sequence[tuple[Sample, Path]], classes: tuple[str, ...]
    ) -> Proof:
        from ..training.prove_kmodel import prove

        return prove(model, kmodel, photos, classes, found.pictures, images)

    with opened(data) as host:
        done = ImportModel(host.store, host.blobs, tried).run(project, found.name, found.model, found.kmodel, force)
    model = done.model
    if as_json:
        told = {"model": model.short, "digest": model.digest, "task": model.task, "head": found.model.head}
        print(
            json.dumps(told | {"text": model.gate_text, "scores": model.kmodel_scores, "notes": done.notes}, indent=1)
        )
        return
    print(f"model {model.short} ({model.task}, head {found.model.head}) of project {project}: {model.gate_text}")
    for note in done.notes:
        print(f"note: {note}")
    print(
        f"boards of {project} are offered it; `snaploop package {model.short}` packs it with scripts that need no edits"
    )


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
