"""`snaploop evaluate` and `test`: float and kmodel side by side on validation pictures, and a model on any picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain.scores import METRIC_TITLES, OCR_DETECT, OCR_RECOGNIZE
from ..errors import BadInputError, HostError, NotFoundError
from .options import DataOption, JsonOption, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from ..training.evaluate import FinishedRun


ModelArgument = Annotated[
    str, typer.Argument(help="The model's digest or its first 12 digits; `snaploop models` lists them.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(evaluate)
    app.command("test")(try_pictures)


def evaluate(
    model: Annotated[
        str, typer.Argument(help="The model's digest or its first 12 digits; `snaploop models` lists them.")
    ],
    pictures: Annotated[
        int, typer.Option("--pictures", min=1, help="How many validation pictures the (slow) simulator sees.")
    ] = 24,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=1, help="Instead: as many as the simulator manages in this time."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the best and the worst pictures.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a model's float network and its kmodel on the same validation pictures, and say how sure that is."""
    from ..compiling.errors import CompilingError
    from ..training.errors import TrainingError
    from ..training.evaluate import evaluate as evaluated

    say = (lambda text: None) if as_json else (lambda text: print(text, flush=True))
    try:
        figures = evaluated(_run_of(model, data), pictures, out or Path(f"evaluation_{model[:12]}"), say, seconds)
    except (TrainingError, ValueError) as error:  # a score that so few pictures do not have is a ValueError
        raise HostError(f"model {model} cannot be evaluated with {pictures} pictures: {error}") from error
    except CompilingError as error:
        raise HostError(f"model {model} cannot be evaluated: {error}") from error
    if as_json:
        print(json.dumps(figures, indent=1))
    else:
        _show(figures)


