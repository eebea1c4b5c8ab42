"""Questions about an ONNX graph that compiling asks: what goes in and out, and which neighbouring layers share channels freely.

Called by `compile_child`, `equalise`, `sensitivity`, `ladder` and `kmodel_compiler`. Imports onnx only inside functions, so the
folder stays cheap to import.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CompileFailedError

if TYPE_CHECKING:
    import onnx

# Scaling a channel by a positive number before one of these is the same as scaling it after.
HOMOGENEOUS = {
    "Relu",
    "LeakyRelu",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Identity",
    "Dropout",
}
# Operators of networks that were seen to compile (nncase-k230.md); others are named when nncase gives up without a reason.
PROVEN = HOMOGENEOUS | set(
    [
        "Add",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "Conv",
        "ConvTranspose",
        "Div",
        "Expand",
        "Flatten",
        "Gather",
        "Gemm",
        "HardSigmoid",
        "HardSwish",
        "LSTM",
        "MatMul",
        "Mul",
        "ReduceL2",
        "ReduceMean",
        "Reshape",
        "Resize",
        "Shape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Split",
        "Squeeze",
        "Sub",
        "Tanh",
        "Transpose",
        "Unsqueeze",
    ]
)


def read_onnx(file: Path) -> onnx.ModelProto:
    """The model in a file.

    Raises:
        CompileFailedError: it is missing, or no ONNX file, or a damaged one.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(file))
    except (OSError, DecodeError) as error:
        raise CompileFailedError(f"{file.name} is no ONNX file that can be read ({error}): export it again") from error
    if not model.graph.node:
        raise CompileFailedError(f"{file.name} is an empty ONNX file: export it again")
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        words = " ".join(str(error).split())[:200]
        raise CompileFailedError(f"{file.name} is damaged ({words}): export it again") from error
    return model


def input_shape(model: onnx.ModelProto) -> tuple[str, list[int]]:
    """Name and shape of the only input, a picture [1, 3, H, W].

    Raises:
        ValueError: another number of inputs, a shape that is not fixed, or no picture.
    """
    constants = {constant.name for constant in model.graph.initializer}
    inputs = [given for given in model.graph.input if given.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(given.name for given in inputs) or "none"
        raise ValueError(f"the network must have one input, the picture; it has {len(inputs)}: {names}")
    kind = inputs[0].type.tensor_type
    shape = [side.dim_value for side in kind.shape.dim]  # 0 for a side that is not fixed
    free = [side.dim_param or f"side {place}" for place, side in enumerate(kind.shape.dim) if not side.dim_value]
    if free:
        raise ValueError(
            f"the input {inputs[0].name} has a dynamic shape (free: {', '.join(free)}): "
            "export it with a fixed one, [1, 3, height, width]"
        )
    if len(shape) != 4 or shape[:2] != [1, 3] or min(shape) < 1 or kind.elem_type != 1:
        raise ValueError(f"the input {inputs[0].name} must be float32 [1, 3, height, width] of fixed size, not {shape}")
    return inputs[0].name, shape


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operators."""
    return max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)


def nodes_of(model: onnx.ModelProto, kind: str, most: int = 3) -> list[str]:
    """Names of the nodes with an operator; those without a name by what they make."""
    found = [node.name or f"that makes {node.output[0]}" for node in model.graph.node if node.op_type == kind]
    return [*found[:most], f"and {len(found) - most} more"] if len(found) > most else found


def unproven_operators(model: onnx.ModelProto) -> dict[str, int]:
    """Operators that no network seen to compile had, with their number."""
    counted = Counter(node.op_type for node in model.graph.node)
    return {kind: count for kind, count in counted.items() if kind not in PROVEN}


@dataclass(frozen=True)
class Region:
    """Layers whose common channels can be scaled freely: one writes them, others read them, nothing between minds the scale.

    Attributes:
        writer: the Conv or Gemm that makes the channels.
        tensor: its output as the next layers see it, after the activation; what the compiler gives one range to.
        channels: how many.
        readers: the Conv and Gemm nodes that read them.
    """

    writer: Any
    tensor: str
    channels: int
    readers: tuple[Any, ...]


def regions(model: onnx.ModelProto) -> list[Region]:
    """All of them, in graph order."""
    graph = model.graph
    shapes = {constant.name: list(constant.dims) for constant in graph.initializer}
    uses = Counter(name for node in graph.node for name in node.input)
    readers_of: dict[str, list[Any]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers_of[name].append(node)
    outputs = {given.name for given in graph.output}

    def own_weights(node: Any) -> bool:
        return all(name in shapes and uses[name] == 1 for name in node.input[1:] if name) and node.input[1] in shapes

    def is_layer(node: Any) -> bool:
        if node.op_type == "Gemm":
            plain = {attribute.name: attribute for attribute in node.attribute}
            return own_weights(node) and all(plain[name].f == 1.0 for name in ("alpha", "beta") if name in plain)
        return node.op_type == "Conv" and own_weights(node)

    found = []
    for writer in graph.node:
        if not is_layer(writer):
            continue
        channels = shapes[writer.input[1]][0] if writer.op_type == "Conv" else _gemm_rows(writer, shapes)
        readers = _readers(writer.output[0], readers_of, outputs, is_layer)
        if readers and all(_width(reader, shapes) % channels == 0 for reader in readers):
            tensor = writer.output[0]
            after = readers_of[tensor]
            if len(after) == 1 and after[0].op_type in ("Relu", "LeakyRelu"):
                tensor = after[0].output[0]
            found.append(Region(writer, tensor, channels, tuple(readers)))
    return found


def can_equalise(model: onnx.ModelProto) -> bool:
    """Whether there is anything to equalise."""
    return bool(regions(model))


def _readers(tensor: str, readers_of: dict[str, list[Any]], outputs: set[str], is_layer: Any) -> list[Any] | None:
    """The layers that a tensor ends in, through operators that do not mind its scale; None when it ends elsewhere too."""
    if tensor in outputs or not readers_of[tensor]:
        return None
    found: list[Any] = []
    for node in readers_of[tensor]:
        if is_layer(node) and node.input[0] == tensor:
            found.append(node)
        elif node.op_type in HOMOGENEOUS or (node.op_type in ("Flatten", "ReduceMean") and _keeps_channels(node)):
            deeper = _readers(node.output[0], readers_of, outputs, is_layer)
            if deeper is None:
                return None
            found += deeper
        else:
            return None
    return found


def _keeps_channels(node: Any) -> bool:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "Flatten":
        return "axis" not in attributes or attributes["axis"].i == 1
    return "axes" in attributes and set(attributes["axes"].ints) <= {2, 3, -1, -2}  # over the picture, not the channels


def _gemm_rows(node: Any, shapes: dict[str, list[int]]) -> int:
    return shapes[node.input[1]][0 if is_transposed(node) else 1]


def is_transposed(node: Any) -> bool:
    """Whether a Gemm's weights are [out, in], as torch writes them."""
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)


def groups_of(node: Any) -> int:
    """A convolution's groups."""
    return next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)


def _width(node: Any, shapes: dict[str, list[int]]) -> int:
    """How many input channels a layer reads."""
    sides = shapes[node.input[1]]
    if node.op_type == "Conv":
        return sides[1] * groups_of(node)
    return sides[1] if is_transposed(node) else sides[0]
