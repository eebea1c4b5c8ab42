"""The Python side of `aidemo` and `aicube`: decoding detection heads, as the firmware's C functions do.

Formulas and argument orders: K230 platform notes, §6.3 and §6.4. What the vendor offers beyond detection is not
emulated; the MicroPython modules then raise AttributeError, as on firmware that lacks a function.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, describe
from .hal import HalError
from .handles import handles_of

_DFL_BINS = 17
_STRIDE_COUNT = 3


def suppress(boxes_xyxy: Array, scores: Array, classes: Array, overlap: float, is_agnostic: bool) -> list[int]:
    """Indexes of the boxes that survive non-maximum suppression, best first.

    Args:
        boxes_xyxy: (n, 4) float pixels.
        scores: (n,) float.
        classes: (n,) integers.
        overlap: a box that covers a better one by more than this (intersection over union) goes.
        is_agnostic: suppress across classes too.
    """
    x0, y0, x1, y1 = boxes_xyxy.T.astype(np.float64)
    # +1 because the firmware counts pixels, both edges included.
    areas = (x1 - x0 + 1) * (y1 - y0 + 1)
    order = np.argsort(-scores, kind="stable")
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        wide = np.minimum(x1[best], x1[rest]) - np.maximum(x0[best], x0[rest]) + 1
        high = np.minimum(y1[best], y1[rest]) - np.maximum(y0[best], y0[rest]) + 1
        common = np.clip(wide, 0, None) * np.clip(high, 0, None)
        is_rival = common / (areas[best] + areas[rest] - common) > overlap
        if not is_agnostic:
            is_rival &= classes[rest] == classes[best]
        order = rest[~is_rival]
    return kept


def decode_yolov8(
    output: Array, frame_hw: list[int], input_hw: list[int], display_hw: list[int], classes: int, confidence: float,
    overlap: float, limit: int,
) -> tuple[Array, Array, Array] | None:  # fmt: skip
    """Boxes (n, 4) int16 x, y, w, h in display pixels, class numbers uint16, scores float32; None: nothing found.

    Args:
        output: (candidates, 4 + classes) float: centre x, y, w, h in input pixels, then class scores.
        frame_hw: camera frame that was letterboxed to the top left corner of the input.
        input_hw: model input.
        display_hw: what the boxes are to be drawn on.
        classes: how many there are.
        confidence: boxes must score more.
        overlap: for suppress().
        limit: most boxes to return.
    """
    if output.ndim != 2 or output.shape[1] < 4 + classes:
        raise HalError("ValueError", f"output must be (N,{4 + classes}), not {list(output.shape)}")
    scores = output[:, 4 : 4 + classes]
    best = scores.max(axis=1)
    chosen = np.flatnonzero(best > confidence)
    if not chosen.size:
        return None
    labels = scores[chosen].argmax(axis=1)
    centre, extent = output[chosen, :2], output[chosen, 2:4]
    gain = min(input_hw[0] / frame_hw[0], input_hw[1] / frame_hw[1])
    zoom = np.array([display_hw[1] / frame_hw[1], display_hw[0] / frame_hw[0]] * 2)
    corners = np.concatenate([centre - extent / 2, centre + extent / 2], axis=1) / gain * zoom
    corners[:, 0::2] = corners[:, 0::2].clip(0, display_hw[1] - 1)
    corners[:, 1::2] = corners[:, 1::2].clip(0, display_hw[0] - 1)
    kept = suppress(corners, best[chosen], labels, overlap, is_agnostic=False)[:limit]
    boxes = corners[kept]
    boxes[:, 2:] -= boxes[:, :2]
    return boxes.astype(np.int16), labels[kept].astype(np.uint16), best[chosen][kept].astype(np.float32)


def decode_aicube(
    kind: str, outputs: list[Array], model_wh: list[int], frame_wh: list[int], strides: list[int], classes: int,
    confidence: float, overlap: float, anchors: list[float] | None, is_agnostic: bool,
) -> list[list[float]]:  # fmt: skip
    """[class, score, x1, y1, x2, y2] in frame pixels, best first, for a model whose input was letterboxed centred.

    Args:
        kind: "anchorbasedet", "anchorfreedet" or "gfldet".
        model_wh: model input.
        frame_wh: the frame that was letterboxed into it.
        strides: pixels per cell of each head.
        classes: how many there are.
        confidence: boxes must score more.
        overlap: for suppress().
        is_agnostic: for suppress().
        outputs: one head per stride, flat or (1, H/s, W/s, channels).
        anchors: 18 numbers, width and height of three anchors for each stride; only anchorbasedet.
    """
    boxes, scores, labels = [], [], []
    for number, (output, stride) in enumerate(zip(outputs, strides, strict=True)):
        high, wide = model_wh[1] // stride, model_wh[0] // stride
        grid = np.stack(np.meshgrid(np.arange(wide), np.arange(high)), axis=-1).astype(np.float32)
        values: Array
        centre: Array
        extent: Array
        confidence_of: Array
        try:
            if kind == "anchorbasedet":
                values = output.reshape(high, wide, 3, 5 + classes)
                sizes = np.array(anchors, np.float32).reshape(_STRIDE_COUNT, 3, 2)[number]
                centre = (2 * values[..., :2] - 0.5 + grid[:, :, None]) * stride
                extent = (2 * values[..., 2:4]) ** 2 * sizes
                confidence_of = values[..., 4:5] * values[..., 5:]
                corners = np.concatenate([centre - extent / 2, centre + extent / 2], axis=-1)
            elif kind == "anchorfreedet":
                values = output.reshape(high, wide, 5 + classes)
                centre = (values[..., :2] + grid) * stride
                extent = np.exp(values[..., 2:4]) * stride
                confidence_of = values[..., 4:5] * values[..., 5:]
                corners = np.concatenate([centre - extent / 2, centre + extent / 2], axis=-1)
            else:
                values = output.reshape(high, wide, classes + 4 * _DFL_BINS)
                confidence_of = 1 / (1 + np.exp(-values[..., :classes]))
                bins = values[..., classes:].reshape(high, wide, 4, _DFL_BINS)
                weights = np.exp(bins - bins.max(axis=-1, keepdims=True))
                reach = (weights / weights.sum(axis=-1, keepdims=True) * np.arange(_DFL_BINS)).sum(axis=-1) * stride
                corners = np.concatenate([grid * stride - reach[..., :2], grid * stride + reach[..., 2:]], axis=-1)
        except ValueError as error:
            raise HalError(
                "ValueError", f"output {number} has {output.size} values, which does not fit the model"
            ) from error
        best = confidence_of.max(axis=-1).reshape(-1)
        chosen = np.flatnonzero(best > confidence)
        boxes.append(corners.reshape(-1, 4)[chosen])
        scores.append(best[chosen])
        labels.append(confidence_of.reshape(-1, classes)[chosen].argmax(axis=1))
    all_boxes, all_scores, all_labels = np.concatenate(boxes), np.concatenate(scores), np.concatenate(labels)
    gain = min(model_wh[0] / frame_wh[0], model_wh[1] / frame_wh[1])
    shift = [(model_wh[0] - frame_wh[0] * gain) / 2, (model_wh[1] - frame_wh[1] * gain) / 2]
    all_boxes = (all_boxes - np.array(shift * 2)) / gain
    all_boxes = all_boxes.clip(0, np.array([frame_wh[0] - 1, frame_wh[1] - 1] * 2))
    return [
        [int(all_labels[i]), float(all_scores[i]), *(float(v) for v in all_boxes[i])]
        for i in suppress(all_boxes, all_scores, all_labels, overlap, is_agnostic)
    ]


class PostprocessOps:
    """The operations behind one board's `aidemo` and `aicube`."""

    def __init__(self, board: Any) -> None:
        self._handles = handles_of(board)

    def yolov8_det(self, handle: int, frame: Any, size: Any, display: Any, classes: int, *rest: Any) -> Any:
        """aidemo.yolov8_det_postprocess(); [] when nothing is found, else [boxes, ids, scores] as arrays."""
        confidence, overlap, limit = rest
        output = self._handles.get(handle, np.ndarray)
        found = decode_yolov8(output, frame, size, display, classes, confidence, overlap, limit)
        return [] if found is None else {"t": [describe(self._handles, part) for part in found]}

    def aicube_det(self, kind: str, handles: list[int], *arguments: Any) -> list[list[float]]:
        """The three aicube detection functions."""
        outputs = [self._handles.get(handle, np.ndarray) for handle in handles]
        if any(output.dtype != np.float32 for output in outputs):
            raise HalError("TypeError", "aicube takes float arrays")
        return decode_aicube(kind, outputs, *arguments)


def register(hal: Any, board: Any) -> None:
    """Give the board its decoding operations."""
    ops = PostprocessOps(board)
    hal.op("aidemo.yolov8_det", ops.yolov8_det)
    hal.op("aicube.det", ops.aicube_det)