def try_pictures(
    pictures: Annotated[
        list[Path],
        typer.Argument(
            help="Pictures to look at; of an ocr_recognize model one line each.", exists=True, dir_okay=False
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", help="Digest, or its first 12 digits; default: the newest (of ocr_recognize with --find)."
        ),
    ] = "",
    find: Annotated[
        str,
        typer.Option(
            "--find", help="An ocr_detect model that finds the lines of text first, for an ocr_recognize model to read."
        ),
    ] = "",
    threshold: Annotated[
        float | None, typer.Option("--threshold", min=0, max=1, help="Least score; default: the board's.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for copies with marks.")] = Path("marked"),
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a model finds in pictures: a line for each thing, how many of each class, and copies with marks.

    A file that is no picture gets one line; the others are looked at. A model of ocr_recognize takes each picture as one line of text; with
    --find it reads every line that the other model finds.
    """
    from ..training.try_pictures import FloatModel, counts, try_picture

    reads, answers, names = FloatModel(_run_of(model, data, OCR_RECOGNIZE if find else "")), {}, _names(pictures)
    finder = FloatModel(_run_of(find, data, OCR_DETECT)) if find else None
    for picture in pictures:
        try:
            marked = out / f"{names[picture]}_marked.jpg"
            answers[str(picture)] = try_picture(reads, picture, threshold, marked, finder)
        except ValueError:
            print(f"{picture} cannot be read as a picture: give a JPEG or PNG file", file=sys.stderr)
    if as_json:
        print(json.dumps({name: [one.to_json() for one in found] for name, found in answers.items()}, indent=1))
    if not answers:
        raise typer.Exit(4)
    if as_json:
        return
    for name, found in answers.items():
        print(f"{name}: {len(found) or 'nothing'} found")
        for one in found:
            print(f"  {one.label or '(nothing readable)'} {one.score:.2f}")
    is_text = reads.run.task.name == OCR_RECOGNIZE
    if any(answers.values()) and not is_text:
        _show_counts({names[Path(name)]: counts(found) for name, found in answers.items()})
    print(f"marked copies: {out}")
    if is_text and finder is None:
        print(f"each picture was read as one line of text; {_whole_photos(data)}")


def _whole_photos(data: Path | None) -> str:
    """What to do about photos with several lines."""
    with opened(data) as host:
        finders = [one for one in host.store.models() if one.task == OCR_DETECT and not one.is_imported]
    if finders:
        return f"for whole photos let a model find the lines first: --find {finders[0].short}"
    return "for whole photos train a project of ocr_detect, too, and give its model with --find"


def _names(pictures: list[Path]) -> dict[Path, str]:
    """A short name for each: as the file, or with its folder before it where two are called the same."""
    stems = [picture.stem for picture in pictures]
    return {
        picture: picture.stem
        if stems.count(picture.stem) == 1
        else "-".join(picture.with_suffix("").parts[-3:]).lstrip("/-")
        for picture in pictures
    }


def _show_counts(counted: Mapping[str, Mapping[str, int]]) -> None:
    """Pictures in rows, classes in columns, sums below."""
    from rich.console import Console
    from rich.table import Table

    labels = list(dict.fromkeys(label for found in counted.values() for label in found))
    table = Table("picture", *labels, box=None, pad_edge=False, header_style="bold")
    for name, found in counted.items():
        table.add_row(name, *(str(found.get(label, 0)) for label in labels))
    if len(counted) > 1:
        table.add_row("together", *(str(sum(found.get(label, 0) for found in counted.values())) for label in labels))
    Console().print(table)


def _run_of(model: str, data: Path | None, task: str = "") -> FinishedRun:
    """The job that made a model; the newest model's when none is named, of a task if one must be.

    Raises:
        BadInputError: the model is of another task.
        NotFoundError: no such model, or its job's files are gone.
    """
    from ..training.evaluate import open_run

    with opened(data) as host:
        models = [one for one in host.store.models() if one.task == task or not task]
        if not model and not models:
            kind = f" of {task}" if task else ""
            raise NotFoundError(f"no model{kind} yet: `snaploop train --project NAME` makes one")
        found = host.train.publisher.find(model) if model else models[0]
        if task and found.task != task:
            raise BadInputError(
                f"model {found.short} is of {found.task}, a model of {task} is needed: `snaploop models` lists them"
            )
        if found.is_imported:
            raise NotFoundError(
                f"model {found.short} was imported as a kmodel, there is no float network to run: "
                "it is measured when it is imported into a project with labelled photos"
            )
        folder = host.jobs.artifact(found.run_id, "model.onnx").parents[1]
    try:
        return open_run(folder)
    except FileNotFoundError as error:
        raise NotFoundError(f"the job that made {found.short} is gone ({folder}): train again") from error


def _show(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    names = list(figures["float"]["values"])
    table = Table("", "float", "kmodel", "what quantisation costs", box=None, pad_edge=False, header_style="bold")
    for name in names:
        forms = (figures[form]["values"][name] for form in ("float", "kmodel"))
        cost = figures["loss"].get(name, {}).get("text", "")
        table.add_row(METRIC_TITLES.get(name, name), *(f"{value:.3f}" for value in forms), cost)
    console.print(table)
    _show_classes(console, figures)
    console.print(figures["doubt"])
    cosines = ", ".join(f"{one['mean']:.4f} (least {one['least']:.4f})" for one in figures["cosines"])
    console.print(f"cosine of the outputs: {cosines}")
    if figures["operators_on_cpu"]:
        slow = ", ".join(f"{name} {count}" for name, count in figures["operators_on_cpu"].items())
        console.print(f"outside the KPU, per picture: {slow}")
    if (best := figures["kmodel"]["best_threshold"]) is not None:
        console.print(f"threshold: boards use {figures['threshold']:g}; these pictures recommend {best:g}")
    for kind in ("worst", "best"):
        console.print(f"{kind} pictures: {', '.join(figures[kind])}")


def _show_classes(console: Console, figures: dict[str, Any]) -> None:
    from rich.table import Table

    floats, kmodels = ({row["index"]: row for row in figures[form]["classes"]} for form in ("float", "kmodel"))
    names = list(dict.fromkeys(name for row in floats.values() for name in row["values"]))
    if not names:
        return
    heads = ("class", "examples", *(METRIC_TITLES.get(name, name) for name in names))
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    labels = figures["labels"]
    for index, row in floats.items():
        other = kmodels.get(index, {"values": {}})["values"]
        title = labels[index] if index < len(labels) and labels[index] else str(index)
        pairs = (f"{row['values'].get(name, 0):.3f} → {other.get(name, 0):.3f}" for name in names)
        table.add_row(title, str(row["examples"]), *pairs)
    console.print(table)
