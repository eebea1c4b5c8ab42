"""doctr's DBNet on MobileNetV3 as a network that draws our two maps, and its weights from files. Called by `ocr_detect.networks`.

What the library trains beside it to sharpen edges (the threshold map) is left out: nothing on a board would use it. Its pictures are
normalised inside the network, so that kmodels, packages and stock scripts feed it like our own network: pixels in 0…1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from doctr.models.detection import db_mobilenet_v3_large
from doctr.models.detection.differentiable_binarization.pytorch import default_cfgs
from torch import nn

from ...domain.training_parameters import DOCTR_DB
from ..errors import BadJobError
from .network import RARE

LAST = 6  # place of the last layer in the library's head
OWN_PREFIX = "network."
MOMENTUM = 0.1  # the backbone's 0.01 is for long runs: a short one would be judged by statistics of its first steps


class DoctrMapNetwork(nn.Module):
    """Pixels (N, 3, H, W) in 0…1 to logits (N, 2, H, W): cores of text, and whole text; H and W multiples of 32."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self) -> None:
        """With random weights; the library is told not to download any."""
        super().__init__()
        network: Any = db_mobilenet_v3_large(pretrained=False, pretrained_backbone=False, exportable=True)
        del network.thresh_head
        last = nn.ConvTranspose2d(network.prob_head[LAST].in_channels, 2, 2, 2)
        nn.init.constant_(last.bias, RARE)  # type: ignore[arg-type]  # it has one
        network.prob_head[LAST] = last
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = MOMENTUM
        self.network = network
        mean, std = (torch.tensor(default_cfgs[DOCTR_DB][name]).view(1, 3, 1, 1) for name in ("mean", "std"))
        self.register_buffer("scale", 1 / std, persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The logits."""
        logits: torch.Tensor = self.network(pixels * self.scale + self.shift)["logits"]
        return logits


def address() -> str:
    """Where the library keeps the weights it was published with."""
    return str(default_cfgs[DOCTR_DB]["url"])


def take_over(network: nn.Module, weights: Path) -> tuple[int, int]:
    """Start from a state dict of doctr's network or from a best.pt of this one: how many of how many tensors fitted.

    doctr's one map begins both of ours; what of a file does not fit, such as a head with several kinds of words, begins anew.

    Raises:
        BadJobError: the file cannot be read, or nothing in it fits.
    """
    from timm.models import load_state_dict

    try:
        given: dict[str, Any] = load_state_dict(str(weights), device="cpu", weights_only=True)
        if isinstance(given.get("network"), dict):
            given = given["network"]
    except Exception as error:  # boundary: torch, pickle and safetensors have no common error for a broken file
        raise BadJobError(
            f"weights {weights} cannot be read ({type(error).__name__}): remove the file, or put the right one there"
        ) from error
    own = network.state_dict()
    fitting = {}
    for name, value in given.items():
        own_name = name if name.startswith(OWN_PREFIX) else OWN_PREFIX + name
        if own_name in own:
            twice = _for_two_maps(value) if f".prob_head.{LAST}." in own_name else value
            if twice.shape == own[own_name].shape:
                fitting[own_name] = twice
    if not fitting:
        raise BadJobError(f"nothing in {weights} fits {DOCTR_DB}: remove the file, or put weights of doctr's there")
    network.load_state_dict({**own, **fitting})
    return len(fitting), len(own)


def _for_two_maps(value: torch.Tensor) -> torch.Tensor:
    """Weights (64, maps, 2, 2) or bias (maps,) of the last layer: one map becomes two like it."""
    maps = value.ndim - 3 if value.ndim == 4 else 0
    return value.repeat_interleave(2, dim=maps) if value.shape[maps] == 1 else value
