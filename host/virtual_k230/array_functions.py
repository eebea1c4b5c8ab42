"""The less common functions of `ulab.numpy`: linear algebra, Fourier transform, polynomials, random numbers, bits.

`arrays.py` calls them; doubles that they return become ulab's 32-bit floats there. Facts: public ulab documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .hal import HalError

Array = NDArray[Any]


def _vector(a: Array) -> Array:
    return a.astype(np.float32, copy=False)


def _inverse(a: Array) -> Array:
    try:
        return np.asarray(np.linalg.inv(a.astype(np.float64)))
    except np.linalg.LinAlgError as error:
        raise HalError("ValueError", "input matrix is singular") from error


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "linalg.norm": lambda a, axis=None: (
        np.linalg.norm(_vector(a)) if axis is None else np.sqrt((_vector(a) ** 2).sum(axis))
    ),
    "linalg.inv": _inverse,
    "linalg.det": lambda a: float(np.linalg.det(a.astype(np.float64))),
    "linalg.eig": lambda a: tuple(np.linalg.eigh(a.astype(np.float64))),
    "linalg.cholesky": lambda a: np.linalg.cholesky(a.astype(np.float64)),
    "linalg.qr": lambda a: tuple(np.linalg.qr(a.astype(np.float64), mode="complete")),
    "trace": lambda a: float(np.trace(_vector(a))),
    "cross": np.cross,
    "convolve": lambda a, b: np.convolve(_vector(a), _vector(b)),
    "interp": lambda x, xp, fp, left=None, right=None: np.interp(x, xp, fp, left, right),
    "trapz": lambda y, x=None, dx=1.0: float(((y[1:] + y[:-1]) / 2 * (dx if x is None else np.diff(x))).sum()),
    "compress": lambda condition, a, axis=None: np.compress(np.asarray(condition).astype(bool), a, axis),
    "delete": lambda a, index, axis=None: np.delete(a, index, axis),
    "take": lambda a, index, axis=None: np.take(a, np.asarray(index).astype(int), axis),
    "diag": lambda a, k=0: np.diag(a, k),
    "isfinite": np.isfinite,
    "isinf": np.isinf,
    "around": lambda a, decimals=0: np.around(_vector(a), decimals),
    "arctan2": lambda y, x: np.arctan2(_vector(np.asarray(y)), _vector(np.asarray(x))),
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "left_shift": np.left_shift,
    "right_shift": np.right_shift,
    "polyfit": np.polyfit,
    "polyval": np.polyval,
    "logspace": lambda start, stop, n, base, has_end: np.logspace(start, stop, n, has_end, base),
    "byteswap": lambda a: a.byteswap(),
    "fft.fft": lambda re, im=None: _fourier(np.fft.fft, re, im),
    "fft.ifft": lambda re, im=None: _fourier(np.fft.ifft, re, im),
    "random.random": lambda shape: np.random.default_rng().random(shape),
    "random.uniform": lambda low, high, shape: np.random.default_rng().uniform(low, high, shape),
    "random.normal": lambda mean, deviation, shape: np.random.default_rng().normal(mean, deviation, shape),
}


def _fourier(transform: Callable[..., Array], re: Array, im: Array | None) -> tuple[Array, Array]:
    """Real and imaginary part, as ulab gives them; the length must be a power of two."""
    if re.ndim != 1 or re.size & (re.size - 1):
        raise HalError("ValueError", "input array length must be power of 2")
    result = transform(re if im is None else re + 1j * im)
    return np.real(result), np.imag(result)
