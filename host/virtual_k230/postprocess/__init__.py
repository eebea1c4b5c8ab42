"""The Python side of `aidemo`, `aicube` and `cv_lite`: what the firmware's C functions make of a model's raw outputs.

One file per family; each offers FUNCTIONS, {name as the script writes it: function of arrays and plain values}. Arrays
arrive as NumPy arrays that the script shares, so what a function fills in place is filled for the script too.
Facts: K230 platform notes §6.3 and §6.4 and the vendor's public sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import describe, scalar
from ..hal import HalError
from ..handles import handles_of
from . import aicube, cv_lite, faces, masks, pictures, text, tracking, yolo

_MODULES: dict[str, dict[str, Callable[..., Any]]] = {
    "aicube": aicube.FUNCTIONS,
    "cv_lite": cv_lite.FUNCTIONS,
    "aidemo": {
        **faces.FUNCTIONS, **masks.FUNCTIONS, **pictures.FUNCTIONS, **text.FUNCTIONS, **tracking.FUNCTIONS,
        **yolo.FUNCTIONS,
    },
}  # fmt: skip


class PostprocessOps:
    """The operation behind one board's `aidemo`, `aicube` and `cv_lite`."""

    def __init__(self, board: Any) -> None:
        self._handles = handles_of(board)
        profile = str(board.options.get("profile", "B")).upper()
        self._is_old = profile in ("A", "B")
        self._is_newest = profile == "D"

    def call(self, module: str, name: str, arguments: list[Any]) -> Any:
        """module.name(*arguments); arrays travel as {"h": handle}, lists as {"l": [...]}, of plain numbers as {"p": [...]}."""
        function = _MODULES[module].get(name)
        if function is None:
            raise HalError("AttributeError", f"module '{module}' has no attribute '{name}'")
        if self._is_newest and function is aicube.seg_post_process:
            function = aicube.newest_seg_post_process
        taken = [self._in(argument) for argument in arguments]
        if self._is_old and name.endswith(("seg_postprocess", "segment_postprocess")):
            taken[-1] = _bytes_of(taken[-1])
        return self._out(function(*taken))

    def _in(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._handles.get(value["h"], np.ndarray) if "h" in value else float(value["f"])
        if isinstance(value, list):
            return [self._in(part) for part in value]
        return value

    def _out(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return describe(self._handles, value)
        if isinstance(value, (list, tuple)):
            return {"p": value} if _is_plain(value) else {"l": [self._out(part) for part in value]}
        return scalar(value)


def _is_plain(value: Any) -> bool:
    """Whether JSON carries all of it as it is: lists of finite Python numbers."""
    if isinstance(value, (list, tuple)):
        return all(_is_plain(part) for part in value)
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _bytes_of(canvas: Any) -> Any:
    """A canvas of floats as the bytes that it is made of: older firmware paints into any memory that is large enough."""
    is_plain = isinstance(canvas, np.ndarray) and canvas.flags.c_contiguous
    return canvas.reshape(-1).view(np.uint8) if is_plain and canvas.dtype == np.float32 else canvas


def register(hal: Any, board: Any) -> None:
    """Give the board its decoding operation."""
    hal.op("postprocess.call", PostprocessOps(board).call)
