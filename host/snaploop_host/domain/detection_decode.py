"""A detection model's outputs to boxes, by the same rule as the board's decoder. Pure NumPy, no I/O.

The head is a yolov8 head cut before its decode, in the form that the firmware's own C function decodes (K230 platform notes §6.3,
GFLDet): for the strides 8, 16, 32 one float32 tensor [1, H/s, W/s, classes + 4 × 17], class logits first, then 17 distance bins for each
of left, top, right, bottom. Distances are counted from the cell's top left corner. Used for the float model and for the kmodel alike,
so that only quantisation differs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .geometry import FloatArray, IntArray, clip_xyxy, suppress_overlaps

STRIDES_PX = (8, 16, 32)
DISTANCE_BINS = 17  # what the firmware's decoder counts on
NMS_IOU = 0.5  # the board's; evaluation uses the same, so both sides of the gate see what the board will show
MOST_CANDIDATES = 1000  # before suppression; bounds its quadratic cost when an early model fires everywhere
MOST_DETECTIONS = 300  # per picture, the field's convention


@dataclass(frozen=True)
class Detections:
    """What one picture holds: boxes_xyxy (N, 4) float32 in model-input px, scores (N,) 0…1, classes (N,) int; best first."""

    boxes_xyxy: FloatArray
    scores: FloatArray
    classes: IntArray

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        count = len(self.scores)
        if self.boxes_xyxy.shape != (count, 4) or self.classes.shape != (count,):
            raise ValueError(
                f"detections disagree: boxes {self.boxes_xyxy.shape}, classes {self.classes.shape}, {count} scores"
            )

    def above(self, score: float) -> Detections:
        """Only the detections with at least this score."""
        keep = self.scores >= score
        return Detections(self.boxes_xyxy[keep], self.scores[keep], self.classes[keep])


def decode_heads(outputs: Sequence[FloatArray], score_limit: float, iou_limit: float = NMS_IOU) -> Detections:
    """Boxes of one picture from the three outputs.

    Per cell only the best class counts. Logits are compared with the logit of `score_limit`; only survivors are decoded:
    distance = mean of the bins under their soft-max, centre = grid × stride; then suppression within each class.

    Raises:
        ValueError: not three tensors, or a tensor of another form.
    """
    if len(outputs) != len(STRIDES_PX):
        raise ValueError(f"a detection head has {len(STRIDES_PX)} outputs, got {len(outputs)}: export the model again")
    logit_limit = math.log(score_limit / (1 - score_limit))
    boxes, logits, classes = [], [], []
    for output, stride in zip(outputs, STRIDES_PX, strict=True):
        head = output[0] if output.ndim == 4 else output
        if head.ndim != 3 or head.shape[2] <= 4 * DISTANCE_BINS:
            raise ValueError(f"stride {stride}: an output of shape {output.shape} is no detection head")
        cls = head[:, :, : -4 * DISTANCE_BINS]
        best = cls.max(axis=2)
        rows, columns = np.nonzero(best > logit_limit)
        bins = head[rows, columns, -4 * DISTANCE_BINS :].reshape(-1, 4, DISTANCE_BINS).astype(np.float32)
        weights = np.exp(bins - bins.max(axis=2, keepdims=True))
        bin_index = np.arange(DISTANCE_BINS, dtype=np.float32)
        left, top, right, bottom = ((weights * bin_index).sum(axis=2) / weights.sum(axis=2)).T
        corners = [columns - left, rows - top, columns + right, rows + bottom]
        boxes.append(np.stack(corners, axis=1).astype(np.float32) * stride)
        logits.append(best[rows, columns])
        classes.append(cls[rows, columns].argmax(axis=1))
    height, width = (side * STRIDES_PX[0] for side in outputs[0].shape[-3:-1])
    all_logits, all_classes = np.concatenate(logits), np.concatenate(classes)
    order = np.argsort(-all_logits, kind="stable")[:MOST_CANDIDATES]
    scores = 1 / (1 + np.exp(-all_logits[order].astype(np.float32)))
    all_boxes = clip_xyxy(np.concatenate(boxes)[order], width, height)
    keep = suppress_overlaps(all_boxes, scores, all_classes[order], iou_limit)[:MOST_DETECTIONS]
    return Detections(all_boxes[keep], scores[keep], all_classes[order][keep])
