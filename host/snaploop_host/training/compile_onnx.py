"""Anybody's ONNX file to a kmodel: check it, calibrate with a folder of pictures, compile, simulate, compare output by output.

Called by `snaploop compile`. There is no task, so there is no metric: what counts is how alike the outputs of float network and kmodel
are on pictures that were not calibrated with. onnx, onnxruntime, OpenCV; no torch.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snaploop_shared import manifest as manifests

from ..compiling.errors import CompileFailedError, CompilingError
from ..compiling.float_runs import session
from ..compiling.kmodel_compiler import MEMORY_LIMIT_BYTES, TIME_LIMIT_S, Kmodel, compile_kmodel
from ..compiling.ladder import Rung, rungs_for
from ..compiling.nncase_environment import nncase_version
from ..compiling.onnx_graph import input_shape, opset_of, read_onnx
from ..compiling.simulator import operators_on_cpu, simulate
from ..domain.kmodel_file import check_kmodel
from ..domain.output_cosines import HIGH_ERROR_PERCENT, output_cosines
from ..domain.preprocess import UNIT_RANGE, Preprocess
from ..errors import BadInputError, HostError
from .detect.augment import letterbox
from .detect.picture_dataset import read_rgb
from .task import Pixels
from .whole_photo.pictures import stretch

LETTERBOX, STRETCH = "letterbox", "stretch"
FITS: dict[str, Callable[[Pixels, int, int], Pixels]] = {LETTERBOX: letterbox, STRETCH: stretch}
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
MOST_CALIBRATION = 60
MADE_UP = 24  # pictures, where nobody gave any
SEED = 0


@dataclass(frozen=True)
class Wishes:
    """How to compile.

    Attributes:
        pictures: folder of pictures like those the camera will see, looked through with its subfolders; None: made-up ones.
        fit: LETTERBOX or STRETCH: how a picture becomes the network's input.
        preprocess: mean and std that the network was trained with.
        held_out: pictures that the simulator sees.
        cosine: that every output should reach on average.
        try_all: try the whole ladder, also beyond a rung that reaches it.
        force: write the best kmodel also when none reaches it; the manifest says so.
        time_limit_s: computing seconds of one compilation.
        memory_limit_bytes: of one compilation.
        head, labels, score, iou: for a manifest that our app takes; an empty head: a plain one.
    """

    pictures: Path | None = None
    fit: str = LETTERBOX
    preprocess: Preprocess = UNIT_RANGE
    held_out: int = 6
    cosine: float = 0.99
    try_all: bool = False
    force: bool = False
    time_limit_s: float = TIME_LIMIT_S
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES
    head: str = ""
    labels: tuple[str, ...] = ()
    score: float = 0.3
    iou: float = 0.5


@dataclass(frozen=True)
class OutputLikeness:
    """One output: cosine with the float network's, mean and least over pictures; rms difference over rms deviation, in percent."""

    name: str
    shape: tuple[int, ...]
    cosine: float
    least: float
    error_percent: float


@dataclass(frozen=True)
class RungResult:
    """One way to quantise, with what came of it; `error` is empty where there is a kmodel."""

    name: str
    error: str = ""
    kmodel_bytes: int = 0
    compile_seconds: float = 0.0
    peak_mib: int = 0
    seconds_per_picture: float = 0.0
    outputs: tuple[OutputLikeness, ...] = ()
    operators_on_cpu: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    digest: str = ""

    @property
    def worst_cosine(self) -> float:
        """The mean cosine of the least alike output; −1 without a kmodel."""
        return min((one.cosine for one in self.outputs), default=-1.0)

    @property
    def worst_error(self) -> float:
        """The largest error of an output, in percent of its spread."""
        return max((one.error_percent for one in self.outputs), default=float("inf"))


@dataclass(frozen=True)
class Compiled:
    """What came of it.

    Attributes:
        out: folder.
        manifest: as written there; None when the kmodel was refused, and nothing was written.
        rungs: all that were tried.
        taken: the place of the best of them.
        notes: about the pictures.
        is_good: whether that one reaches the cosine that was asked for.
    """

    out: Path
    manifest: dict[str, Any] | None
    rungs: tuple[RungResult, ...]
    taken: int
    notes: tuple[str, ...]
    is_good: bool


