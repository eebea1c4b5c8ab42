"""A real kmodel of a few kilobytes, compiled on the spot: one convolution, uint8 [1,3,32,48] to float32 [1,4,16,24].

For tests that need Canaan's simulator. Takes two seconds; needs nncase and a .NET runtime, else says why not.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

INPUT_SHAPE = (1, 3, 32, 48)
OUTPUT_SHAPE = (1, 4, 16, 24)

_SCRIPT = """
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
rng = np.random.default_rng(0)
weights = rng.standard_normal((4, 3, 3, 3)).astype(np.float32) * 0.3
graph = helper.make_graph(
    [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]), helper.make_node("Relu", ["c"], ["y"])],
    "tiny",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 48])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 16, 24])],
    [numpy_helper.from_array(weights, "w")],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "tiny.onnx")
"""
_COMPILE = """
import json, sys
import numpy as np, nncase
onnx_file, kmodel_file, shape = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
rng = np.random.default_rng(0)
options = nncase.CompileOptions()
options.target, options.preprocess, options.input_type, options.input_layout = "k230", True, "uint8", "NCHW"
options.input_shape, options.input_range, options.mean, options.std = shape, [0, 1], [0, 0, 0], [1, 1, 1]
options.swapRB, options.dump_asm, options.dump_ir = False, False, False
compiler = nncase.Compiler(options)
compiler.import_onnx(open(onnx_file, "rb").read(), nncase.ImportOptions())
ptq = nncase.PTQTensorOptions()
ptq.calibrate_method, ptq.quant_type, ptq.w_quant_type, ptq.samples_count = "NoClip", "uint8", "uint8", 4
ptq.set_tensor_data([[rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(4)]])
compiler.use_ptq(ptq)
compiler.compile()
open(kmodel_file, "wb").write(compiler.gencode_tobytes())
"""


class CannotCompileError(Exception):
    """nncase, onnx or .NET is missing; the message says which."""


def compile_tiny(folder: Path) -> tuple[Path, Path]:
    """The kmodel and the ONNX it came from, both in `folder`.

    Raises:
        CannotCompileError: what is missing on this machine.
    """
    environment = _environment(folder)
    subprocess.run(
        [sys.executable, "-c", _SCRIPT], cwd=folder, env=environment, check=True, timeout=180, capture_output=True
    )
    compile_onnx(folder / "tiny.onnx", folder / "tiny.kmodel", INPUT_SHAPE)
    return folder / "tiny.kmodel", folder / "tiny.onnx"


def compile_onnx(onnx_file: Path, kmodel: Path, shape: tuple[int, ...]) -> None:
    """Write the kmodel of an ONNX file with one picture in, calibrated on noise.

    Raises:
        CannotCompileError: what is missing on this machine.
    """
    folder = onnx_file.parent
    subprocess.run(
        [sys.executable, "-c", _COMPILE, str(onnx_file), str(kmodel), json.dumps(shape)],
        cwd=folder, env=_environment(folder), check=True, timeout=180, capture_output=True,
    )  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    spec = importlib.util.find_spec("_nncase")
    if spec is None or spec.origin is None or importlib.util.find_spec("onnx") is None:
        raise CannotCompileError("nncase, nncase-kpu or onnx is not installed")
    places = [
        os.environ.get("DOTNET_ROOT", ""),
        str(Path.home() / ".cache/snaploop/dotnet"),
        "/usr/share/dotnet",
        "/usr/lib/dotnet",
    ]
    dotnet = next((place for place in places if place and (Path(place) / "host/fxr").is_dir()), None)
    if dotnet is None:
        raise CannotCompileError("no .NET runtime found (make setup lays one out)")
    site = Path(spec.origin).parent
    return {
        **os.environ,
        "DOTNET_ROOT": dotnet,
        "DOTNET_ROLL_FORWARD": "Major",
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
        "NNCASE_PLUGIN_PATH": str(site / "nncase/modules/kpu"),
        "TMPDIR": str(folder),
    }
