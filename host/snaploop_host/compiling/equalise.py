"""Cross-layer equalisation: scale the channels between two layers so that 8 bits are enough for all of them. Free on the board.

The compiler gives an activation one range for all channels. Where channels differ a thousandfold the small ones drown, although a
network may decide by them. Between Conv, ReLU and Conv a channel can be divided by any positive number if the next layer multiplies
by it (Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction"); where branches are added, all that
write into the sum are divided and all that read it multiply. Powers of two make that exact:
the float model's answers do not change by a bit. A layer that is well as it is stays so: what activations gain their next layer's
weights may lose, and on a healthy network that cost a factor of three (docs/lab_log.md).

Called by `compile_child`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .onnx_graph import groups_of, is_transposed, regions

if TYPE_CHECKING:
    import onnx

LARGEST_EXPONENT = 14  # 2^14: beyond it a channel is dead rather than badly scaled
STRENGTHS = (0.25, 0.5, 0.75, 1.0)  # of the full correction; the one with the least expected error is taken
TINY = 1e-30
WORTHWHILE = 0.5  # of the expected error must go, else the layer stays: the expectation is a rough one

Block = tuple[slice, np.ndarray]


def equalise(model: onnx.ModelProto, levels: Mapping[str, np.ndarray]) -> tuple[onnx.ModelProto, int]:
    """A model with the same answers whose channels suit one common range, and how many layers were rescaled.

    Args:
        model: stays as it is.
        levels: per tensor of each of `onnx_graph.regions(model)` an array (2, channels): the largest absolute value of each channel over
            the calibration pictures, and its root mean square.
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
        blocks = [
            block
            for node, values in zip(region.readers, weights, strict=True)
            for block in _blocks(node, values, region.channels)
        ]
        peaks, means = np.stack([np.asarray(levels[tensor], np.float64) for tensor in region.tensors], axis=1)
        factors = _factors(blocks, peaks.max(axis=0), np.sqrt(np.square(means).mean(axis=0)))
        if (factors == 1).all():
            continue
        rescaled += 1
        for writer in region.writers:
            rank = len(changed.graph.initializer[places[writer.input[1]]].dims)
            scale(writer.input[1], _along_outputs(writer, 1 / factors, rank))
            if len(writer.input) > 2 and writer.input[2]:
                scale(writer.input[2], 1 / factors)
        for node, values in zip(region.readers, weights, strict=True):
            scale(node.input[1], _along_inputs(node, factors, values.shape))
    return changed, rescaled


def _blocks(node: Any, values: np.ndarray, channels: int) -> list[Block]:
    """A reader's weights as [out, in, taps] with the channels they read; several for a grouped convolution."""
    if node.op_type == "Gemm":
        rows = values if is_transposed(node) else values.T
        return [(slice(0, channels), rows.reshape(len(rows), channels, -1))]
    groups, inside = groups_of(node), values.shape[1]
    parts = np.split(values.reshape(len(values), inside, -1), groups)
    return [(slice(group * inside, (group + 1) * inside), part) for group, part in enumerate(parts)]


def _factors(blocks: list[Block], peaks: np.ndarray, means: np.ndarray) -> np.ndarray:
    """What to divide each channel by: powers of two, all 1 where that would not help.

    A channel's share of what a reader's output can reach is |weight| x peak, against the row's largest, so that the scale of
    outputs plays no part. The full correction leaves the channel's range, and its weights, at the square root of that share.
    """
    share = np.zeros(len(peaks))
    for inside, weights in blocks:
        reach = np.abs(weights).max(axis=2) * peaks[inside]
        of_row = reach / np.maximum(reach.max(axis=1, keepdims=True), TINY)
        share[inside] = np.maximum(share[inside], of_row.max(axis=0))
    plain = np.ones(len(peaks))
    alive = (peaks > 0) & (share > 0)
    if not alive.any():
        return plain
    exponents = np.zeros(len(peaks))
    exponents[alive] = np.log2(peaks[alive]) - 0.5 * np.log2(share[alive])
    exponents[alive] -= np.median(exponents[alive])  # the common scale is the compiler's business
    exponents = np.clip(exponents, -LARGEST_EXPONENT, LARGEST_EXPONENT)
    tried = [np.exp2(np.round(strength * exponents)) for strength in STRENGTHS]
    best = min(tried, key=lambda factors: _expected_error(blocks, peaks, means, factors))
    before, after = (_expected_error(blocks, peaks, means, factors) for factors in (plain, best))
    return best if after < WORTHWHILE * before else plain


def _expected_error(blocks: list[Block], peaks: np.ndarray, means: np.ndarray, factors: np.ndarray) -> float:
    """Squared rounding error over squared output, mean of all rows: one step for all activations, one for each row of weights."""
    step = (peaks / factors).max() / 255
    ratios = []
    for inside, weights in blocks:
        scaled = weights * factors[inside][None, :, None]
        levels = np.square(means[inside] / factors[inside])[None, :, None]
        row_steps = 2 * np.abs(scaled).max(axis=(1, 2)) / 255  # weights have both signs
        noise = step**2 * np.square(scaled).sum(axis=(1, 2)) + row_steps**2 * levels.sum() * weights.shape[2]
        signal = (np.square(scaled) * levels).sum(axis=(1, 2))
        ratios.append(noise[signal > 0] / signal[signal > 0])
    every = np.concatenate(ratios)
    return float(every.mean()) if len(every) else 0.0


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