def compile_onnx(onnx_file: Path, out: Path, wishes: Wishes, say: Callable[[str], None]) -> Compiled:
    """Write <out>/<name>.kmodel and <out>/manifest.json, or neither when all ways to quantise lose too much.

    Args:
        onnx_file: one input, a picture [1, 3, H, W]; any number of outputs.
        out: folder; made when it is not there.
        wishes: how.
        say: told of progress.

    Raises:
        BadInputError: no ONNX file, not of that form, no pictures, or a head that does not exist.
        HostError: the compiler or the simulator failed; the line has its reason.
    """
    if not onnx_file.is_file():
        raise BadInputError(f"there is no file {onnx_file}")
    try:
        model = read_onnx(onnx_file)
        name, shape = input_shape(model)
    except CompileFailedError as error:
        raise BadInputError(str(error)) from error
    except ValueError as error:
        raise BadInputError(f"{onnx_file.name}: {error}") from error
    opset, height, width = opset_of(model), shape[2], shape[3]
    if wishes.head:
        _check_head(wishes)
    say(f"{onnx_file.name}: opset {opset}, input {name} {shape}, {len(model.graph.node)} nodes")
    calibration, shown, notes = _inputs(wishes, width, height)
    for note in notes:
        say(f"note: {note}")
    with tempfile.TemporaryDirectory(prefix="snaploop_compile_") as scratch:
        folder = Path(scratch)
        np.save(folder / "calibration.npy", calibration)
        np.save(folder / "shown.npy", shown)
        floats = _float_answers(onnx_file, model, name, wishes.preprocess, shown)
        names = [one.name for one in model.graph.output]
        results: list[RungResult] = []
        for rung in rungs_for(onnx_file, len(calibration)):
            say(f"{rung.name} …")
            found = _tried(onnx_file, folder, len(results), rung, wishes, floats, names)
            results.append(found)
            say(rung_text(found))
            if _is_fine(found, wishes) and not wishes.try_all:
                break
        taken = _best(results, wishes)
        is_good = results[taken].worst_cosine >= wishes.cosine
        if not is_good and not wishes.force:
            return Compiled(out, None, tuple(results), taken, tuple(notes), False)
        out.mkdir(parents=True, exist_ok=True)
        target = out / f"{onnx_file.stem}.kmodel"
        partial = target.with_suffix(".part")
        shutil.copyfile(folder / f"{taken}.kmodel", partial)
        partial.replace(target)
    fields = _manifest(onnx_file, target, model, shape, names, wishes, results, taken, opset)
    fields |= {} if is_good else {"forced": True}
    (out / "manifest.json").write_text(json.dumps(fields, indent=1, ensure_ascii=False) + "\n")
    return Compiled(out, fields, tuple(results), taken, tuple(notes), is_good)


def _float_answers(
    onnx_file: Path, model: Any, name: str, preprocess: Preprocess, shown: np.ndarray
) -> list[Sequence[np.ndarray]]:
    """What the float network answers to each picture.

    Raises:
        BadInputError: onnxruntime cannot run it, or it answers what is no number.
    """
    try:
        running = session(model)
        answers = [running.run(None, {name: preprocess.apply(one[None])}) for one in shown]
    except Exception as error:  # its exceptions have no common root but this
        words = " ".join(str(error).split())[:300]
        raise BadInputError(f"{onnx_file.name} does not run in onnxruntime ({words}): export it again") from error
    for place, given in enumerate(model.graph.output):
        if not all(np.isfinite(answer[place]).all() for answer in answers):
            raise BadInputError(
                f"{onnx_file.name}: the float network itself answers NaN or infinity in output {given.name}: "
                "check --mean and --std, then the network"
            )
    return answers


