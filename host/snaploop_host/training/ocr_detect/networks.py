"""Which network draws the maps: our own, or doctr's. Builds them, and reads them from a best.pt."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ...domain.scores import OCR_DETECT
from ...domain.training_parameters import OWN_NETWORK
from ..ocr.teach import network_in, read_best
from .network import TextMapNetwork


def build_network(name: str) -> nn.Module:
    """The untrained network of this name (parameter `network`): pixels (N, 3, H, W) in 0…1 to logits (N, 2, H, W)."""
    if name == OWN_NETWORK:
        return TextMapNetwork()
    from .doctr_network import DoctrMapNetwork

    return DoctrMapNetwork()


def trained_network(file: Path) -> nn.Module:
    """The network of a best.pt, in evaluation mode."""
    held = read_best(file, OCR_DETECT)
    network = build_network(network_in(held))
    network.load_state_dict(held["network"])
    return network.eval()
