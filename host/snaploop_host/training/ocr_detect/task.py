"""Finding text: a small network draws a map, in the form that the firmware's C function and the vendor's scripts take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snaploop_shared.manifest import HEAD_TEXTMAP

from ...domain.confidence import Tally
from ...domain.geometry import FloatArray
from ...domain.preprocess import UNIT_RANGE
from ...domain.scores import OCR_DETECT, Score
from ...domain.text_metrics import FoundText, TrueText, found_text_qualities, score_found_text, tally_found_text
from ...domain.training_parameters import OWN_NETWORK
from ..errors import TrainingError
from ..job_spec import TrainingJob, chosen_epochs, model_input
from ..pretrained import provide_weights, weights_to_start_from
from ..task import Effort, Folders, Outputs, Pixels, Report
from .pictures import PlacedPhotos, read_split, too_small, write_split

LONGER_SIDE_PX = 320
MOST_VALIDATION_PICTURES = 60  # per epoch
OUTPUTS = ["text_map"]
DOUBTFUL = 0.1  # a find this close to the threshold may flip on the board: no good for a golden answer


class OcrDetectTask:
    """See `training.task.Task`. Answers are `FoundText`, truths `TrueText`, both in px of the model input."""

    name = OCR_DETECT
    head = HEAD_TEXTMAP
    preprocess = UNIT_RANGE
    iou_threshold = 0.0

    def input_wh(self, job: TrainingJob) -> tuple[int, int]:
        """The photos' shape with the longer side at `imgsz`, the other rounded up to 32."""
        return model_input(job, LONGER_SIDE_PX)

    def prepare(self, job: TrainingJob, folders: Folders) -> list[str]:
        """Photos and quads as two lists."""
        notes = write_split(job, folders.data)
        small = too_small(job, self.input_wh(job))
        return [*notes, *([small] if small else []), *provide_weights(job)]

    def effort(self, job: TrainingJob) -> Effort:
        """Every photo once in an epoch."""
        parameters, photos, all_validated = job.parameters, len(job.train), len(job.val)
        epochs = planned_epochs(job)
        steps = math.ceil(photos / min(parameters.batch, photos))
        return Effort(epochs, steps, min(all_validated, MOST_VALIDATION_PICTURES), all_validated)

    def train(self, job: TrainingJob, folders: Folders, report: Report) -> dict[str, Any]:
        """In plain torch."""
        from .train import train

        return train(job, self.input_wh(job), self.preprocess, folders, report)

    def varied(self, job: TrainingJob, folders: Folders, photos: int, variants: int) -> list[list[Pixels]]:
        """Quads around the texts."""
        from ..label_marks import with_polygons
        from .train import MapBatches

        size = self.input_wh(job)
        source = read_split(folders.data, "train")[:photos]
        placed, batches = PlacedPhotos(source, size), MapBatches(source, size, 1, job.parameters)
        rows = []
        for index in range(len(source)):
            seen = [(placed.pixels(index).transpose(1, 2, 0), list(placed.truth(index).polygons))]
            for epoch in range(variants):
                seen.append(batches.changed(index, np.random.default_rng([job.parameters.seed, epoch, index])))
            rows.append([with_polygons(image, quads, [0] * len(quads), job.classes) for image, quads in seen])
        return rows

    def export(self, job: TrainingJob, folders: Folders) -> None:
        """One output, (1, H, W, 2)."""
        from ..write_onnx import write_onnx
        from .network import VendorForm
        from .networks import trained_network

        network = VendorForm(trained_network(folders.artifacts / "best.pt"))
        write_onnx(network, folders.artifacts / "model.onnx", *self.input_wh(job), OUTPUTS)

    def softening(self, job: TrainingJob) -> str:
        """Our own network has ReLU everywhere."""
        return "" if job.parameters.network == OWN_NETWORK else "ReLU instead of Hardswish, trained on"

    def soften(self, job: TrainingJob, folders: Folders, onnx_file: Path, report: Report) -> None:
        """With the labels of the run."""
        from .soften import soften

        soften(job, self.input_wh(job), self.preprocess, folders, onnx_file, OUTPUTS, report)

    def examples(self, job: TrainingJob, folders: Folders, side: str) -> PlacedPhotos:
        """The photos of "train" or "val", in the input's top left corner."""
        return PlacedPhotos(read_split(folders.data, side), self.input_wh(job))

    def decode(self, job: TrainingJob, outputs: Outputs) -> FoundText:
        """Quads by the firmware's rule."""
        from .text_map import decode_map

        return decode_map(np.ascontiguousarray(outputs[0][0, :, :, 0]))

    def score(self, job: TrainingJob, answers: Sequence[FoundText], truths: Sequence[TrueText]) -> Score:
        """hmean, precision and recall at IoU 0.5."""
        return score_found_text(answers, truths)

    def tally(self, job: TrainingJob, answers: Sequence[FoundText], truths: Sequence[TrueText]) -> Tally:
        """Counted for confidence intervals."""
        return tally_found_text(answers, truths)

    def qualities(
        self, job: TrainingJob, answers: Sequence[FoundText], truths: Sequence[TrueText], threshold: float
    ) -> FloatArray:
        """0…1 per picture."""
        return found_text_qualities(answers, truths, threshold)

    def golden(self, job: TrainingJob, answers: Sequence[FoundText], threshold: float) -> tuple[int, Mapping[str, Any]]:
        """The picture with no find near the threshold if possible, then with most finds."""
        ranked = []
        for position, found in enumerate(answers):
            clear = int((found.scores >= threshold).sum())
            doubtful = int((np.abs(found.scores - threshold) < DOUBTFUL).sum())
            if clear:
                ranked.append((doubtful, -clear, position))
        if not ranked:
            raise TrainingError(
                "the model finds no text in any validation picture: mark more, or train for more epochs"
            )
        position = min(ranked)[2]
        found = answers[position]
        shown = [quad for quad, score in zip(found.polygons, found.scores, strict=True) if score >= threshold]
        return position, {"quads_px": [np.rint(quad).astype(int).reshape(-1).tolist() for quad in shown]}

    def draw(
        self, job: TrainingJob, pixels: Pixels, truth: TrueText, answer: FoundText, threshold: float, file: Path
    ) -> None:
        """True quads thin and white, finds in colour."""
        from .draw import draw_quads

        draw_quads(pixels, truth, answer, threshold, file)


def planned_epochs(job: TrainingJob) -> int:
    """Epochs at most; known weights need fewer."""
    return chosen_epochs(job.parameters, len(job.train), weights_to_start_from(job) is not None)


TASK = OcrDetectTask()
