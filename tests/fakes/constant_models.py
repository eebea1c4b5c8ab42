"""kmodel files that only their ONNX twins can answer for: whatever the picture, the same outputs. For tests of decoding and drawing."""

from __future__ import annotations

import struct
from hashlib import sha256
from pathlib import Path

import numpy as np

from fakes.twin_model import HEADER


def constant_model(folder: Path, name: str, input_wh: tuple[int, int], outputs: list[np.ndarray]) -> dict[str, Path]:
    """Write `name`.kmodel and `name`.onnx (pixels in, `outputs` out) into `folder`; {digest: twin} for VirtualK230(onnx_twins=…)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    filler = name.encode()[:64].ljust(64, b"\1")  # no two alike: the twin is found by digest
    body = b"stackvm".ljust(16, b"\0") + struct.pack("<4IQ", 1, 0, 0, 0, 40 + 64) + filler
    kmodel = HEADER + body
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["ignored"]),
        helper.make_node("ReduceSum", ["ignored"], ["zero"], keepdims=0),
    ]
    values = [numpy_helper.from_array(np.zeros(1, np.float32), "nothing")]
    infos = []
    for index, output in enumerate(outputs):
        values.append(numpy_helper.from_array(output.astype(np.float32), f"constant{index}"))
        nodes.append(helper.make_node("Add", [f"constant{index}", "zero"], [f"output{index}"]))
        infos.append(helper.make_tensor_value_info(f"output{index}", TensorProto.FLOAT, list(output.shape)))
    width, height = input_wh
    pixels = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])
    graph = helper.make_graph(nodes, "constant", [pixels], infos, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / f"{name}.onnx"))
    (folder / f"{name}.kmodel").write_bytes(kmodel)
    return {sha256(kmodel).hexdigest(): folder / f"{name}.onnx"}
