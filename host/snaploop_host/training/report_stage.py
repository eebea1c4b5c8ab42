"""The last stage: choose the golden picture and the thresholds, draw pictures, and gather everything into a `RunReport`.

Called by `job`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..compiling.nncase_environment import nncase_version
from ..domain.confidence import Interval, loss_intervals, loss_text, score_intervals
from ..domain.projects import model_labels
from ..domain.run_report import FORCED, REFUSED, ClassRow, Golden, RunReport, Thresholds, rung_from_json
from ..domain.scores import Score
from .errors import GateRefusedError, TrainingError
from .gate_stage import Evaluation
from .job_spec import TrainingJob
from .task import NamesAnswers, Task

MOST_PICTURES = 12
SHOWN = 4  # of the best and of the worst
LEAST_THRESHOLD = 0.001  # a manifest has whole permille


def write_report(
    task: Task,
    job: TrainingJob,
    artifacts: Path,
    evaluation: Evaluation,
    float_all: Score,
    float_answers: Sequence[Any],
    kmodel_answers: Sequence[Any],
    gate_result: Mapping[str, Any],
    training: dict[str, Any],
    notes: Sequence[str],
    timings_s: dict[str, float],
) -> RunReport:
    """Write golden_input.bin and pictures into `artifacts`, and return the report for result.json.

    Args:
        task: of the job.
        job: what was asked.
        artifacts: has model.kmodel.
        evaluation: the pictures that the gate looked at.
        float_all: the float model's score on all validation pictures.
        float_answers: of the float model that was trained, to the gate's pictures.
        kmodel_answers: to the same.
        gate_result: what the compile stage kept.
        training: what the train stage kept.
        notes: of the prepare stage.
        timings_s: of the stages.

    Raises:
        GateRefusedError: the kmodel was refused, and is so bad that no picture can test a board with it.
        TrainingError: no picture can, of a model that was not refused.
    """
    truths = evaluation.gate_truths()
    float_gate, kmodel_score = (task.score(job, answers, truths) for answers in (float_answers, kmodel_answers))
    threshold = job.parameters.score_threshold or float_all.best_threshold or 0.0
    pixels = np.load(evaluation.pixels_file, mmap_mode="r")
    try:
        threshold, position, answer = _golden(task, job, kmodel_answers, threshold, gate_result["verdict"] == FORCED)
    except TrainingError as error:
        if gate_result["verdict"] == REFUSED:
            raise GateRefusedError(_refusal(gate_result)) from error
        raise
    golden_input = np.ascontiguousarray(pixels[evaluation.gate_indices[position]]).tobytes()
    (artifacts / "golden_input.bin").write_bytes(golden_input)
    tallies = [task.tally(job, answers, truths) for answers in (float_answers, kmodel_answers)]
    losses = loss_intervals(tallies[0], tallies[1])
    available = len(evaluation.order)
    pictures, best, worst = _draw(task, job, artifacts, evaluation, kmodel_answers, threshold)
    kmodel = (artifacts / "model.kmodel").read_bytes()
    return RunReport(
        run_id=job.run_id,
        task=task.name,
        head=task.head,
        digest=hashlib.sha256(kmodel).hexdigest(),
        kmodel_bytes=len(kmodel),
        kmodel_version=struct.unpack_from("<I", kmodel, 4)[0],  # after "LDMK"
        nncase_version=nncase_version(),
        simulator=f"nncase {nncase_version()} k230",
        input=task.input_wh(job),
        labels=task.labels(job) if isinstance(task, NamesAnswers) else job.classes,
        thresholds=Thresholds(round(threshold, 3), task.iou_threshold),
        evaluated_images=len(truths),
        float_score=float_gate.to_json() | {"intervals": _as_json(score_intervals(tallies[0]))},
        kmodel_score=kmodel_score.to_json() | {"intervals": _as_json(score_intervals(tallies[1]))},
        gate_limit_points=job.gate.limit_points,
        classes=_class_rows(job, float_gate, kmodel_score),
        rungs=tuple(rung_from_json(rung) for rung in gate_result["rungs"]),
        golden=Golden(hashlib.sha256(golden_input).hexdigest(), len(golden_input), answer),
        pictures=pictures,
        training={**training, "all_val": float_all.to_json()},
        timings_s=timings_s,
        verdict=gate_result["verdict"],
        available_images=available,
        loss={
            name: values | {"text": loss_text(name, losses[name], available)}
            for name, values in _as_json(losses).items()
        },
        rung=gate_result["rungs"][gate_result["taken"]]["name"],
        best=best,
        worst=worst,
        notes=tuple(notes),
        softened=gate_result.get("softened") or {},
    )


def _golden(
    task: Task, job: TrainingJob, answers: Sequence[Any], threshold: float, is_forced: bool
) -> tuple[float, int, Mapping[str, Any]]:
    """The threshold, and the golden picture with its answer. A forced model may be too unsure to find anything: it gets a lower threshold.

    Raises:
        TrainingError: no picture can test a board.
    """
    while True:
        try:
            return threshold, *task.golden(job, answers, threshold)
        except TrainingError:
            if not is_forced or threshold <= LEAST_THRESHOLD:
                raise
        threshold = max(threshold / 2, LEAST_THRESHOLD)


def _refusal(gate_result: Mapping[str, Any]) -> str:
    said = "; ".join(rung["text"] for rung in gate_result["rungs"])
    return (
        f"the kmodel loses too much against the float model: {said}. "
        "Label more varied photos and train again, or raise the limit (gate)"
    )


def _as_json(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {
        name: {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}
        for name, one in intervals.items()
    }


def _draw(
    task: Task,
    job: TrainingJob,
    artifacts: Path,
    evaluation: Evaluation,
    answers: Sequence[Any],
    threshold: float,
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Pictures of truth and answer: (all files, best first, worst first); the best and the worst are among them."""
    order = np.argsort(
        task.qualities(job, answers, evaluation.gate_truths(), threshold), kind="stable"
    ).tolist()  # worst first
    half = min(SHOWN, len(order) // 2)
    wanted = list(dict.fromkeys([*order[:half], *order[::-1][:half], *range(len(order))]))[:MOST_PICTURES]
    pixels = np.load(evaluation.pixels_file, mmap_mode="r")
    names: dict[int, str] = {}
    for number, position in enumerate(sorted(wanted)):
        names[position] = f"val_{number:02d}.jpg"
        index = evaluation.gate_indices[position]
        file = artifacts / names[position]
        task.draw(job, pixels[index], evaluation.truths[index], answers[position], threshold, file)
    best, worst = order[::-1][:half], order[:half]
    return (
        tuple(names.values()),
        tuple(names[position] for position in best),
        tuple(names[position] for position in worst),
    )


def _class_rows(job: TrainingJob, float_score: Score, kmodel_score: Score) -> tuple[ClassRow, ...]:
    floats = {entry.index: entry for entry in float_score.classes}
    kmodels = {entry.index: entry for entry in kmodel_score.classes}
    before = len(model_labels(job.task, job.classes)) - len(job.classes)  # the background of a segmentation
    rows = []
    for index, name in enumerate(job.classes):
        one, other = floats.get(index + before), kmodels.get(index + before)
        rows.append(
            ClassRow(
                name=name,
                train_examples=sum(box.cls == index for photo in job.train for box in photo.boxes),
                val_examples=sum(box.cls == index for photo in job.val for box in photo.boxes),
                evaluated_examples=one.examples if one else 0,
                float_scores={key: round(value, 4) for key, value in one.values.items()} if one else {},
                kmodel_scores={key: round(value, 4) for key, value in other.values.items()} if other else {},
            )
        )
    return tuple(rows)
