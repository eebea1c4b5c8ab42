"""What the float network does with the calibration pictures, by onnxruntime: ranges of channels, and whose rounding shows most.

Called by `compile_child` for rungs that equalise or mix types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx


def session(model: onnx.ModelProto) -> Any:
    """An onnxruntime session on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # its threads spin at barriers: on a busy machine two are slower than one
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def with_outputs(model: onnx.ModelProto, tensors: Iterable[str]) -> onnx.ModelProto:
    """A copy whose outputs are `tensors`."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in tensors)
    return copy


def channel_levels(model: onnx.ModelProto, tensors: Sequence[str], pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Per tensor (2, channels): the largest absolute value and the root mean square over float32 pictures (N, 3, H, W)."""
    if not tensors:
        return {}
    running = session(with_outputs(model, tensors))
    name = running.get_inputs()[0].name
    peaks: dict[str, Any] = dict.fromkeys(tensors, 0.0)
    squares: dict[str, Any] = dict.fromkeys(tensors, 0.0)
    for picture in pictures:
        for tensor, values in zip(tensors, running.run(None, {name: picture[None]}), strict=True):
            flat = values.reshape(values.shape[0], values.shape[1], -1).astype(np.float64)
            peaks[tensor] = np.maximum(peaks[tensor], np.abs(flat).max(axis=(0, 2)))
            squares[tensor] = squares[tensor] + np.square(flat).mean(axis=(0, 2)) / len(pictures)
    return {tensor: np.stack([peaks[tensor], np.sqrt(squares[tensor])]) for tensor in tensors}


def rounding_errors(model: onnx.ModelProto, ranges: Mapping[str, np.ndarray], pictures: np.ndarray) -> dict[str, float]:
    """How much the outputs change when one tensor alone is rounded to 8 bits: squared error over squared output, mean of outputs.

    Args:
        model: the float network.
        ranges: tensor name to its range: (2,) for an activation, (rows, 2) for the weights of a layer; both as nncase uses them.
        pictures: float32 (N, 3, H, W); a few are enough.
    """
    import onnx
    from onnx import numpy_helper

    weights = {
        constant.name: numpy_helper.to_array(constant)
        for constant in model.graph.initializer
        if constant.name in ranges
    }
    made = {name for node in model.graph.node for name in node.output}
    activations = [name for name in ranges if name in made]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    _open_to_noise(probe, activations, list(weights))
    outputs = [given.name for given in model.graph.output]
    running = session(with_outputs(probe, [*outputs, *activations]))
    name = running.get_inputs()[0].name
    rounded_weights = {tensor: rounded(values, ranges[tensor]) for tensor, values in weights.items()}
    errors = dict.fromkeys([*activations, *weights], 0.0)
    for picture in pictures:
        given = {name: picture[None]}
        answers = dict(zip([*outputs, *activations], running.run(None, given), strict=True))
        expected = [answers[output] for output in outputs]
        for tensor in errors:
            if tensor in weights:
                changed = {tensor: rounded_weights[tensor]}
            else:
                changed = {_noise(tensor): rounded(answers[tensor], ranges[tensor]) - answers[tensor]}
            found = running.run(outputs, {**given, **changed})
            errors[tensor] += _relative_error(expected, found) / len(pictures)
    return errors


def rounded(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """`values` as 8 bits over `limits` hold them: (2,) for all, or (rows, 2) for each first index, of a MatMul's for each last one."""
    shape = [1] * values.ndim
    if limits.ndim == 2:
        shape[0 if len(limits) == len(values) else -1] = -1
    low = np.minimum(limits[..., 0], 0).reshape(shape).astype(np.float32)
    high = np.maximum(limits[..., 1], 0).reshape(shape).astype(np.float32)
    step = np.maximum((high - low) / 255, 1e-30)
    zero = np.round(-low / step)
    result: np.ndarray = (np.clip(np.round(values / step) + zero, 0, 255) - zero) * step
    return result.astype(np.float32)


def _relative_error(expected: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> float:
    parts = [
        float(np.square(one - other).sum() / max(np.square(one).sum(), 1e-30))
        for one, other in zip(expected, found, strict=True)
    ]
    return sum(parts) / len(parts)


def _noise(tensor: str) -> str:
    return f"{tensor}.noise"


def _open_to_noise(model: onnx.ModelProto, activations: Sequence[str], weights: Sequence[str]) -> None:
    """Give every activation something to be added and every weight a way to be replaced, as inputs with defaults.

    One session then serves all tensors; building one per tensor took longer than the runs.
    """
    import onnx
    from onnx import TensorProto, helper

    for tensor in activations:
        inner = f"{tensor}.exact"
        for node in model.graph.node:
            node.output[:] = [inner if name == tensor else name for name in node.output]
    readers = [
        helper.make_node("Add", [f"{tensor}.exact", _noise(tensor)], [tensor], name=f"{tensor}.add")
        for tensor in activations
    ]
    behind = {node.input[0]: node for node in readers}
    ordered = []
    for node in model.graph.node:
        ordered.append(node)
        ordered += [behind[name] for name in node.output if name in behind]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    for tensor in activations:
        model.graph.initializer.append(helper.make_tensor(_noise(tensor), TensorProto.FLOAT, [], [0.0]))
        model.graph.input.append(helper.make_tensor_value_info(_noise(tensor), TensorProto.FLOAT, None))
    dims = {constant.name: list(constant.dims) for constant in model.graph.initializer}
    given = {value.name for value in model.graph.input}
    for tensor in weights:
        if tensor not in given:
            model.graph.input.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, dims[tensor]))
