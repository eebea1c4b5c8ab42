"""best.pt to an ONNX file with three raw outputs, the form that loses next to nothing when the K230's compiler quantises it.

The decode (soft-max over distance bins, grid, strides) stays outside, in float: see nncase facts in docs/lab_log.md.
Called by `training.job`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from ultralytics.nn.modules import C2f
from ultralytics.nn.tasks import load_checkpoint

from ...domain.detection_decode import STRIDES_PX
from ..write_onnx import write_onnx
from .gfl_head import MergedHead

OUTPUT_NAMES = tuple(f"head{stride}" for stride in STRIDES_PX)


class RawHeads(nn.Module):
    """A detection model that ends before the decode: forward gives head8, head16, head32."""

    def __init__(self, model: Any) -> None:
        """Cut the head of a fused yolov8 DetectionModel."""
        super().__init__()
        self.body = model.model[:-1]
        head: Any = model.model[-1]
        self.f: Any = head.f
        self.heads = nn.ModuleList(
            MergedHead(boxes, classes) for boxes, classes in zip(head.cv2, head.cv3, strict=True)
        )
        self.kept = set(model.save)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Raw outputs for pixels (1, 3, H, W) float32 in 0…1: per stride (1, H/s, W/s, nc + 68)."""
        values: list[Any] = []
        value: Any = pixels
        for layer in self.body:
            value = layer(self._inputs(layer.f, value, values))
            values.append(value if layer.i in self.kept else None)
        return tuple(
            head(features) for head, features in zip(self.heads, self._inputs(self.f, value, values), strict=True)
        )

    @staticmethod
    def _inputs(source: Any, previous: Any, values: list[Any]) -> Any:
        """What a layer reads: the layer before (-1) or earlier ones, by number."""
        if source == -1:
            return previous
        return values[source] if isinstance(source, int) else [previous if j == -1 else values[j] for j in source]


def export_raw_heads(weights: Path, onnx_file: Path, width: int, height: int) -> list[str]:
    """Write `onnx_file` (static batch 1, float32 NCHW, pixels 0…1) and return the class names stored with the weights."""
    loaded, _ = load_checkpoint(str(weights))
    model: Any = loaded.float().eval().fuse(verbose=False)
    # ONNX Split stays on the KPU; the 16 Slices that tracing chunk() gives would run on the RISC-V core.
    for layer in model.modules():
        if isinstance(layer, C2f):
            layer.__dict__["forward"] = layer.forward_split
    raw = RawHeads(model)
    write_onnx(raw, onnx_file, width, height, OUTPUT_NAMES)
    return [str(model.names[index]) for index in sorted(model.names)]
