"""`snaploop train`, `runs`, `cancel` and `offer`; models.py lists what they make."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config import Config, data_dir
from ..domain.class_balance import balance_warnings
from ..domain.durations import duration_text
from ..domain.projects import check_task
from ..domain.scores import scores_text
from ..domain.training_parameters import PRESETS, settings_text
from ..errors import BadInputError, HostError
from .options import DataOption, JsonOption, ProjectFilter, ago, caught_up, opened, show

if TYPE_CHECKING:
    from ..app import Host

EpochsOption = Annotated[
    int | None, typer.Option("--epochs", min=1, help="Epochs; default: chosen by the number of photos.")
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter of the training, such as lr0=0.001 or batch=16; may be repeated."),
]
TOLD = 10  # runs whose last word is shown below the table
_POLL_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(cancel)
    app.command()(runs)
    app.command()(offer)


def train(
    project: Annotated[str, typer.Option("--project", "-p", help="Project to train.")],
    epochs: EpochsOption = None,
    settings: SettingsOption = None,
    task: Annotated[
        str | None, typer.Option("--task", help="Only when the project is of this task: a guard for scripts.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Offer the kmodel even when it loses too much or finds nothing; it is marked for ever."
        ),
    ] = False,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", help="Refuse a run that is estimated to take longer.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", help=f"How far photos are changed: {', '.join(PRESETS)}.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Measure, say how long it would take, and stop.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the end (a daemon works on without).")
    ] = True,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train on the labelled photos, compile, check, and offer the model to the project's boards."""
    from ..app import daemon_address

    options = {"epochs": epochs, "max_minutes": max_minutes, "preset": preset, "force": force or None}
    parameters = parameters_of(settings or []) | {name: one for name, one in options.items() if one is not None}
    folder = data_dir(data)
    daemon = daemon_address(folder)
    with opened(data) as host:
        if task is not None and check_task(task) != (is_of := host.store.project_named(project).task):
            raise BadInputError(
                f"project {project} is of {is_of}, and stays so: for {task} make another one with "
                f"`snaploop projects add NAME --task {task} --classes A,B`"
            )
        project_id = host.store.project_named(project).id
        if estimate:
            _estimate(host, project_id, parameters, as_json)
            return
        if not as_json:
            _show_balance(host, project_id)
            _show_settings(host, project_id, parameters)
        if daemon is not None:
            run_id = ask_daemon(daemon, f"/api/projects/{project}/train", {"parameters": parameters})["id"]
            if not as_json:
                print(f"run {run_id} is queued at {daemon['url']}")
            if wait:
                watch(host, run_id, as_json)
            return
        work_alone(host, Config(folder), lambda: host.train.start(project_id, parameters).id, as_json)


def work_alone(host: Host, config: Config, begin: Callable[[], int], as_json: bool) -> None:
    """Look after a run in this process until it ends, for want of a daemon; `begin` queues it and says its number."""
    from ..app import Supervisor, sole_trainer
    from .logs import set_up_warnings

    set_up_warnings()  # what happens is told by watch()
    with sole_trainer(config):
        run_id = begin()
        supervisor = Supervisor(host.train)
        try:
            watch(host, run_id, as_json)
        except KeyboardInterrupt:
            host.train.cancel(run_id)
            print(f"run {run_id} cancelled; `snaploop resume {run_id}` goes on with it")
            raise typer.Exit(130) from None
        finally:
            supervisor.close()


def _estimate(host: Host, project_id: int, parameters: dict[str, Any], as_json: bool) -> None:
    """Say what a run would take; exit code 1 when it is above max_minutes."""
    if not as_json:
        _show_balance(host, project_id)
        _show_settings(host, project_id, parameters)
        print("measuring: some seconds of training, longer where much else is running", flush=True)
    found = host.train.estimate(project_id, parameters)
    if as_json:
        counts = host.train.balance(project_id)
        warnings = balance_warnings(counts)
        print(
            json.dumps(found | {"classes": [dataclasses.asdict(one) for one in counts], "warnings": warnings}, indent=1)
        )
    else:
        print(found["text"])
    if "refused" in found:
        if not as_json:
            print(f"refused: {found['refused']}")
        raise typer.Exit(1)


def _show_balance(host: Host, project_id: int) -> None:
    counts = host.train.balance(project_id)
    print("training/validation: " + ", ".join(f"{one.name} {one.train}/{one.val}" for one in counts))
    for warning in balance_warnings(counts):
        print(f"  {warning}")


