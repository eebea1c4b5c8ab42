"""The networks with one linear layer at their end, ours and timm's, and their weights from and to files."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn
from torch.nn import functional

from ...domain.training_parameters import MOBILENET, OWN_NETWORK
from ..errors import BadJobError
from ..residual import Block, convolution

logger = logging.getLogger(__name__)

HEAD = "classifier"  # timm's name of the last layer, and ours
CHANNELS = (24, 32, 64, 128, 192)  # of ours, at strides 2, 4, 8, 16, 32
DROPOUT = 0.2
HEAD_SPREAD = 0.03  # standard deviation of the last layer's first weights: logits within some ±1


class PhotoNetwork(nn.Module):
    """Our own: residual steps down to stride 32, their mean over the picture, and the last layer. 0.9 million weights."""

    def __init__(self, outputs: int) -> None:
        """With random weights."""
        super().__init__()
        self.stem = convolution(3, CHANNELS[0], 3, 2)
        self.stages = nn.Sequential(*[Block(inputs, after, 2) for inputs, after in itertools.pairwise(CHANNELS)])
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(CHANNELS[-1], outputs)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 3, H, W) to (B, outputs)."""
        features = functional.adaptive_avg_pool2d(self.stages(self.stem(pixels)), 1).flatten(1)
        answer: torch.Tensor = self.classifier(self.dropout(features))
        return answer


def build_network(name: str, outputs: int) -> nn.Module:
    """An untrained network of this name (parameter `network`): pixels (B, 3, H, W) to (B, outputs)."""
    network: Any = (
        PhotoNetwork(outputs)
        if name == OWN_NETWORK
        else timm.create_model(name, pretrained=False, num_classes=outputs, drop_rate=DROPOUT)
    )
    head = getattr(network, HEAD)
    # timm's own start spreads few logits so far apart that the first epochs only undo it.
    nn.init.normal_(head.weight, std=HEAD_SPREAD)
    nn.init.zeros_(head.bias)
    built: nn.Module = network
    return built


def start_from(network: nn.Module, name: str, weights: Path) -> int:
    """Take over what fits from our best.pt or from a plain state dict of the network with this name; how many tensors.

    Raises:
        BadJobError: the file is neither, it holds another network, or nothing in it fits.
    """
    given = _held(weights)
    if is_ours(weights):
        if (other := _name(given)) != name:
            raise BadJobError(
                f"weights {weights} are of network={other}, not {name}: train from scratch, or give that network"
            )
        given = given["weights"]
    own = network.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise BadJobError(f"nothing in {weights} fits {name}: remove the file, or put weights of timm's there")
    network.load_state_dict({**own, **fitting})
    logger.info("%d of %d tensors taken from %s", len(fitting), len(own), weights)
    return len(fitting)


def _held(file: Path) -> dict[str, Any]:
    """What is in a file of weights, ours or a plain state dict."""
    from timm.models import load_state_dict

    try:
        if is_ours(file):
            ours: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            return {**ours, "weights": ours["weights"]}  # a file without them is none of ours
        plain: dict[str, Any] = load_state_dict(str(file), device="cpu", weights_only=True)
        return plain
    except Exception as error:  # boundary: torch, pickle and safetensors have no common error for a broken file
        raise BadJobError(
            f"weights {file} cannot be read ({type(error).__name__}): remove the file, or put the right one there"
        ) from error


def is_ours(weights: Path) -> bool:
    """Whether the file is a best.pt of ours."""
    return weights.name == "best.pt"


def name_in(file: Path) -> str:
    """The name of the network in a best.pt.

    Raises:
        BadJobError: it cannot be read.
    """
    return _name(_held(file))


def _name(held: dict[str, Any]) -> str:
    return str(held.get("backbone", MOBILENET))


def save_weights(file: Path, task: str, name: str, classes: Sequence[str], weights: dict[str, torch.Tensor]) -> None:
    """Write best.pt, whole or not at all: plain tensors, no code."""
    partial = file.with_suffix(".part")
    torch.save({"task": task, "backbone": name, "classes": list(classes), "weights": weights}, partial)
    partial.replace(file)


def load_weights(file: Path) -> nn.Module:
    """The trained network of a best.pt, in evaluation mode."""
    held = _held(file)
    weights = held["weights"]
    network = build_network(_name(held), len(weights[f"{HEAD}.bias"]))
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
