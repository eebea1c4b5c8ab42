"""The network that reads a line: convolutions only, one column of features for every 4 px of width.

Half a million parameters. No recurrence, which costs the KPU more calls; transformers do not compile (nncase-k230.md §0, §4).
Called by `ocr_recognize.networks`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

CHANNELS = (24, 48, 96, 144, 192)
FLAT_WEIGHT, BLANK_WEIGHT = 2.0, 0.3
CONTEXT = 7  # columns that a character's decision looks at, in each of two layers


class LineNetwork(nn.Module):
    """Pixels (N, 3, 32, W) in 0…1 to logits (N, W/4, labels); W a multiple of 32."""

    last = "head"  # the layer that tells characters apart

    def __init__(self, labels: int) -> None:
        """With random weights, for so many outputs (characters and two)."""
        super().__init__()
        one, two, three, four, five = CHANNELS
        self.body = nn.Sequential(
            _convolution(3, one, 3),
            nn.MaxPool2d(2),
            _convolution(one, two, 3),
            nn.MaxPool2d(2),
            _convolution(two, three, 3),
            _convolution(three, three, 3),
            nn.MaxPool2d((2, 1)),
            _convolution(three, four, 3),
            _convolution(four, four, 3),
            nn.MaxPool2d((2, 1)),
            nn.Conv2d(four, five, (2, 1), bias=False),  # two rows become one
            nn.BatchNorm2d(five),
            nn.ReLU(),
            _convolution(five, five, (1, CONTEXT), groups=4),
            nn.Conv2d(five, five, 1, bias=False),
            nn.BatchNorm2d(five),
            nn.ReLU(),
            nn.Dropout(0.1),
        )
        self.head = nn.Conv2d(five, labels, (1, 3), padding=(0, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The logits."""
        answer: torch.Tensor = self.head(self.body(pixels))
        return answer.squeeze(2).permute(0, 2, 1)


class ReadingLoss(nn.Module):
    """Connectionist temporal classification with a flat start.

    Left alone, CTC answers nothing but blanks for the first hundreds of steps. So in the beginning the network is told at which step which
    character stands: exactly in drawn lines, at equal distances in photographed ones (as speech recognisers were begun). This fades out.
    """

    done: torch.Tensor  # steps so far; a buffer, so that a resumed run goes on fading

    def __init__(self, flat_steps: int) -> None:
        """`flat_steps`: after so many steps only CTC is left."""
        super().__init__()
        self.flat_steps = flat_steps
        self.register_buffer("done", torch.zeros((), dtype=torch.long))

    def forward(self, logits: torch.Tensor, told: torch.Tensor) -> dict[str, torch.Tensor]:
        """The terms "ctc" and, as long as it counts, "flat".

        Args:
            logits: (N, T, labels), float32.
            told: (N, T + longest): the label index of every step for the start, then those of the text, -1 after its end.
        """
        texts = told[:, logits.shape[1] :]
        lengths = (texts >= 0).sum(dim=1)
        steps = functional.log_softmax(logits, dim=2)
        given = torch.full((len(logits),), logits.shape[1], dtype=torch.long)
        ctc = functional.ctc_loss(
            steps.permute(1, 0, 2).cpu(),
            texts.clamp(min=1).cpu(),
            given,
            lengths.cpu(),
            blank=logits.shape[2] - 1,
            zero_infinity=True,
        )
        share = max(0.0, 1 - int(self.done) / self.flat_steps) if self.flat_steps else 0.0
        terms = {"ctc": (1 - share) * ctc.to(logits.device)}
        if share > 0:
            wanted = told[:, : logits.shape[1]]
            told_steps = functional.nll_loss(steps.flatten(0, 1), wanted.flatten(), self.weights(logits))
            terms["flat"] = share * FLAT_WEIGHT * told_steps
        if self.training:
            self.done += 1
        return terms

    def weights(self, logits: torch.Tensor) -> torch.Tensor:
        """Per label index: most steps are blank, and say little."""
        weights = torch.ones(logits.shape[2], device=logits.device)
        weights[-1] = BLANK_WEIGHT
        return weights


def kept_rows(own: torch.Tensor, given: torch.Tensor, old: Sequence[str], new: Sequence[str]) -> torch.Tensor:
    """Weights of a last layer, a row for each label: of labels that both have the given ones, of others our own.

    Args:
        own: (new labels, …).
        given: (old labels, …).
        old: what the rows of `given` stand for, the blank "" last.
        new: `dictionary.labels_of`; its first label is never taught, whatever it starts from.
    """
    rows = {label: number for number, label in enumerate(old)}  # of two empty labels the last: the blank
    kept = own.clone()
    for number, label in enumerate(new):
        if label in rows and number > 0:
            kept[number] = given[rows[label]]
    return kept


def _convolution(inputs: int, outputs: int, size: int | tuple[int, int], groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding="same", groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