def _tried(
    onnx_file: Path,
    folder: Path,
    number: int,
    rung: Rung,
    wishes: Wishes,
    floats: Sequence[Sequence[np.ndarray]],
    names: Sequence[str],
) -> RungResult:
    try:
        kmodel: Kmodel = compile_kmodel(
            onnx_file,
            folder / "calibration.npy",
            rung,
            folder / f"{number}.kmodel",
            folder / "scratch",
            wishes.preprocess,
            wishes.time_limit_s,
            wishes.memory_limit_bytes,
        )
        answers, started = folder / kmodel.digest[:12], time.monotonic()
        raw = simulate(kmodel.path, folder / "shown.npy", range(len(floats)), answers, folder / "scratch")
    except CompilingError as error:
        if number == 0:
            raise HostError(str(error)) from error
        return RungResult(rung.name, str(error))
    seconds = (time.monotonic() - started) / len(floats)
    try:
        alike = output_cosines(floats, raw)
    except ValueError as error:
        raise HostError(f"{onnx_file.name}: {error}") from error
    outputs = tuple(
        OutputLikeness(
            names[one.output],
            tuple(floats[0][one.output].shape),
            round(one.mean, 5),
            round(one.least, 5),
            round(_error_percent([answer[one.output] for answer in floats], [answer[one.output] for answer in raw]), 2),
        )
        for one in alike
    )
    return RungResult(
        rung.name,
        "",
        kmodel.size_bytes,
        kmodel.seconds,
        kmodel.peak_mib,
        round(seconds, 2),
        outputs,
        operators_on_cpu(answers),
        kmodel.notes,
        kmodel.digest,
    )


def _error_percent(floats: Sequence[np.ndarray], kmodels: Sequence[np.ndarray]) -> float:
    """A cosine hides what a large common part drowns: the difference against how much the output varies at all."""
    one, other = (np.stack(values).astype(float) for values in (floats, kmodels))
    spread = float(one.std())
    return 100 * float(np.sqrt(np.square(one - other).mean())) / spread if spread > 0 else 0.0


def _is_fine(rung: RungResult, wishes: Wishes) -> bool:
    """Whether no further rung is needed. Of made-up pictures the spread says nothing: their answers are all alike."""
    return rung.worst_cosine >= wishes.cosine and (wishes.pictures is None or rung.worst_error <= HIGH_ERROR_PERCENT)


def _best(results: Sequence[RungResult], wishes: Wishes) -> int:
    """The first that is fine, else of those that reach the cosine the one with the least error, else the most alike."""
    fine = [place for place, one in enumerate(results) if _is_fine(one, wishes)]
    reached = [place for place, one in enumerate(results) if one.worst_cosine >= wishes.cosine]
    if fine or reached:
        return fine[0] if fine else min(reached, key=lambda place: results[place].worst_error)
    return max(range(len(results)), key=lambda place: results[place].worst_cosine)


def rung_text(rung: RungResult) -> str:
    """A rung in lines for people."""
    if rung.error:
        return f"  no kmodel: {rung.error}"
    lines = [
        f"  {rung.kmodel_bytes:,} bytes in {rung.compile_seconds:.0f} s, {rung.seconds_per_picture:.1f} s a picture in the simulator"
    ]
    lines += [
        f"  {one.name} {list(one.shape)}: cosine {one.cosine:.5f} (least {one.least:.5f}), error {one.error_percent:.1f} % of its spread"
        for one in rung.outputs
    ]
    if rung.operators_on_cpu:
        slow = ", ".join(f"{name} {count}" for name, count in rung.operators_on_cpu.items())
        lines.append(f"  outside the KPU, per picture: {slow}")
    return "\n".join([*lines, *(f"  {note}" for note in rung.notes)])


