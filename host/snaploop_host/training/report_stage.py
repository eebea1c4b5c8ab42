"""The last stage: choose the golden picture and the thresholds, and gather everything into a `RunReport`.

Called by `job`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..compiling.nncase_environment import nncase_version
from ..domain.projects import model_labels
from ..domain.run_report import ClassRow, Golden, RungTried, RunReport, Thresholds
from ..domain.scores import Score
from .gate_stage import Evaluation
from .job_spec import TrainingJob
from .task import NamesAnswers, Task

MOST_PICTURES = 12


def write_report(
    task: Task,
    job: TrainingJob,
    artifacts: Path,
    evaluation: Evaluation,
    float_all: Score,
    float_gate: Score,
    kmodel_answers: Sequence[Any],
    gate_result: dict[str, Any],
    training: dict[str, Any],
    timings_s: dict[str, float],
) -> RunReport:
    """Write golden_input.bin and the validation pictures into `artifacts`, and return the report for result.json."""
    kmodel_score = task.score(job, kmodel_answers, evaluation.gate_truths())
    threshold = job.parameters.score_threshold or float_all.best_threshold or 0.0
    pixels = np.load(evaluation.pixels_file, mmap_mode="r")
    position, answer = task.golden(job, kmodel_answers, threshold)
    golden_input = np.ascontiguousarray(pixels[evaluation.gate_indices[position]]).tobytes()
    (artifacts / "golden_input.bin").write_bytes(golden_input)
    names = []
    for number, index in enumerate(evaluation.gate_indices[:MOST_PICTURES]):
        names.append(f"val_{number:02d}.jpg")
        truth, found = evaluation.truths[index], kmodel_answers[number]
        task.draw(job, pixels[index], truth, found, threshold, artifacts / names[-1])
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
        evaluated_images=len(evaluation.gate_indices),
        float_score=float_gate.to_json(),
        kmodel_score=kmodel_score.to_json(),
        gate_limit_points=job.gate.limit_points,
        classes=_class_rows(job, float_gate, kmodel_score),
        rungs=tuple(RungTried(**rung) for rung in gate_result["rungs"]),
        golden=Golden(hashlib.sha256(golden_input).hexdigest(), len(golden_input), answer),
        pictures=tuple(names),
        training={**training, "all_val": float_all.to_json()},
        timings_s=timings_s,
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
