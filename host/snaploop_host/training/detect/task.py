"""Detection: boxes around things, each of a class. yolov8n from ultralytics, three raw outputs (docs/decisions/0014)."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snaploop_shared.manifest import HEAD_GFL

from ...domain.confidence import Tally
from ...domain.detection_decode import NMS_IOU, Detections, decode_heads
from ...domain.detection_metrics import Truth, detection_qualities, score_detections, tally_detections
from ...domain.geometry import FloatArray, xyxy_to_xywh
from ...domain.preprocess import UNIT_RANGE
from ...domain.scores import DETECT, Score
from ..errors import TrainingError
from ..job_spec import TrainingJob, chosen_epochs, model_input
from ..pretrained import provide_weights
from ..task import Effort, Folders, Outputs, Pixels, Report

LONGER_SIDE_PX = 320
MOST_VALIDATION_PICTURES = 200  # per epoch; all of them are used by the gate's float figures
SCORE_FLOOR = 0.001  # as in training's validation
DOUBTFUL = 0.1  # a detection this close to the threshold may flip on the board: no good for a golden answer


class DetectTask:
    """See `training.task.Task`. Answers are `Detections`, truths `Truth`, both in px of the model input."""

    name = DETECT
    head = HEAD_GFL
    preprocess = UNIT_RANGE
    iou_threshold = NMS_IOU

    def input_wh(self, job: TrainingJob) -> tuple[int, int]:
        """The photos' shape with the longer side at `imgsz`, the other rounded up to 32."""
        return model_input(job, LONGER_SIDE_PX)

    def prepare(self, job: TrainingJob, folders: Folders) -> list[str]:
        """YOLO's layout under `folders.data`."""
        from .yolo_layout import write_layout

        return [*write_layout(job, folders.data), *provide_weights(job)]

    def effort(self, job: TrainingJob) -> Effort:
        """Every photo once in an epoch."""
        parameters, photos, all_validated = job.parameters, len(job.train), len(job.val)
        epochs = chosen_epochs(parameters, photos, job.warm_start is not None)
        validated = min(all_validated, MOST_VALIDATION_PICTURES)
        return Effort(epochs, math.ceil(photos / parameters.batch), validated, all_validated)

    def train(self, job: TrainingJob, folders: Folders, report: Report) -> dict[str, Any]:
        """Through ultralytics' trainer."""
        from .train import train

        result = train(job, self.input_wh(job), folders.data, folders.run, report)
        shutil.copyfile(folders.run / result.pop("weights"), folders.artifacts / "best.pt")
        return result

    def varied(self, job: TrainingJob, folders: Folders, photos: int, variants: int) -> list[list[Pixels]]:
        """Boxes in the colours of their classes."""
        from ..label_marks import with_boxes
        from .augment import augmentation_of
        from .picture_dataset import PictureSplit, TrainingBatches

        split = PictureSplit(folders.data, "train", *self.input_wh(job))
        batches = TrainingBatches(split, 1, job.parameters.seed, augmentation_of(job.parameters), job.parameters.mosaic)
        rows = []
        for index in range(photos):
            seen = [split.letterboxed(index)]
            for epoch in range(variants):
                batches.start_epoch(epoch)
                seen.append(batches.example(index))
            rows.append([with_boxes(one.image, one.boxes_xyxy, one.classes.tolist(), job.classes) for one in seen])
        return rows

    def export(self, job: TrainingJob, folders: Folders) -> None:
        """Cut before the decode."""
        from .export_onnx import export_raw_heads

        export_raw_heads(folders.artifacts / "best.pt", folders.artifacts / "model.onnx", *self.input_wh(job))

    def softening(self, job: TrainingJob) -> str:
        """For the rungs' names."""
        return "ReLU instead of SiLU, trained on"

    def soften(self, job: TrainingJob, folders: Folders, onnx_file: Path, report: Report) -> None:
        """With ReLU instead of SiLU."""
        from .soften import soften

        soften(job, self.input_wh(job), folders, onnx_file, report)

    def examples(self, job: TrainingJob, folders: Folders, side: str) -> LetterboxedExamples:
        """The pictures of "train" or "val", letterboxed."""
        from .picture_dataset import PictureSplit

        return LetterboxedExamples(PictureSplit(folders.data, side, *self.input_wh(job)))

    def decode(self, job: TrainingJob, outputs: Outputs) -> Detections:
        """Detections down to the score floor."""
        return decode_heads(outputs, SCORE_FLOOR)

    def score(self, job: TrainingJob, answers: Sequence[Detections], truths: Sequence[Truth]) -> Score:
        """mAP50-95 and mAP50."""
        return score_detections(answers, truths)

    def tally(self, job: TrainingJob, answers: Sequence[Detections], truths: Sequence[Truth]) -> Tally:
        """Counted for confidence intervals."""
        return tally_detections(answers, truths)

    def qualities(
        self, job: TrainingJob, answers: Sequence[Detections], truths: Sequence[Truth], threshold: float
    ) -> FloatArray:
        """0…1 per picture."""
        return detection_qualities(answers, truths, threshold)

    def golden(
        self, job: TrainingJob, answers: Sequence[Detections], threshold: float
    ) -> tuple[int, Mapping[str, Any]]:
        """The picture with no detection near the threshold if possible, then with most detections."""
        ranked = []
        for position, found in enumerate(answers):
            clear = len(found.above(threshold).scores)
            doubtful = int((np.abs(found.scores - threshold) < DOUBTFUL).sum())
            if clear:
                ranked.append((doubtful, -clear, position))
        if not ranked:
            raise TrainingError(
                "the model finds nothing in any validation picture: label more photos, or train for more epochs"
            )
        position = min(ranked)[2]
        return position, {"detections": golden_rows(answers[position].above(threshold))}

    def draw(
        self, job: TrainingJob, pixels: Pixels, truth: Truth, answer: Detections, threshold: float, file: Path
    ) -> None:
        """True boxes thin and white, detections in colour."""
        from .draw import draw_findings

        draw_findings(pixels, truth, answer.above(threshold), job.classes, file)


class LetterboxedExamples:
    """See `training.task.Examples`."""

    def __init__(self, split: Any) -> None:
        """Over a `PictureSplit`."""
        self.split = split

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.split)

    def pixels(self, index: int) -> Pixels:
        """The letterboxed picture."""
        image: np.ndarray = self.split.letterboxed(index).image
        return image.transpose(2, 0, 1)

    def truth(self, index: int) -> Truth:
        """Its boxes in px of the model input."""
        example = self.split.letterboxed(index)
        return Truth(example.boxes_xyxy, example.classes)

    def classes(self, index: int) -> set[int]:
        """Classes of its boxes."""
        return set(self.split.rows[index][:, 0].astype(int).tolist())


def golden_rows(detections: Detections) -> list[list[int]]:
    """[class, score in permille, x, y, w, h] per detection, whole px of the model input."""
    boxes = np.rint(xyxy_to_xywh(detections.boxes_xyxy)).astype(int).tolist()
    rows = zip(detections.classes, detections.scores, boxes, strict=True)
    return [[int(cls), round(float(score) * 1000), *box] for cls, score, box in rows]


TASK = DetectTask()
