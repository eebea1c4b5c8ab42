"""Which tensors get 16 bits when not all of them should: an edit of the quantisation scheme that nncase exports and takes back.

Facts, found by experiment with nncase 2.11 (docs/lab_log.md): the scheme names tensors as the ONNX file does; types are u8, i8, i16;
taken back unchanged it gives the same bytes; i16 for both the input and the weights of a convolution makes that run in float
on the CPU core.

Called by `compile_child`. Pure.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

SHARE_TO_MEND = (
    0.9  # of the summed rounding error; the rest is spread thin, and every 16-bit tensor costs the board time
)
Scheme = dict[str, Any]


def ranges_of(scheme: Scheme) -> dict[str, np.ndarray]:
    """Tensor name to (2,) lowest and highest value, or (rows, 2) for weights."""
    return {
        entry["Name"]: _range(entry["DataRange"], entry["DataRangeMode"] == "by_channel") for entry in scheme["Outputs"]
    }


def _range(parts: list[dict[str, float]], is_by_channel: bool) -> np.ndarray:
    values = np.array([[part["Min"], part["Max"]] for part in parts], np.float64)
    return values if is_by_channel else values[0]


def choose_wide(errors: Mapping[str, float], layers: Iterable[tuple[str, str]]) -> list[str]:
    """The tensors to give 16 bits, worst first, until `SHARE_TO_MEND` of the error is gone.

    Args:
        errors: tensor name to what its rounding alone does to the outputs.
        layers: input and weights of every layer that has weights; at most one of the two is chosen.
    """
    against: dict[str, set[str]] = {}
    for one, other in layers:
        against.setdefault(one, set()).add(other)
        against.setdefault(other, set()).add(one)
    chosen: list[str] = []
    left = sum(errors.values())
    enough = (1 - SHARE_TO_MEND) * left
    for tensor in sorted(errors, key=lambda name: -errors[name]):
        if left <= enough or errors[tensor] <= 0:
            break
        if not against.get(tensor, set()) & set(chosen):
            chosen.append(tensor)
            left -= errors[tensor]
    return chosen


def widen(scheme: Scheme, tensors: Iterable[str]) -> Scheme:
    """A copy of the scheme with int16 for `tensors`."""
    wide = set(tensors)
    edited = copy.deepcopy(scheme)
    for entry in edited["Outputs"]:
        if entry["Name"] in wide:
            entry["DataType"] = "i16"
    return edited
