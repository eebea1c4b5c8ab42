"""The train stage: from lines of text to best.pt. Called by `ocr_recognize.task`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ...domain.preprocess import Preprocess
from ...domain.scores import OCR_RECOGNIZE, Score
from ...domain.text_metrics import score_readings
from ..job_spec import Parameters, TrainingJob
from ..ocr.quads import read_rgb
from ..ocr.teach import read_warm, teach
from ..pretrained import weights_to_start_from
from ..task import Folders, Report
from .dictionary import labels_of, read_steps
from .lines import Line, Lines, changed, read_lines
from .network import ReadingLoss
from .networks import build_network, start_warm
from .size import STEP_PX
from .synthetic import FONT_PX, Typesetter
from .task import EPOCH_LINES, MOST_VALIDATION_LINES, planned_epochs

LR_FROM_SCRATCH, LR_KNOWN = 0.003, 0.001
FLAT_SHARE = 0.6  # of a start from scratch
ENOUGH_LINES = 600  # photographed ones; with fewer, drawn ones fill the epochs up
DRAWN_AT_LEAST = 0.25  # of a batch while there are not enough
MOST_DRAWN = 0.75
VALIDATION_BATCH = 32


def train(
    job: TrainingJob, width: int, characters: str, preprocess: Preprocess, folders: Folders, report: Report
) -> dict[str, Any]:
    """As `training.task.Task.train`; says in "drawn_share" how much of what it learnt from was drawn instead of photographed."""
    parameters = job.parameters
    lines = read_lines(folders.data, "train")
    typesetter = Typesetter(characters, [line.text for line in lines])
    drawn = drawn_share(len(lines)) if typesetter.texts else 0.0
    _tell(report, len(lines), drawn, typesetter)
    weights, is_warm = weights_to_start_from(job), job.warm_start is not None
    default_rate = LR_KNOWN if weights else LR_FROM_SCRATCH
    epochs = planned_epochs(job, len(lines), len(characters))

    def make_network() -> nn.Module:
        torch.manual_seed(parameters.seed)
        network = build_network(parameters.network, characters)
        if weights and is_warm:
            start_warm(network, characters, read_warm(weights, OCR_RECOGNIZE, parameters.network))
        elif weights:
            from .doctr_network import take_over

            fitted, tensors, unknown = take_over(network, weights, characters)
            new = f"; new to it: {unknown[:80]}" if unknown else ""
            report("note", text=f"{fitted} of {tensors} tensors are from {weights}{new}")
        return network

    def batches_of(size: int) -> LineBatches:
        return LineBatches(lines, width, characters, typesetter, drawn, size, parameters)

    result = teach(
        job,
        folders,
        report,
        make_network,
        ReadingLoss(0 if weights else round(FLAT_SHARE * epochs * len(batches_of(parameters.batch)))),
        batches_of,
        parameters.batch,
        Validation(folders, width, characters, preprocess),
        preprocess,
        epochs,
        parameters.lr0 if parameters.lr0 is not None else default_rate,
        "warm" if is_warm else ("pretrained" if weights else "scratch"),
        {"task": OCR_RECOGNIZE, "characters": characters, "name": parameters.network},
    )
    told = {"lines": len(lines), "drawn_share": round(drawn, 2), "dictionary": characters}
    return result | told | {"network": parameters.network}


def drawn_share(lines: int) -> float:
    """How much of each batch is drawn instead of photographed: three quarters with next to no lines, none with enough."""
    if lines >= ENOUGH_LINES:
        return 0.0
    return max(DRAWN_AT_LEAST, MOST_DRAWN * (1 - lines / ENOUGH_LINES))


class LineBatches:
    """See `torch_loop.Batches`: lines (B, 3, 32, W) uint8, and what `ReadingLoss` wants to be told."""

    def __init__(
        self,
        lines: list[Line],
        width: int,
        characters: str,
        typesetter: Typesetter,
        drawn: float,
        batch_size: int,
        parameters: Parameters,
    ) -> None:
        """Read all lines once."""
        self.lines, self.width, self.typesetter = lines, width, typesetter
        self.drawn, self.batch_size, self.seed = drawn, batch_size, parameters.seed
        self.distort = parameters.distort
        self.images = [read_rgb(line.file) for line in lines]
        self.index = {character: number for number, character in enumerate(labels_of(characters)) if character}

    def __len__(self) -> int:
        """Batches per epoch."""
        return math.ceil(max(len(self.lines), EPOCH_LINES) / self.batch_size)

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Photographed and drawn lines mixed, changed anew."""
        for batch in range(first, len(self)):
            rng = np.random.default_rng((self.seed, number, batch))
            examples = [self._example(rng) for _ in range(self.batch_size)]
            steps, longest = self.width // STEP_PX, max(len(text) for _, _, text in examples)
            told = np.full((self.batch_size, steps + longest), -1, np.int64)
            for row, (_, middles, text) in zip(told, examples, strict=True):
                indices = [self.index[character] for character in text]
                row[:steps] = flat_start(middles, indices, steps, len(self.index) + 1)
                row[steps : steps + len(text)] = indices
            pixels = np.stack([image.transpose(2, 0, 1) for image, _, _ in examples])
            yield torch.from_numpy(pixels), torch.from_numpy(told)

    def _example(self, rng: np.random.Generator) -> tuple[np.ndarray, list[float], str]:
        """A picture, the x of its characters' middles, and its text."""
        if rng.random() < self.drawn:
            image, text, middles = self.typesetter.line(rng)
            border = max(2, round(0.1 * FONT_PX))
            inner = (border, border, image.shape[1] - 2 * border, image.shape[0] - 2 * border)
        else:
            chosen = int(rng.integers(len(self.lines)))
            image, line = self.images[chosen], self.lines[chosen]
            text, inner = line.text, (line.border, line.border, *line.size_wh)
            middles = [line.border + line.size_wh[0] * (at + 0.5) / len(text) for at in range(len(text))]
        seen, (factor, offset) = changed(image, inner, self.width, rng, self.distort)
        return seen, [factor * middle + offset for middle in middles], text


