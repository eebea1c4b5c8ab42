"""The Python side of `aidemo`, `aicube` and `cv_lite`: what the firmware's C functions make of a model's raw outputs.

One file per family; each offers FUNCTIONS, {name as the script writes it: function of arrays and plain values}. Arrays
arrive as NumPy arrays that the script shares, so what a function fills in place is filled for the script too.
Facts: K230 platform notes §6.3 and §6.4 and the vendor's public sources.
"""

from __future__ import annotations

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

    def call(self, module: str, name: str, arguments: list[Any]) -> Any:
        """module.name(*arguments); arrays travel as {"h": handle}, lists of results as {"l": [...]}."""
        function = _MODULES[module].get(name)
        if function is None:
            raise HalError("AttributeError", f"module '{module}' has no attribute '{name}'")
        return self._out(function(*[self._in(argument) for argument in arguments]))

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
            return {"l": [self._out(part) for part in value]}
        return scalar(value)


def register(hal: Any, board: Any) -> None:
    """Give the board its decoding operation."""
    hal.op("postprocess.call", PostprocessOps(board).call)
