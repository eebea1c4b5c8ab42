"""What classify, multilabel and embed have in common; each subclass says what a label teaches and what an output means."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...domain.confidence import Tally
from ...domain.geometry import FloatArray
from ...domain.photo_labels import ONE_CLASS_TASKS, PhotoLabels, label_problem
from ...domain.preprocess import IMAGENET
from ...domain.scores import Score
from ...domain.training_parameters import OWN_NETWORK
from ..errors import BadDatasetError
from ..job_spec import Photo, TrainingJob, chosen_epochs
from ..photo_check import check_photo
from ..pretrained import network_of, provide_weights, weights_to_start_from
from ..task import Effort, Folders, Outputs, Pixels, Report

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .pictures import WholePhotos

SIDE_PX = 224  # square, as the vendor's models of these tasks

OWN_NETWORK_STEPS = 2  # times the usual number, from scratch: recall of ten things 0.54 → 0.74 (docs/lab_log.md)
MOST_VALIDATION_PHOTOS = 200  # per epoch; all of them are used by the gate's float figures


class WholePhotoTask(ABC):
    """See `training.task.Task`."""

    name: str
    head: str
    output_name: str  # of the ONNX file
    preprocess = IMAGENET
    iou_threshold = 0.0
    zoom_share = 1.0  # of the job's `scale` and `shift`; less where a label must not slip out of the picture

    def input_wh(self, job: TrainingJob) -> tuple[int, int]:
        """A square of `imgsz`: photos are stretched to it."""
        side = job.parameters.imgsz or SIDE_PX
        return side, side

    def prepare(self, job: TrainingJob, folders: Folders) -> list[str]:
        """Check the labels and every photo; the photos are read where they lie."""
        for photo in job.train + job.val:
            self._check_classes(photo, job)
            check_photo(photo)
        labels = [
            PhotoLabels(photo.name, frozenset(job.classes[cls] for cls in classes_of(photo)))
            for photo in job.train + job.val
        ]
        if problem := label_problem(self.name, job.classes, labels):
            raise BadDatasetError(problem)
        notes = []
        unlabelled = sum(not photo.classes for photo in labels)
        if unlabelled and self.name in ONE_CLASS_TASKS:
            notes.append(f"{unlabelled} photos without a class are left out")
        sides = [(side, self.usable(photos)) for side, photos in (("training", job.train), ("validation", job.val))]
        for side, photos in sides:
            if not photos:
                raise BadDatasetError(f"no {side} photo has a class: label more photos")
            shown = {cls for photo in photos for cls in classes_of(photo)}
            notes += [
                f"class {name} has no {side} photo: "
                + ("the model cannot learn it" if side == "training" else "its score is not measured")
                + "; take some more, at another time"
                for index, name in enumerate(job.classes)
                if index not in shown
            ]
        return [*notes, *provide_weights(job)]

    def effort(self, job: TrainingJob) -> Effort:
        """As many pictures in an epoch as there are usable photos."""
        photos, all_validated = len(self.usable(job.train)), len(self.usable(job.val))
        epochs = planned_epochs(job)
        steps = math.ceil(photos / min(job.parameters.batch, photos)) if photos else 1
        return Effort(epochs, steps, min(all_validated, MOST_VALIDATION_PHOTOS), all_validated)

    def train(self, job: TrainingJob, folders: Folders, report: Report) -> dict[str, Any]:
        """In plain torch."""
        from .train import train

        return train(self, job, folders, report)

    def varied(self, job: TrainingJob, folders: Folders, photos: int, variants: int) -> list[list[Pixels]]:
        """What is said of the photo in a bar below it."""
        from ..detect.augment import augmentation_of
        from ..label_marks import with_caption
        from .pictures import vary

        source, rules = self.photos(job, "train"), augmentation_of(job.parameters, self.zoom_share)
        rows = []
        for index in range(photos):
            said = ", ".join(job.classes[cls] for cls in sorted(classes_of(source.photos[index]))) or "-"
            seen = [source.stretched(index).transpose(1, 2, 0)]
            for epoch in range(variants):
                rng = np.random.default_rng([job.parameters.seed, epoch, index])
                seen.append(vary(source.full(index), source.width, source.height, rules, rng))
            rows.append([with_caption(one, said) for one in seen])
        return rows

    def export(self, job: TrainingJob, folders: Folders) -> None:
        """Raw outputs; soft-max, sigmoid or cosine stay outside."""
        from ..write_onnx import write_onnx
        from .network import load_weights

        network = self.folded(load_weights(folders.artifacts / "best.pt"), job)
        size_wh, outputs = self.input_wh(job), [self.output_name]
        write_onnx(network, folders.artifacts / "model.onnx", *size_wh, outputs, self.preprocess)

    def examples(self, job: TrainingJob, folders: Folders, side: str) -> StretchedExamples:
        """The photos of "train" or "val" that have what the task wants, stretched."""
        photos = self.photos(job, side)
        return StretchedExamples(photos, [self.truth(job, classes_of(photo)) for photo in photos.photos])

    def photos(self, job: TrainingJob, side: str) -> WholePhotos:
        """The same, not yet stretched."""
        from .pictures import WholePhotos

        return WholePhotos(self.usable(job.train if side == "train" else job.val), *self.input_wh(job))

    def usable(self, photos: Sequence[Photo]) -> list[Photo]:
        """Those that the task can use."""
        return [photo for photo in photos if photo.boxes] if self.name in ONE_CLASS_TASKS else list(photos)

    def folded(self, network: nn.Module, job: TrainingJob) -> nn.Module:
        """The trained network in the form that the board expects; here as it is."""
        return network

    @abstractmethod
    def outputs(self, job: TrainingJob) -> int:
        """How many numbers the network gives."""

    @abstractmethod
    def targets(self, job: TrainingJob, classes_of: Sequence[set[int]]) -> torch.Tensor:
        """What the loss wants of each photo, from its classes."""

    @abstractmethod
    def loss(self, job: TrainingJob) -> nn.Module:
        """Takes the network's answers (B, n) and the targets; gives terms to be summed."""

    @abstractmethod
    def clearness(self, job: TrainingJob, outputs: torch.Tensor, targets: torch.Tensor) -> float:
        """How sure (N, n) raw numbers are of the truth, larger is better: tells epochs apart whose metric is the same."""

    @abstractmethod
    def truth(self, job: TrainingJob, classes: set[int]) -> Any:
        """What the task's metrics want of each photo."""

    @abstractmethod
    def answer(self, job: TrainingJob, values: np.ndarray) -> Any:
        """What (n,) raw numbers of the trained network mean, float64."""

    @abstractmethod
    def score(self, job: TrainingJob, answers: Sequence[Any], truths: Sequence[Any]) -> Score:
        """See `training.task.Task`."""

    @abstractmethod
    def tally(self, job: TrainingJob, answers: Sequence[Any], truths: Sequence[Any]) -> Tally:
        """See `training.task.Task`."""

    @abstractmethod
    def qualities(
        self, job: TrainingJob, answers: Sequence[Any], truths: Sequence[Any], threshold: float
    ) -> FloatArray:
        """See `training.task.Task`."""

    @abstractmethod
    def golden(self, job: TrainingJob, answers: Sequence[Any], threshold: float) -> tuple[int, Mapping[str, Any]]:
        """See `training.task.Task`."""

    @abstractmethod
    def draw(self, job: TrainingJob, pixels: Pixels, truth: Any, answer: Any, threshold: float, file: Path) -> None:
        """See `training.task.Task`."""

    def decode(self, job: TrainingJob, outputs: Outputs) -> Any:
        """The answer in the exported model's one output."""
        return self.answer(job, np.asarray(outputs[0], np.float64).reshape(-1))

    def _check_classes(self, photo: Photo, job: TrainingJob) -> None:
        for box in photo.boxes:
            if not 0 <= box.cls < len(job.classes):
                raise BadDatasetError(
                    f"photo {photo.name}: class {box.cls}, the project has {len(job.classes)}: label it again"
                )


