"""The loss: cross-entropy with rare classes weighed up, and soft Dice, which counts regions instead of pixels.

Plain cross-entropy from scratch ends with everything background when things cover a few per cent of the pictures. Pixels marked IGNORED
take no part in any term, whatever the network says there.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ...domain.segmentation_metrics import IGNORED
from ..task import Examples

HEAVIEST = 10.0  # no class weighs more than this many times the average pixel
AUXILIARY_SHARE = 0.4  # of the coarse head's loss, the field's customary figure


class BalancedLoss(nn.Module):
    """Takes logits and, in as many channels more, the auxiliary ones, at any stride, and the mask at full size."""

    def __init__(self, weights: torch.Tensor) -> None:
        """`weights`: of each class, see `class_weights`."""
        super().__init__()
        self.register_buffer("weights", weights)
        self.weights: torch.Tensor

    def forward(self, logits: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Terms to be summed: "cross_entropy", "dice" and "auxiliary"."""
        fine, coarse = functional.interpolate(logits, size=mask.shape[1:], mode="bilinear").chunk(2, dim=1)
        if (mask == IGNORED).all():  # a mean over no pixels would be NaN
            nothing = 0 * logits.sum()
            return {"cross_entropy": nothing, "dice": nothing, "auxiliary": nothing}
        return {
            "cross_entropy": functional.cross_entropy(fine, mask, self.weights, ignore_index=IGNORED),
            "dice": _dice(fine, mask),
            "auxiliary": AUXILIARY_SHARE * functional.cross_entropy(coarse, mask, self.weights, ignore_index=IGNORED),
        }


def _dice(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 - mean Dice of the classes that the batch shows."""
    known = (mask != IGNORED).unsqueeze(1)
    chances = logits.softmax(dim=1) * known
    classes = mask.where(mask != IGNORED, 0)
    true = functional.one_hot(classes, logits.shape[1]).permute(0, 3, 1, 2).to(chances.dtype) * known
    both, sizes = (chances * true).sum(dim=(0, 2, 3)), (chances + true).sum(dim=(0, 2, 3))
    shown = true.sum(dim=(0, 2, 3)) > 0
    return 1 - (2 * both[shown] / sizes[shown]).mean()


def class_weights(examples: Examples, classes: int) -> torch.Tensor:
    """Weight of each class: the inverse square root of its share of the pixels, on average 1 a pixel; a class nobody drew weighs 1."""
    counts = np.zeros(classes)
    for index in range(len(examples)):
        mask = examples.truth(index).classes
        counts += np.bincount(mask[mask != IGNORED], minlength=classes)
    share = counts / max(counts.sum(), 1)
    weights = np.where(share > 0, 1 / np.sqrt(np.maximum(share, 1e-9)), 0)
    weights = np.minimum(weights / max((weights * share).sum(), 1e-9), HEAVIEST)
    return torch.from_numpy(np.where(share > 0, weights, 1.0).astype(np.float32))
