"""`snaploop projects set` and `show`: what every training of a project uses, also one that a board starts."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ..domain.projects import TASK_TITLES
from ..domain.training_parameters import changed_settings, settings_text
from ..errors import BadInputError
from .options import DataOption, JsonOption, opened
from .projects import projects
from .training import parameters_of

NameArgument = Annotated[str, typer.Argument(help="Name of the project.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `snaploop projects`; `app` has that one already."""
    projects.command("set")(set_parameters)
    projects.command("show")(show_project)


def set_parameters(
    name: NameArgument,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="PARAMETER=VALUE...", help="Such as gate=0.02 imgsz=256; `imgsz=` takes one back."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set parameters for every training of a project; `train --set` wins for one run. `snaploop parameters` lists them."""
    with opened(data) as host:
        project = host.store.project_named(name)
        if not settings:
            raise BadInputError(
                f"say what every training of {name} shall use, such as `snaploop projects set {name} gate=0.02`: "
                f"`snaploop parameters --task {project.task}` lists what there is"
            )
        given = {key: None if value == "" else value for key, value in parameters_of(settings, "").items()}
        changed = changed_settings(project.task, project.settings, given)
        host.store.set_settings(project.id, changed)
    if as_json:
        print(json.dumps({"name": name, "settings": changed}, indent=1))
        return
    print(f"every training of {name} uses {settings_text(changed) or 'the defaults'}")


def show_project(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """One project: task, classes, photos, and what its trainings use."""
    from ..services.overview import Overview

    with opened(data) as host:
        found = Overview(host.store, host.train).project(host.store.project_named(name))
    if as_json:
        print(json.dumps(found, indent=1))
        return
    states = ", ".join(f"{count} {state}" for state, count in found["states"].items() if count)
    boxes = ", ".join(f"{label} {count}" for label, count in found["boxes"].items())
    print(f"project {name} ({found['task']}: {TASK_TITLES[found['task']]})")
    print(f"classes: {boxes} labelled")
    print(f"photos: {found['photos']}{f' ({states})' if states else ''}")
    print(
        f"every training uses {settings_text(found['settings']) or 'the defaults'}: change it with `snaploop projects set`"
    )
