"""From an ONNX file to a kmodel that was seen to work: compile, simulate, compare with float, climb the ladder or refuse.

Called by `job`. Float and kmodel see the same uint8 pictures and the same decoder, so their difference is quantisation alone. What a
verdict needs in pictures and who is let through is said in `domain.gate`.
"""

from __future__ import annotations

import dataclasses
import logging
import os
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
from ..compiling.simulator import operators_on_cpu, simulate
from ..domain.confidence import loss_text
from ..domain.gate import FAILED, NO_KMODEL, Judgement, judge, points
from ..domain.output_cosines import output_cosines
from ..domain.run_report import PASSED, UNDECIDED, RungTried
from ..domain.scores import JUDGED, METRIC_TITLES, Score
from ..domain.simulator_budget import SimulatorBudget
from .job_spec import Gate, TrainingJob
from .task import Examples, Folders, Report, Task

logger = logging.getLogger(__name__)

COSINE_PICTURES = 8
_WORDS = {PASSED: "within the limit", UNDECIDED: "undecided", FAILED: "too much"}


@dataclass(frozen=True)
class Evaluation:
    """The validation pictures as the board would see them.

    Attributes:
        pixels_file: .npy (N, 3, H, W) uint8.
        truths: of each.
        order: all of them, classes taking turns: any first part is balanced.
        seen: how many of that order the simulator sees.
    """

    pixels_file: Path
    truths: tuple[Any, ...]
    order: tuple[int, ...]
    seen: int

    @property
    def gate_indices(self) -> tuple[int, ...]:
        """The pictures that the gate looks at."""
        return tuple(sorted(self.order[: self.seen]))

    def gate_truths(self) -> list[Any]:
        """Their truth."""
        return [self.truths[index] for index in self.gate_indices]

    def widened(self, seen: int) -> Evaluation:
        """The same with another number of pictures."""
        return dataclasses.replace(self, seen=min(seen, len(self.order)))


def write_pixels(examples: Examples, indices: Sequence[int], file: Path) -> None:
    """Write the model inputs of these examples as one uint8 array (N, 3, H, W)."""
    np.save(file, np.stack([np.ascontiguousarray(examples.pixels(index)) for index in indices]))


def prepare_evaluation(examples: Examples, gate: Gate, folder: Path, seed: int) -> Evaluation:
    """Write all validation pictures and choose the gate's, classes taking turns."""
    file, everything = folder / "val.npy", range(len(examples))
    write_pixels(examples, everything, file)
    order = choose_stratified([examples.classes(index) for index in everything], len(examples), seed)
    truths = tuple(examples.truth(index) for index in everything)
    return Evaluation(file, truths, tuple(order), min(gate.images, len(order)))


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


@dataclass(frozen=True)
class Attempt:
    """What one rung made: the kmodel, of which ONNX file, and what the gate said of it."""

    onnx_file: Path
    kmodel: Kmodel
    tried: RungTried


def climb(
    rungs: Sequence[Rung],
    attempt: Callable[[Rung], Attempt],
    report: Report,
    tried: list[RungTried],
    attempts: dict[int, Attempt],
) -> bool:
    """Try rung by rung until one keeps the kmodel within the gate's limit; whether one did.

    Args:
        rungs: those that can differ, `compiling.ladder.rungs_for`.
        attempt: compiles and judges one rung.
        report: gets one note per rung, with the numbers.
        tried: gets every rung, also those without a kmodel.
        attempts: gets what they made, by their place in `tried`.

    Raises:
        CompilingError: the very first rung did not compile or run; that one of the others does not is no more than a note.
    """
    for rung in rungs:
        try:
            made = attempt(rung)
        except CompilingError as error:
            if not attempts:
                raise
            tried.append(RungTried(rung.name, 0, 0.0, 0.0, {}, False, NO_KMODEL, text=f"{rung.name}: {error}"))
        else:
            attempts[len(tried)] = made
            tried.append(made.tried)
        logger.info("%s", tried[-1].text)
        report("note", text=tried[-1].text, rung=asdict(tried[-1]))
        if tried[-1].passed:
            return True
    return False


