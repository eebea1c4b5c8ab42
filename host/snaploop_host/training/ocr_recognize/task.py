"""Reading text: a convolutional network with one answer per 4 px of width, decoded as the vendor's scripts do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snaploop_shared.manifest import HEAD_CTC

from ...domain.confidence import Tally
from ...domain.geometry import FloatArray
from ...domain.preprocess import UNIT_RANGE
from ...domain.scores import OCR_RECOGNIZE, Score
from ...domain.text_labels import is_readable
from ...domain.text_metrics import Reading, TrueReading, reading_qualities, score_readings, tally_readings
from ..errors import TrainingError
from ..job_spec import TrainingJob, chosen_epochs
from ..pretrained import provide_weights, weights_to_start_from
from ..task import Effort, Folders, Outputs, Pixels, Report
from .dictionary import characters_of, labels_of, read_steps
from .lines import Lines, input_width, read_lines, write_lines
from .size import HEIGHT_PX

EPOCH_LINES = 256  # an epoch has at least so many, else it would be over before it began
MOST_VALIDATION_LINES = 300  # per epoch
STEPS_PER_CHARACTER = 30


class OcrRecognizeTask:
    """See `training.task.Task`. Answers are `Reading`, truths `TrueReading`; an example is one line, not one photo."""

    name = OCR_RECOGNIZE
    head = HEAD_CTC
    preprocess = UNIT_RANGE
    iou_threshold = 0.0

    def input_wh(self, job: TrainingJob) -> tuple[int, int]:
        """As wide as the lines need, 32 px high."""
        return input_width(job), HEIGHT_PX

    def labels(self, job: TrainingJob) -> tuple[str, ...]:
        """What each output stands for: nothing, the characters, the blank."""
        return labels_of(characters_of(job))

    def prepare(self, job: TrainingJob, folders: Folders) -> list[str]:
        """Lines as pictures and two lists."""
        characters = characters_of(job)
        self.input_wh(job)
        notes = write_lines(job, folders.data)
        return [*notes, f"the dictionary has {len(characters)} characters: {characters[:80]}", *provide_weights(job)]

    def effort(self, job: TrainingJob) -> Effort:
        """Counted in lines, photographed and drawn."""
        lines, validated = (
            sum(bool(box.text.strip()) and is_readable(box.text) for photo in photos for box in photo.boxes)
            for photos in (job.train, job.val)
        )
        steps = math.ceil(max(lines, EPOCH_LINES) / job.parameters.batch)
        epochs = planned_epochs(job, lines, len(characters_of(job)))
        return Effort(epochs, steps, min(validated, MOST_VALIDATION_LINES), validated)

    def train(self, job: TrainingJob, folders: Folders, report: Report) -> dict[str, Any]:
        """In plain torch."""
        from .train import train

        return train(job, self.input_wh(job)[0], characters_of(job), self.preprocess, folders, report)

    def varied(self, job: TrainingJob, folders: Folders, photos: int, variants: int) -> list[list[Pixels]]:
        """What is written in a bar below each line."""
        from ..label_marks import with_caption
        from ..ocr.quads import read_rgb
        from .lines import changed

        width, parameters = self.input_wh(job)[0], job.parameters
        lines = read_lines(folders.data, "train")[: 2 * photos]  # lines are low: more of them fit
        plain = Lines(lines, width, characters_of(job))
        rows = []
        for index, line in enumerate(lines):
            image, inner = read_rgb(line.file), (line.border, line.border, *line.size_wh)
            seen = [plain.pixels(index).transpose(1, 2, 0)]
            for epoch in range(variants):
                rng = np.random.default_rng([parameters.seed, epoch, index])
                seen.append(changed(image, inner, width, rng, parameters.distort)[0])
            rows.append([with_caption(one, line.text) for one in seen])
        return rows

    def export(self, job: TrainingJob, folders: Folders) -> None:
        """One output, (1, W/4, labels), logits."""
        from ..write_onnx import write_onnx
        from .networks import trained_network

        network = trained_network(folders.artifacts / "best.pt", characters_of(job))
        write_onnx(network, folders.artifacts / "model.onnx", *self.input_wh(job), ["steps"])

    def examples(self, job: TrainingJob, folders: Folders, side: str) -> Lines:
        """The lines of "train" or "val"."""
        return Lines(read_lines(folders.data, side), self.input_wh(job)[0], characters_of(job))

    def decode(self, job: TrainingJob, outputs: Outputs) -> Reading:
        """Greedy."""
        return read_steps(outputs[0][0], self.labels(job))

    def score(self, job: TrainingJob, answers: Sequence[Reading], truths: Sequence[TrueReading]) -> Score:
        """Whole words and characters."""
        return score_readings(answers, truths)

    def tally(self, job: TrainingJob, answers: Sequence[Reading], truths: Sequence[TrueReading]) -> Tally:
        """Counted for confidence intervals."""
        return tally_readings(answers, truths)

    def qualities(
        self, job: TrainingJob, answers: Sequence[Reading], truths: Sequence[TrueReading], threshold: float
    ) -> FloatArray:
        """0…1 per picture."""
        return reading_qualities(answers, truths)

    def golden(self, job: TrainingJob, answers: Sequence[Reading], threshold: float) -> tuple[int, Mapping[str, Any]]:
        """The line that is read most surely."""
        position = max(range(len(answers)), key=lambda index: (bool(answers[index].text), answers[index].score))
        reading = answers[position]
        if not reading.text:
            raise TrainingError("the model reads nothing in any validation line: label more, or train for more epochs")
        return position, {"text": reading.text, "score_permille": round(reading.score * 1000)}

    def draw(
        self, job: TrainingJob, pixels: Pixels, truth: TrueReading, answer: Reading, threshold: float, file: Path
    ) -> None:
        """The line, and below it what is true and what is read."""
        from .draw import draw_reading

        draw_reading(pixels, truth, answer, file)


def planned_epochs(job: TrainingJob, lines: int, characters: int) -> int:
    """Epochs at most for so many photographed lines; a larger alphabet takes longer to tell apart."""
    is_known = weights_to_start_from(job) is not None
    epochs = chosen_epochs(job.parameters, max(lines, EPOCH_LINES), is_known)
    if job.parameters.epochs is None and not is_known:
        epochs += math.ceil(STEPS_PER_CHARACTER * characters * job.parameters.batch / max(lines, EPOCH_LINES))
    return epochs


TASK = OcrRecognizeTask()
