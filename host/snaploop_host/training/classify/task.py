"""Classification: the photo as a whole is of one class. Logits leave the kmodel, the soft-max is computed outside.

Of two classes the kmodel gives one logit, as the vendor's do and its scripts expect (k230-platform §6.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snaploop_shared.manifest import HEAD_LOGITS

from ...domain.classification_metrics import (
    ClassProbabilities,
    TrueClass,
    classification_qualities,
    score_classification,
    tally_classification,
)
from ...domain.confidence import Tally
from ...domain.geometry import FloatArray
from ...domain.scores import CLASSIFY, Score
from ..errors import TrainingError
from ..job_spec import TrainingJob
from ..task import Pixels
from ..whole_photo.base import WholePhotoTask, in_permille

if TYPE_CHECKING:
    import torch
    from torch import nn

SMOOTHING = 0.1  # the field's customary share of label smoothing


class ClassifyTask(WholePhotoTask):
    """See `training.task.Task`. Answers are `ClassProbabilities`, truths `TrueClass`."""

    name = CLASSIFY
    head = HEAD_LOGITS
    output_name = "logits"

    def outputs(self, job: TrainingJob) -> int:
        """One per class, also of two: they are folded after training."""
        return len(job.classes)

    def folded(self, network: nn.Module, job: TrainingJob) -> nn.Module:
        """Of two logits one."""
        from ..whole_photo.network import with_one_output

        return with_one_output(network) if len(job.classes) == 2 else network

    def targets(self, job: TrainingJob, classes_of: Sequence[set[int]]) -> torch.Tensor:
        """Class indices (N,)."""
        import torch

        return torch.tensor([min(classes) for classes in classes_of])

    def loss(self, job: TrainingJob) -> nn.Module:
        """Cross-entropy with smoothed labels."""
        from .loss import SmoothedCrossEntropy

        return SmoothedCrossEntropy(SMOOTHING)

    def clearness(self, job: TrainingJob, outputs: torch.Tensor, targets: torch.Tensor) -> float:
        """Negative cross-entropy."""
        from torch.nn import functional

        return -float(functional.cross_entropy(outputs, targets))

    def truth(self, job: TrainingJob, classes: set[int]) -> TrueClass:
        """The one class."""
        return TrueClass(min(classes))

    def answer(self, job: TrainingJob, values: np.ndarray) -> ClassProbabilities:
        """Soft-max; a single number is the second class's logit against the first's."""
        if len(values) == 1:
            values = np.array([0.0, values[0]])
        exponents = np.exp(values - values.max())
        return ClassProbabilities(exponents / exponents.sum())

    def score(self, job: TrainingJob, answers: Sequence[ClassProbabilities], truths: Sequence[TrueClass]) -> Score:
        """top1 and macro F1."""
        return score_classification(answers, truths)

    def tally(self, job: TrainingJob, answers: Sequence[ClassProbabilities], truths: Sequence[TrueClass]) -> Tally:
        """Counted for confidence intervals."""
        return tally_classification(answers, truths)

    def qualities(
        self, job: TrainingJob, answers: Sequence[ClassProbabilities], truths: Sequence[TrueClass], threshold: float
    ) -> FloatArray:
        """0…1 per picture."""
        return classification_qualities(answers, truths)

    def golden(
        self, job: TrainingJob, answers: Sequence[ClassProbabilities], threshold: float
    ) -> tuple[int, Mapping[str, Any]]:
        """The picture whose winner is farthest ahead."""
        leads = [float(np.diff(np.sort(answer.values)[-2:])[0]) for answer in answers]
        position = int(np.nanargmax(leads)) if np.isfinite(leads).any() else 0
        if not leads[position] > 0:
            raise TrainingError("the kmodel prefers no class in any validation picture: label more photos")
        return position, {"scores_permille": in_permille(answers[position].values)}

    def draw(
        self,
        job: TrainingJob,
        pixels: Pixels,
        truth: TrueClass,
        answer: ClassProbabilities,
        threshold: float,
        file: Path,
    ) -> None:
        """What it is and what the kmodel says, green when that is right."""
        from ..whole_photo.draw import PLAIN_RGB, RIGHT_RGB, WRONG_RGB, draw_lines

        winner = int(answer.values.argmax())
        said = f"{job.classes[winner]} {answer.values[winner]:.2f}"
        colour = RIGHT_RGB if winner == truth.index else WRONG_RGB
        draw_lines(pixels, [(f"labelled {job.classes[truth.index]}", PLAIN_RGB), (f"kmodel: {said}", colour)], file)


TASK = ClassifyTask()
