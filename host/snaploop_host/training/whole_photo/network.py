"""The network: timm's mobilenetv2_100 with one linear layer, and its weights from and to files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from ..errors import BadJobError
from .weights import BACKBONE

logger = logging.getLogger(__name__)

HEAD = "classifier"  # timm's name of the last layer
DROPOUT = 0.2
HEAD_SPREAD = 0.03  # standard deviation of the last layer's first weights: logits within some ±1


def build_network(outputs: int) -> nn.Module:
    """An untrained network: pixels (B, 3, H, W) to (B, outputs)."""
    network: Any = timm.create_model(BACKBONE, pretrained=False, num_classes=outputs, drop_rate=DROPOUT)
    head = getattr(network, HEAD)
    # timm's own start spreads few logits so far apart that the first epochs only undo it.
    nn.init.normal_(head.weight, std=HEAD_SPREAD)
    nn.init.zeros_(head.bias)
    built: nn.Module = network
    return built


def start_from(network: nn.Module, weights: Path) -> int:
    """Take over what fits from our best.pt or from a plain state dict of the backbone; how many tensors.

    Raises:
        BadJobError: the file is neither, or nothing in it fits.
    """
    from timm.models import load_state_dict

    try:
        given: dict[str, Any] = (
            torch.load(weights, map_location="cpu", weights_only=True)["weights"]
            if is_ours(weights)
            else load_state_dict(str(weights), device="cpu", weights_only=True)
        )
    except Exception as error:  # boundary: torch, pickle and safetensors have no common error for a broken file
        raise BadJobError(
            f"weights {weights} cannot be read ({type(error).__name__}): remove the file, or put the right one there"
        ) from error
    own = network.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise BadJobError(f"nothing in {weights} fits {BACKBONE}: remove the file, or put weights of timm's there")
    network.load_state_dict({**own, **fitting})
    logger.info("%d of %d tensors taken from %s", len(fitting), len(own), weights)
    return len(fitting)


def is_ours(weights: Path) -> bool:
    """Whether the file is a best.pt of ours."""
    return weights.name == "best.pt"


def save_weights(file: Path, task: str, classes: Sequence[str], weights: dict[str, torch.Tensor]) -> None:
    """Write best.pt, whole or not at all: plain tensors, no code."""
    partial = file.with_suffix(".part")
    torch.save({"task": task, "backbone": BACKBONE, "classes": list(classes), "weights": weights}, partial)
    partial.replace(file)


def load_weights(file: Path) -> nn.Module:
    """The trained network of a best.pt, in evaluation mode."""
    weights = torch.load(file, map_location="cpu", weights_only=True)["weights"]
    network = build_network(len(weights[f"{HEAD}.bias"]))
    network.load_state_dict(weights)
    return network.eval()


def with_one_output(network: nn.Module) -> nn.Module:
    """The same network with one output for two: their difference, whose sigmoid is the second class's soft-max."""
    head: Any = getattr(network, HEAD)
    folded = nn.Linear(head.in_features, 1)
    with torch.no_grad():
        folded.weight.copy_(head.weight[1:] - head.weight[:1])
        folded.bias.copy_(head.bias[1:] - head.bias[:1])
    setattr(network, HEAD, folded)
    return network