def planned_epochs(job: TrainingJob) -> int:
    """Epochs at most: known weights need fewer, and our own network's, which are cheap, gain from more."""
    is_known = weights_to_start_from(job) is not None
    more = OWN_NETWORK_STEPS if network_of(job) == OWN_NETWORK and not is_known else 1
    return chosen_epochs(job.parameters, len(job.train), is_known, more)


class StretchedExamples:
    """See `training.task.Examples`."""

    def __init__(self, photos: WholePhotos, truths: Sequence[Any]) -> None:
        """Photos, and what each really shows in the form of the task."""
        self.photos, self.truths = photos, truths

    def __len__(self) -> int:
        """How many."""
        return len(self.photos)

    def pixels(self, index: int) -> Pixels:
        """The stretched photo."""
        return self.photos.stretched(index)

    def truth(self, index: int) -> Any:
        """For the task's metrics."""
        return self.truths[index]

    def classes(self, index: int) -> set[int]:
        """What is said of the photo."""
        return classes_of(self.photos.photos[index])


def classes_of(photo: Photo) -> set[int]:
    """Every class that is said of the photo, as a whole or of a part."""
    return {box.cls for box in photo.boxes}


def in_permille(values: np.ndarray) -> list[int]:
    """0…1 as whole thousandths."""
    return [round(1000 * float(value)) for value in values]
