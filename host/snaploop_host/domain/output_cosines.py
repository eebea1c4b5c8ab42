"""How alike the raw outputs of the float model and the kmodel are, output by output. Pure NumPy, no I/O.

A cosine near 1 everywhere and a lost metric point at the decoder; one bad output shows where quantisation hurts. Where one tensor
holds several kinds of values (box distances beside class logits) each group of channels has its own: the loud one would drown the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Outputs = Sequence[npt.NDArray[np.floating[Any]]]
ChannelGroups = Mapping[int, Mapping[str, tuple[int, int]]]
"""Output number → group name → first channel and the one after the last; channels lie on axis 1."""

HIGH_ERROR_PERCENT = (
    15.0  # rms difference against an output's spread; a cosine hides it where all answers have much in common
)


@dataclass(frozen=True)
class OutputCosine:
    """One output, or one group of its channels: the cosine's mean and least over pictures, −1…1; group is "" for a whole output."""

    output: int
    group: str
    mean: float
    least: float


def output_cosines(
    float_outputs: Sequence[Outputs], kmodel_outputs: Sequence[Outputs], groups: ChannelGroups | None = None
) -> tuple[OutputCosine, ...]:
    """The cosines in the order of outputs and groups.

    Args:
        float_outputs: per picture the float model's outputs, (1, C, …) each.
        kmodel_outputs: the kmodel's to the same pictures.
        groups: of outputs that mix kinds.

    Raises:
        ValueError: different numbers of pictures or outputs, or shapes that do not agree.
    """
    if len(float_outputs) != len(kmodel_outputs) or not float_outputs:
        raise ValueError(
            f"{len(float_outputs)} pictures of the float model against {len(kmodel_outputs)} of the kmodel"
        )
    gathered: dict[tuple[int, str], list[float]] = {}
    for number, (floats, kmodels) in enumerate(zip(float_outputs, kmodel_outputs, strict=True)):
        if [one.shape for one in floats] != [one.shape for one in kmodels]:
            raise ValueError(
                f"picture {number}: float outputs {[one.shape for one in floats]}, "
                f"kmodel outputs {[one.shape for one in kmodels]}: the kmodel is of another model"
            )
        for output, (one, other) in enumerate(zip(floats, kmodels, strict=True)):
            for group, part in _parts(output, one.ndim, groups or {}):
                gathered.setdefault((output, group), []).append(cosine(one[part], other[part]))
    return tuple(
        OutputCosine(output, group, float(np.mean(values)), min(values)) for (output, group), values in gathered.items()
    )


def cosine(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Cosine of two tensors taken as vectors; 1 when both are all zero, 0 when one is or is not finite."""
    first, second = one.astype(float).ravel(), other.astype(float).ravel()
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return 0.0
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    if min(lengths) == 0:
        return 1.0 if max(lengths) == 0 else 0.0
    return float(np.clip(first / lengths[0] @ (second / lengths[1]), -1, 1))


def _parts(output: int, dimensions: int, groups: ChannelGroups) -> list[tuple[str, tuple[slice, ...]]]:
    if output not in groups:
        return [("", ())]
    if dimensions < 2:
        raise ValueError(f"output {output} has no channel axis to group: leave it out of the groups")
    return [(name, (slice(None), slice(first, end))) for name, (first, end) in groups[output].items()]
