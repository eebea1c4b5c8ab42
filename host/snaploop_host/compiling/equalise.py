"""Cross-layer equalisation: scale the channels between two layers so that 8 bits are enough for all of them. Free on the board.

The compiler gives an activation one range for all channels. Where channels differ a thousandfold the small ones drown, although a
network may decide by them. Between Conv, ReLU and Conv a channel can be divided by any positive number if the next layer multiplies
by it (Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction"). Powers of two make that exact:
the float model's answers do not change by a bit.

Called by `compile_child`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .onnx_graph import Region, groups_of, is_transposed, regions

if TYPE_CHECKING:
    import onnx

LARGEST_EXPONENT = 14  # 2^14: beyond it a channel is dead rather than badly scaled


def equalise(model: onnx.ModelProto, peaks: Mapping[str, np.ndarray]) -> tuple[onnx.ModelProto, int]:
    """A model with the same answers whose channels suit one common range, and how many layers were rescaled.

    Args:
        model: stays as it is.
        peaks: per tensor of `onnx_graph.regions(model)` the largest absolute value of each channel over calibration pictures.
    """
    import onnx
    from onnx import numpy_helper

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    places = {constant.name: index for index, constant in enumerate(changed.graph.initializer)}

    def scale(name: str, factors: np.ndarray) -> None:
        values = numpy_helper.to_array(changed.graph.initializer[places[name]])
        changed.graph.initializer[places[name]].CopyFrom(
            numpy_helper.from_array((values * factors).astype(values.dtype), name)
        )

    rescaled = 0
    for region in regions(changed):
        weights = [numpy_helper.to_array(changed.graph.initializer[places[node.input[1]]]) for node in region.readers]
        factors = _factors(region, weights, np.asarray(peaks[region.tensor], np.float64))
        if (factors == 1).all():
            continue
        rescaled += 1
        writer_weights = numpy_helper.to_array(changed.graph.initializer[places[region.writer.input[1]]])
        scale(region.writer.input[1], _along_outputs(region.writer, 1 / factors, writer_weights.ndim))
        if len(region.writer.input) > 2:
            scale(region.writer.input[2], 1 / factors)
        for node, values in zip(region.readers, weights, strict=True):
            scale(node.input[1], _along_inputs(node, factors, values.shape))
    return changed, rescaled


def _factors(region: Region, weights: list[np.ndarray], peaks: np.ndarray) -> np.ndarray:
    """What to divide each channel by: a power of two that leaves its range as the square root of its weight in the next layers.

    A channel's share of what a reader's output can reach is |weight| x peak. With range and weights both at the root of the share,
    neither activations nor weights waste their 8 bits; measured against the row's largest, so the scale of outputs plays no part.
    """
    share = np.zeros(region.channels)
    for node, values in zip(region.readers, weights, strict=True):
        share = np.maximum(share, _share(node, values, peaks))
    alive = (peaks > 0) & (share > 0)
    if not alive.any():
        return np.ones(region.channels)
    exponents = np.zeros(region.channels)
    exponents[alive] = np.log2(peaks[alive]) - 0.5 * np.log2(share[alive])
    exponents[alive] -= np.median(exponents[alive])  # the common scale is the compiler's business
    return np.exp2(np.clip(np.round(exponents), -LARGEST_EXPONENT, LARGEST_EXPONENT))


def _share(node: Any, values: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Each channel's largest share, 0…1, of one row of a reader."""
    channels = len(peaks)
    if node.op_type == "Gemm":
        rows = np.abs(values if is_transposed(node) else values.T)  # [out, in]
        rows = rows.reshape(len(rows), channels, -1).max(axis=2)
        reach = rows * peaks
        return np.asarray((reach / np.maximum(reach.max(axis=1, keepdims=True), 1e-30)).max(axis=0))
    groups = groups_of(node)
    rows = np.abs(values).reshape(len(values), values.shape[1], -1).max(axis=2)  # [out, in of the group]
    share = np.zeros(channels)
    for group in range(groups):
        out = slice(group * len(rows) // groups, (group + 1) * len(rows) // groups)
        inside = slice(group * rows.shape[1], (group + 1) * rows.shape[1])
        reach = rows[out] * peaks[inside]
        share[inside] = (reach / np.maximum(reach.max(axis=1, keepdims=True), 1e-30)).max(axis=0)
    return share


def _along_outputs(node: Any, factors: np.ndarray, rank: int) -> np.ndarray:
    if node.op_type == "Gemm":
        return factors[:, None] if is_transposed(node) else factors[None, :]
    return factors.reshape(-1, *[1] * (rank - 1))


def _along_inputs(node: Any, factors: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if node.op_type == "Gemm":
        width = shape[1] if is_transposed(node) else shape[0]
        spread = np.repeat(factors, width // len(factors))  # a flattened picture: channel after channel
        return spread[None, :] if is_transposed(node) else spread[:, None]
    per_group = shape[1]
    rows_per_group = shape[0] // groups_of(node)
    picked = [factors[row // rows_per_group * per_group :][:per_group] for row in range(shape[0])]
    return np.array(picked).reshape(shape[0], per_group, *[1] * (len(shape) - 2))
