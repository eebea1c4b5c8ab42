"""best.pt to an ONNX file with six raw outputs, the form that loses nothing when the K230's compiler quantises it.

The decode (soft-max over distance bins, grid, strides) stays outside, in float: see nncase facts in docs/lab_log.md.
Called by `training.job`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import nn
from ultralytics.nn.modules import C2f
from ultralytics.nn.tasks import load_checkpoint

from ...domain.detection_decode import STRIDES_PX

logger = logging.getLogger(__name__)

OPSET = 13  # 11 to 18 gave the same kmodel; 13 is the oldest that onnxruntime and nncase both read without conversion
OUTPUT_NAMES = tuple(f"{kind}{stride}" for stride in STRIDES_PX for kind in ("box", "cls"))


class RawHeads(nn.Module):
    """A detection model that ends before the decode: forward gives box8, cls8, box16, cls16, box32, cls32."""

    def __init__(self, model: Any) -> None:
        """Cut the head of a fused yolov8 DetectionModel."""
        super().__init__()
        self.body = model.model[:-1]
        self.head: Any = model.model[-1]
        self.kept = set(model.save)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Raw outputs for pixels (1, 3, H, W) float32 in 0…1: per stride (1, 64, H/s, W/s) and (1, nc, H/s, W/s)."""
        values: list[Any] = []
        value: Any = pixels
        for layer in [*self.body, self.head]:
            if layer.f != -1:
                value = (
                    values[layer.f] if isinstance(layer.f, int) else [value if j == -1 else values[j] for j in layer.f]
                )
            if layer is self.head:
                break
            value = layer(value)
            values.append(value if layer.i in self.kept else None)
        raw = []
        for level, features in enumerate(value):
            raw += [self.head.cv2[level](features), self.head.cv3[level](features)]
        return tuple(raw)


def export_raw_heads(weights: Path, onnx_file: Path, width: int, height: int) -> list[str]:
    """Write `onnx_file` (static batch 1, float32 NCHW, pixels 0…1) and return the class names stored with the weights."""
    loaded, _ = load_checkpoint(str(weights))
    model: Any = loaded.float().eval().fuse(verbose=False)
    # ONNX Split stays on the KPU; the 16 Slices that tracing chunk() gives would run on the RISC-V core.
    for layer in model.modules():
        if isinstance(layer, C2f):
            layer.__dict__["forward"] = layer.forward_split
    raw = RawHeads(model).eval()
    partial = onnx_file.with_suffix(".part")
    with torch.inference_mode():
        torch.onnx.export(
            raw,
            (torch.zeros(1, 3, height, width),),
            str(partial),
            input_names=["images"],
            output_names=list(OUTPUT_NAMES),
            opset_version=OPSET,
            dynamo=False,  # the new exporter's graph is not what the compiler was tested with
        )
    partial.replace(onnx_file)
    logger.info("exported %s for %dx%d", onnx_file, width, height)
    return [str(model.names[index]) for index in sorted(model.names)]
