"""QR codes, bar codes and data matrices in a picture, read by ZXing, with OpenMV's names, numbers and units.

Facts: public OpenMV documentation; type numbers as in the K230 firmware's image module.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import cv2
import numpy as np

from .arrays import Array
from .hal import HalError

BARCODE_TYPES = {
    "EAN2": 1, "EAN5": 2, "EAN8": 3, "UPCE": 4, "UPCA": 6, "EAN13": 7, "ISBN": 8, "ITF": 9, "DataBarOmni": 10,
    "DataBarExp": 11, "Codabar": 12, "Code39": 13, "PDF417": 14, "Code93": 15, "Code128": 16,
}  # fmt: skip
"""ZXing's name of a symbology: the firmware's number (image.EAN2 is 1, …)."""


class Code(NamedTuple):
    """One code that was read.

    Attributes:
        payload: its text.
        kind: number of BARCODE_TYPES, 0 for others.
        corners: (4, 2) pixels, from the code's own top left clockwise.
        turn: radians clockwise, 0 to 2 pi.
        size: rows and columns of modules, 0 where unknown.
        extra: what ZXing tells of this symbology: "Version", "ECLevel" and "DataMask" of a QR code.
    """

    payload: str
    kind: int
    corners: Array
    turn: float
    size: tuple[int, int]
    extra: dict[str, Any]


def read_codes(rgb: Array, *kinds: str) -> list[Code]:
    """All codes of these kinds (ZXing's names: "QRCode", "DataMatrix", "AllLinear", …) of an RGB picture.

    Raises:
        HalError: NotImplementedError when ZXing is not installed.
    """
    try:
        import zxingcpp
    except ImportError as error:
        raise HalError("NotImplementedError", "virtual K230 reads codes with ZXing: pip install zxing-cpp") from error
    wanted = zxingcpp.BarcodeFormats([getattr(zxingcpp.BarcodeFormat, kind) for kind in kinds])
    grey = np.ascontiguousarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    found = []
    for result in zxingcpp.read_barcodes(grey, formats=wanted):
        at = result.position
        corners = np.array(
            [[p.x, p.y] for p in (at.top_left, at.top_right, at.bottom_right, at.bottom_left)], np.float64
        )
        size = _modules(rgb, corners) if "DataMatrix" in kinds else (0, 0)
        kind = BARCODE_TYPES.get(str(result.format).rsplit(".", 1)[-1].replace("-", "").replace(" ", ""), 0)
        turn = math.radians(float(result.orientation)) % (2 * math.pi)
        extra = cast("dict[str, Any] | None", result.extra) or {}
        found.append(Code(result.text, kind, corners, turn, size, extra))
    return found


def _modules(rgb: Array, corners: Array) -> tuple[int, int]:
    """Rows and columns of a data matrix, counted on the dotted edges opposite of its solid L."""
    side = 240
    square = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    flat = cv2.warpPerspective(rgb, cv2.getPerspectiveTransform(corners.astype(np.float32), square), (side, side))
    grey = cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY)
    dark = grey < (int(grey.min()) + int(grey.max())) / 2
    counts = []
    for lines in (dark.T, dark):  # columns of pixels tell the rows, rows of pixels the columns
        changes = [int((line[1:] != line[:-1]).sum()) for line in lines]
        counts.append(2 * round((max(changes) + 1) / 2))
    return counts[0], counts[1]
