"""doctr's DBNet on MobileNetV3 as a network that draws our two maps, and its weights from files. Called by `ocr_detect.networks`.

What the library trains beside it to sharpen edges (the threshold map) is left out: nothing on a board would use it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from doctr.models.detection import db_mobilenet_v3_large
from torch import nn

from ...domain.training_parameters import DOCTR_DB
from ..ocr.doctr_library import Normalised, quicken_statistics, read_weights, take_fitting
from .network import RARE

LAST = 6  # place of the last layer in the library's head


class DoctrMapNetwork(nn.Module):
    """Pixels (N, 3, H, W) in 0…1 to logits (N, 2, H, W): cores of text, and whole text; H and W multiples of 32."""

    def __init__(self) -> None:
        """With random weights; the library is told not to download any."""
        super().__init__()
        network: Any = db_mobilenet_v3_large(pretrained=False, pretrained_backbone=False, exportable=True)
        del network.thresh_head
        last = nn.ConvTranspose2d(network.prob_head[LAST].in_channels, 2, 2, 2)
        nn.init.constant_(last.bias, RARE)  # type: ignore[arg-type]  # it has one
        network.prob_head[LAST] = last
        quicken_statistics(network)
        self.normalised = Normalised(DOCTR_DB)
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The logits."""
        logits: torch.Tensor = self.network(self.normalised(pixels))["logits"]
        return logits


def take_over(network: nn.Module, weights: Path) -> tuple[int, int]:
    """Start from a state dict of doctr's network or from a best.pt of this one: how many of how many tensors fitted.

    doctr's one map begins both of ours; what of a file does not fit, such as a head with several kinds of words, begins anew.

    Raises:
        BadJobError: the file cannot be read, or nothing in it fits.
    """
    given, _ = read_weights(weights, "network.")
    given = {name: _for_two_maps(value) if f".prob_head.{LAST}." in name else value for name, value in given.items()}
    return take_fitting(network, given, weights, DOCTR_DB)


def _for_two_maps(value: torch.Tensor) -> torch.Tensor:
    """Weights (64, maps, 2, 2) or bias (maps,) of the last layer: one map becomes two like it."""
    maps = 1 if value.ndim == 4 else 0
    return value.repeat_interleave(2, dim=maps) if value.shape[maps] == 1 else value
