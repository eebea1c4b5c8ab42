"""From the six raw outputs of a "dfl6" model to boxes. Runs over ulab on the board and NumPy on a PC.

Per stride 8, 16, 32 a box tensor [1, 64, H/s, W/s] and class logits [1, classes, H/s, W/s]. The logits are compared with the
logit of the score threshold, vectorised; only the few survivors are decoded, in plain Python: per side a soft-max over 16 bins,
whose mean is the distance in cells from the cell's centre (grid + 0.5). Then suppression within each class.
The host decodes the same way (host domain/detection_decode.py); a model's golden answer checks that both agree.
"""

import math

from snaploop_shared.manifest import STRIDES

try:
    from ulab import numpy as np
except ImportError:  # on a PC
    import numpy as np

BINS = 16
MOST_CANDIDATES = 200  # decoded before suppression: bounds the time when an early model fires everywhere
MOST_DETECTIONS = 50  # drawn


class NotFiniteError(ValueError):
    """A model gave NaN or infinity."""


class Detector:
    """Decodes the outputs of one model."""

    def __init__(self, manifest, placement) -> None:
        """Take thresholds and input size from the manifest, the way back to the photo from the placement (shared letterbox)."""
        self.set_score(manifest.score_permille)
        self._iou_limit = manifest.iou_permille / 1000
        self._classes = len(manifest.labels)
        self._w = manifest.input_w
        self._h = manifest.input_h
        self._placement = placement

    def set_score(self, permille: int) -> None:
        """Find things from this score on."""
        score = min(max(permille, 1), 999) / 1000
        self._logit_limit = math.log(score / (1 - score))

    def in_input(self, output) -> "list[tuple]":
        """Detections as (class index, score permille, x, y, w, h), whole input px, best first.

        Args:
            output: function(index) → output tensor of the last run; box tensors are only fetched where something was found.

        Raises:
            NotFiniteError: the outputs hold NaN or infinity.
            ValueError: the outputs are not those of the manifest's model.
        """
        return [_as_xywh(one) for one in self._decode(output)]

    def in_photo(self, output) -> "list[tuple]":
        """As `in_input`, in whole photo px and cut to the photo."""
        place = self._placement
        found = []
        for score, class_index, x0, y0, x1, y1 in self._decode(output):
            x0, y0 = place.to_source(x0, y0)
            x1, y1 = place.to_source(x1, y1)
            x0, y0 = max(0, x0), max(0, y0)
            x1, y1 = min(place.source_w, x1), min(place.source_h, y1)
            if x1 - x0 >= 1 and y1 - y0 >= 1:
                found.append(_as_xywh((score, class_index, x0, y0, x1, y1)))
        return found

    def _decode(self, output):
        """[(score 0…1, class index, x0, y0, x1, y1 input px)], suppressed, best first."""
        candidates = []
        classes = []  # per level, classes × cells
        for level in range(len(STRIDES)):
            classes.append(self._cells(output(2 * level + 1), level, self._classes))
            self._survivors(classes[level], level, candidates)
        candidates.sort(key=_by_logit, reverse=True)
        boxes = {}  # level → box tensor, fetched once
        decoded = []
        for logit, level, position in candidates[:MOST_CANDIDATES]:
            if level not in boxes:
                boxes[level] = self._cells(output(2 * level), level, 4 * BINS)
            class_index = 0
            if self._classes > 1:
                column = classes[level][:, position].tolist()
                class_index = column.index(max(column))
            decoded.append(self._box(boxes[level], level, position, logit, class_index))
        return self._suppress(decoded)

    def _survivors(self, logits, level, candidates):
        """Add (logit, level, cell) of the cells whose best class is above the threshold."""
        best = np.max(logits, axis=0)
        total = float(np.sum(best))
        if total - total != 0:  # NaN and infinity are the only numbers that differ from themselves like this
            raise NotFiniteError("the model's class scores are not finite")
        if float(np.max(best)) <= self._logit_limit:
            return
        values = best.tolist()
        for position in np.nonzero(best > self._logit_limit)[0].tolist():
            candidates.append((values[position], level, position))

    def _cells(self, tensor, level, channels):
        """The tensor as channels × cells."""
        cells = (self._w // STRIDES[level]) * (self._h // STRIDES[level])
        size = 1
        for side in tensor.shape:
            size *= side
        if size != channels * cells:
            text = "output for stride {} has shape {}, the manifest says {} channels of {} cells"
            raise ValueError(text.format(STRIDES[level], tensor.shape, channels, cells))
        return tensor.reshape((channels, cells))

    def _box(self, boxes, level, position, logit, class_index):
        stride = STRIDES[level]
        across = self._w // stride
        bins = boxes[:, position].tolist()
        x = position % across + 0.5
        y = position // across + 0.5
        left, top = _distance(bins, 0), _distance(bins, BINS)
        right, bottom = _distance(bins, 2 * BINS), _distance(bins, 3 * BINS)
        return (
            _sigmoid(logit),
            class_index,
            max(0, (x - left) * stride),
            max(0, (y - top) * stride),
            min(self._w, (x + right) * stride),
            min(self._h, (y + bottom) * stride),
        )

    def _suppress(self, decoded):
        kept = []
        for one in decoded:
            for other in kept:
                if other[1] == one[1] and _iou(other, one) > self._iou_limit:
                    break
            else:
                kept.append(one)
                if len(kept) == MOST_DETECTIONS:
                    break
        return kept


def _distance(bins, start):
    """Mean of 16 bins under their soft-max, in cells."""
    values = bins[start : start + BINS]
    most = max(values)
    total = 0.0
    weighted = 0.0
    for index in range(BINS):
        weight = math.exp(values[index] - most)
        total += weight
        weighted += weight * index
    if not total > 0 or weighted - weighted != 0:
        raise NotFiniteError("the model's box distances are not finite")
    return weighted / total


def _sigmoid(logit):
    return 1 / (1 + math.exp(-logit)) if logit > -60 else 0.0


def _iou(a, b):
    w = min(a[4], b[4]) - max(a[2], b[2])
    h = min(a[5], b[5]) - max(a[3], b[3])
    if w <= 0 or h <= 0:
        return 0
    both = w * h
    return both / ((a[4] - a[2]) * (a[5] - a[3]) + (b[4] - b[2]) * (b[5] - b[3]) - both)


def _by_logit(candidate):
    return candidate[0]


def _as_xywh(one):
    """(score, class, corners) as (class index, score permille, x, y, w, h) in whole px."""
    score, class_index, x0, y0, x1, y1 = one
    left, top = int(x0 + 0.5), int(y0 + 0.5)
    return (class_index, int(score * 1000 + 0.5), left, top, max(1, int(x1 + 0.5) - left), max(1, int(y1 + 0.5) - top))
