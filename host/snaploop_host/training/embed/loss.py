"""The loss of metric learning: classification by direction, a.k.a. normalised soft-max (Zhai and Wu, 2019)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SCALE = 16.0  # 1/temperature; cosines alone are too much alike to drive a soft-max


class NormalisedSoftmax(nn.Module):
    """Each identity has a direction that is learnt with the network; a vector is classified by the nearest one."""

    def __init__(self, identities: int, size: int) -> None:
        """For vectors of `size` numbers."""
        super().__init__()
        self.directions = nn.Parameter(torch.randn(identities, size))

    def forward(self, vectors: torch.Tensor, identities: torch.Tensor) -> dict[str, torch.Tensor]:
        """Of vectors (B, D) of any length and identity indices (B,)."""
        cosines = functional.normalize(vectors, dim=1) @ functional.normalize(self.directions, dim=1).T
        return {"normalised_softmax": functional.cross_entropy(SCALE * cosines, identities)}
