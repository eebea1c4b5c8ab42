"""The Python side of `ulab.numpy`: arrays stay here as NumPy arrays behind handles, with ulab's types and limits.

What differs between ulab and NumPy is done ulab's way, because scripts must behave as on the board: only uint8, int8,
uint16, int16, 32-bit float and bool; small result types (uint8 + uint8 wraps around); sums along an axis keep the
type; no index arrays; no flattened argsort. Facts: public ulab source and documentation.
MicroPython's `canmv/ulab/numpy.py` calls the operations; a reply is a number, `[handle, type code, shape]`
for an array, or `{"t": [...]}` for a tuple of arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array_functions import FUNCTIONS
from .hal import HalError, Reply
from .handles import Handles, handles_of

Array = NDArray[Any]

UINT8, INT8, UINT16, INT16, FLOAT, BOOL = ord("B"), ord("b"), ord("H"), ord("h"), ord("f"), ord("?")
MAX_DIMS = 4

_DTYPES: dict[int, type] = {
    UINT8: np.uint8, INT8: np.int8, UINT16: np.uint16, INT16: np.int16, FLOAT: np.float32, BOOL: np.bool_,
}  # fmt: skip
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_CODES[np.dtype(np.float64)] = FLOAT

_MIXED = {
    frozenset({UINT8, INT8}): INT16,
    frozenset({UINT8, INT16}): INT16,
    frozenset({UINT8, UINT16}): UINT16,
    frozenset({INT8, INT16}): INT16,
    frozenset({INT8, UINT16}): UINT16,
    frozenset({UINT16, INT16}): FLOAT,
}

_BINARY: dict[str, Callable[..., Array]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.true_divide, "**": np.power,
    "minimum": np.minimum, "maximum": np.maximum,
}  # fmt: skip
_COMPARE: dict[str, Callable[..., Array]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
}  # fmt: skip
_MATH = {
    name: getattr(np, name.replace("a", "arc", 1) if name.startswith(("as", "ac", "at")) else name)
    for name in ("exp", "expm1", "sqrt", "log", "log2", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "floor",
                 "ceil", "degrees", "radians", "asin", "acos", "atan", "asinh", "acosh", "atanh", "sinc")
}  # fmt: skip


def code_of(array: Array) -> int:
    """Ulab's type code of an array."""
    return _CODES[array.dtype]


def dtype_of(code: int) -> type:
    """NumPy type of a ulab code.

    Raises:
        HalError: TypeError for types that ulab does not have (int32, float64, …).
    """
    if code not in _DTYPES:
        raise HalError("TypeError", "data type not understood")
    return _DTYPES[code]


def fit(array: Array) -> Array:
    """An array in a type and number of dimensions that ulab has; tensors of other types arrive as float.

    Raises:
        HalError: ValueError for more than four dimensions.
    """
    if array.ndim > MAX_DIMS:
        raise HalError("ValueError", f"ulab arrays have up to {MAX_DIMS} dimensions, not {array.ndim}")
    return array if array.dtype in _CODES and array.dtype != np.float64 else array.astype(np.float32)


def describe(handles: Handles, array: Array) -> list[Any]:
    """Keep an array and tell MicroPython its handle, type code and shape."""
    return [handles.put(array), _CODES[array.dtype], list(array.shape)]


def scalar(value: Any) -> Any:
    """A number that JSON carries; nan and infinities travel as {"f": text}."""
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and not math.isfinite(number):
        return {"f": repr(number)}
    return number