def _inputs(wishes: Wishes, width: int, height: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(calibration inputs, held-out inputs, notes), (N, 3, H, W) uint8 each."""
    notes: list[str] = []
    images: list[Pixels] = []
    if wishes.pictures is None:
        notes.append("no --calibration folder: made-up pictures are used, so real ones may lose more")
        images = [_made_up(number, width, height) for number in range(MADE_UP)]
    else:
        images = _read(wishes.pictures, MOST_CALIBRATION + wishes.held_out, notes)
    fit = FITS[wishes.fit]
    pixels = np.stack([np.ascontiguousarray(fit(image, width, height).transpose(2, 0, 1)) for image in images])
    held = min(wishes.held_out, len(pixels) // 3)
    if held < 1:
        notes.append(f"{len(pixels)} pictures are too few to hold some out: the same ones calibrate and compare")
        return pixels, pixels, notes
    return pixels[held:], pixels[:held], notes


def _read(folder: Path, most: int, notes: list[str]) -> list[Pixels]:
    if not folder.is_dir():
        raise BadInputError(f"{folder} is no folder: give one with pictures like those the camera will see")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    chosen = [files[index] for index in np.random.default_rng(SEED).permutation(len(files))]
    images: list[Pixels] = []
    for file in chosen:
        if len(images) == most:
            break
        try:
            images.append(read_rgb(file))
        except ValueError:
            notes.append(f"{file.name} cannot be read as a picture: left out")
    if not images:
        raise BadInputError(f"{folder} has no picture that can be read ({', '.join(SUFFIXES)})")
    return images


def _made_up(number: int, width: int, height: int) -> Pixels:
    """Soft blobs of all colours with some hard edges and noise, the same every time."""
    import cv2

    rng = np.random.default_rng([SEED, number])
    coarse = rng.integers(0, 256, (int(rng.integers(2, 9)), int(rng.integers(2, 9)), 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    for _ in range(6):
        x, y = rng.integers(0, width), rng.integers(0, height)
        image[y : y + rng.integers(4, max(5, height // 3)), x : x + rng.integers(4, max(5, width // 3))] = rng.integers(
            0, 256, 3
        )
    image = image * rng.uniform(0.4, 1.2) + rng.normal(0, 6, image.shape)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _check_head(wishes: Wishes) -> str:
    """The task of the head."""
    task = next((task for task, heads in manifests.HEADS.items() if wishes.head in heads), None)
    if task is None:
        known = ", ".join(sorted({head for heads in manifests.HEADS.values() for head in heads}))
        raise BadInputError(f"head {wishes.head} is not known: known are {known}")
    if not wishes.labels and wishes.head != manifests.HEAD_EMBEDDING:
        raise BadInputError(f"head {wishes.head} needs the names of its outputs: --labels a,b,c")
    return task


def _manifest(
    onnx_file: Path,
    kmodel: Path,
    model: Any,
    shape: list[int],
    names: Sequence[str],
    wishes: Wishes,
    results: Sequence[RungResult],
    taken: int,
    opset: int,
) -> dict[str, Any]:
    """What the kmodel is; with a head also everything a board wants of it, but for the host's serial."""
    content = kmodel.read_bytes()
    fields: dict[str, Any] = {
        "v": manifests.VERSION,
        "kmodel": kmodel.name,
        "digest": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "input": [shape[3], shape[2]],
        "nncase": nncase_version(),
        "kmodel_version": check_kmodel(content, kmodel.name),
        "made_by": f"snaploop compile {onnx_file.name}",
        "opset": opset,
        "fit": wishes.fit,
        "mean": list(wishes.preprocess.mean),
        "std": list(wishes.preprocess.std),
        "outputs": [
            {"name": name, "shape": list(one.shape)} for name, one in zip(names, results[taken].outputs, strict=True)
        ],
        "rung": results[taken].name,
        "rungs": [asdict(one) for one in results],
    }
    if wishes.head:
        fields |= {
            "serial": 0,
            "task": _check_head(wishes),
            "head": wishes.head,
            "labels": list(wishes.labels),
            "score_permille": round(1000 * wishes.score),
            "iou_permille": round(1000 * wishes.iou),
            "golden": {"digest": hashlib.sha256(b"").hexdigest(), "bytes": 0},
        }
        try:
            manifests.parse(json.dumps(fields).encode())
        except manifests.RecordError as error:
            raise BadInputError(f"no board takes this as {wishes.head}: {error}") from error
    return fields
