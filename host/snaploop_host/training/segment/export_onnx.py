"""best.pt to an ONNX file with two outputs: logits of every pixel for the vendor's scripts, and the same at stride 4 for our board app.

Both are [1, H, W, classes] as the firmware's `aicube.seg_post_process` reads them (docs/decisions/0015). Called by `task`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from ultralytics.nn.modules import C2f

from ..write_onnx import write_onnx
from .network import STRIDE, SegmentNetwork, take_over

OUTPUT_NAMES = ("logits", "coarse")


class BothSizes(nn.Module):
    """The network with its logits at full size and at its own, channels last."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        """Around a network in evaluation mode."""
        super().__init__()
        self.network = network
        self.enlarge = bilinear_enlargement(classes, STRIDE)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(1, H, W, C) and (1, H/4, W/4, C) of pixels (1, 3, H, W) in 0…1."""
        coarse: torch.Tensor = self.network(pixels)
        return self.enlarge(coarse).permute(0, 2, 3, 1), coarse.permute(0, 2, 3, 1)


def bilinear_enlargement(channels: int, factor: int) -> nn.ConvTranspose2d:
    """A transposed convolution that enlarges as bilinear interpolation with half-pixel centres does.

    The compiler's own Resize does not know half-pixel centres: it takes pixel x from x / factor, which moves every edge. Only at the
    picture's border, where there is nothing beyond to mix with, values come out smaller; for all classes alike, so the best stays the best.
    """
    ramp = 1 - (torch.arange(2 * factor) - (factor - 0.5)).abs() / factor
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, stride=factor, padding=factor // 2, bias=False)
    weight = torch.zeros_like(layer.weight)
    for channel in range(channels):
        weight[channel, channel] = ramp[:, None] * ramp[None, :]
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer


def export_logits(weights: Path, onnx_file: Path, classes: int, width: int, height: int) -> None:
    """Write `onnx_file` (static batch 1, float32 NCHW, pixels 0…1) from our best.pt; `classes` counts the background."""
    network = SegmentNetwork(classes)
    take_over(network, weights)
    export_network(network, onnx_file, classes, width, height)


def export_network(network: SegmentNetwork, onnx_file: Path, classes: int, width: int, height: int) -> None:
    """The same of a network in memory, which is no longer good for training afterwards."""
    network.eval().model.fuse(verbose=False)
    # ONNX Split stays on the KPU; the Slices that tracing chunk() gives would run on the RISC-V core.
    for layer in network.modules():
        if isinstance(layer, C2f):
            layer.__dict__["forward"] = layer.forward_split
    write_onnx(BothSizes(network, classes), onnx_file, width, height, OUTPUT_NAMES)
