"""The step that our own networks for whole photos and for finding text are made of.

Convolutions, ReLU and additions, all of which the KPU computes. Plain 3×3 convolutions with a way round them learn from scratch in
a fraction of the steps that depthwise ones take (docs/lab_log.md).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3×3 convolutions and a way round them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        """With `stride` in the first convolution."""
        super().__init__()
        self.first = convolution(inputs, outputs, 3, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.round = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride > 1 or inputs != outputs
            else nn.Identity()
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The features, one step on."""
        return functional.relu(self.second(self.first(features)) + self.round(features))


def convolution(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    """Convolution, batch norm and ReLU, of an odd size and with its edges padded."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )
