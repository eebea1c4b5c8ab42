"""Child process: one nncase compilation of an ONNX file for the K230. Started by `kmodel_compiler`, never imported."""

from __future__ import annotations

import json
from pathlib import Path

import nncase
import numpy as np

from snaploop_host.compiling.child_process import start_as_child


def main() -> None:
    """Compile what spec.json says: onnx, samples (.npy, N×3×H×W uint8), activation/weight types, method; write kmodel."""
    spec, answer = start_as_child()
    samples = np.load(spec["samples"])[: spec["sample_count"]]
    options = nncase.CompileOptions()
    options.target = "k230"
    options.preprocess = True  # uint8 in, scaled to 0…1 inside the kmodel
    options.input_type = "uint8"
    options.input_layout = "NCHW"
    options.input_shape = [1, *samples.shape[1:]]
    options.input_range = [0, 1]
    options.mean = spec["mean"]
    options.std = spec["std"]
    options.swapRB = False
    options.dump_ir = False
    options.dump_asm = False  # the default writes 160 files
    compiler = nncase.Compiler(options)
    compiler.import_onnx(Path(spec["onnx"]).read_bytes(), nncase.ImportOptions())
    ptq = nncase.PTQTensorOptions()
    ptq.calibrate_method = spec["method"]
    ptq.quant_type = spec["activations"]
    ptq.w_quant_type = spec["weights"]
    ptq.samples_count = len(samples)
    ptq.set_tensor_data([[np.ascontiguousarray(sample[None]) for sample in samples]])
    compiler.use_ptq(ptq)
    compiler.compile()
    kmodel = compiler.gencode_tobytes()
    partial = Path(spec["kmodel"]).with_suffix(".part")
    partial.write_bytes(kmodel)
    partial.replace(spec["kmodel"])
    answer.write_text(json.dumps({"bytes": len(kmodel)}))


if __name__ == "__main__":
    main()
