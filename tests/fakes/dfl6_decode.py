"""Head "dfl6" decoded on the PC: the reference for the board's decoder of models that an earlier snaploop made."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from snaploop_host.domain.detection_decode import MOST_CANDIDATES, MOST_DETECTIONS, NMS_IOU, STRIDES_PX, Detections
from snaploop_host.domain.geometry import FloatArray, clip_xyxy, suppress_overlaps

DISTANCE_BINS = 16


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
