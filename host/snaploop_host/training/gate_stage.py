"""From an ONNX file to a kmodel that was seen to work: compile, simulate, compare with float, climb the ladder or refuse.

Called by `job`. Float and kmodel see the same uint8 pictures and the same decoder, so their difference is quantisation alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..compiling.calibration import choose_stratified
from ..compiling.errors import CompilingError
from ..compiling.kmodel_compiler import Kmodel, compile_kmodel
from ..compiling.ladder import LADDER, Rung
from ..compiling.simulator import simulate
from ..domain.run_report import RungTried
from ..domain.scores import JUDGED, METRIC_TITLES, Score
from .errors import GateRefusedError
from .job_spec import Gate, TrainingJob
from .task import Examples, Folders, Report, Task

logger = logging.getLogger(__name__)

Attempt = tuple[Kmodel, Score, float]  # what a rung made, its score, seconds in the simulator


@dataclass(frozen=True)
class Evaluation:
    """The validation pictures as the board would see them: pixels_file .npy (N, 3, H, W) uint8, truth, gate's choice."""

    pixels_file: Path
    truths: tuple[Any, ...]
    gate_indices: tuple[int, ...]

    def gate_truths(self) -> list[Any]:
        """Truth of the pictures that the gate looks at."""
        return [self.truths[index] for index in self.gate_indices]


def write_pixels(examples: Examples, indices: Sequence[int], file: Path) -> None:
    """Write the model inputs of these examples as one uint8 array (N, 3, H, W)."""
    np.save(file, np.stack([np.ascontiguousarray(examples.pixels(index)) for index in indices]))


def prepare_evaluation(examples: Examples, gate: Gate, folder: Path, seed: int) -> Evaluation:
    """Write all validation pictures and choose the gate's, classes taking turns."""
    file, everything = folder / "val.npy", range(len(examples))
    write_pixels(examples, everything, file)
    chosen = choose_stratified([examples.classes(index) for index in everything], gate.images, seed)
    return Evaluation(file, tuple(examples.truth(index) for index in everything), tuple(sorted(chosen)))


def prepare_calibration(examples: Examples, folder: Path, seed: int) -> tuple[Path, int]:
    """Write training pictures for the compiler, classes taking turns; the file and how many it holds."""
    wanted = max(rung.samples for rung in LADDER)
    chosen = choose_stratified([examples.classes(index) for index in range(len(examples))], wanted, seed)
    file = folder / "calibration.npy"
    write_pixels(examples, chosen, file)
    return file, len(chosen)


def run_float(task: Task, job: TrainingJob, onnx_file: Path, evaluation: Evaluation) -> list[Any]:
    """What the float model answers to every validation picture."""
    outputs = float_outputs(task, onnx_file, evaluation, range(len(evaluation.truths)))
    return [task.decode(job, one) for one in outputs]


def float_outputs(
    task: Task, onnx_file: Path, evaluation: Evaluation, indices: Sequence[int]
) -> Iterator[list[np.ndarray]]:
    """The float model's raw outputs to these validation pictures, one after the other."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # its threads spin at barriers: on a busy machine two are slower than one
    session = onnxruntime.InferenceSession(str(onnx_file), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    pixels = np.load(evaluation.pixels_file, mmap_mode="r")
    for index in indices:
        yield session.run(None, {name: task.preprocess.apply(pixels[index][None])})


def climb(
    task: str,
    rungs: Sequence[Rung],
    float_score: Score,
    gate: Gate,
    attempt: Callable[[int, Rung], Attempt],
    report: Report,
) -> tuple[Kmodel, list[RungTried]]:
    """Try rung by rung until one keeps the kmodel within the gate's limit.

    Args:
        task: says which metrics count.
        rungs: those that can differ, `compiling.ladder.rungs_for`.
        float_score: of the float model on the gate's pictures.
        gate: the limit.
        attempt: compiles and scores one rung; called with its number and the rung.
        report: gets one note per rung, with the numbers.

    Raises:
        GateRefusedError: no rung passed; the message has each one's numbers.
        CompilingError: the first rung did not compile or run; that one of the others does not is no more than a note.
    """
    tried: list[RungTried] = []
    said: list[str] = []
    for number, rung in enumerate(rungs):
        try:
            kmodel, score, seconds = attempt(number, rung)
        except CompilingError as error:
            if not tried:
                raise
            said.append(f"{rung.name}: {error}")
            logger.warning("%s", said[-1])
            report("note", text=said[-1])
            continue
        lost = max(float_score.values[name] - score.values[name] for name in JUDGED[task])
        values = {name: round(value, 4) for name, value in score.values.items()}
        passed = lost <= gate.limit_points
        tried.append(RungTried(rung.name, kmodel.size_bytes, kmodel.seconds, seconds, values, passed))
        said.append(verdict(task, tried[-1], float_score, gate))
        logger.info("%s", said[-1])
        report("note", text=said[-1], rung=asdict(tried[-1]))
        if passed:
            return kmodel, tried
    raise GateRefusedError(
        "the kmodel loses too much against the float model: "
        + "; ".join(said)
        + ". Label more varied photos and train again, or raise the gate's limit"
    )


def compile_and_score(
    task: Task,
    job: TrainingJob,
    folders: Folders,
    calibration_file: Path,
    evaluation: Evaluation,
    report: Report,
    number: int,
    rung: Rung,
) -> Attempt:
    """One rung for real: compile in a child process, run the gate's pictures in the simulator, score."""
    folder, onnx_file = folders.compile, folders.artifacts / "model.onnx"
    report("stage", stage="compile", state="running", text=f"compiling: {rung.name}")
    kmodel = compile_kmodel(
        onnx_file, calibration_file, rung, folder / f"rung{number}.kmodel", folder / "scratch", task.preprocess
    )
    report(
        "stage", stage="compile", state="running", text=f"{len(evaluation.gate_indices)} pictures in the K230 simulator"
    )
    started = time.monotonic()
    answers = simulated_answers(task, job, kmodel.path, kmodel.digest, evaluation, folder, report)
    return kmodel, task.score(job, answers, evaluation.gate_truths()), round(time.monotonic() - started, 2)


def simulated_answers(
    task: Task, job: TrainingJob, kmodel: Path, digest: str, evaluation: Evaluation, folder: Path, report: Report
) -> list[Any]:
    """What the kmodel answers to the gate's pictures; answers of an earlier, killed run are taken over."""
    total, last = len(evaluation.gate_indices), -1

    def progress(done: int) -> None:
        nonlocal last
        if done != last:
            last = done
            report(
                "stage",
                stage="compile",
                state="running",
                text=f"simulated {done} of {total} pictures",
                done=done,
                total=total,
            )

    outputs = simulate(
        kmodel,
        evaluation.pixels_file,
        evaluation.gate_indices,
        folder / f"simulated-{digest[:12]}",
        folder / "scratch",
        progress,
    )
    return [task.decode(job, one) for one in outputs]


def verdict(task: str, rung: RungTried, float_score: Score, gate: Gate) -> str:
    """One line with the numbers of a rung."""
    figures = [
        f"{METRIC_TITLES[name]} {rung.scores[name]:.3f} of {float_score.values[name]:.3f}" for name in JUDGED[task]
    ]
    return f"{rung.name}: {', '.join(figures)} ({'within' if rung.passed else 'not within'} {gate.limit_points:g})"
