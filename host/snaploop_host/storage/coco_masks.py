"""COCO's run lengths: how many pixels of background, then of the region, then of background ..., down each column from the left.

`counts` is a list of numbers, or the same packed into text as pycocotools does: five bits a character from "0" on, the sixth says that
more follow, and from the third number on each is told by its difference to the last but one.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from ..errors import BadInputError, MissingToolError

_FIRST, _BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10
_LONGEST = 13  # characters of one number: 64 bits


def is_run_lengths(segmentation: Any) -> bool:
    """Whether a `segmentation` is of this kind."""
    return isinstance(segmentation, dict) and "counts" in segmentation


def region_outlines(segmentation: Any, size: tuple[int, int], where: str) -> list[list[tuple[int, int]]]:
    """Polygons in photo px around a region, large ones first; holes are cut open as in mask_outlines.py.

    Args:
        segmentation: {"size": [height, width], "counts": ...}.
        size: width and height of the picture in px.
        where: what messages call it.

    Raises:
        BadInputError: runs that cannot be read, or are not of this picture.
        MissingToolError: OpenCV is not installed.
    """
    if importlib.util.find_spec("cv2") is None:
        raise MissingToolError("reading run lengths needs OpenCV: pip install 'snaploop[train]'")
    import numpy as np
    from PIL import Image

    from .mask_outlines import outlines

    width, height = size
    if list(segmentation.get("size") or ()) != [height, width]:
        raise BadInputError(
            f"{where} has run lengths of {segmentation.get('size')}, the picture has [{height}, {width}]: export it again"
        )
    try:
        counts = segmentation["counts"]
        runs = _unpacked(counts) if isinstance(counts, str) else [int(one) for one in counts]
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{where} has run lengths that cannot be read ({error}): export it again") from error
    if any(run < 0 for run in runs) or sum(runs) != width * height:
        raise BadInputError(
            f"{where} has run lengths of {sum(runs)} px, the picture has {width * height}: export it again"
        )
    columns = np.repeat(np.arange(len(runs), dtype=np.uint32) % 2, runs).astype(np.uint8).reshape(width, height)
    return [points for _, points in outlines(Image.fromarray(np.ascontiguousarray(columns.T)), {1})]


def _unpacked(text: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - _FIRST
        if not 0 <= code < 2 * _MORE or shift >= _LONGEST * _BITS:
            raise ValueError(f"{character!r} is no part of a number")
        value |= (code & (_MORE - 1)) << shift
        shift += _BITS
        if code & _MORE:
            continue
        if code & _SIGN:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the last number is cut off")
    return runs
