"""Try a kmodel that was trained elsewhere: run it in Canaan's simulator, keep a golden answer, score it where there are labelled photos.

Called by the command line for `snaploop models import`. What a task's own models do (read photos, decode, score, choose a golden picture)
is done by the task; only the input's size and the outputs' form are the package's. No torch.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from snaploop_shared.manifest import HEAD_ANCHORBASE, HEAD_ANCHORFREE, HEAD_SEGFULL, SEGMAP_STRIDE

from ..compiling.errors import CompilingError, DotnetMissingError, NncaseMissingError, SimulatorFailedError
from ..compiling.nncase_environment import nncase_version
from ..compiling.simulator import simulate
from ..domain.anchor_decode import decode_anchors
from ..domain.samples import Sample
from ..domain.scores import DETECT, OCR_DETECT, OCR_RECOGNIZE
from ..domain.training_parameters import SCRATCH
from ..domain.vendor_config import VendorModel
from ..errors import BadInputError
from ..services.import_model import Proof
from .errors import TrainingError
from .gate_stage import prepare_evaluation
from .job_spec import Box, Gate, Parameters, Photo, TrainingJob
from .task import Folders, Outputs, Pixels, Task, task_named
from .try_pictures import fitted

SCORE_FLOOR = 0.001  # as training/detect: scores want the whole curve
Simulate = Callable[[Path, Path, Sequence[int], Path, Path], list[list[np.ndarray]]]
"""`compiling.simulator.simulate`; tests give another."""


def prove(
    model: VendorModel,
    kmodel: bytes,
    photos: Sequence[tuple[Sample, Path]],
    classes: tuple[str, ...],
    pictures: Sequence[bytes] = (),
    images: int = 12,
    run: Simulate = simulate,
) -> Proof:
    """What the kmodel answers.

    Args:
        model: what its package says.
        kmodel: its bytes.
        photos: labelled photos of the project with their files; with them the kmodel is scored.
        classes: the project's.
        pictures: files of the package, looked at when there are no photos.
        images: how many photos the (slow) simulator sees at most.
        run: the simulator.

    Raises:
        BadInputError: it does not run in a simulator of its own nncase version, or its outputs are not what the package says.
    """
    task = _task_of(model)
    job = _job(model, photos, classes, images)
    with tempfile.TemporaryDirectory(prefix="snaploop_import_") as scratch:
        folders = Folders(Path(scratch))
        folders.compile.mkdir(parents=True)
        file = folders.compile / "package.kmodel"
        file.write_bytes(kmodel)
        pixels, truths, note = _inputs(task, job, folders, model, pictures)
        try:
            raw = run(file, pixels, range(_count(pixels)), folders.compile / "answers", folders.compile / "scratch")
        except (NncaseMissingError, DotnetMissingError) as error:
            return Proof(note=f"not tried in the simulator: {error}")
        except CompilingError as error:
            return _failed(model, error)
        try:
            answers = [task.decode(job, one) for one in raw]
        except (ValueError, IndexError) as error:
            shapes = ", ".join(str(one.shape) for one in raw[0])
            raise BadInputError(
                f"{model.kmodel_name} has outputs {shapes}, which is no {model.model_type or model.task} of "
                f"{len(model.labels)} labels ({error}): is it the kmodel of this package?"
            ) from error
        position, answer = _golden(task, job, answers, model.score)
        golden = np.ascontiguousarray(np.load(pixels, mmap_mode="r")[position]).tobytes()
        scores: Mapping[str, float] = {} if truths is None else task.score(job, answers, truths).values
        tried = 0 if truths is None else len(answers)
        return Proof(golden, answer, scores, tried, f"nncase {nncase_version()} k230", note)


def _failed(model: VendorModel, error: CompilingError) -> Proof:
    ours = nncase_version()
    if ours.split(".")[:2] == model.nncase.lstrip("v").split(".")[:2] or not isinstance(error, SimulatorFailedError):
        raise BadInputError(f"{model.kmodel_name} cannot be run: {error}") from error
    return Proof(
        note=f"not tried: the package is for nncase {model.nncase}, the simulator here is of {ours} and could not run it; "
        "the board's trial on live frames decides"
    )


def _task_of(model: VendorModel) -> Task:
    """The model's task with the package's input size and outputs."""
    base: Any = type(task_named(model.task))

    class OfPackage(base):
        def input_wh(self, job: TrainingJob) -> tuple[int, int]:
            return model.size

        def labels(self, job: TrainingJob) -> tuple[str, ...]:
            return model.labels

        def decode(self, job: TrainingJob, outputs: Outputs) -> Any:
            if model.head in (HEAD_ANCHORBASE, HEAD_ANCHORFREE):
                count = len(model.labels)
                return decode_anchors(outputs, model.size, count, model.anchors, SCORE_FLOOR, model.iou)
            return super().decode(job, _as_ours(model, outputs))

    task: Task = OfPackage()
    return task


def _as_ours(model: VendorModel, outputs: Outputs) -> Outputs:
    """The outputs as our own models have them.

    Raises:
        ValueError: another form than the package's config promises.
    """
    width, height = model.size
    if model.head == HEAD_SEGFULL:
        full = outputs[0].reshape(1, height, width, len(model.labels))
        return [full, full[:, ::SEGMAP_STRIDE, ::SEGMAP_STRIDE]]
    first, labels = outputs[0], len(model.labels)
    expected = {
        DETECT: first.shape[-1] == labels + 68 and len(outputs) == 3,
        OCR_DETECT: first.size == 2 * height * width,
        OCR_RECOGNIZE: first.shape[-1] == labels and first.size == labels * (width // 4),
    }.get(model.task, labels in (0, first.size) or (first.size, labels) == (1, 2))
    if not expected:
        raise ValueError(f"a first output of shape {first.shape}")
    if model.task == OCR_DETECT:
        return [first.reshape(1, height, width, 2)]
    if model.task == OCR_RECOGNIZE:
        return [first.reshape(1, -1, labels)]
    return outputs


def _job(
    model: VendorModel, photos: Sequence[tuple[Sample, Path]], classes: tuple[str, ...], images: int
) -> TrainingJob:
    index = {name: number for number, name in enumerate(classes)}
    known = [
        Photo(
            sample.name,
            path,
            sample.width_px,
            sample.height_px,
            tuple(
                Box(index[box.class_name], (box.x, box.y, box.w, box.h), box.points, box.text) for box in sample.boxes
            ),
            sample.void,
        )
        for sample, path in photos
        if all(box.class_name in index for box in sample.boxes)
    ]
    dictionary = "".join(one for one in model.labels if len(one) == 1) if model.task == OCR_RECOGNIZE else None
    side = tuple(known)
    parameters = Parameters(dictionary=dictionary, start=SCRATCH)  # a kmodel needs no weights
    return TrainingJob("import", model.task, "", classes, side, side, parameters, None, Gate(images=images))


def _inputs(
    task: Task, job: TrainingJob, folders: Folders, model: VendorModel, pictures: Sequence[bytes]
) -> tuple[Path, list[Any] | None, str]:
    """(file of model inputs, what is true of each or None, why nothing can be measured)."""
    note = "not measured: the project has no labelled photos"
    if any(photo.boxes for photo in job.val):
        try:
            task.prepare(job, folders)
            evaluation = prepare_evaluation(task.examples(job, folders, "val"), job.gate, folders.compile, 0)
            pixels = np.load(evaluation.pixels_file, mmap_mode="r")[list(evaluation.gate_indices)]
            width, height = model.size
            if pixels.shape[2:] == (height, width):
                file = folders.compile / "chosen.npy"
                np.save(file, pixels)
                return file, evaluation.gate_truths(), ""
            note = f"not measured: photos are cut {pixels.shape[2]} px high here, the package wants {height}"
        except (TrainingError, ValueError) as error:
            note = f"not measured: {error}"
    file = folders.compile / "pictures.npy"
    shown = [found for data in pictures if (found := _decoded(data)) is not None] or [_pattern(*model.size)]
    fit = [fitted(model.task, model.size, image).transpose(2, 0, 1) for image in shown]
    np.save(file, np.ascontiguousarray(np.stack(fit)))
    return file, None, note


def _decoded(data: bytes) -> Pixels | None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except OSError:
        return None  # a broken result picture is no reason to refuse a kmodel


def _pattern(width: int, height: int) -> Pixels:
    """Something to look at where there is no picture: soft blobs of all colours, the same every time."""
    coarse = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def _count(pixels: Path) -> int:
    return len(np.load(pixels, mmap_mode="r"))


def _golden(task: Task, job: TrainingJob, answers: Sequence[Any], score: float) -> tuple[int, Mapping[str, Any]]:
    """The task's choice; where the model says nothing of any picture, that it says nothing of the first."""
    try:
        return task.golden(job, answers, score)
    except TrainingError:
        nothing: dict[str, Mapping[str, Any]] = {
            DETECT: {"detections": []},
            OCR_DETECT: {"quads_px": []},
            OCR_RECOGNIZE: {"text": "", "score_permille": 0},
        }
        if task.name in nothing:
            return 0, nothing[task.name]
        if hasattr(answers[0], "coarse"):
            from .segment.task import shares_permille

            return 0, {"shares_permille": shares_permille(answers[0].coarse, len(job.classes) + 1)}
        return 0, {"scores_permille": [round(1000 * float(value)) for value in answers[0].values]}
