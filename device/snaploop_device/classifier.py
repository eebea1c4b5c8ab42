"""Decoding of what is said of a whole photo: heads "logits" (one class, soft-max) and "multilogits" (any labels, a sigmoid each).

`inference.decoder_for` makes one. Plain Python: there are as many numbers as classes.
"""

import math
import struct

from snaploop_shared.manifest import HEAD_LOGITS

from .outputs import NotFiniteError, count_of

NEGLIGIBLE = -80  # a logit this far below the winner's: single floats have no smaller number


class Classifier:
    """Scores the classes of the whole photo from a model's one output."""

    garbage = 1

    def __init__(self, manifest, placement, kpu=None) -> None:
        """Made like an inference.Detector; needs no KPU port."""
        self.checks_finite = True
        self._is_one_of = manifest.head == HEAD_LOGITS
        self._classes = len(manifest.labels)
        self._photo = (placement.source_w, placement.source_h)
        self.set_score(manifest.score_permille)

    def set_score(self, permille: int) -> None:
        """Name classes from this score on."""
        self._score = min(max(permille, 1), 999)

    def in_input(self, output) -> "list[int]":
        """The score of every class in permille, in the order of the labels.

        Raises:
            NotFiniteError: a logit is NaN or infinity.
            ValueError: the output is not that of the manifest's model.
        """
        logits = self._logits(output(0))
        if not self._is_one_of:
            return [_permille(_sigmoid(logit)) for logit in logits]
        if len(logits) == 1:  # of two classes: the second one's against the first's
            second = _permille(_sigmoid(logits[0]))
            return [1000 - second, second]
        most = max(logits)
        weights = [math.exp(logit - most) if logit - most > NEGLIGIBLE else 0.0 for logit in logits]
        total = sum(weights)
        return [_permille(weight / total) for weight in weights]

    def in_photo(self, output) -> "list[tuple]":
        """(class index, score permille, x, y, w, h) as a Detector's, the box as large as the photo.

        Of "logits" the winner when its score is high enough; of "multilogits" every label whose score is, in their order, so that
        two that are equally likely do not change places with every frame.
        """
        scores = self.in_input(output)
        named = [index for index in range(len(scores)) if scores[index] >= self._score]
        if self._is_one_of and named:
            named = [max(named, key=lambda index: scores[index])]  # MicroPython has no __getitem__ to hand over
        return [(index, scores[index], 0, 0, self._photo[0], self._photo[1]) for index in named]

    def _logits(self, tensor):
        size = count_of(tensor)
        if size != self._classes and not (size == 1 and self._classes == 2 and self._is_one_of):
            raise ValueError("output of {} logits, the manifest says {} classes".format(size, self._classes))
        data = tensor.tobytes()  # ulab has single floats, NumPy often doubles
        logits = struct.unpack("<{}{}".format(size, "f" if len(data) == 4 * size else "d"), data)
        for logit in logits:
            if logit - logit != 0:  # NaN and infinity are the only numbers that differ from themselves like this
                raise NotFiniteError("the model's class scores are not finite")
        return logits


def _permille(share):
    return int(1000 * share + 0.5)


def _sigmoid(logit):
    return 1 / (1 + math.exp(-logit)) if logit > NEGLIGIBLE else 0.0
