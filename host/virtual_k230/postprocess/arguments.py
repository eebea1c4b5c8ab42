"""What the firmware checks of an argument before it computes, with its own words for what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..hal import HalError


def array_of(value: Any, dtype: Any) -> Array:
    """A contiguous array of this type.

    Raises:
        HalError: TypeError "expected ndarray"; ValueError "invalid ndarray dtype or layout".
    """
    if not isinstance(value, np.ndarray):
        raise HalError("TypeError", "expected ndarray")
    if value.dtype != dtype or not value.flags.c_contiguous:
        raise HalError("ValueError", "invalid ndarray dtype or layout")
    return value


def floats(value: Any) -> Array:
    """A contiguous float array."""
    return array_of(value, np.float32)


def canvas(value: Any, height: int, width: int) -> Array:
    """A uint8 array of the script as a (height, width, 4) view that is written in place.

    Raises:
        HalError: TypeError "expected uint8 ndarray"; ValueError when it is not contiguous or too small.
    """
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8:
        raise HalError("TypeError", "expected uint8 ndarray")
    if not value.flags.c_contiguous:
        raise HalError("ValueError", "ndarray must be contiguous")
    if value.size < height * width * 4:
        raise HalError("ValueError", "ndarray buffer is too small")
    return value.reshape(-1)[: height * width * 4].reshape(height, width, 4)


def pair(value: Any) -> tuple[int, int]:
    """Two positive whole numbers out of a list.

    Raises:
        HalError: TypeError "expected list"; ValueError "list is too short" or "shape values must be positive".
    """
    if not isinstance(value, list):
        raise HalError("TypeError", "expected list")
    if len(value) < 2:
        raise HalError("ValueError", "list is too short")
    first, second = int(value[0]), int(value[1])
    if first <= 0 or second <= 0:
        raise HalError("ValueError", "shape values must be positive")
    return first, second


def records(output: Any, n: int, length: int) -> Array:
    """The first n records of `length` floats, as (n, length); fewer when the array holds fewer.

    The firmware reads n of them without looking at the array; here one that does not hold whole records is an error.

    Raises:
        HalError: ValueError that names both numbers.
    """
    values = floats(output).reshape(-1)
    if values.size < n * length and values.size % length:
        raise HalError("ValueError", f"output has {values.size} values, {n} candidates of {length} were expected")
    n = min(n, values.size // length)
    return values[: n * length].reshape(n, length)


def cells(height: int, width: int) -> int:
    """Number of grid cells at strides 8, 16 and 32."""
    return sum((height // stride) * (width // stride) for stride in (8, 16, 32))
