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

FLOAT, FLOAT16 = 1, 10  # of onnx.TensorProto

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
    except onnx.checker.ValidationError as error:  # weights in another file that is not there
        raise CompileFailedError(
            f"{file.name} is not whole ({' '.join(str(error).split())}): put its parts beside it"
        ) from error
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
    if len(shape) != 4 or shape[:2] != [1, 3] or min(shape) < 1 or kind.elem_type != FLOAT:
        raise ValueError(
            f"the input {inputs[0].name} must be float32 [1, 3, height, width] of fixed size, "
            f"not {_type_name(kind.elem_type)} {shape}"
        )
    return inputs[0].name, shape


def _type_name(kind: int) -> str:
    """What onnx calls a type, in lower case: "uint8"."""
    import onnx

    return {"float": "float32"}.get(name := onnx.TensorProto.DataType.Name(kind).lower(), name)


def is_in_pieces(file: Path) -> bool:
    """Whether weights lie in other files beside the ONNX file, as of networks above 2 GB."""
    import onnx
    from onnx.external_data_helper import uses_external_data

    return any(uses_external_data(one) for one in onnx.load(str(file), load_external_data=False).graph.initializer)


def in_half_precision(model: onnx.ModelProto) -> list[str]:
    """What computes in float16, which nncase does not: names of casts to it and of constants in it."""
    casts = [
        node.name or node.output[0]
        for node in model.graph.node
        if node.op_type == "Cast" and any(one.name == "to" and one.i == FLOAT16 for one in node.attribute)
    ]
    widened = {node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    constants = [one.name for one in model.graph.initializer if one.data_type == FLOAT16 and one.name not in widened]
    return casts + constants


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
    """Layers whose common channels can be scaled freely: some write them, others read them, nothing between minds the scale.

    Attributes:
        writers: the Conv and Gemm nodes that make the channels; several where residual branches are added up.
        tensors: as the readers see them, after additions and activations; each gets one range from the compiler.
        channels: how many.
        readers: the Conv and Gemm nodes that read them.
    """

    writers: tuple[Any, ...]
    tensors: tuple[str, ...]
    channels: int
    readers: tuple[Any, ...]


def regions(model: onnx.ModelProto) -> list[Region]:
    """All of them, in graph order."""
    shapes = {constant.name: list(constant.dims) for constant in model.graph.initializer}
    readers_of: dict[str, list[Any]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers_of[name].append(node)
    made = {name for node in model.graph.node if node.op_type != "Constant" for name in node.output}
    linked = _Linked()
    for node in model.graph.node:
        if _links(node, made):
            for name in [*(one for one in node.input if one in made), *node.output]:
                linked.join(node.output[0], name)
    minded = {linked.root(given.name) for given in [*model.graph.output, *model.graph.input]}
    writers, readers, seen = (defaultdict[str, list[Any]](list) for _ in range(3))
    for node in model.graph.node:
        roots = [linked.root(name) for name in node.output]
        if _links(node, made):
            seen[roots[0]] += [node.output[0]] if node.op_type == "Add" else []
        elif _is_layer(node, shapes, readers_of):
            writers[roots[0]].append(node)
            seen[roots[0]].append(node.output[0])
            readers[linked.root(node.input[0])].append(node)
        else:
            minded.update(roots, map(linked.root, node.input))
    found = []
    for root, layers in writers.items():
        widths = {_rows(layer, shapes) for layer in layers}
        if root in minded or len(widths) != 1 or not readers[root]:
            continue
        channels = widths.pop()
        if all(_width(reader, shapes) % channels == 0 for reader in readers[root]):
            tensors = [_after_activation(name, readers_of) for name in seen[root] if not _only_added(name, readers_of)]
            found.append(Region(tuple(layers), tuple(tensors), channels, tuple(readers[root])))
    return found


def _is_layer(node: Any, shapes: dict[str, list[int]], readers_of: dict[str, list[Any]]) -> bool:
    """Whether it is a Conv or a plain Gemm whose constants nobody else reads."""
    if node.op_type not in ("Conv", "Gemm") or node.input[1] not in shapes:
        return False
    if not all(name in shapes and len(readers_of[name]) == 1 for name in node.input[1:] if name):
        return False
    factors = [attribute.f for attribute in node.attribute if attribute.name in ("alpha", "beta")]
    return node.op_type == "Conv" or all(factor == 1.0 for factor in factors)


def _links(node: Any, made: set[str]) -> bool:
    """Whether the channels that go in and those that come out have the same scale, whatever it is."""
    if node.op_type == "Add":
        return all(name in made for name in node.input)
    return node.op_type in HOMOGENEOUS or (node.op_type in ("Flatten", "ReduceMean") and _keeps_channels(node))


class _Linked:
    """Tensors whose channels have one scale: each set is named by one of them."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def root(self, name: str) -> str:
        """The name of the set that a tensor is in."""
        while (parent := self._parents.get(name, name)) != name:
            name = parent
        return name

    def join(self, one: str, other: str) -> None:
        """Make one set of two."""
        self._parents[self.root(other)] = self.root(one)


def _after_activation(tensor: str, readers_of: dict[str, list[Any]]) -> str:
    """The tensor itself, or what a ReLU that alone reads it makes of it."""
    after = readers_of[tensor]
    return str(after[0].output[0]) if len(after) == 1 and after[0].op_type in ("Relu", "LeakyRelu") else tensor


def _only_added(tensor: str, readers_of: dict[str, list[Any]]) -> bool:
    """Whether layers see it in sums alone."""
    return all(node.op_type == "Add" for node in readers_of[tensor])


def can_equalise(model: onnx.ModelProto) -> bool:
    """Whether there is anything to equalise."""
    return bool(regions(model))


def _keeps_channels(node: Any) -> bool:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "Flatten":
        return "axis" not in attributes or attributes["axis"].i == 1
    return "axes" in attributes and set(attributes["axes"].ints) <= {2, 3, -1, -2}  # over the picture, not the channels


def _rows(node: Any, shapes: dict[str, list[int]]) -> int:
    """How many channels a layer makes."""
    return shapes[node.input[1]][0 if node.op_type == "Conv" or is_transposed(node) else 1]


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
