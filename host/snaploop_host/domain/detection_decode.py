"""Raw detection-head outputs to boxes, by the same rule as the board's decoder. Pure NumPy, no I/O.

The head is a yolov8 head cut before its decode: for the strides 8, 16, 32 a box tensor [1, 64, H/s, W/s] (16 distance bins
for each of left, top, right, bottom) and a class tensor [1, nc, H/s, W/s], both float32 NCHW, in the order
box8, cls8, box16, cls16, box32, cls32. Used for the float model and for the kmodel alike, so that only quantisation differs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .geometry import FloatArray, IntArray, clip_xyxy, suppress_overlaps

STRIDES_PX = (8, 16, 32)
DISTANCE_BINS = 16
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


def decode_raw_heads(outputs: Sequence[FloatArray], score_limit: float, iou_limit: float = NMS_IOU) -> Detections:
    """Boxes of one picture from the six raw outputs.

    Per cell only the best class counts. Logits are compared with the logit of `score_limit`; only survivors are decoded:
    distance = mean of the bins under their soft-max, centre = (grid + 0.5) × stride; then suppression within each class.

    Raises:
        ValueError: not six tensors, or tensors whose shapes do not belong together.
    """
    if len(outputs) != 2 * len(STRIDES_PX):
        raise ValueError(f"a raw head has {2 * len(STRIDES_PX)} outputs, got {len(outputs)}: export the model again")
    logit_limit = math.log(score_limit / (1 - score_limit))
    boxes, logits, classes = [], [], []
    for index, stride in enumerate(STRIDES_PX):
        box, cls = (tensor[0] if tensor.ndim == 4 else tensor for tensor in outputs[2 * index : 2 * index + 2])
        if box.shape[0] != 4 * DISTANCE_BINS or box.shape[1:] != cls.shape[1:]:
            raise ValueError(f"stride {stride}: box {box.shape} and class {cls.shape} do not belong together")
        best = cls.max(axis=0)
        rows, columns = np.nonzero(best > logit_limit)
        bins = box[:, rows, columns].reshape(4, DISTANCE_BINS, -1).astype(np.float32)
        weights = np.exp(bins - bins.max(axis=1, keepdims=True))
        bin_index = np.arange(DISTANCE_BINS, dtype=np.float32)[None, :, None]
        left, top, right, bottom = (weights * bin_index).sum(axis=1) / weights.sum(axis=1)
        x, y = columns + 0.5, rows + 0.5
        boxes.append(np.stack([x - left, y - top, x + right, y + bottom], axis=1).astype(np.float32) * stride)
        logits.append(best[rows, columns])
        classes.append(cls[:, rows, columns].argmax(axis=0))
    height, width = (side * STRIDES_PX[0] for side in outputs[0].shape[-2:])
    all_logits, all_classes = np.concatenate(logits), np.concatenate(classes)
    order = np.argsort(-all_logits, kind="stable")[:MOST_CANDIDATES]
    scores = 1 / (1 + np.exp(-all_logits[order].astype(np.float32)))
    all_boxes = clip_xyxy(np.concatenate(boxes)[order], width, height)
    keep = suppress_overlaps(all_boxes, scores, all_classes[order], iou_limit)[:MOST_DETECTIONS]
    return Detections(all_boxes[keep], scores[keep], all_classes[order][keep])