class ArrayOps:
    """The operations behind one board's `ulab` module."""

    def __init__(self, board: Any) -> None:
        self._handles: Handles = handles_of(board)

    def get(self, handle: int) -> Array:
        """The array behind a handle."""
        return self._handles.get(handle, np.ndarray)

    def _out(self, result: Any) -> Any:
        """A result as MicroPython receives it: number, array or tuple of arrays."""
        if isinstance(result, tuple):
            return {"t": [self._out(part) for part in result]}
        if isinstance(result, np.ndarray):
            if result.ndim == 0:
                return scalar(result[()])
            return describe(self._handles, result)
        return scalar(result)

    def _operand(self, operand: Any, other: int) -> Array:
        """A scalar or a handle ({"h": n}) as array; a scalar takes the smallest type, seen from the other operand's."""
        if isinstance(operand, dict):
            if "h" in operand:
                return self.get(operand["h"])
            operand = float(operand["f"])
        if isinstance(operand, bool):
            return np.array(operand, np.uint8)
        if isinstance(operand, float) or not -32767 <= operand <= 32767:
            return np.array(operand, np.float32)
        if operand < 0:
            return np.array(operand, np.int8 if operand > -128 else np.int16)
        if other in (INT8, INT16):
            return np.array(operand, np.int8 if operand < 128 else np.int16)
        return np.array(operand, np.uint8 if operand < 256 else np.uint16)

    # ---- making -------------------------------------------------------------------------------------------------

    def make(self, shape: list[int], code: int, *, blob: memoryview) -> list[Any]:
        """An array of the numbers in `blob` (doubles), as nested lists were flattened."""
        values = np.frombuffer(blob, np.float64)
        _check_shape(shape)
        dtype = dtype_of(code)
        if dtype in (np.float32, np.bool_):
            array = values.astype(dtype)
        else:  # through int64, so that out-of-range integers wrap around as in C
            array = values.astype(np.int64).astype(dtype)
        return describe(self._handles, array.reshape(shape))

    def full(self, shape: list[int], code: int, value: Any) -> list[Any]:
        """zeros, ones, empty and full."""
        _check_shape(shape)
        number = float(value["f"]) if isinstance(value, dict) else value
        return describe(self._handles, np.full(shape, number, dtype_of(code)))

    def arange(self, start: Any, stop: Any, step: Any, code: int | None) -> list[Any]:
        """A range; integers give int16 and floats float unless `code` says otherwise."""
        if step == 0:
            raise HalError("ZeroDivisionError", "divide by zero")
        values = np.arange(start, stop, step)
        if code is None:
            code = INT16 if values.dtype.kind == "i" and (not len(values) or np.abs(values).max() < 32768) else FLOAT
        return describe(self._handles, values.astype(dtype_of(code)))

    def linspace(self, start: float, stop: float, n: int, has_end: bool, code: int) -> list[Any]:
        """`n` even steps."""
        return describe(self._handles, np.linspace(start, stop, n, endpoint=has_end).astype(dtype_of(code)))

    def eye(self, n: int, m: int, k: int, code: int) -> list[Any]:
        """Ones on a diagonal."""
        return describe(self._handles, np.eye(n, m, k, dtype=dtype_of(code)))

    def frombuffer(self, code: int, count: int, offset: int, *, blob: memoryview) -> list[Any]:
        """An array of raw bytes (a copy; the board's shares memory with the buffer)."""
        dtype = np.dtype(dtype_of(code))
        room = len(blob) - offset
        if offset < 0 or room < 0:
            raise HalError("ValueError", "offset must be non-negative and no greater than buffer length")
        if count < 0:
            if room % dtype.itemsize:
                raise HalError("ValueError", "buffer size must be a multiple of element size")
            count = room // dtype.itemsize
        elif room < count * dtype.itemsize:
            raise HalError("ValueError", "buffer is smaller than requested size")
        return describe(self._handles, np.frombuffer(blob, dtype, count, offset).copy())

    def asarray(self, handle: int, code: int | None) -> list[Any]:
        """A copy in another type."""
        array = self.get(handle)
        return describe(self._handles, array.astype(dtype_of(code) if code is not None else array.dtype))

    # ---- arithmetic ---------------------------------------------------------------------------------------------

    def binary(self, name: str, left: Any, right: Any) -> Any:
        """Left `name` right, at least one of them {"h": handle}."""
        if isinstance(left, dict) and "h" in left:
            a = self.get(left["h"])
            b = self._operand(right, _CODES[a.dtype])
        else:
            b = self.get(right["h"])
            a = self._operand(left, _CODES[b.dtype])
        try:
            if name in _COMPARE:
                return self._out(_COMPARE[name](a, b))
            with np.errstate(all="ignore"):
                if name in ("/", "**"):
                    result = _BINARY[name](a.astype(np.float32), b.astype(np.float32))
                else:
                    dtype = _DTYPES[_result_code(_CODES[a.dtype], _CODES[b.dtype])]
                    result = _BINARY[name](a.astype(dtype, copy=False), b.astype(dtype, copy=False))
        except ValueError as error:
            raise HalError("ValueError", "operands could not be broadcast together") from error
        return self._out(result)

    def inplace(self, name: str, handle: int, right: Any) -> None:
        """A += b and the like; the type of `a` stays.

        Raises:
            HalError: TypeError where the result would not fit the type.
        """
        a = self.get(handle)
        b = self._operand(right, _CODES[a.dtype])
        is_float = a.dtype == np.float32
        if not is_float and (name in ("/", "**") or b.dtype == np.float32):
            raise HalError("TypeError", "cannot cast output with casting rule")
        try:
            with np.errstate(all="ignore"):
                a[...] = _BINARY[name](a, b.astype(a.dtype))
        except ValueError as error:
            raise HalError("ValueError", "operands could not be broadcast together") from error

    def unary(self, name: str, handle: int) -> Any:
        """neg, abs, invert."""
        a = self.get(handle)
        if name == "neg":
            return self._out(-a.astype(np.int8) if a.dtype == np.bool_ else -a)
        if name == "abs":
            return self._out(np.abs(a))
        if a.dtype == np.float32:
            raise HalError("ValueError", "operation is not supported for given type")
        return self._out(np.invert(a))

    def math(self, name: str, handle: int) -> Any:
        """Element by element, always float."""
        with np.errstate(all="ignore"):
            return self._out(_MATH[name](self.get(handle).astype(np.float32, copy=False)))

    # ---- indexing -----------------------------------------------------------------------------------------------

    def _index(self, index: Any) -> Any:
        if isinstance(index, list):
            return slice(*index)
        if isinstance(index, dict):
            if "t" in index:
                return tuple(self._index(part) for part in index["t"])
            mask = self.get(index["h"])
            if mask.ndim > 1 or mask.dtype != np.bool_:
                raise HalError("NotImplementedError", "operation is implemented for 1D Boolean arrays only")
            return mask
        if not isinstance(index, int):
            raise HalError("TypeError", "indices must be integers, slices, or Boolean lists")
        return index

    def getitem(self, handle: int, index: Any) -> Any:
        """a[index]: a number, or a view sharing memory (a copy for a Boolean mask)."""
        a = self.get(handle)
        key = self._index(index)
        try:
            return self._out(a[key])
        except IndexError as error:
            raise _index_error(a, key) from error

    def setitem(self, handle: int, index: Any, value: Any) -> None:
        """a[index] = number or array."""
        a = self.get(handle)
        key = self._index(index)
        new = self._operand(value, _CODES[a.dtype])
        try:
            if new.dtype == np.float32 and a.dtype not in (np.float32, np.bool_):
                new = np.trunc(new).astype(np.int64)
            a[key] = new.astype(a.dtype)
        except IndexError as error:
            raise _index_error(a, key) from error
        except ValueError as error:
            raise HalError("ValueError", "could not broadcast input array from shape") from error

    def rows(self, handle: int) -> list[Any]:
        """All sub-arrays along the first axis, for iteration."""
        return [self._out(row) for row in self.get(handle)]

    def data(self, handle: int) -> Reply:
        """The elements in C order, raw."""
        return Reply(None, np.ascontiguousarray(self.get(handle)).tobytes())

    # ---- numbers out of arrays ------------------------------------------------------------------------------------

    def reduce(self, name: str, handle: int, axis: int | None) -> Any:
        """max, min, sum, mean, std, median, argmax, argmin, any, all."""
        a = self.get(handle)
        if axis is not None:
            if not -a.ndim <= axis < a.ndim:
                raise HalError(
                    "ValueError", "axis is out of bounds" if name[:3] in ("arg", "max", "min") else "index out of range"
                )
            axis %= a.ndim
        if name in ("max", "min", "argmax", "argmin") and a.size == 0:
            raise HalError("ValueError", "attempt to get (arg)min/(arg)max of empty sequence")
        result = getattr(np, name)(
            a.astype(np.uint8) if a.dtype == np.bool_ and name not in ("any", "all") else a, axis=axis
        )
        if not isinstance(result, np.ndarray):
            if name == "sum" and a.dtype != np.float32:
                return int(result)
            return scalar(result)
        if name in ("argmax", "argmin"):
            result = result.astype(np.int16)
        elif name in ("mean", "std", "median"):
            result = result.astype(np.float32)
        elif name == "sum":
            result = result.astype(a.dtype if a.dtype != np.bool_ else np.uint8)
        if result.size == 1 and name in ("argmax", "argmin", "max", "min"):
            return scalar(result.reshape(-1)[0])
        return self._out(result)

    def sort(self, name: str, handle: int, axis: int | None, has_axis: bool) -> Any:
        """Argsort and sort."""
        a = self.get(handle)
        if name == "argsort":
            if axis is None:
                raise HalError("NotImplementedError", "argsort is not implemented for flattened arrays")
            return self._out(np.argsort(a, axis=axis, kind="stable").astype(np.uint16))
        return self._out(np.sort(a, axis=axis if has_axis else -1))

    def nonzero(self, handle: int) -> Any:
        """A tuple of uint16 index arrays, one per axis."""
        return self._out(tuple(index.astype(np.uint16) for index in np.nonzero(self.get(handle))))

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """X where the condition holds, else y."""
        c, a, b = (self._operand(operand, UINT8) for operand in (condition, x, y))
        dtype = _DTYPES[_result_code(_CODES[a.dtype], _CODES[b.dtype])]
        return self._out(np.where(c != 0, a, b).astype(dtype))

    def clip(self, handle: int, low: Any, high: Any) -> Any:
        """Elements limited to low..high."""
        a = self.get(handle)
        code = _CODES[a.dtype]
        bottom, top = self._operand(low, code), self._operand(high, code)
        dtype = _DTYPES[_result_code(_result_code(code, _CODES[bottom.dtype]), _CODES[top.dtype])]
        limited = np.minimum(np.maximum(a.astype(dtype), bottom.astype(dtype)), top.astype(dtype))
        return self._out(limited)

    def dot(self, left: int, right: int) -> Any:
        """Scalar or matrix product, float."""
        a, b = self.get(left).astype(np.float32, copy=False), self.get(right).astype(np.float32, copy=False)
        if a.ndim > 2 or b.ndim > 2:
            raise HalError("TypeError", "dot product of arrays with more than 2 dimensions")
        if a.shape[-1] != b.shape[0]:
            raise HalError("ValueError", "input dimensions don't match")
        return self._out(np.asarray(np.dot(a, b)))

    def concatenate(self, arrays: list[int], axis: int) -> Any:
        """Arrays of one type and matching shape joined along an axis."""
        parts = [self.get(handle) for handle in arrays]
        if len({part.dtype for part in parts}) > 1 or len({part.ndim for part in parts}) > 1:
            raise HalError("ValueError", "only ndarrays of the same type and number of dimensions can be concatenated")
        try:
            return self._out(np.concatenate(parts, axis=axis))
        except ValueError as error:
            raise HalError("ValueError", "input arrays are not compatible") from error

    def extra(self, name: str, args: list[Any], options: dict[str, Any]) -> Any:
        """One of the less common functions; arrays travel as {"h": handle}, doubles come back as ulab's floats."""
        plain = [self.get(value["h"]) if isinstance(value, dict) else value for value in args]
        try:
            with np.errstate(all="ignore"):
                result = FUNCTIONS[name](*plain, **options)
        except (ValueError, TypeError, IndexError) as error:
            raise HalError("ValueError", f"{name}: {error}") from error
        parts = result if isinstance(result, tuple) else (result,)
        fitted = tuple(fit(np.asarray(part)) if isinstance(part, np.ndarray) else part for part in parts)
        return self._out(fitted if isinstance(result, tuple) else fitted[0])

    # ---- shape ----------------------------------------------------------------------------------------------------

    def reshape(self, handle: int, shape: list[int]) -> Any:
        """The same elements in another shape; a dense copy of what is not dense, as ulab makes it (NumPy may keep a strided view)."""
        _check_shape(shape)
        try:
            return self._out(np.ascontiguousarray(self.get(handle)).reshape(shape))
        except ValueError as error:
            raise HalError("ValueError", "cannot reshape array") from error

    def transform(self, name: str, handle: int, option: Any) -> Any:
        """transpose, flatten, copy, flip, roll, diff."""
        a = self.get(handle)
        if name == "transpose":
            return self._out(a.T)
        if name == "flatten":
            return self._out(a.flatten(order=option or "C"))
        if name == "copy":
            return self._out(a.copy())
        if name == "flip":
            return self._out(np.flip(a, option).copy())
        if name == "roll":
            return self._out(np.roll(a, option[0], option[1]))
        return self._out(np.diff(a, n=option[0], axis=option[1]))

    def text(self, handle: int) -> str:
        """What print() shows."""
        a = self.get(handle)
        name = {FLOAT: "float32", BOOL: "bool"}.get(_CODES[a.dtype], a.dtype.name)
        body = np.array2string(
            a, separator=", ", threshold=10, edgeitems=3, formatter={"float_kind": _float_text, "int": str, "bool": str}
        )
        return f"array({body}, dtype={name})"


