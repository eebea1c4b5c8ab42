"""Semantic segmentation: a class for every pixel. ultralytics' yolo26n with a finer pyramid, logits out (docs/decisions/0015)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snaploop_shared import palette
from snaploop_shared.manifest import HEAD_SEGMAP

from ...domain.confidence import Tally
from ...domain.geometry import FloatArray
from ...domain.preprocess import UNIT_RANGE
from ...domain.projects import model_labels
from ...domain.scores import SEGMENT, Score
from ...domain.segmentation_metrics import ClassMap, score_segmentation, segmentation_qualities, tally_segmentation
from ..errors import BadDatasetError, TrainingError
from ..job_spec import Photo, TrainingJob, chosen_epochs, model_input
from ..photo_check import check_photo
from ..pretrained import provide_weights
from ..task import Effort, Examples, Folders, Outputs, Pixels, Report

LONGER_SIDE_PX = 320
MOST_VALIDATION_PHOTOS = 100  # per epoch; all of them are used by the gate's float figures
UNDECIDED_LOGITS = 0.5  # a pixel whose two best classes are this close may flip on the board


@dataclass(frozen=True)
class Regions(ClassMap):
    """A model's answer: the class of every pixel, and what the board's app sees of it.

    Attributes:
        coarse: (H/4, W/4) class of each cell.
        undecided: share of the cells whose two best classes are close.
    """

    coarse: npt.NDArray[np.integer[Any]]
    undecided: float


class SegmentTask:
    """See `training.task.Task`. Answers are `Regions`, truths `ClassMap`; class 0 is background in both."""

    name = SEGMENT
    head = HEAD_SEGMAP
    preprocess = UNIT_RANGE
    iou_threshold = 0.0

    def input_wh(self, job: TrainingJob) -> tuple[int, int]:
        """The photos' shape with the longer side at `imgsz`, the other rounded up to 32; photos are stretched to it."""
        return model_input(job, LONGER_SIDE_PX)

    def labels(self, job: TrainingJob) -> tuple[str, ...]:
        """The background, then the classes."""
        return model_labels(SEGMENT, job.classes)

    def prepare(self, job: TrainingJob, folders: Folders) -> list[str]:
        """Check photos and outlines; pictures are read where they lie."""
        from .masks import check_outlines

        for side, photos in (("training", job.train), ("validation", job.val)):
            if not any(photo.boxes for photo in photos):
                raise BadDatasetError(
                    f"none of the {len(photos)} {side} photos has an outline: outline things in more photos"
                )
            for photo in photos:
                check_photo(photo)
                check_outlines(photo, job.classes)
        return [*_notes(job), *provide_weights(job)]

    def effort(self, job: TrainingJob) -> Effort:
        """Every photo once in an epoch; a batch is no larger than the photos are many."""
        parameters, photos, all_validated = job.parameters, len(job.train), len(job.val)
        epochs = chosen_epochs(parameters, photos, job.warm_start is not None)
        steps = math.ceil(photos / min(parameters.batch, photos))
        return Effort(epochs, steps, min(all_validated, MOST_VALIDATION_PHOTOS), all_validated)

    def train(self, job: TrainingJob, folders: Folders, report: Report) -> dict[str, Any]:
        """With a loop of our own: the library's stays at background when things are small."""
        from .train import train

        return train(job, self.input_wh(job), folders, report)

    def varied(self, job: TrainingJob, folders: Folders, photos: int, variants: int) -> list[list[Pixels]]:
        """Regions tinted in the colours of their classes."""
        from ..detect.augment import augmentation_of
        from .draw import tinted
        from .picture_dataset import MaskedPhotos, TrainingBatches

        masked = MaskedPhotos(job.train, *self.input_wh(job))
        batches = TrainingBatches(masked, 1, job.parameters.seed, augmentation_of(job.parameters))
        colours = list(palette.colours(list(job.classes)).values())
        rows = []
        for index in range(photos):
            plain = (masked.pixels(index).transpose(1, 2, 0), masked.truth(index).classes)
            seen = [plain, *(batches.example(index, epoch) for epoch in range(variants))]
            rows.append([tinted(np.ascontiguousarray(image), mask, colours) for image, mask in seen])
        return rows

    def export(self, job: TrainingJob, folders: Folders) -> None:
        """Logits at full size and at stride 4."""
        from .export_onnx import export_logits

        artifacts = folders.artifacts
        export_logits(artifacts / "best.pt", artifacts / "model.onnx", len(job.classes) + 1, *self.input_wh(job))

    def softening(self, job: TrainingJob) -> str:
        """For the rungs' names."""
        return "ReLU instead of SiLU, trained on"

    def soften(self, job: TrainingJob, folders: Folders, onnx_file: Path, report: Report) -> None:
        """With ReLU instead of SiLU."""
        from .soften import soften

        soften(job, self.input_wh(job), folders, onnx_file, report)

    def examples(self, job: TrainingJob, folders: Folders, side: str) -> Examples:
        """Stretched photos with their masks."""
        from .picture_dataset import MaskedPhotos

        return MaskedPhotos(job.train if side == "train" else job.val, *self.input_wh(job))

    def decode(self, job: TrainingJob, outputs: Outputs) -> Regions:
        """The best class of each pixel and of each coarse cell."""
        full, coarse = (one.reshape(one.shape[-3:]) for one in outputs)
        best = np.sort(coarse, axis=-1)[..., -2:]
        undecided = float((best[..., 1] - best[..., 0] < UNDECIDED_LOGITS).mean())
        return Regions(full.argmax(axis=-1).astype(np.uint8), coarse.argmax(axis=-1).astype(np.uint8), undecided)

    def score(self, job: TrainingJob, answers: Sequence[Regions], truths: Sequence[ClassMap]) -> Score:
        """The mIoU (background included) and pixel accuracy."""
        return score_segmentation(answers, truths, len(job.classes) + 1)

    def tally(self, job: TrainingJob, answers: Sequence[Regions], truths: Sequence[ClassMap]) -> Tally:
        """Counted for confidence intervals."""
        return tally_segmentation(answers, truths, len(job.classes) + 1)

    def qualities(
        self, job: TrainingJob, answers: Sequence[Regions], truths: Sequence[ClassMap], threshold: float
    ) -> FloatArray:
        """0…1 per picture."""
        return segmentation_qualities(answers, truths, len(job.classes) + 1)

    def golden(self, job: TrainingJob, answers: Sequence[Regions], threshold: float) -> tuple[int, Mapping[str, Any]]:
        """The picture with most classes in it, and of those the most decided."""
        shares = [shares_permille(answer.coarse, len(job.classes) + 1) for answer in answers]
        if not any(sum(one[1:]) for one in shares):
            raise TrainingError(
                "the model finds nothing but background in the validation pictures: label more photos, or train for more epochs"
            )

        def rank(position: int) -> tuple[int, float]:
            return -sum(share > 0 for share in shares[position]), answers[position].undecided

        position = min(range(len(answers)), key=rank)
        return position, {"shares_permille": shares[position]}

    def draw(
        self, job: TrainingJob, pixels: Pixels, truth: ClassMap, answer: Regions, threshold: float, file: Path
    ) -> None:
        """True regions left, the model's right."""
        from .draw import draw_regions

        draw_regions(pixels, truth, answer, self.labels(job), file)


def shares_permille(classes: npt.NDArray[np.integer[Any]], count: int) -> list[int]:
    """How much of the map each class covers; rounded down, as the board's integers do."""
    counts = np.bincount(classes.ravel().astype(np.int64), minlength=count)
    return [int(1000 * one // classes.size) for one in counts]


def _notes(job: TrainingJob) -> list[str]:
    """Sentences about void areas, and about classes that one of the sides lacks."""

    def shows(photos: Sequence[Photo], index: int) -> bool:
        return any(box.cls == index for photo in photos for box in photo.boxes)

    notes = []
    if with_void := sum(bool(photo.void_px) for photo in job.train + job.val):
        notes.append(f"{with_void} photos have void areas: their pixels count neither in training nor in scores")
    for index, name in enumerate(job.classes):
        if not shows(job.train, index):
            notes.append(f"class {name} has no outline in the training photos: the model cannot learn it; outline some")
        if not shows(job.val, index):
            notes.append(
                f"class {name} has no outline in the validation photos: its score is not measured; outline it in more photos"
            )
    return notes


TASK = SegmentTask()
