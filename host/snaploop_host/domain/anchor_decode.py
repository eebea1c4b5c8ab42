"""Outputs of the vendor's older detection heads to boxes, as the firmware's C functions decode them (K230 platform notes §6.3). Pure NumPy.

Both have three outputs, for strides 8, 16, 32, channels last, with the sigmoid inside the model. "anchorbase": 3 × (5 + classes) numbers a
cell, one box per anchor; "anchorfree": 5 + classes. Each class that scores enough makes a box of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .detection_decode import MOST_CANDIDATES, MOST_DETECTIONS, STRIDES_PX, Detections
from .geometry import FloatArray, clip_xyxy, suppress_overlaps

_ANCHORS_PER_CELL = 3


def decode_anchors(
    outputs: Sequence[FloatArray],
    size_wh: tuple[int, int],
    classes: int,
    anchors: Sequence[float],
    score_limit: float,
    iou_limit: float,
) -> Detections:
    """Boxes of one picture, in px of the model input.

    Args:
        outputs: the three tensors; only how many numbers each has matters.
        size_wh: the model's input, px.
        classes: how many there are.
        anchors: 18 widths and heights in px of the input, three pairs a stride; none of an "anchorfree" head.
        score_limit: boxes above it are given.
        iou_limit: of two boxes of a class that overlap more the better one is given.

    Raises:
        ValueError: not three outputs, or one that does not hold so many numbers.
    """
    if len(outputs) != len(STRIDES_PX):
        raise ValueError(f"{len(outputs)} outputs, a detection head has {len(STRIDES_PX)}")
    width, height = size_wh
    per_cell = _ANCHORS_PER_CELL if len(anchors) else 1
    sizes = np.array(anchors, np.float32).reshape(len(STRIDES_PX), per_cell, 2) if len(anchors) else None
    all_boxes, all_scores, all_classes = [], [], []
    for level, (output, stride) in enumerate(zip(outputs, STRIDES_PX, strict=True)):
        across, down = width // stride, height // stride
        if output.size != across * down * per_cell * (5 + classes):
            raise ValueError(
                f"stride {stride}: an output of shape {output.shape}, the package says {across}x{down} cells "
                f"of {per_cell} x (5 + {classes}) numbers"
            )
        cells = output.reshape(down, across, per_cell, 5 + classes).astype(np.float32)
        scores = cells[..., 4:5] * cells[..., 5:]
        row, column, anchor, kind = np.nonzero(scores > score_limit)
        box = cells[row, column, anchor, :4]
        grid = np.stack([column, row], axis=1)
        if sizes is None:
            centre, extent = (box[:, :2] + grid) * stride, np.exp(box[:, 2:]) * stride
        else:
            centre = (2 * box[:, :2] - 0.5 + grid) * stride
            extent = (2 * box[:, 2:]) ** 2 * sizes[level][anchor]
        all_boxes.append(np.concatenate([centre - extent / 2, centre + extent / 2], axis=1))
        all_scores.append(scores[row, column, anchor, kind])
        all_classes.append(kind)
    joined = np.concatenate(all_scores)
    order = np.argsort(-joined, kind="stable")[:MOST_CANDIDATES]
    boxes = clip_xyxy(np.concatenate(all_boxes)[order], width, height)
    scores, kinds = joined[order], np.concatenate(all_classes)[order]
    keep = suppress_overlaps(boxes, scores, kinds, iou_limit)[:MOST_DETECTIONS]
    return Detections(boxes[keep], scores[keep], kinds[keep])