def _float_text(value: Any) -> str:
    """A 32-bit float with the seven digits that MicroPython prints."""
    text = f"{float(value):.7g}"
    return text if any(mark in text for mark in ".en") else text + ".0"


def _check_shape(shape: list[int]) -> None:
    if len(shape) > MAX_DIMS:
        raise HalError("ValueError", f"maximum number of dimensions is {MAX_DIMS}")


def _result_code(a: int, b: int) -> int:
    """The type of a + b."""
    a, b = (UINT8 if code == BOOL else code for code in (a, b))
    if a == b:
        return a
    if FLOAT in (a, b):
        return FLOAT
    return _MIXED[frozenset({a, b})]


def _index_error(array: Array, key: Any) -> HalError:
    if isinstance(key, tuple) and len(key) > array.ndim:
        return HalError("IndexError", "too many indices")
    if isinstance(key, np.ndarray):
        return HalError("IndexError", "array and index length must be equal")
    return HalError("IndexError", "index is out of bounds")


def register(hal: Any, board: Any) -> None:
    """Give the board its `ulab` operations."""
    ops = board.arrays = ArrayOps(board)
    for name in (
        "make", "full", "arange", "linspace", "eye", "frombuffer", "asarray", "binary", "inplace", "unary", "math",
        "getitem", "setitem", "rows", "data", "reduce", "sort", "nonzero", "where", "clip", "dot", "concatenate",
        "reshape", "transform", "text", "extra",
    ):  # fmt: skip
        hal.op(f"np.{name}", getattr(ops, name))
