"""From a model's outputs to what it saw: one decoder per head of the manifest, `decoder_for` chooses. Over ulab on a board, NumPy on a PC.

Each decoder has in_input(output) and in_photo(output), where `output` is a function (index → output tensor of the last run).
Detector, head "dfl6": per stride 8, 16, 32 a box tensor [1, 64, H/s, W/s] and class logits [1, classes, H/s, W/s]. The logits are
compared with the logit of the score threshold by the array library; only the few survivors are decoded, in plain Python: per side a
soft-max over 16 bins, whose mean is the distance in cells from the cell's centre (grid + 0.5). Then suppression within each class. The
host decodes the same way (host domain/detection_decode.py); a model's golden answer checks that both agree.
FirmwareDetector, heads "gfl", "anchorbase" and "anchorfree": the firmware's own C functions, some five times less work. Embedder, head
"embedding": one vector. In files of their own: segments.py for heads "segmap" and "segfull", text.py for "textmap" and "ctc",
classifier.py for "logits" and "multilogits".
"""

import math
import struct

from snaploop_shared import letterbox
from snaploop_shared.manifest import (
    GFL_BINS,
    HEAD_ANCHORBASE,
    HEAD_ANCHORFREE,
    HEAD_CTC,
    HEAD_DFL6,
    HEAD_EMBEDDING,
    HEAD_GFL,
    HEAD_LOGITS,
    HEAD_MULTILOGITS,
    HEAD_SEGFULL,
    HEAD_SEGMAP,
    HEAD_TEXTMAP,
    STRIDES,
)

from .classifier import Classifier
from .outputs import GARBAGE_BYTES, NotFiniteError, check_finite, count_of
from .segments import Segmenter
from .text import LineReader, TextFinder

try:
    from ulab import numpy as np
except ImportError:  # on a PC
    import numpy as np

BINS = 16
MOST_CANDIDATES = 200  # decoded before suppression: bounds the time when an early model fires everywhere
MOST_DETECTIONS = 50  # drawn
STEADY_PX = 2  # the noise of a camera that stands still
STEADY_PERMILLE = 30
FEW_CANDIDATES = 4  # of a level: their bins are picked one by one, else the whole box tensor is read
NEGLIGIBLE = -16  # a bin whose logit is this much lower weighs a ten-millionth


