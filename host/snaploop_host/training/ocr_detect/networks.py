"""Which network draws the maps: our own, or doctr's. Builds them, and reads them from a best.pt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ...domain.scores import OCR_DETECT
from ...domain.training_parameters import OWN_NETWORK
from ..errors import TrainingError
from ..ocr.teach import read_best
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


def start_warm(network: nn.Module, name: str, file: Path) -> None:
    """Take over the weights of an earlier model.

    Raises:
        TrainingError: it is none of this task's, or of another network.
    """
    held = read_best(file, OCR_DETECT)
    if (other := network_in(held)) != name:
        raise TrainingError(
            f"weights {file} are of the network {other}, not {name}: train with network={other}, or from scratch"
        )
    network.load_state_dict(held["network"])


def network_in(held: dict[str, Any]) -> str:
    """The name of the network whose weights a best.pt holds; before there was a choice it was our own."""
    return str(held.get("name", OWN_NETWORK))
