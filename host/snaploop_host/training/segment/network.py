"""The network: ultralytics' yolo26n for semantic segmentation, with its pyramid continued to stride 4.

The library's own head answers at stride 8, which at the small inputs of a board rounds off everything that is thin. One more step of
the same pyramid costs little. Its backbone is where weights from elsewhere can go. Called by `train` and `export_onnx`.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from ultralytics.nn.tasks import SemanticSegmentationModel, load_checkpoint, yaml_model_load

LIBRARY_MODEL = "yolo26n-sem.yaml"
BACKBONE_STRIDE_4 = 2  # layer of the library's model whose features have stride 4
FINE_LAYERS: tuple[list[Any], ...] = (
    [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
    [[-1, BACKBONE_STRIDE_4], 1, "Concat", [1]],
    [-1, 1, "C3k2", [128, False]],
)
STRIDE = 4  # of the logits
MOMENTUM = 0.1  # the library's 0.03 is for long runs: a short one would be judged by statistics of its first steps


class SegmentNetwork(nn.Module):
    """Logits (B, classes, H/4, W/4) in evaluation mode; while it trains twice as many channels, the second half from the stride-8 head."""

    def __init__(self, classes: int) -> None:
        """Untrained, for `classes` classes, background included."""
        super().__init__()
        self.model = _library_model(classes)
        for layer in self.model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = MOMENTUM

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 3, H, W) in 0…1."""
        answer = self.model(pixels)
        if not self.training:
            logits: torch.Tensor = answer
            return logits
        fine, coarse = answer
        return torch.cat([fine, functional.interpolate(coarse, scale_factor=2, mode="bilinear")], dim=1)


def _library_model(classes: int) -> Any:
    layout = yaml_model_load(LIBRARY_MODEL)
    *body, head = layout["head"]
    last = len(layout["backbone"]) + len(body) - 1
    layout["head"] = [*body, *FINE_LAYERS, [[last + len(FINE_LAYERS), last], 1, head[2], head[3]]]
    return SemanticSegmentationModel(layout, ch=3, nc=classes, verbose=False)


def take_over(network: SegmentNetwork, weights: Path) -> int:
    """Start from weights: ours (of a run before) or a checkpoint of the library's; how many tensors fitted."""
    if is_ours(weights):
        given = torch.load(weights, map_location="cpu", weights_only=True)["weights"]
    else:
        model: Any = load_checkpoint(str(weights))[0]
        given = {f"model.{name}": value for name, value in model.float().state_dict().items()}
    own = network.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    network.load_state_dict({**own, **fitting})
    return len(fitting)


def save_weights(file: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Write best.pt, whole or not at all."""
    partial = file.with_suffix(".part")
    torch.save({"weights": dict(weights)}, partial)
    partial.replace(file)


def is_ours(weights: Path) -> bool:
    """Whether the file is a best.pt of this task: plain tensors, no code."""
    try:
        return "weights" in torch.load(weights, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # a whole model of the library's
        return False
