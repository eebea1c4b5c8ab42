"""doctr's CRNN on MobileNetV3 as a network that reads a line, and its weights from files. Called by `ocr_recognize.networks`.

Two layers of LSTM in both directions read the line as a whole. The KPU computes them as exactly as our convolutions
(docs/decisions/0021 has the figures); doctr's transformers do not compile.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from doctr.models.recognition import crnn_mobilenet_v3_small
from torch import nn

from ...domain.training_parameters import DOCTR_CRNN
from ..ocr.doctr_library import Normalised, published, quicken_statistics, read_weights, take_fitting
from .dictionary import labels_of
from .network import kept_rows

LAST = "network.linear"


class DoctrLineNetwork(nn.Module):
    """Pixels (N, 3, 32, W) in 0…1 to logits (N, W/4, labels); W a multiple of 32."""

    last = LAST

    def __init__(self, labels: int) -> None:
        """With random weights, for so many outputs; the library, told not to download any, counts the blank itself."""
        super().__init__()
        network: Any = crnn_mobilenet_v3_small(
            pretrained=False, pretrained_backbone=False, exportable=True, vocab="." * (labels - 1)
        )
        quicken_statistics(network)
        self.normalised = Normalised(DOCTR_CRNN)
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The logits; the library's own `forward` wants texts while it trains."""
        features = self.network.feat_extractor(self.normalised(pixels))
        _, channels, height, width = features.shape
        columns = torch.reshape(features, (-1, channels * height, width)).transpose(1, 2)
        logits: torch.Tensor = self.network.linear(self.network.decoder(columns)[0])
        return logits


def take_over(network: nn.Module, weights: Path, characters: str) -> tuple[int, int, str]:
    """Start from a state dict of doctr's network or from a best.pt of this one.

    Returns:
        How many of how many tensors fitted, and the characters of ours that the file's network did not know; these begin anew.

    Raises:
        BadJobError: the file cannot be read, or nothing in it fits.
    """
    given, theirs = read_weights(weights, "network.")
    vocabulary: str = published(DOCTR_CRNN)["vocab"]
    labels: Sequence[str] = (*vocabulary, "") if theirs is None else labels_of(theirs)
    unknown = characters
    if (bias := given.get(f"{LAST}.bias")) is not None and len(bias) == len(labels):
        for name in (f"{LAST}.weight", f"{LAST}.bias"):
            given[name] = kept_rows(network.state_dict()[name], given[name], labels, labels_of(characters))
        unknown = "".join(one for one in characters if one not in labels)
    return (*take_fitting(network, given, weights, DOCTR_CRNN), unknown)
