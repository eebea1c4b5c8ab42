"""The Python side of `nncase_runtime.ai2d`: crop, resize or affine, and pad in one pass, as the hardware unit does.

Order as on the board: crop, resize or affine, pad. Planar (NCHW) or packed (NHWC) uint8, or 16-bit raw that is shifted down
to 8 bits. Facts: vendor API as described in the K230 platform notes, §6.1; interpolation as OpenCV's, whose pixel centres are
those of the half_pixel mode; the tf_ methods place centres as TensorFlow does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from .arrays import Array
from .hal import HalError
from .handles import handles_of
from .kpu import Tensor

NCHW_FMT, RGB_PACKED, RAW16 = 3, 4, 5
TF_NEAREST, TF_BILINEAR, CV2_NEAREST, CV2_BILINEAR = 0, 1, 2, 3
NONE_MODE, ALIGN_CORNER, HALF_PIXEL = 0, 1, 2

_FAILED = "AI2D run failed."


@dataclass
class Ai2dSetup:
    """What the script configured; a built step keeps its own copy.

    Attributes:
        formats: of input and output.
        shift: bits that 16-bit raw is shifted down by.
        crop: x, y, w, h.
        pad: N0, N1, C0, C1, top, bottom, left, right; and the value of each channel.
        resize: interpolation method and mode.
        affine: method, the six numbers of the 2x3 matrix (source to destination), value outside the source.
        in_shape, out_shape: [1, C, H, W], whatever the formats.
    """

    formats: tuple[int, int] = (NCHW_FMT, NCHW_FMT)
    shift: int = 0
    crop: tuple[int, int, int, int] | None = None
    pad: tuple[int, ...] | None = None
    pad_values: tuple[int, ...] = (0, 0, 0)
    resize: tuple[int, int] | None = None
    affine: tuple[int, tuple[float, ...], int] | None = None
    in_shape: tuple[int, ...] = field(default=())
    out_shape: tuple[int, ...] = field(default=())

    def apply(self, source: Array) -> Array:
        """The transformed CHW picture.

        Raises:
            HalError: RuntimeError when the pieces do not fit together.
        """
        picture = source.transpose(1, 2, 0)
        if self.crop is not None:
            x, y, w, h = self.crop
            picture = picture[y : y + h, x : x + w]
            if picture.shape[:2] != (h, w):
                raise HalError(
                    "RuntimeError", f"{_FAILED} crop {x},{y},{w},{h} exceeds {source.shape[2]}x{source.shape[1]}"
                )
        top, bottom, left, right = self.pad[4:] if self.pad is not None else (0, 0, 0, 0)
        out_h, out_w = self.out_shape[2] - top - bottom, self.out_shape[3] - left - right
        if out_h <= 0 or out_w <= 0:
            raise HalError("RuntimeError", f"{_FAILED} padding leaves no picture")
        if self.affine is not None:
            method, matrix, border = self.affine
            picture = cv2.warpAffine(
                np.ascontiguousarray(picture),
                np.array(matrix, np.float64).reshape(2, 3),
                (out_w, out_h),
                flags=_interpolation(method),
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=(border, border, border),
            )
        elif self.resize is not None:
            picture = _resize(np.ascontiguousarray(picture), out_w, out_h, *self.resize)
        if picture.ndim == 2:
            picture = picture[:, :, None]
        if picture.shape[:2] != (out_h, out_w):
            raise HalError(
                "RuntimeError",
                f"{_FAILED} {picture.shape[1]}x{picture.shape[0]} and padding do not make "
                f"{self.out_shape[3]}x{self.out_shape[2]}",
            )
        out = np.empty(self.out_shape[1:], np.uint8)
        for channel in range(out.shape[0]):
            if self.pad is not None:
                out[channel] = self.pad_values[min(channel, len(self.pad_values) - 1)]
            out[channel, top : top + out_h, left : left + out_w] = picture[:, :, channel]
        return out


class Builder:
    """A built step: what `ai2d.build()` gives."""

    __slots__ = ("setup",)

    def __init__(self, setup: Ai2dSetup) -> None:
        self.setup = setup


class Ai2dOps:
    """The operations behind one board's `nncase_runtime.ai2d`."""

    def __init__(self, board: Any) -> None:
        self._handles = handles_of(board)

    def build(self, setup: dict[str, Any], in_shape: list[int], out_shape: list[int]) -> int:
        """ai2d.build(): setup holds crop, pad, pad_values, resize, affine, formats (absent or None: not used).

        Raises:
            HalError: ValueError for what the unit cannot do.
        """
        if len(in_shape) != 4 or len(out_shape) != 4 or in_shape[0] != 1 or out_shape[0] != 1:
            raise HalError("ValueError", "ai2d shapes must be [1,C,H,W]")
        formats = (int(setup["formats"][0]), int(setup["formats"][1]))
        if formats[0] not in (NCHW_FMT, RGB_PACKED, RAW16) or formats[1] not in (NCHW_FMT, RGB_PACKED):
            raise HalError(
                "NotImplementedError",
                "virtual ai2d takes NCHW_FMT, RGB_packed or RAW16, and gives NCHW_FMT or RGB_packed",
            )
        in_shape = _planar(in_shape) if formats[0] == RGB_PACKED else in_shape
        out_shape = _planar(out_shape) if formats[1] == RGB_PACKED else out_shape
        if in_shape[1] != out_shape[1]:
            raise HalError("ValueError", "ai2d input and output must have the same number of channels")
        if setup.get("affine") and setup.get("resize"):
            raise HalError("ValueError", "ai2d affine and resize are mutually exclusive")
        if setup.get("shift") and formats[0] != RAW16:
            raise HalError("ValueError", "ai2d shift is for RAW16 only")
        built = Ai2dSetup(formats, int(setup.get("shift") or 0), in_shape=tuple(in_shape), out_shape=tuple(out_shape))
        if setup.get("crop"):
            x, y, w, h = (int(v) for v in setup["crop"])
            built.crop = (x, y, w, h)
        if setup.get("pad"):
            pad, mode, values = setup["pad"]
            if len(pad) != 8 or min(pad) < 0:
                raise HalError("ValueError", "ai2d pad must be 8 numbers from 0 up")
            if mode != 0:
                raise HalError("NotImplementedError", "virtual ai2d pads with a constant only")
            built.pad, built.pad_values = tuple(int(v) for v in pad), tuple(int(v) for v in values) or (0,)
        if setup.get("resize"):
            built.resize = (int(setup["resize"][0]), int(setup["resize"][1]))
        if setup.get("affine"):
            method, border, matrix = setup["affine"]
            if len(matrix) != 6:
                raise HalError("ValueError", "ai2d affine needs 6 numbers")
            built.affine = (int(method), tuple(float(v) for v in matrix), int(border))
        return self._handles.put(Builder(built))

    def run(self, builder: int, source: int, target: int) -> None:
        """builder.run(): the target tensor holds the result.

        Raises:
            HalError: RuntimeError "AI2D run failed." for tensors that do not match the built shapes.
        """
        setup = self._handles.get(builder, Builder).setup
        taken, given = self._handles.get(source, Tensor), self._handles.get(target, Tensor)
        array = taken.array[None] if taken.array.ndim == 3 else taken.array
        in_shape = _packed(setup.in_shape) if setup.formats[0] == RGB_PACKED else setup.in_shape
        out_shape = _packed(setup.out_shape) if setup.formats[1] == RGB_PACKED else setup.out_shape
        if setup.formats[0] == NCHW_FMT and array.shape == (1, 1, *in_shape[2:]) != in_shape:
            # The unit reads on behind a grey plane without asking (the vendor's licence plates depend on that). What lies
            # there on a board is chance; here the plane comes again.
            array = np.repeat(array, in_shape[1], axis=1)
        elif array.size > (n := int(np.prod(in_shape))):
            # Nor does it ask for more than the address: of a larger picture it takes the first bytes as they lie (a
            # vendor example hands a 1280x720 frame to a step that was built for 224x224).
            array = np.ascontiguousarray(array).reshape(-1)[:n].reshape(in_shape)
        if array.shape != in_shape or array.dtype != (np.uint16 if setup.formats[0] == RAW16 else np.uint8):
            raise HalError("RuntimeError", _FAILED)
        if given.array.shape != out_shape or given.array.dtype != np.uint8:
            raise HalError("RuntimeError", _FAILED)
        picture = array[0]
        if setup.formats[0] == RGB_PACKED:
            picture = picture.transpose(2, 0, 1)
        elif setup.formats[0] == RAW16:
            picture = np.minimum(picture >> setup.shift, 255).astype(np.uint8)
        made = setup.apply(picture)
        given.array = (np.ascontiguousarray(made.transpose(1, 2, 0)) if setup.formats[1] == RGB_PACKED else made)[None]