class Detector:
    """Decodes the six raw outputs of a detection model with head "dfl6"."""

    garbage = 2  # in GARBAGE_BYTES: what a frame leaves on the heap, some 100 KB of output tensors

    def __init__(self, manifest, placement, kpu=None) -> None:
        """Take thresholds and input size from the manifest, the way back to the photo from the placement (shared letterbox)."""
        self.checks_finite = True  # costs a sum per output: off once a model has proved itself
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
        for level in range(len(STRIDES)):
            self._survivors(output(2 * level + 1), level, candidates)
        candidates.sort(key=_by_logit, reverse=True)
        candidates = candidates[:MOST_CANDIDATES]
        bins_of = {}  # level → function(cell) → its 64 numbers; a box tensor is fetched once
        decoded = []
        for logit, level, position, class_index in candidates:
            if level not in bins_of:
                count = len([one for one in candidates if one[1] == level])
                bins_of[level] = self._bins_reader(output(2 * level), level, count)
            decoded.append(self._box(bins_of[level](position), level, position, logit, class_index))
        return self._suppress(decoded)

    def _bins_reader(self, tensor, level, count):
        """How to get at the bins of a cell: cell by cell when `count` of them are wanted and that is few, else from the tensor's bytes."""
        across = self._w // STRIDES[level]
        cells = self._cells(tensor, level, 4 * BINS)
        if count <= FEW_CANDIDATES and tuple(tensor.shape) == (1, 4 * BINS, cells // across, across):
            return lambda position: list(tensor[0, :, position // across, position % across])
        data = tensor.tobytes()
        number = _number_format(data, 4 * BINS * cells)
        step = len(data) // (4 * BINS)
        read = struct.unpack_from
        return lambda position: [
            read(number, data, position * (step // cells) + index * step)[0] for index in range(4 * BINS)
        ]

    def _survivors(self, logits, level, candidates):
        """Add (logit, level, cell, class) of the cells whose best class is above the threshold.

        Arrays are asked for a maximum, a comparison and their bytes; the few hits are found in the bytes.
        """
        cells = self._cells(logits, level, self._classes)
        if self.checks_finite:
            check_finite(logits, "class scores")
        if not float(np.max(logits)) > self._logit_limit:
            return
        hits = bytes((logits > self._logit_limit).tobytes())
        data = logits.tobytes()
        number = _number_format(data, self._classes * cells)
        best = {}  # cell → (logit, class)
        at = hits.find(b"\x01")
        while at >= 0:
            logit = struct.unpack_from(number, data, at * (len(data) // len(hits)))[0]
            cell = at % cells
            if cell not in best or logit > best[cell][0]:
                best[cell] = (logit, at // cells)
            at = hits.find(b"\x01", at + 1)
        for cell, (logit, class_index) in best.items():
            candidates.append((logit, level, cell, class_index))

    def _cells(self, tensor, level, channels):
        """How many cells the level has; refuses a tensor of another size."""
        cells = (self._w // STRIDES[level]) * (self._h // STRIDES[level])
        if count_of(tensor) != channels * cells:
            text = "output for stride {} has shape {}, the manifest says {} channels of {} cells"
            raise ValueError(text.format(STRIDES[level], tensor.shape, channels, cells))
        return cells

    def _box(self, bins, level, position, logit, class_index):
        stride = STRIDES[level]
        across = self._w // stride
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


class FirmwareDetector:
    """Decodes the three outputs of a detection model with head "gfl", "anchorbase" or "anchorfree", by the firmware's C function for it."""

    def __init__(self, manifest, placement, kpu) -> None:
        """As a Detector; `kpu` is the port that has the function."""
        self.checks_finite = True
        self._kpu = kpu
        self._score = manifest.score_permille / 1000
        self._iou_limit = manifest.iou_permille / 1000
        self._classes = len(manifest.labels)
        self._head = manifest.head
        self._anchors = manifest.anchors if manifest.head == HEAD_ANCHORBASE else None
        self._input = (manifest.input_w, manifest.input_h)
        self._photo = (placement.source_w, placement.source_h)
        self._sizes = [self._size(stride) for stride in STRIDES]
        self._shapes = [None] * len(STRIDES)  # of outputs that had the right size
        self.garbage = 1 + 4 * sum(self._sizes) // GARBAGE_BYTES  # all three outputs are fetched with every frame

    def set_score(self, permille: int) -> None:
        """Find things from this score on."""
        self._score = min(max(permille, 1), 999) / 1000

    def in_input(self, output) -> "list[tuple]":
        """As Detector.in_input; scores are within 6 % of the logits' (the C function approximates e^x)."""
        return self._decode(output, self._input)

    def in_photo(self, output) -> "list[tuple]":
        """As Detector.in_photo."""
        return self._decode(output, self._photo)

    def _decode(self, output, frame):
        outputs = []
        for level in range(len(STRIDES)):
            tensor = output(level)
            if tensor.shape != self._shapes[level]:
                self._check_size(tensor, level)
            if self.checks_finite:
                check_finite(tensor, "outputs")
            outputs.append(tensor)
        limits = (self._classes, self._score, self._iou_limit)
        if self._head == HEAD_GFL:
            found = self._kpu.gfl_boxes(outputs, self._input, frame, *limits)
        else:
            found = self._kpu.anchor_boxes(outputs, self._input, frame, *limits, self._anchors)
        boxes = []
        width, height = frame
        for index, score, x0, y0, x1, y1 in found:
            x0, y0 = x0 if x0 > 0 else 0, y0 if y0 > 0 else 0
            x1, y1 = x1 if x1 < width else width, y1 if y1 < height else height
            if x1 - x0 >= 1 and y1 - y0 >= 1:
                left, top = int(x0 + 0.5), int(y0 + 0.5)
                wide, high = int(x1 + 0.5) - left, int(y1 + 0.5) - top
                boxes.append((int(index), int(score * 1000 + 0.5), left, top, wide or 1, high or 1))
        boxes.sort(key=_by_score, reverse=True)
        return boxes[:MOST_DETECTIONS]

    def _check_size(self, tensor, level):
        """Refuse what the C function would read beyond its end; the shape of what is right is not looked at again."""
        if count_of(tensor) != self._sizes[level]:
            text = "output for stride {} has shape {}, the manifest says {} numbers"
            raise ValueError(text.format(STRIDES[level], tensor.shape, self._sizes[level]))
        self._shapes[level] = tensor.shape

    def _size(self, stride):
        """How many numbers the output for this stride has."""
        cells = (self._input[0] // stride) * (self._input[1] // stride)
        if self._head == HEAD_GFL:
            return cells * (self._classes + 4 * GFL_BINS)
        return cells * (self._classes + 5) * (3 if self._head == HEAD_ANCHORBASE else 1)


class Embedder:
    """Takes the vector out of a metric-learning model's one output."""

    garbage = 1

    def __init__(self, manifest, placement, kpu=None) -> None:
        """Made like a Detector; needs nothing of all that."""
        self.checks_finite = True

    def set_score(self, permille: int) -> None:
        """Likeness is judged by the library (self_learning.py), not here."""

    def in_input(self, output) -> "list[int]":
        """The vector, unit length, in thousandths.

        Raises:
            NotFiniteError: it holds NaN or infinity, or is zero.
        """
        tensor = output(0)
        size = count_of(tensor)
        data = tensor.tobytes()
        values = struct.unpack("<{}{}".format(size, _number_format(data, size)[1]), data)
        length = math.sqrt(sum([value * value for value in values]))
        if not length > 0 or length - length != 0:
            raise NotFiniteError("the model's vector is zero or not finite")
        return [int(1000 * value / length) for value in values]

    in_photo = in_input


DECODERS = {
    HEAD_DFL6: Detector,
    HEAD_GFL: FirmwareDetector,
    HEAD_ANCHORBASE: FirmwareDetector,
    HEAD_ANCHORFREE: FirmwareDetector,
    HEAD_EMBEDDING: Embedder,
    HEAD_SEGMAP: Segmenter,
    HEAD_SEGFULL: Segmenter,
    HEAD_LOGITS: Classifier,
    HEAD_MULTILOGITS: Classifier,
    HEAD_TEXTMAP: TextFinder,
    HEAD_CTC: LineReader,
}  # a head of the manifest → its decoder


PLACEMENTS = {
    HEAD_SEGMAP: letterbox.stretch_placement,
    HEAD_SEGFULL: letterbox.stretch_placement,
    HEAD_LOGITS: letterbox.stretch_placement,
    HEAD_MULTILOGITS: letterbox.stretch_placement,
    HEAD_EMBEDDING: letterbox.stretch_placement,
    HEAD_TEXTMAP: letterbox.corner_placement,
    HEAD_CTC: letterbox.strip_placement,
}  # of heads that do not want the picture letterboxed


def placement_for(manifest, source_w: int, source_h: int) -> letterbox.Placement:
    """Where a frame of this size lies in the input of the manifest's model."""
    place = PLACEMENTS.get(manifest.head, letterbox.placement)
    return place(source_w, source_h, manifest.input_w, manifest.input_h)


def decoder_for(
    manifest, placement, kpu=None
) -> "Detector | FirmwareDetector | Embedder | Segmenter | Classifier | TextFinder | LineReader":
    """What decodes the outputs of the manifest's model; `kpu` is the port, for heads that the firmware decodes."""
    return DECODERS[manifest.head](manifest, placement, kpu)


def looks_alike(found: "list[tuple]", shown: "list[tuple]") -> bool:
    """Whether detections differ so little from those on the screen that drawing them anew would only make the boxes tremble."""
    if len(found) != len(shown):
        return False
    for index in range(len(found)):
        new, old = found[index], shown[index]
        if new[0] != old[0] or abs(new[1] - old[1]) > STEADY_PERMILLE:
            return False
        for side in (2, 3, 4, 5):
            if abs(new[side] - old[side]) > STEADY_PX:
                return False
        if new[6:] != old[6:]:  # a region's runs
            return False
    return True


def _number_format(data, count):
    """How struct reads the numbers of an array's bytes: ulab has single floats, NumPy often doubles."""
    return "<f" if len(data) == 4 * count else "<d"


def _distance(bins, start):
    """Mean of 16 bins under their soft-max, in cells."""
    values = bins[start : start + BINS]
    most = max(values)
    total = 0.0
    weighted = 0.0
    for index in range(BINS):
        below = values[index] - most
        if not below < NEGLIGIBLE:  # NaN goes on, and is found
            weight = math.exp(below)
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


def _by_score(detection):
    return detection[1]


def _as_xywh(one):
    """(score, class, corners) as (class index, score permille, x, y, w, h) in whole px."""
    score, class_index, x0, y0, x1, y1 = one
    left, top = int(x0 + 0.5), int(y0 + 0.5)
    return (class_index, int(score * 1000 + 0.5), left, top, max(1, int(x1 + 0.5) - left), max(1, int(y1 + 0.5) - top))
