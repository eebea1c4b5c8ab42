"""Metric learning: vectors that tell things apart, also things that were not there in training.

The board learns new things by their vectors alone (device self_learning.py). The vector leaves the kmodel as it is; its length means
nothing, and dividing by it inside the graph would run on the RISC-V core (nncase-k230.md §3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snaploop_shared.manifest import HEAD_EMBEDDING

from ...domain.confidence import Tally
from ...domain.embedding_metrics import (
    Embedding,
    Identity,
    embedding_qualities,
    score_embeddings,
    tally_embeddings,
)
from ...domain.geometry import FloatArray
from ...domain.scores import EMBED, Score
from ..errors import BadDatasetError, TrainingError
from ..job_spec import TrainingJob
from ..task import Folders, Pixels
from ..whole_photo.base import StretchedExamples, WholePhotoTask, classes_of

if TYPE_CHECKING:
    import torch
    from torch import nn

VECTOR_NUMBERS = 256  # as the vendor's
CENTRE_PHOTOS = 64  # that say where the middle of all vectors is


class EmbedTask(WholePhotoTask):
    """See `training.task.Task`. Answers are `Embedding`, truths `Identity`."""

    name = EMBED
    head = HEAD_EMBEDDING
    output_name = "embedding"

    def prepare(self, job: TrainingJob, folders: Folders) -> list[str]:
        """Also that something can be found again among the validation photos."""
        notes = super().prepare(job, folders)
        counts = Counter(cls for photo in self.usable(job.val) for cls in classes_of(photo))
        if max(counts.values()) < 2:
            raise BadDatasetError(
                "nothing has two validation photos, so none can be found again: take at least 8 photos of each thing"
            )
        return notes

    def examples(self, job: TrainingJob, folders: Folders, side: str) -> StretchedExamples:
        """The gate's choice of pictures must hold pairs: only so many identities get their turn as have room for two pictures."""
        examples = super().examples(job, folders, side)
        if side == "train":
            return examples
        counts = Counter(truth.index for truth in examples.truths)
        paired = [index for index, count in counts.most_common(max(1, job.gate.images // 2 - 1)) if count > 1]
        return _Paired(examples.photos, examples.truths, set(paired))

    def outputs(self, job: TrainingJob) -> int:
        """The vector."""
        return VECTOR_NUMBERS

    def targets(self, job: TrainingJob, classes_of: Sequence[set[int]]) -> torch.Tensor:
        """Identity indices (N,)."""
        import torch

        return torch.tensor([min(classes) for classes in classes_of])

    def folded(self, network: nn.Module, job: TrainingJob) -> nn.Module:
        """With the middle of the training photos' vectors at zero.

        Trained vectors lie in a narrow cone (cosines of 0.94 and more between strangers after a short training), so what tells things
        apart would be a sliver of the kmodel's 8 bits and of the board's threshold. A bias moves the cone to where directions differ.
        """
        import torch

        from ..whole_photo.network import HEAD

        photos, preprocess = self.photos(job, "train"), self.preprocess
        chosen = np.linspace(0, len(photos) - 1, min(len(photos), CENTRE_PHOTOS)).astype(int)
        network.eval()
        with torch.inference_mode():
            vectors = [network(torch.from_numpy(preprocess.apply(photos.stretched(index)[None]))) for index in chosen]
        head: Any = network.get_submodule(HEAD)
        with torch.no_grad():
            head.bias -= torch.cat(vectors).mean(dim=0)
        return network

    def loss(self, job: TrainingJob) -> nn.Module:
        """Normalised soft-max."""
        from .loss import NormalisedSoftmax

        return NormalisedSoftmax(len(job.classes), VECTOR_NUMBERS)

    def clearness(self, job: TrainingJob, outputs: torch.Tensor, targets: torch.Tensor) -> float:
        """How much nearer fellows are than strangers."""
        answers = [Embedding(one) for one in outputs.double().numpy()]
        return float(embedding_qualities(answers, [Identity(int(index)) for index in targets]).mean())

    def truth(self, job: TrainingJob, classes: set[int]) -> Identity:
        """The one thing."""
        return Identity(min(classes))

    def answer(self, job: TrainingJob, values: np.ndarray) -> Embedding:
        """As it is."""
        return Embedding(values)

    def score(self, job: TrainingJob, answers: Sequence[Embedding], truths: Sequence[Identity]) -> Score:
        """recall@1 and mAP@R, every picture asking all others."""
        return score_embeddings(answers, truths, len(job.classes))

    def tally(self, job: TrainingJob, answers: Sequence[Embedding], truths: Sequence[Identity]) -> Tally:
        """Counted for confidence intervals."""
        return tally_embeddings(answers, truths)

    def qualities(
        self, job: TrainingJob, answers: Sequence[Embedding], truths: Sequence[Identity], threshold: float
    ) -> FloatArray:
        """0…1 per picture."""
        return embedding_qualities(answers, truths)

    def golden(self, job: TrainingJob, answers: Sequence[Embedding], threshold: float) -> tuple[int, Mapping[str, Any]]:
        """The picture with the longest vector: rounding turns it least."""
        lengths = [float(np.linalg.norm(answer.vector)) for answer in answers]
        position = int(np.nanargmax(lengths)) if np.isfinite(lengths).any() else 0
        if not 0 < lengths[position] < np.inf:
            raise TrainingError("the kmodel's vectors are zero or not finite: train with a smaller lr0")
        unit = answers[position].vector / lengths[position]
        return position, {"vector_milli": [round(1000 * float(value)) for value in unit]}

    def draw(
        self, job: TrainingJob, pixels: Pixels, truth: Identity, answer: Embedding, threshold: float, file: Path
    ) -> None:
        """What it is, and the beginning of its vector as bars: the same thing has the same bars."""
        from .draw import draw_vector

        draw_vector(pixels, job.classes[truth.index], answer.vector, file)


class _Paired(StretchedExamples):
    """Validation pictures of which only some identities count as classes."""

    def __init__(self, photos: Any, truths: Sequence[Identity], counted: set[int]) -> None:
        super().__init__(photos, truths)
        self.counted = counted

    def classes(self, index: int) -> set[int]:
        """The identity when it has its turn, else nothing."""
        return super().classes(index) & self.counted


TASK = EmbedTask()
