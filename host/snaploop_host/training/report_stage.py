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
from ..domain.detection_decode import NMS_IOU, Detections
from ..domain.geometry import xyxy_to_xywh
from ..domain.run_report import ClassRow, Golden, GoldenDetection, RungTried, RunReport, Thresholds
from ..domain.scores import Score
from ..domain.threshold_curves import curve_at
from .errors import TrainingError
from .gate_stage import Evaluation
from .job_spec import TrainingJob
from .pictures import draw_findings

MOST_PICTURES = 12
DOUBTFUL = 0.1  # a detection this close to the threshold may flip on the board: no good for a golden answer


def choose_golden(found: Sequence[Detections], threshold: float) -> int:
    """Position of the picture with the clearest answer: no detection near the threshold if possible, then most detections.

    Raises:
        TrainingError: the kmodel finds nothing in any picture.
    """
    ranked = []
    for position, detections in enumerate(found):
        clear = len(detections.above(threshold).scores)
        doubtful = int((np.abs(detections.scores - threshold) < DOUBTFUL).sum())
        if clear:
            ranked.append((doubtful, -clear, position))
    if not ranked:
        raise TrainingError(
            "the model finds nothing in any validation picture: label more photos, or train for more epochs"
        )
    return min(ranked)[2]


def golden_record(detections: Detections, pixels: np.ndarray) -> Golden:
    """The golden input's digest and the expected boxes in whole px and permille."""
    content = np.ascontiguousarray(pixels).tobytes()
    boxes = np.rint(xyxy_to_xywh(detections.boxes_xyxy)).astype(int)
    expected = tuple(
        GoldenDetection(int(cls), round(float(score) * 1000), (int(box[0]), int(box[1]), int(box[2]), int(box[3])))
        for box, score, cls in zip(boxes, detections.scores, detections.classes, strict=True)
    )
    return Golden(hashlib.sha256(content).hexdigest(), len(content), expected)


def write_report(
    job: TrainingJob,
    artifacts: Path,
    evaluation: Evaluation,
    float_found: Sequence[Detections],
    float_all: Score,
    float_gate: Score,
    kmodel_found: Sequence[Detections],
    kmodel_score: Score,
    gate_result: dict[str, Any],
    training: dict[str, Any],
    timings_s: dict[str, float],
) -> RunReport:
    """Write golden_input.bin and the validation pictures into `artifacts`, and return the report for result.json."""
    threshold = job.parameters.score_threshold or float_all.best_threshold
    if threshold is None:
        raise TrainingError("the float score recommends no threshold: set score_threshold")
    pixels = np.load(evaluation.pixels_file, mmap_mode="r")
    position = choose_golden(kmodel_found, threshold)
    golden_pixels = pixels[evaluation.gate_indices[position]]
    golden = golden_record(kmodel_found[position].above(threshold), golden_pixels)
    (artifacts / "golden_input.bin").write_bytes(np.ascontiguousarray(golden_pixels).tobytes())
    names = []
    for number, index in enumerate(evaluation.gate_indices[:MOST_PICTURES]):
        names.append(f"val_{number:02d}.jpg")
        draw_findings(
            pixels[index],
            evaluation.truths[index],
            kmodel_found[number].above(threshold),
            job.classes,
            artifacts / names[-1],
        )
    kmodel = (artifacts / "model.kmodel").read_bytes()
    return RunReport(
        run_id=job.run_id,
        digest=hashlib.sha256(kmodel).hexdigest(),
        kmodel_bytes=len(kmodel),
        kmodel_version=struct.unpack_from("<I", kmodel, 4)[0],  # after "LDMK"
        nncase_version=nncase_version(),
        simulator=f"nncase {nncase_version()} k230",
        input=job.input_wh(),
        labels=job.classes,
        thresholds=Thresholds(round(threshold, 3), NMS_IOU),
        evaluated_images=len(evaluation.gate_indices),
        float_map50=round(float_gate.values["map50"], 4),
        kmodel_map50=round(kmodel_score.values["map50"], 4),
        float_map50_95=round(float_gate.values["map50_95"], 4),
        kmodel_map50_95=round(kmodel_score.values["map50_95"], 4),
        gate_limit_points=job.gate.limit_points,
        classes=_class_rows(job, float_gate, kmodel_score),
        rungs=tuple(RungTried(**rung) for rung in gate_result["rungs"]),
        golden=golden,
        pictures=tuple(names),
        training={
            **training,
            "all_val_images": float_all.images,
            "all_val_float_map50": round(float_all.values["map50"], 4),
            "all_val_float_map50_95": round(float_all.values["map50_95"], 4),
            "f1_at_threshold": round(curve_at(float_all.curve, threshold).f1, 4),
        },
        timings_s=timings_s,
    )


def _class_rows(job: TrainingJob, float_score: Score, kmodel_score: Score) -> tuple[ClassRow, ...]:
    floats = {entry.index: entry for entry in float_score.classes}
    kmodels = {entry.index: entry for entry in kmodel_score.classes}
    rows = []
    for index, name in enumerate(job.classes):
        one, other = floats.get(index), kmodels.get(index)
        rows.append(
            ClassRow(
                name=name,
                train_boxes=sum(box.cls == index for photo in job.train for box in photo.boxes),
                val_boxes=sum(box.cls == index for photo in job.val for box in photo.boxes),
                evaluated_boxes=one.examples if one else 0,
                float_map50=round(one.values["map50"], 4) if one else None,
                kmodel_map50=round(other.values["map50"], 4) if other else None,
                float_map50_95=round(one.values["map50_95"], 4) if one else None,
                kmodel_map50_95=round(other.values["map50_95"], 4) if other else None,
            )
        )
    return tuple(rows)