def flat_start(middles: Sequence[float], indices: Sequence[int], steps: int, blank: int) -> list[int]:
    """The label index of every step: each character's where its middle is, and around it when there is room; blank elsewhere.

    Args:
        middles: x of every character in the model's input.
        indices: their label indices.
        steps: how many there are.
        blank: the last label index.
    """
    wanted = [blank] * steps
    for at, (middle, index) in enumerate(zip(middles, indices, strict=True)):
        near = [abs(middle - other) for other in middles[max(0, at - 1) : at + 2] if other != middle]
        reach = min(near, default=STEP_PX * 4.0) / 4  # half of the way to the border between neighbours
        for step in range(steps):
            x = (step + 0.5) * STEP_PX
            if abs(x - middle) <= max(reach, STEP_PX / 2):
                wanted[step] = index
    return wanted


class Validation:
    """Scores a network on the validation lines, decoded as on the board."""

    def __init__(self, folders: Folders, width: int, characters: str, preprocess: Preprocess) -> None:
        """Read them once."""
        examples = Lines(read_lines(folders.data, "val")[:MOST_VALIDATION_LINES], width, characters)
        everything = range(len(examples))
        pixels = preprocess.apply(np.stack([examples.pixels(index) for index in everything]))
        self.pixels = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        self.truths = [examples.truth(index) for index in everything]
        self.labels = labels_of(characters)
        self.loss = ReadingLoss(0)
        longest = max(len(truth.text) for truth in self.truths)
        texts = [[examples.index[one] for one in truth.text] for truth in self.truths]
        rows = [[0] * (width // STEP_PX) + text + [-1] * (longest - len(text)) for text in texts]
        self.told = torch.tensor(rows)

    def __call__(self, network: nn.Module) -> tuple[Score, float]:
        """Words and characters right; and how sure of it the network is."""
        device = next(network.parameters()).device
        readings, sure = [], 0.0
        for first in range(0, len(self.pixels), VALIDATION_BATCH):
            logits = network(self.pixels[first : first + VALIDATION_BATCH].to(device)).float()
            sure -= float(self.loss(logits, self.told[first : first + len(logits)])["ctc"]) * len(logits)
            readings += [read_steps(one, self.labels) for one in logits.cpu().numpy()]
        return score_readings(readings, self.truths), sure


def _tell(report: Report, lines: int, drawn: float, typesetter: Typesetter) -> None:
    if drawn:
        report(
            "note",
            text=f"{lines} photographed lines are few: {drawn:.0%} of what the model learns from is drawn by the computer; "
            "label more photos for a model that knows your letters",
        )
    if drawn and typesetter.missing:
        report("note", text=f"no font here has {typesetter.missing[:30]!r}: learnt from photos only")
