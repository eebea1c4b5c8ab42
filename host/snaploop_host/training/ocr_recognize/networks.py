"""Which network reads lines: our own, or doctr's. Builds them, and reads them from a best.pt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ...domain.scores import OCR_RECOGNIZE
from ...domain.training_parameters import OWN_NETWORK
from ..ocr.teach import network_in, read_best
from .dictionary import labels_of
from .network import LineNetwork, kept_rows


def build_network(name: str, characters: str) -> nn.Module:
    """The untrained network of this name (parameter `network`): pixels (N, 3, 32, W) in 0…1 to logits (N, W/4, labels)."""
    labels = len(labels_of(characters))
    if name == OWN_NETWORK:
        return LineNetwork(labels)
    from .doctr_network import DoctrLineNetwork

    return DoctrLineNetwork(labels)


def start_warm(network: Any, characters: str, held: dict[str, Any]) -> None:
    """Take over the weights of an earlier model; its dictionary may differ, then characters that both have keep what was learnt."""
    weights = dict(held["network"])
    for name in (f"{network.last}.weight", f"{network.last}.bias"):
        own = network.state_dict()[name]
        weights[name] = kept_rows(own, weights[name], labels_of(held["characters"]), labels_of(characters))
    network.load_state_dict(weights)


def trained_network(file: Path, characters: str) -> nn.Module:
    """The network of a best.pt, in evaluation mode."""
    held = read_best(file, OCR_RECOGNIZE)
    network = build_network(network_in(held), characters)
    network.load_state_dict(held["network"])
    return network.eval()
