"""`snaploop projects add|list|classes` and `snaploop import`; project_settings.py has `set` and `show`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.projects import DETECT, TASK_TITLES, check_classes, check_project_name, check_task
from ..domain.training_parameters import settings_text
from ..errors import BadInputError
from .options import DataOption, JsonOption, opened, show

if TYPE_CHECKING:
    from ..domain.projects import Project
    from ..ports import AnnotatedFolder

projects = typer.Typer(help="Projects: a task and its classes.")
ClassesOption = Annotated[str, typer.Option("--classes", metavar="A,B,C", help="Class names, separated by commas.")]

TaskOption = Annotated[
    str,
    typer.Option(
        "--task",
        help="; ".join(f"{name}: {title}" for name, title in TASK_TITLES.items()),
        metavar="|".join(TASK_TITLES),
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(projects, name="projects")
    app.command("import")(import_samples)


@projects.callback(invoke_without_command=True)
def list_when_alone(context: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Projects with their counts; `add` makes one."""
    if context.invoked_subcommand is None:
        list_projects(data, as_json)


@projects.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name of the new project.")],
    classes: ClassesOption,
    task: TaskOption = DETECT,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a project."""
    check_project_name(name)
    check_task(task)
    names = check_classes(tuple(classes.split(",")), task)
    with opened(data) as host:
        host.store.add_project(name, task, names, time.time())
    if as_json:
        print(json.dumps({"name": name, "task": task, "classes": names}, indent=1))
        return
    print(f"project {name} ({task}: {TASK_TITLES[task]}) knows {', '.join(names)}")
    print(f"next: `snaploop board install --project {name}` with a board on USB, or `snaploop import`")


@projects.command("classes")
def set_classes(
    name: Annotated[str, typer.Argument(help="Name of the project.")],
    classes: ClassesOption,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace the classes of a project; give the old ones too, in their order."""
    with opened(data) as host:
        project = host.store.project_named(name)
        names = check_classes(tuple(classes.split(",")), project.task)
        host.store.set_classes(project.id, names)
    if as_json:
        print(json.dumps({"name": name, "task": project.task, "classes": names}, indent=1))
        return
    print(f"project {name} knows {', '.join(names)}; boards learn it at their next sync.")


@projects.command("list")
def list_projects(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Projects with their counts."""
    from ..services.overview import Overview

    with opened(data) as host:
        rows = Overview(host.store, host.train).projects()
    columns = {"name": "project", "task": "task", "classes": "classes", "photos": "photos", "boxes": "boxes"}
    if not as_json:
        if any(row["settings"] for row in rows):
            columns["settings"] = "every training uses"
        rows = [
            row
            | {
                "boxes": ", ".join(f"{count} {name}" for name, count in row["boxes"].items()),
                "settings": settings_text(row["settings"]) or "-",
            }
            for row in rows
        ]
    show(rows, columns, as_json, "no project yet: make one with `snaploop projects add NAME --classes A,B`")


def import_samples(
    project: Annotated[
        str, typer.Option("--project", "-p", help="Project; made with the folder's classes when it is new.")
    ],
    voc: Annotated[
        Path | None, typer.Option("--voc", metavar="DIR", help="Pascal VOC folder: pictures and XML files.")
    ] = None,
    folders: Annotated[
        Path | None,
        typer.Option(
            "--folders",
            metavar="DIR|ZIP",
            help="A folder of pictures per class, perhaps below train and val; a new project is one of classify.",
        ),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            "--texts",
            metavar="DIR",
            help="PPOCRLabel's Label.txt, ICDAR's gt_*.txt, or a list of cut-out lines; a new project is one of ocr_recognize.",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE|DIR|ZIP",
            help="A table (CSV or JSON) of pictures and their labels, or with a column of 0 and 1 per label.",
        ),
    ] = None,
    yolo: Annotated[
        Path | None,
        typer.Option("--yolo", metavar="DIR|ZIP", help="YOLO data set: images, labels and data.yaml or classes.txt."),
    ] = None,
    coco: Annotated[
        Path | None,
        typer.Option(
            "--coco", metavar="JSON|DIR|ZIP", help="COCO annotations, with the pictures beside or below them."
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks",
            metavar="DIR|ZIP",
            help="Pictures with PNG masks (VOC, Cityscapes, colour maps); a new project is one of segment.",
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--names", metavar="FILE", help="With --masks: what the numbers or colours of masks are called."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="|".join(TASK_TITLES),
            help="What a new project is of; default: see each kind of data set.",
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import annotated pictures. What cannot be taken gets one line each; the rest is kept."""
    import dataclasses
    import sys

    from ..storage.zip_folder import opened_folder

    given = {"voc": voc, "folders": folders, "texts": texts, "yolo": yolo, "coco": coco, "masks": masks, "csv": csv}
    asked = {kind: path for kind, path in given.items() if path is not None}
    if len(asked) != 1:
        raise BadInputError(f"say what to import: one of {', '.join(f'--{kind}' for kind in given)}, with a folder")
    if names is not None and (masks is None or not names.is_file()):
        raise BadInputError(f"--names {names} goes with --masks and must be a file")
    ((kind, path),) = asked.items()
    if task is not None:
        check_task(task)
    with opened(data) as host, opened_folder(path) as folder:
        known = next((one for one in host.store.projects() if one.name == project), None)
        if known is not None and task not in (None, known.task):
            raise BadInputError(f"project {project} is of {known.task}, not {task}: import into another project")
        report = host.importer.run(project, _annotated(kind, folder, names, known, task), task)
    if as_json:
        print(json.dumps(dataclasses.asdict(report), indent=1))
    else:
        for line in report.problems:
            print(line, file=sys.stderr)
        print(f"{report.added} pictures added, {report.known} were here already, {len(report.problems)} problems")
        if report.with_void:
            print(f"{report.with_void} of them have void areas, which count neither in training nor in scores")
    if report.problems and not report.added and not report.known:
        raise typer.Exit(4)


def _annotated(
    kind: str, folder: Path, names: Path | None, project: Project | None, task: str | None
) -> AnnotatedFolder:
    """The reader of this kind of data set, for a project that may not exist yet."""
    from ..storage.class_folders import ClassFolders
    from ..storage.coco_folder import CocoFolder
    from ..storage.label_table import LabelTable
    from ..storage.mask_folder import MaskFolder
    from ..storage.text_folder import TextFolder
    from ..storage.voc_folder import VocFolder
    from ..storage.yolo_folder import YoloFolder

    if kind == "masks":
        return MaskFolder(folder, names, project.classes if project else ())
    if kind == "coco":
        return CocoFolder(folder, project.task if project else task)
    readers: dict[str, Callable[[Path], AnnotatedFolder]] = {
        "voc": VocFolder,
        "folders": ClassFolders,
        "texts": TextFolder,
        "yolo": YoloFolder,
        "csv": LabelTable,
    }
    return readers[kind](folder)
