"""A network to an ONNX file in the one form that the K230's compiler was tested with. Used by every task's export."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import nn

from ..domain.preprocess import UNIT_RANGE, Preprocess

logger = logging.getLogger(__name__)

OPSET = 13  # 11 to 18 gave the same kmodel; 13 is the oldest that onnxruntime and nncase both read without conversion


def write_onnx(
    network: nn.Module,
    onnx_file: Path,
    width: int,
    height: int,
    outputs: Sequence[str],
    preprocess: Preprocess = UNIT_RANGE,
) -> None:
    """Write `onnx_file`, whole or not at all.

    What the input is normalised with stands in the file's metadata, `mean` and `std`: a kmodel does that itself, who runs the ONNX file
    in its place (`virtual-k230 run --onnx`) has to.

    Args:
        network: takes (1, 3, H, W) float32 as the task's preprocess leaves it; put into evaluation mode.
        onnx_file: static batch 1, input "images".
        width: of the input, px.
        height: of the input, px.
        outputs: names, in the network's order.
        preprocess: what the network's input has been through.
    """
    partial = onnx_file.with_suffix(".part")
    with torch.inference_mode():
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 3, height, width),),
            str(partial),
            input_names=["images"],
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=False,  # the new exporter's graph is not what the compiler was tested with
        )
    model = onnx.load(str(partial))
    for name, values in (("mean", preprocess.mean), ("std", preprocess.std)):
        model.metadata_props.add(key=name, value=",".join(map(str, values)))
    onnx.save(model, str(partial))
    partial.replace(onnx_file)
    logger.info("exported %s for %dx%d", onnx_file, width, height)
