"""The loss of classification."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class SmoothedCrossEntropy(nn.Module):
    """Cross-entropy against labels that leave a share of doubt."""

    def __init__(self, smoothing: float) -> None:
        """`smoothing`: the share, 0…1."""
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: torch.Tensor, classes: torch.Tensor) -> dict[str, torch.Tensor]:
        """Of logits (B, C) and class indices (B,)."""
        return {"cross_entropy": functional.cross_entropy(logits, classes, label_smoothing=self.smoothing)}
