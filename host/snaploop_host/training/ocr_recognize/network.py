"""The network that reads a line: convolutions only, one column of features for every 4 px of width.

Half a million parameters. No recurrence: the KPU's LSTM is approximate, and transformers do not compile (nncase-k230.md §0, §4).
Called by `ocr_recognize.train` and `ocr_recognize.task`.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

CHANNELS = (24, 48, 96, 144, 192)
CONTEXT = 7  # columns that a character's decision looks at, in each of two layers


class LineNetwork(nn.Module):
    """Pixels (N, 3, 32, W) in 0…1 to logits (N, W/4, labels); W a multiple of 32."""

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


def reading_loss(logits: torch.Tensor, texts: torch.Tensor) -> dict[str, torch.Tensor]:
    """Connectionist temporal classification.

    Args:
        logits: (N, T, labels), float32.
        texts: (N, longest) label indices, -1 after the end.
    """
    steps = functional.log_softmax(logits, dim=2).permute(1, 0, 2)
    lengths = (texts >= 0).sum(dim=1)
    given = torch.full((len(logits),), logits.shape[1], dtype=torch.long)
    loss = functional.ctc_loss(
        steps.cpu(), texts.clamp(min=1).cpu(), given, lengths.cpu(), blank=logits.shape[2] - 1, zero_infinity=True
    )
    return {"ctc": loss.to(logits.device)}


def _convolution(inputs: int, outputs: int, size: int | tuple[int, int], groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding="same", groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
