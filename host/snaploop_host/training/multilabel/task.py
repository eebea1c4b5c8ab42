"""Multi-label classification: each label is there or not. Logits leave the kmodel, the sigmoid is computed outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snaploop_shared.manifest import HEAD_MULTILOGITS

from ...domain.confidence import Tally
from ...domain.geometry import FloatArray
from ...domain.multilabel_metrics import (
    LabelProbabilities,
    TrueLabels,
    multilabel_qualities,
    score_multilabel,
    tally_multilabel,
)
from ...domain.scores import MULTILABEL, Score
from ..errors import TrainingError
from ..job_spec import TrainingJob
from ..task import Pixels
from ..whole_photo.base import WholePhotoTask, in_permille

if TYPE_CHECKING:
    import torch
    from torch import nn


class MultilabelTask(WholePhotoTask):
    """See `training.task.Task`. Answers are `LabelProbabilities`, truths `TrueLabels`."""

    name = MULTILABEL
    head = HEAD_MULTILOGITS
    output_name = "multilogits"
    zoom_share = 0.5

    def outputs(self, job: TrainingJob) -> int:
        """One per label."""
        return len(job.classes)

    def targets(self, job: TrainingJob, classes_of: Sequence[set[int]]) -> torch.Tensor:
        """(N, labels) of 0 and 1."""
        import torch

        return torch.tensor([[float(index in held) for index in range(len(job.classes))] for held in classes_of])

    def loss(self, job: TrainingJob) -> nn.Module:
        """Binary cross-entropy of each label."""
        from .loss import LabelCrossEntropy

        return LabelCrossEntropy()

    def clearness(self, job: TrainingJob, outputs: torch.Tensor, targets: torch.Tensor) -> float:
        """Negative cross-entropy."""
        from torch.nn import functional

        return -float(functional.binary_cross_entropy_with_logits(outputs, targets))

    def truth(self, job: TrainingJob, classes: set[int]) -> TrueLabels:
        """Which labels are there."""
        return TrueLabels(np.array([index in classes for index in range(len(job.classes))]))

    def answer(self, job: TrainingJob, values: np.ndarray) -> LabelProbabilities:
        """Sigmoid."""
        return LabelProbabilities(1 / (1 + np.exp(-np.clip(values, -500, 500))))

    def score(self, job: TrainingJob, answers: Sequence[LabelProbabilities], truths: Sequence[TrueLabels]) -> Score:
        """Mean average precision and macro F1."""
        return score_multilabel(answers, truths, job.parameters.score_threshold)

    def tally(self, job: TrainingJob, answers: Sequence[LabelProbabilities], truths: Sequence[TrueLabels]) -> Tally:
        """Counted for confidence intervals."""
        return tally_multilabel(answers, truths, job.parameters.score_threshold)

    def qualities(
        self, job: TrainingJob, answers: Sequence[LabelProbabilities], truths: Sequence[TrueLabels], threshold: float
    ) -> FloatArray:
        """0…1 per picture."""
        return multilabel_qualities(answers, truths)

    def golden(
        self, job: TrainingJob, answers: Sequence[LabelProbabilities], threshold: float
    ) -> tuple[int, Mapping[str, Any]]:
        """The picture with a label above the threshold and none near it."""
        margins = [
            float(np.abs(answer.values - threshold).min()) if (answer.values >= threshold).any() else -1.0
            for answer in answers
        ]
        position = int(np.argmax(margins))
        if margins[position] < 0:
            raise TrainingError(
                "the kmodel finds no label in any validation picture: label more photos, or train for more epochs"
            )
        return position, {"scores_permille": in_permille(answers[position].values)}

    def draw(
        self,
        job: TrainingJob,
        pixels: Pixels,
        truth: TrueLabels,
        answer: LabelProbabilities,
        threshold: float,
        file: Path,
    ) -> None:
        """What is there and what the kmodel says, green when that is right."""
        from ..whole_photo.draw import PLAIN_RGB, RIGHT_RGB, WRONG_RGB, draw_lines

        said = answer.values >= threshold
        there = ", ".join(name for name, is_there in zip(job.classes, truth.present, strict=True) if is_there)
        found = ", ".join(
            f"{name} {value:.2f}" for name, value in zip(job.classes, answer.values, strict=True) if value >= threshold
        )
        colour = RIGHT_RGB if bool((said == truth.present).all()) else WRONG_RGB
        draw_lines(pixels, [(f"labelled {there or '-'}", PLAIN_RGB), (f"kmodel: {found or '-'}", colour)], file)


TASK = MultilabelTask()
