"""`snaploop parameters`, `augment` and `resume`: what a training can be told, what it would see, and going on with one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from ..config import Config, data_dir
from ..domain.projects import check_task
from ..domain.scores import DETECT
from ..domain.training_parameters import NORMAL, PRESET_TEXTS, rules_of
from ..files import write_atomically
from .options import DataOption, JsonOption, opened, show
from .training import SettingsOption, ask_daemon, parameters_of, watch, work_alone


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(parameters)
    app.command()(augment)
    app.command()(resume)


def parameters(
    task: Annotated[str, typer.Option("--task", help="Of this task.")] = DETECT, as_json: JsonOption = False
) -> None:
    """What `snaploop train --set NAME=VALUE` takes, with what is allowed."""
    rows = [dataclasses.asdict(rule) | {"allowed": rule.allowed} for rule in rules_of(check_task(task))]
    show(rows, {"name": "name", "default": "default", "allowed": "allowed", "what": "what it is"}, as_json, "")


def augment(
    project: Annotated[str, typer.Option("--project", "-p", help="Project whose photos are shown.")],
    preset: Annotated[
        str | None,
        typer.Option("--preset", help=f"One of {', '.join(PRESET_TEXTS)}; default: the project's, or {NORMAL}."),
    ] = None,
    settings: SettingsOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the picture.")] = Path("."),
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw what training sees: some photos as they are and as a preset changes them, with their labels."""
    given = ({"preset": preset} if preset else {}) | parameters_of(settings or [])
    with opened(data) as host:
        found = host.store.project_named(project)
        picture = host.train.preview(found.id, given)
    used = {"preset": NORMAL} | dict(found.settings) | given
    file = out / f"augment_{project}_{used['preset']}.png"
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(file, picture)
    show([{"picture": str(file)}], {"picture": "picture"}, as_json, "")


def resume(
    run_id: Annotated[
        int, typer.Argument(help="Number of a cancelled or failed run, or of one whose command was closed.")
    ],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the end (a daemon works on without).")
    ] = True,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a cancelled or failed run at its last checkpoint, with the photos it had."""
    from ..app import daemon_address

    folder = data_dir(data)
    daemon = daemon_address(folder)
    with opened(data) as host:
        if daemon is None:
            # A run whose command was closed works on: it is looked after again.
            is_active = host.store.run(run_id).is_active
            work_alone(host, Config(folder), lambda: run_id if is_active else host.train.go_on(run_id).id, as_json)
            return
        ask_daemon(daemon, f"/api/runs/{run_id}/resume", {})
        if not as_json:
            print(f"run {run_id} goes on at {daemon['url']}")
        if wait:
            watch(host, run_id, as_json)
