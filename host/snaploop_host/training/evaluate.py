"""A finished run looked at closely: float and kmodel on as many validation pictures as one likes, with intervals.

Called by the command line with a run's job folder; nothing in that folder changes. OpenCV and onnxruntime, no torch.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..compiling.simulator import operators_on_cpu, simulate
from ..domain.confidence import loss_intervals, loss_text, unseen_text
from ..domain.output_cosines import output_cosines
from ..domain.scores import JUDGED
from ..domain.simulator_budget import SimulatorBudget, plan_pictures
from ..domain.training_parameters import SCRATCH
from .gate_stage import Evaluation, float_outputs, prepare_evaluation
from .job_spec import TrainingJob, read_job
from .task import Folders, Task, task_named

SHOWN = 4  # best and worst pictures each


@dataclass(frozen=True)
class FinishedRun:
    """A job folder whose run made a model."""

    folder: Path
    job: TrainingJob
    task: Task
    result: dict[str, Any]

    @property
    def artifacts(self) -> Path:
        """Where best.pt, model.onnx and model.kmodel are."""
        return Folders(self.folder).artifacts

    @property
    def threshold(self) -> float:
        """What the board uses."""
        return float(self.result["thresholds"]["score"])


def open_run(folder: Path) -> FinishedRun:
    """The run in a job folder.

    Raises:
        BadJobError: job.json cannot be read.
        FileNotFoundError: the run made no model.
    """
    job = read_job(folder / "job.json")
    result = json.loads((Folders(folder).artifacts / "result.json").read_text())
    return FinishedRun(folder, job, task_named(job.task), result)


def evaluate(
    run: FinishedRun,
    pictures: int,
    out: Path,
    say: Callable[[str], None] = lambda text: None,
    budget_s: float | None = None,
) -> dict[str, Any]:
    """Score float and kmodel on the same validation pictures; writes pictures into `out` and returns the figures.

    Args:
        run: what to look at.
        pictures: how many the simulator sees; all there are when there are fewer.
        out: folder for best_N.jpg and worst_N.jpg (truth and the kmodel's answer); made when it is not there.
        say: told of progress.
        budget_s: seconds that the simulator may take: some pictures are timed first, and as many as fit are seen, `pictures` or not.

    Returns:
        {"pictures", "available", "float": Score, "kmodel": Score, "loss": {metric: {"value", "low", "high", "text"}}, "cosines",
        "operators_on_cpu", "threshold", "best": [file…], "worst": [file…]}. The float model is the trained one, as at the
        gate, also where the kmodel is of another activation; cosines are with the network that was compiled.
    """
    task, job = run.task, dataclasses.replace(run.job, gate=dataclasses.replace(run.job.gate, images=pictures))
    with tempfile.TemporaryDirectory(prefix="snaploop_evaluate_") as scratch:
        folders = Folders(Path(scratch))
        folders.compile.mkdir(parents=True)
        folders.artifacts.symlink_to(run.artifacts.resolve())
        plain = dataclasses.replace(job.parameters, start=SCRATCH)  # nothing is trained: no weights are fetched
        task.prepare(dataclasses.replace(job, parameters=plain), folders)
        examples = task.examples(job, folders, "val")
        evaluation = prepare_evaluation(examples, job.gate, folders.compile, job.parameters.seed)
        if budget_s is not None:
            evaluation = _within(budget_s, run, evaluation, folders, say)
        indices, own = evaluation.gate_indices, folders.artifacts / "model.onnx"
        compiled = list(float_outputs(task, own, evaluation, indices))
        is_same = folders.trained_onnx == own
        floats = compiled if is_same else list(float_outputs(task, folders.trained_onnx, evaluation, indices))
        kmodels = _simulated(run, evaluation, folders, say)
        return _figures(run, evaluation, floats, compiled, kmodels, operators_on_cpu(folders.compile / "answers"), out)


def _within(
    budget_s: float, run: FinishedRun, evaluation: Evaluation, folders: Folders, say: Callable[[str], None]
) -> Evaluation:
    """As many pictures as the budget allows, by the time that the first ones take; their answers are kept."""
    workers = len(os.sched_getaffinity(0))
    first, started = evaluation.widened(2 * workers), time.monotonic()
    _simulated(run, first, folders, lambda text: None)
    each = (time.monotonic() - started) / first.seen * workers
    plan = plan_pictures(SimulatorBudget(budget_s, each, workers), len(evaluation.order))
    say(plan.text())
    return evaluation.widened(max(first.seen, plan.pictures))


def _simulated(
    run: FinishedRun, evaluation: Evaluation, folders: Folders, say: Callable[[str], None]
) -> list[list[np.ndarray]]:
    total, said = len(evaluation.gate_indices), -1

    def progress(done: int) -> None:
        nonlocal said
        if done != said:
            said = done
            say(f"{done} of {total} pictures in the K230 simulator")

    kmodel, answers, scratch = run.artifacts / "model.kmodel", folders.compile / "answers", folders.compile / "scratch"
    return simulate(kmodel, evaluation.pixels_file, evaluation.gate_indices, answers, scratch, progress)


def _figures(
    run: FinishedRun,
    evaluation: Evaluation,
    floats: Sequence[Any],
    compiled: Sequence[Any],
    kmodels: Sequence[Any],
    slow_operators: dict[str, int],
    out: Path,
) -> dict[str, Any]:
    task, job, truths = run.task, run.job, evaluation.gate_truths()
    answers = {form: [task.decode(job, one) for one in raw] for form, raw in (("float", floats), ("kmodel", kmodels))}
    scores = {form: task.score(job, found, truths) for form, found in answers.items()}
    losses = loss_intervals(task.tally(job, answers["float"], truths), task.tally(job, answers["kmodel"], truths))
    available = len(evaluation.truths)
    qualities = task.qualities(job, answers["kmodel"], truths, run.threshold)
    order = np.argsort(qualities, kind="stable").tolist()
    shown = {"worst": order[:SHOWN], "best": order[::-1][:SHOWN]}
    out.mkdir(parents=True, exist_ok=True)
    pixels = np.load(evaluation.pixels_file, mmap_mode="r")
    files: dict[str, list[str]] = {}
    for kind, positions in shown.items():
        files[kind] = []
        for number, position in enumerate(positions):
            file = out / f"{kind}_{number}.jpg"
            index = evaluation.gate_indices[position]
            task.draw(job, pixels[index], truths[position], answers["kmodel"][position], run.threshold, file)
            files[kind].append(str(file))
    return {
        "task": task.name,
        "labels": list(run.result["labels"]),
        "pictures": len(truths),
        "available": available,
        "threshold": run.threshold,
        "float": scores["float"].to_json(),
        "kmodel": scores["kmodel"].to_json(),
        "loss": {
            name: {
                "value": round(losses[name].value, 4),
                "low": round(losses[name].low, 4),
                "high": round(losses[name].high, 4),
                "text": loss_text(name, losses[name], available),
            }
            for name in losses
        },
        "doubt": unseen_text(losses[JUDGED[task.name][0]]),
        "cosines": [dataclasses.asdict(one) for one in output_cosines(compiled, kmodels)],
        "operators_on_cpu": slow_operators,
        **files,
    }
