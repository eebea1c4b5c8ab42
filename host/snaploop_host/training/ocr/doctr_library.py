"""What both text tasks take from doctr: how a network of its was published, and weights from files. Called by their `doctr_network`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from doctr.models.detection.differentiable_binarization import pytorch as differentiable_binarization
from doctr.models.recognition.crnn import pytorch as crnn
from torch import nn

from ..errors import BadJobError

MOMENTUM = (
    0.1  # of batch statistics; the backbones' 0.01 is for long runs: a short one would be judged by its first steps
)


def published(name: str) -> dict[str, Any]:
    """What the library says of the network with this name: "url" of its weights, "mean" and "std" of its pictures, "vocab"."""
    return {**differentiable_binarization.default_cfgs, **crnn.default_cfgs}[name]


class Normalised(nn.Module):
    """Pixels 0…1 in the range that the network was published for: inside the network, so that every feeder gives it 0…1."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, name: str) -> None:
        """For the network with this name."""
        super().__init__()
        mean, std = (torch.tensor(published(name)[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
        self.register_buffer("scale", 1 / std, persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (N, 3, H, W)."""
        return pixels * self.scale + self.shift


def quicken_statistics(network: nn.Module) -> None:
    """Let batch norms follow within a short run."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = MOMENTUM


def read_weights(weights: Path, prefix: str) -> tuple[dict[str, torch.Tensor], str | None]:
    """The tensors in a state dict of doctr's or in a best.pt of ours, and the characters that the latter reads.

    Args:
        weights: the file.
        prefix: what our networks' names of the library's tensors begin with; added where it is missing.

    Raises:
        BadJobError: the file cannot be read.
    """
    from timm.models import load_state_dict

    try:
        held: dict[str, Any] = load_state_dict(str(weights), device="cpu", weights_only=True)
    except Exception as error:  # boundary: torch, pickle and safetensors have no common error for a broken file
        raise BadJobError(
            f"weights {weights} cannot be read ({type(error).__name__}): remove the file, or put the right one there"
        ) from error
    given = held["network"] if isinstance(held.get("network"), dict) else held
    tensors = {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}
    named = {name if name.startswith(prefix) else prefix + name: value for name, value in tensors.items()}
    return named, held.get("characters")


def take_fitting(network: nn.Module, given: dict[str, torch.Tensor], weights: Path, name: str) -> tuple[int, int]:
    """Load what has a place in the network; how many of how many tensors.

    Raises:
        BadJobError: nothing has.
    """
    own = network.state_dict()
    fitting = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise BadJobError(f"nothing in {weights} fits {name}: remove the file, or put weights of doctr's there")
    network.load_state_dict({**own, **fitting})
    return len(fitting), len(own)