class Prover:
    """Compiles, simulates and judges one kmodel after the other against the same float answers; all of them share a budget."""

    def __init__(
        self, task: Task, job: TrainingJob, folders: Folders, evaluation: Evaluation, answers: list[Any], report: Report
    ) -> None:
        """Wire it up.

        Args:
            task: of the job.
            job: what to prove.
            folders: of the job.
            evaluation: the pictures; every kmodel is shown its first ones, and more where those cannot tell.
            answers: the float model's, to all validation pictures.
            report: gets progress.
        """
        self.task, self.job, self.folders = task, job, folders
        self.evaluation, self.report = evaluation, report
        self.budget_s = job.gate.budget_s
        self._answers = answers

    def attempt(self, onnx_file: Path, calibration_file: Path, number: int, rung: Rung) -> Attempt:
        """One rung for real: compile in a child process, run pictures in the simulator, judge.

        Raises:
            CompilingError: no kmodel, or none that runs.
        """
        folder = self.folders.compile
        self._say(f"compiling: {rung.name}")
        kmodel = compile_kmodel(
            onnx_file,
            calibration_file,
            rung,
            folder / f"rung{number}.kmodel",
            folder / "scratch",
            self.task.preprocess,
        )
        evaluation, spent, raw, judgement, score = self._judged(kmodel)
        tried = RungTried(
            name=rung.name,
            kmodel_bytes=kmodel.size_bytes,
            compile_seconds=kmodel.seconds,
            simulate_seconds=round(spent, 2),
            scores={name: round(value, 4) for name, value in score.values.items()},
            passed=judgement.outcome == PASSED,
            outcome=judgement.outcome,
            images=evaluation.seen,
            lost=round(judgement.lost, 4),
            rests_on_one=judgement.rests_on_one,
            text=self._verdict(rung, kmodel, evaluation, judgement, score),
            notes=kmodel.notes,
            operators_on_cpu=operators_on_cpu(answers_folder(folder, kmodel.digest)),
            cosines=self._cosines(onnx_file, evaluation, raw),
        )
        return Attempt(onnx_file, kmodel, tried)

    def _judged(self, kmodel: Kmodel) -> tuple[Evaluation, float, list[list[np.ndarray]], Judgement, Score]:
        """Show it the first pictures, and twice as many again while they cannot tell and the budget lasts."""
        evaluation, spent = self.evaluation, 0.0
        while True:
            started, before = time.monotonic(), spent
            raw = simulated(self.folders, kmodel.path, kmodel.digest, evaluation, self.report)
            spent += time.monotonic() - started
            if before:
                self.budget_s -= spent - before
            answers = [self.task.decode(self.job, one) for one in raw]
            judgement = self._judge(evaluation, answers)
            more = self._more(evaluation, spent) if judgement.outcome == UNDECIDED else 0
            if not more:
                score = self.task.score(self.job, answers, evaluation.gate_truths())
                return evaluation, spent, raw, judgement, score
            evaluation = evaluation.widened(evaluation.seen + more)
            self._say(f"{evaluation.seen - more} pictures cannot tell: {more} more")

    def _judge(self, evaluation: Evaluation, answers: list[Any]) -> Judgement:
        truths = evaluation.gate_truths()
        floats = [self._answers[index] for index in evaluation.gate_indices]
        float_tally, kmodel_tally = (self.task.tally(self.job, one, truths) for one in (floats, answers))
        return judge(self.task.name, float_tally, kmodel_tally, self.job.gate.limit_points)

    def _more(self, evaluation: Evaluation, spent: float) -> int:
        """How many further pictures the budget allows, as many as were seen at most."""
        left = min(len(evaluation.order) - evaluation.seen, evaluation.seen)
        workers = len(os.sched_getaffinity(0))
        budget = SimulatorBudget(self.budget_s, max(0.01, spent / evaluation.seen * workers), workers)
        if left < 1 or budget.needed_seconds(1) > self.budget_s:
            return 0
        return budget.pictures(left)

    def _verdict(self, rung: Rung, kmodel: Kmodel, evaluation: Evaluation, judgement: Judgement, score: Score) -> str:
        """One line with the numbers of a rung."""
        truths, indices = evaluation.gate_truths(), evaluation.gate_indices
        floats = self.task.score(self.job, [self._answers[index] for index in indices], truths)
        judged = JUDGED[self.task.name]
        figures = ", ".join(
            f"{METRIC_TITLES[name]} {score.values[name]:.3f} of {floats.values[name]:.3f}" for name in judged
        )
        worst = max(judged, key=lambda name: judgement.losses[name].value)
        loss = loss_text(worst, judgement.losses[worst], len(evaluation.order))
        limit = f"{_WORDS[judgement.outcome]}, the limit is {points(self.job.gate.limit_points)}"
        return f"{rung.name} ({kmodel.size_bytes / 2**20:.1f} MiB): {figures}; {loss}: {limit}"

    def _cosines(
        self, onnx_file: Path, evaluation: Evaluation, raw: list[list[np.ndarray]]
    ) -> tuple[tuple[float, float], ...]:
        shown = evaluation.gate_indices[:COSINE_PICTURES]
        floats = list(float_outputs(self.task, onnx_file, evaluation, shown))
        return tuple((round(one.mean, 5), round(one.least, 5)) for one in output_cosines(floats, raw[: len(shown)]))

    def _say(self, text: str) -> None:
        self.report("stage", stage="compile", state="running", text=text)


def answers_folder(folder: Path, digest: str) -> Path:
    """Where a kmodel's answers are kept."""
    return folder / f"simulated-{digest[:12]}"


def simulated(
    folders: Folders, kmodel: Path, digest: str, evaluation: Evaluation, report: Report
) -> list[list[np.ndarray]]:
    """The kmodel's raw outputs to the gate's pictures; those of earlier calls, or of a killed run, are taken over."""
    total, last, folder = len(evaluation.gate_indices), -1, folders.compile

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

    return simulate(
        kmodel,
        evaluation.pixels_file,
        evaluation.gate_indices,
        answers_folder(folder, digest),
        folder / "scratch",
        progress,
    )
