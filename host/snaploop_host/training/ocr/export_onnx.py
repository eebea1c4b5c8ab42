"""A trained network to an ONNX file with one output. Called by the two text tasks."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import nn

logger = logging.getLogger(__name__)

OPSET = 13  # as for detection: the oldest that onnxruntime and nncase both read without conversion


def export_network(network: nn.Module, onnx_file: Path, width: int, height: int, output: str) -> None:
    """Write `onnx_file` (static batch 1, float32 NCHW); whole or not at all."""
    partial = onnx_file.with_suffix(".part")
    with torch.inference_mode():
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 3, height, width),),
            str(partial),
            input_names=["images"],
            output_names=[output],
            opset_version=OPSET,
            dynamo=False,  # the new exporter's graph is not what the compiler was tested with
        )
    partial.replace(onnx_file)
    logger.info("exported %s for %dx%d", onnx_file, width, height)
