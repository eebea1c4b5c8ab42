"""The loss of multi-label classification."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class LabelCrossEntropy(nn.Module):
    """Binary cross-entropy, all labels alike; that rare ones are seen often enough is the batches' business."""

    def forward(self, logits: torch.Tensor, present: torch.Tensor) -> dict[str, torch.Tensor]:
        """Of logits (B, L) and 0 or 1 (B, L)."""
        return {"cross_entropy": functional.binary_cross_entropy_with_logits(logits, present)}