def _show_settings(host: Host, project_id: int, parameters: dict[str, Any]) -> None:
    if used := host.train.settings_used(project_id, parameters):
        print(f"the project's own settings: {settings_text(used)}")


def cancel(run_id: Annotated[int, typer.Argument(help="Number of the run.")], data: DataOption = None) -> None:
    """Cancel a run."""
    from ..app import daemon_address

    daemon = daemon_address(data_dir(data))
    if daemon is not None:
        ask_daemon(daemon, f"/api/runs/{run_id}/cancel", {})
    else:
        with opened(data) as host:
            host.train.cancel(run_id)
    print(f"run {run_id} cancelled")


def runs(project: ProjectFilter = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Trainings, newest first."""
    from ..services.overview import Overview

    with caught_up(data) as host:
        rows = Overview(host.store, host.train).runs(host.store.project_named(project) if project else None)
    if not as_json:
        rows = [
            row
            | {
                "when": ago(row["created_at_s"]),
                "epochs": f"{row['epoch']}/{row['epochs']}",
                "score": scores_text(row["scores"]),
            }
            for row in rows
        ]
    columns = {
        "id": "run",
        "project": "project",
        "state": "state",
        "stage": "stage",
        "epochs": "epochs",
        "score": "score",
        "when": "made",
    }
    show(rows, columns, as_json, "no run yet: start one with `snaploop train --project NAME`")
    for row in () if as_json else rows[:TOLD]:
        if row["text"]:
            print(f"run {row['id']}: {row['text']}")


def parameters_of(settings: list[str], option: str = "--set ") -> dict[str, Any]:
    """{"lr0": 0.001} of ["lr0=0.001"]; values are read as JSON, what is none is text. `option`: what stood before each."""
    found: dict[str, Any] = {}
    for setting in settings:
        name, is_set, value = setting.partition("=")
        if not is_set or not name:
            raise BadInputError(f"{option}{setting}: give a name and a value, such as {option}lr0=0.001")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


def watch(host: Host, run_id: int, as_json: bool = False) -> None:
    """Print progress until the run ends (with `as_json` the run alone); exit code 1 when it brought no model to the boards."""
    said, of_time, notes = "", "", 0
    while True:
        run = host.store.run(run_id)
        told = [event for event in host.train.events(run_id) if event.get("kind") == "note"]
        for event in () if as_json else told[notes:]:
            print(f"run {run.id}: {event.get('text', '')}", flush=True)
        notes = len(told)
        line = f"run {run.id}: {run.state} {run.stage}".rstrip()
        if run.stage == "train":  # afterwards they have been told
            if run.epochs:
                line += f", epoch {run.epoch} of {run.epochs}"
            if run.scores:
                line += ", " + scores_text(run.scores)
            if run.eta_s is not None:
                line += f", about {duration_text(run.eta_s)} to go"
        time_text = host.train.said_of_time(run_id)["estimate"]
        if time_text != of_time and not as_json:
            print(f"run {run.id}: {time_text}", flush=True)
            of_time = time_text
        if line != said and run.is_active and not as_json:
            print(line, flush=True)
            said = line
        if not run.is_active:
            print(json.dumps(dataclasses.asdict(run)) if as_json else f"run {run.id} {run.state}: {run.text}")
            if not as_json and (took := host.train.said_of_time(run_id)["took"]):
                print(f"run {run.id} {took}")
            if run.state != "succeeded":
                raise typer.Exit(1)
            return
        time.sleep(_POLL_S)


def ask_daemon(daemon: dict[str, Any], path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The daemon's answer to a POST."""
    from .daemon_client import post

    answer = post(daemon, path, body)
    if not isinstance(answer, dict):
        raise HostError(f"{daemon['url']} answered something unexpected: is it of this version?")
    return answer


def offer(
    model: Annotated[str, typer.Argument(help="Digest, or its first 12 digits, as `snaploop models` shows it.")],
    force: Annotated[
        bool, typer.Option("--force", help="Also a model that was refused at the gate; its manifest says so.")
    ] = False,
    data: DataOption = None,
) -> None:
    """Offer a model to its boards again, as the newest: also to those that refused it or rolled it back."""
    from ..services.publish_model import PublishModel

    with opened(data) as host:
        renewed = PublishModel(host.store, host.blobs, host.jobs).offer_again(model, force)
    print(
        f"model {renewed.short} is offered{'' if renewed.is_forced else ' again'}, with serial {renewed.serial}"
        f"{': ' + renewed.gate_text if renewed.is_forced else ''}"
    )
