"""best.pt to an ONNX file with two outputs: logits of every pixel for the vendor's scripts, and the same at stride 4 for our board app.

Both are [1, H, W, classes] as the firmware's `aicube.seg_post_process` reads them (docs/decisions/0014). Called by `task`.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from ultralytics.nn.modules import C2f

from .network import STRIDE, SegmentNetwork, take_over

logger = logging.getLogger(__name__)

OPSET = 13  # as for detection
OUTPUT_NAMES = ("logits", "coarse")


class BothSizes(nn.Module):
    """The network with its logits at full size and at its own, channels last."""

    def __init__(self, network: nn.Module) -> None:
        """Around a network in evaluation mode."""
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(1, H, W, C) and (1, H/4, W/4, C) of pixels (1, 3, H, W) in 0…1."""
        coarse: torch.Tensor = self.network(pixels)
        full = functional.interpolate(coarse, scale_factor=STRIDE, mode="bilinear", align_corners=False)
        return full.permute(0, 2, 3, 1), coarse.permute(0, 2, 3, 1)


def export_logits(weights: Path, onnx_file: Path, classes: int, width: int, height: int) -> None:
    """Write `onnx_file` (static batch 1, float32 NCHW, pixels 0…1) from our best.pt; `classes` counts the background."""
    network = SegmentNetwork(classes)
    take_over(network, weights)
    network.eval().model.fuse(verbose=False)
    # ONNX Split stays on the KPU; the Slices that tracing chunk() gives would run on the RISC-V core.
    for layer in network.modules():
        if isinstance(layer, C2f):
            layer.__dict__["forward"] = layer.forward_split
    partial = onnx_file.with_suffix(".part")
    with torch.inference_mode():
        torch.onnx.export(
            BothSizes(network).eval(),
            (torch.zeros(1, 3, height, width),),
            str(partial),
            input_names=["images"],
            output_names=list(OUTPUT_NAMES),
            opset_version=OPSET,
            dynamo=False,  # the new exporter's graph is not what the compiler was tested with
        )
    partial.replace(onnx_file)
    logger.info("exported %s for %dx%d", onnx_file, width, height)