def _planar(shape: list[int]) -> list[int]:
    """[1, C, H, W] of a shape that a script gives for a packed picture, in either order."""
    return [1, shape[3], shape[1], shape[2]] if shape[3] <= 4 else shape


def _packed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[0], shape[2], shape[3], shape[1]


def _interpolation(method: int) -> int:
    return cv2.INTER_NEAREST if method in (TF_NEAREST, CV2_NEAREST) else cv2.INTER_LINEAR


def _resize(picture: Array, width: int, height: int, method: int, mode: int) -> Array:
    """Resize an HxWxC picture under one of the three ideas of where pixel centres are."""
    from_h, from_w = picture.shape[:2]
    if method == TF_NEAREST:
        ys = _nearest(from_h, height, mode)
        xs = _nearest(from_w, width, mode)
        return np.ascontiguousarray(picture[ys][:, xs])
    if mode == HALF_PIXEL or method == CV2_NEAREST:
        return np.asarray(cv2.resize(picture, (width, height), interpolation=_interpolation(method)))
    if mode == ALIGN_CORNER:
        scale_x, scale_y = (from_w - 1) / max(1, width - 1), (from_h - 1) / max(1, height - 1)
    else:
        scale_x, scale_y = from_w / width, from_h / height
    xs = np.minimum(np.arange(width, dtype=np.float32) * np.float32(scale_x), from_w - 1)
    ys = np.minimum(np.arange(height, dtype=np.float32) * np.float32(scale_y), from_h - 1)
    map_x, map_y = np.meshgrid(xs, ys)
    return np.asarray(cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _nearest(n_from: int, n_to: int, mode: int) -> Array:
    """For each pixel of a row the one of the source that TensorFlow's nearest neighbour takes."""
    index = np.arange(n_to)
    if mode == ALIGN_CORNER:
        return np.floor(index * ((n_from - 1) / max(1, n_to - 1)) + 0.5).astype(int)
    centre = 0.5 if mode == HALF_PIXEL else 0.0
    return np.minimum(np.floor((index + centre) * (n_from / n_to)).astype(int), n_from - 1)


def register(hal: Any, board: Any) -> None:
    """Give the board its ai2d operations."""
    ops = board.ai2d = Ai2dOps(board)
    hal.op("ai2d.build", ops.build)
    hal.op("ai2d.run", ops.run)
