"""Child process: one nncase compilation of an ONNX file for the K230. Started by `kmodel_compiler`, never imported.

Reads spec.json: onnx, samples (.npy, N×3×H×W uint8) and how many of them, activation/weight types, method, mean and std, whether to
equalise or mix types, and where the kmodel goes. Answers with its size and notes on what was done to the network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nncase
import numpy as np

from snaploop_host.compiling.child_process import start_as_child
from snaploop_host.compiling.onnx_graph import input_shape, is_in_pieces, read_onnx, regions

if TYPE_CHECKING:
    import onnx

PICTURES_FOR_ERRORS = 2  # of a detector they choose 23 of the 24 tensors that eight choose, in 8 s of CPU instead of 32


def main() -> None:
    """Prepare the network, compile it, check what came out, write it."""
    spec, answer = start_as_child()
    samples = np.load(spec["samples"])[: spec["sample_count"]]
    model = read_onnx(Path(spec["onnx"]))
    name, wanted = input_shape(model)
    if samples.dtype != np.uint8 or samples.ndim != 4 or not len(samples) or wanted != [1, *samples.shape[1:]]:
        # nncase would letterbox inside the kmodel without a word
        raise ValueError(
            f"the network wants {wanted} pictures at {name}, the calibration samples are {samples.dtype} {list(samples.shape)}"
        )
    notes = []
    pictures = _as_float(spec, samples)
    file = Path(spec["onnx"])
    content = model.SerializeToString() if is_in_pieces(file) else file.read_bytes()
    if spec["equalise"]:
        model, rescaled = _equalised(model, pictures)
        if rescaled:
            notes.append(f"{rescaled} layer{'s' if rescaled > 1 else ''} equalised")
            content = model.SerializeToString()
    if spec["mixed"]:
        scheme, wide = _mixed_scheme(spec, content, model, samples, pictures)
        notes.append(f"int16 for {', '.join(wide)}")
        kmodel = _compile(spec, content, samples, scheme=scheme)
    else:
        kmodel = _compile(spec, content, samples)
    _check(kmodel, wanted, len(model.graph.output))
    partial = Path(spec["kmodel"]).with_suffix(".part")
    partial.write_bytes(kmodel)
    partial.replace(spec["kmodel"])
    answer.write_text(json.dumps({"bytes": len(kmodel), "notes": notes}))


def _as_float(spec: dict[str, Any], samples: np.ndarray) -> np.ndarray:
    from snaploop_host.domain.preprocess import Preprocess

    return Preprocess(tuple(spec["mean"]), tuple(spec["std"])).apply(samples)


def _equalised(model: onnx.ModelProto, pictures: np.ndarray) -> tuple[onnx.ModelProto, int]:
    from snaploop_host.compiling.equalise import equalise
    from snaploop_host.compiling.float_runs import channel_levels

    tensors = [tensor for region in regions(model) for tensor in region.tensors]
    return equalise(model, channel_levels(model, tensors, pictures))


def _mixed_scheme(
    spec: dict[str, Any], content: bytes, model: onnx.ModelProto, samples: np.ndarray, pictures: np.ndarray
) -> tuple[Path, list[str]]:
    """A scheme file with 16 bits where rounding shows most, and the names of those tensors."""
    from snaploop_host.compiling.float_runs import rounding_errors
    from snaploop_host.compiling.mixed_scheme import choose_wide, ranges_of, widen

    dump = Path("exported")
    _compile(spec, content, samples, export_to=dump)
    scheme = json.loads((dump / "QuantScheme.json").read_text())
    errors = rounding_errors(model, ranges_of(scheme), pictures[:PICTURES_FOR_ERRORS])
    layers = [(node.input[0], node.input[1]) for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    wide = choose_wide(errors, layers)
    file = Path("mixed.json").resolve()
    file.write_text(json.dumps(widen(scheme, wide)))
    return file, wide


def _compile(
    spec: dict[str, Any], content: bytes, samples: np.ndarray, scheme: Path | None = None, export_to: Path | None = None
) -> bytes:
    options = nncase.CompileOptions()
    options.target = "k230"
    options.preprocess = True  # uint8 in, scaled inside the kmodel
    options.input_type = "uint8"
    options.input_layout = "NCHW"
    options.input_shape = [1, *samples.shape[1:]]
    options.input_range = [0, 1]
    options.mean = spec["mean"]
    options.std = spec["std"]
    options.swapRB = False
    options.dump_asm = False  # the default writes 160 files
    options.dump_ir = export_to is not None  # without it the scheme is not written
    if export_to is not None:
        options.dump_dir = str(export_to)
    compiler = nncase.Compiler(options)
    compiler.import_onnx(content, nncase.ImportOptions())
    ptq = nncase.PTQTensorOptions()
    ptq.calibrate_method = spec["method"]
    ptq.quant_type = spec["activations"]
    ptq.w_quant_type = spec["weights"]
    ptq.export_quant_scheme = export_to is not None
    ptq.export_weight_range_by_channel = export_to is not None
    if scheme is not None:
        ptq.quant_scheme = str(scheme)  # it holds the ranges; pictures are not looked at again
        ptq.set_tensor_data([])
    else:
        ptq.samples_count = len(samples)
        ptq.set_tensor_data([[np.ascontiguousarray(sample[None]) for sample in samples]])
    compiler.use_ptq(ptq)
    compiler.compile()
    kmodel: bytes = compiler.gencode_tobytes()
    return kmodel


def _check(kmodel: bytes, wanted: list[int], outputs: int) -> None:
    """Refuse a kmodel that takes or gives something else than the network."""
    simulator = nncase.Simulator()
    simulator.load_model(kmodel)
    shape = [int(side) for side in simulator.get_input_shape(0)]
    kind = simulator.get_input_desc(0).dtype
    if simulator.inputs_size != 1 or shape != wanted or kind != np.uint8:
        raise ValueError(f"the kmodel takes {simulator.inputs_size} inputs, {shape} {kind}, not one of {wanted} uint8")
    if simulator.outputs_size != outputs:
        raise ValueError(f"the kmodel has {simulator.outputs_size} outputs, the network {outputs}")


if __name__ == "__main__":
    main()
