"""`snaploop compile`: anybody's ONNX file to a kmodel."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BadInputError, HostError
from .options import JsonOption

if TYPE_CHECKING:
    from ..training.compile_onnx import RungResult

MIB = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compile")(compile_file)


def compile_file(
    onnx: Annotated[Path, typer.Argument(help="The ONNX file: one input, a picture [1, 3, height, width].")],
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", "-c", help="Folder of pictures like those the camera will see; 20 or more."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the kmodel and manifest.json.")] = Path("compiled"),
    fit: Annotated[
        str, typer.Option("--fit", help="letterbox or stretch: how pictures become the network's input.")
    ] = "letterbox",
    mean: Annotated[
        str, typer.Option("--mean", help="Of the training, on the scale 0 to 1: one number, or three for R,G,B.")
    ] = "0",
    std: Annotated[str, typer.Option("--std", help="Likewise; ImageNet's are 0.229,0.224,0.225.")] = "1",
    held_out: Annotated[
        int, typer.Option("--pictures", min=1, help="Pictures that the (slow) simulator sees; others calibrate.")
    ] = 6,
    cosine: Annotated[
        float,
        typer.Option("--cosine", min=0, max=1, help="That every output should reach; else the ladder is climbed."),
    ] = 0.99,
    try_all: Annotated[
        bool, typer.Option("--all", help="Try every way to quantise, and take the first good one.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write the best kmodel also when none reaches it; the manifest says so.")
    ] = False,
    head: Annotated[
        str, typer.Option("--head", help="How boards decode it (gfl, logits, segmap …): for a manifest they take.")
    ] = "",
    labels: Annotated[str, typer.Option("--labels", metavar="A,B,C", help="Names of the head's outputs.")] = "",
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=1, help="Computing seconds that one compilation may take.")
    ] = 900,
    memory_limit: Annotated[
        int, typer.Option("--memory-limit", min=64, help="MiB that one compilation may take.")
    ] = 3072,
    as_json: JsonOption = False,
) -> None:
    """Compile an ONNX file for the K230, run it in Canaan's simulator, and say how alike its outputs are to the float network's."""
    try:
        from ..training.compile_onnx import FITS, Wishes, compile_onnx
    except ModuleNotFoundError as error:
        raise HostError(f"{error.name} is not installed: pip install 'snaploop[train]'") from error
    from ..compiling.errors import CompilingError
    from ..domain.preprocess import Preprocess

    if fit not in FITS:
        raise BadInputError(f"--fit {fit}: give {' or '.join(FITS)}")
    preprocess = Preprocess(_three("--mean", mean), _three("--std", std))
    if min(preprocess.std) <= 0:
        raise BadInputError(f"--std {std}: every number must be above 0")
    wishes = Wishes(
        pictures=calibration,
        fit=fit,
        preprocess=preprocess,
        held_out=held_out,
        cosine=cosine,
        try_all=try_all,
        force=force,
        time_limit_s=time_limit,
        memory_limit_bytes=memory_limit * MIB,
        head=head,
        labels=tuple(part.strip() for part in labels.split(",") if part.strip()),
    )
    say = (lambda text: None) if as_json else (lambda text: print(text, flush=True))
    try:
        done = compile_onnx(onnx, out, wishes, say)
    except CompilingError as error:
        raise HostError(str(error)) from error
    taken = done.rungs[done.taken]
    short = (
        f"no way to quantise reached a cosine of {cosine:g} in every output (best {taken.worst_cosine:.4f}, {taken.name}): "
        "check --mean, --std and --fit first, then give more varied pictures"
    )
    if as_json:
        told = {"out": str(done.out), "is_good": done.is_good, "taken": done.taken, "notes": done.notes}
        refused = {"refused": short} if done.manifest is None else {}
        rungs = [asdict(one) for one in done.rungs]
        print(json.dumps(told | refused | {"manifest": done.manifest, "rungs": rungs}, indent=1))
    if done.manifest is None:
        if as_json:
            raise typer.Exit(1)
        raise HostError(f"refused: {short}; --force writes that one all the same")
    if not as_json:
        _show(done.out / str(done.manifest["kmodel"]), taken, "" if done.is_good else short)


def _show(file: Path, taken: RungResult, short: str) -> None:
    from ..domain.output_cosines import HIGH_ERROR_PERCENT  # brings numpy, which --help does not wait for

    print(f"{file}: {taken.name}, {taken.kmodel_bytes:,} bytes, with manifest.json beside it")
    if short:
        print(f"warning: forced: {short}")
    elif taken.worst_error > HIGH_ERROR_PERCENT:
        print(f"warning: an output is off by {taken.worst_error:.0f} % of its spread, which a cosine hides")


def _three(option: str, text: str) -> tuple[float, float, float]:
    """One number for all channels, or three."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) != 3:
        raise BadInputError(f"{option} {text}: give one number, or three such as 0.485,0.456,0.406")
    return numbers[0], numbers[1], numbers[2]
