"""Text: heads "textmap" (where lines of it are) and "ctc" (what a line says). Over ulab on a board, NumPy on a PC.

`inference.decoder_for` makes one. Finding is the firmware's C function; the host's rule is the same (training/ocr_detect/text_map.py).
One model runs at a time, so reading does not follow finding: a reader reads what is held into the strip in the middle of the picture.
"""

from snaploop_shared.manifest import enclosing_box

from .outputs import GARBAGE_BYTES, check_finite, count_of

try:
    from ulab import numpy as np
except ImportError:  # on a PC
    import numpy as np

CORE = 1000  # the C function tells no score: all it gives passed the limit
STEP_PX = 4  # of the input's width for each answer of a reader


class TextFinder:
    """Decodes the map [1, H, W, 2], whose channel 0 is how likely a pixel is in the core of a text."""

    def __init__(self, manifest, placement, kpu) -> None:
        """As a Detector of inference.py; `kpu` is the port that has the function."""
        self.checks_finite = True
        self.set_score(manifest.score_permille)
        self._kpu = kpu
        self._mask = manifest.mask_permille / 1000
        self._input = (manifest.input_w, manifest.input_h)
        self._placement = placement
        self.garbage = (
            1 + 12 * manifest.input_w * manifest.input_h // GARBAGE_BYTES
        )  # both channels, and one of them apart

    def set_score(self, permille: int) -> None:
        """Show texts that are at least this likely."""
        self._score = min(max(permille, 1), 999) / 1000

    def in_input(self, output) -> "list[tuple]":
        """(0, 1000, x, y, w, h, corners) of each text: the box around it, and x0, y0 ... y3 from the top left clockwise; whole input px.

        Raises:
            NotFiniteError: the map holds NaN or infinity.
            ValueError: it is not that of the manifest's model.
        """
        return [_found([int(number + 0.5) for number in quad]) for quad in self._quads(output)]

    def in_photo(self, output) -> "list[tuple]":
        """As `in_input`, in whole photo px and inside the photo."""
        place = self._placement
        found = []
        for quad in self._quads(output):
            corners = []
            for index in range(0, 8, 2):
                x, y = place.to_source(quad[index], quad[index + 1])
                corners.append(min(max(0, int(x + 0.5)), place.source_w - 1))
                corners.append(min(max(0, int(y + 0.5)), place.source_h - 1))
            found.append(_found(corners))
        return found

    def _quads(self, output):
        tensor = output(0)
        width, height = self._input
        if count_of(tensor) != 2 * width * height:
            raise ValueError("output has shape {}, the manifest says 1x{}x{}x2".format(tensor.shape, height, width))
        if self.checks_finite:
            check_finite(tensor, "text map")
        return self._kpu.text_quads(tensor, self._input, self._mask, self._score)


class LineReader:
    """Decodes the steps [1, T, labels]: the best label of each, repeats and blanks (the last label) dropped."""

    garbage = 1

    def __init__(self, manifest, placement, kpu=None) -> None:
        """As a Detector of inference.py; needs no KPU port."""
        self.checks_finite = True
        self._labels = manifest.labels
        self._steps = manifest.input_w // STEP_PX
        self._strip = placement.cut
        self.set_score(manifest.score_permille)

    def set_score(self, permille: int) -> None:
        """Withhold readings that are less sure."""
        self._score = min(max(permille, 1), 999)

    def in_input(self, output) -> "tuple[str, int]":
        """(text, mean score of its characters in permille); ("", 0) where nothing is written.

        Raises:
            NotFiniteError: the answers hold NaN or infinity.
            ValueError: they are not those of the manifest's model.
        """
        tensor = output(0)
        labels = len(self._labels)
        if count_of(tensor) != self._steps * labels:
            text = "output has shape {}, the manifest says {} steps of {} labels"
            raise ValueError(text.format(tensor.shape, self._steps, labels))
        if self.checks_finite:
            check_finite(tensor, "readings")
        steps = tensor.reshape((self._steps, labels))
        best = np.argmax(steps, axis=1)
        text, total, count, before = "", 0.0, 0, -1
        for step in range(self._steps):
            index = int(best[step])
            if index != before and index != labels - 1:
                row = steps[step]
                total += 1 / float(np.sum(np.exp(row - float(np.max(row)))))
                count += 1
                text += self._labels[index]
            before = index
        return (text, int(1000 * total / count + 0.5)) if text else ("", 0)

    def in_photo(self, output) -> "list[tuple]":
        """[(0, score permille, x, y, w, h, text)] with the strip that was read, in photo px; empty when it is not sure enough."""
        text, permille = self.in_input(output)
        if not text or permille < self._score:
            return []
        return [(0, permille) + self._strip + (text,)]


def _found(corners):
    return (0, CORE) + enclosing_box(corners) + (tuple(corners),)
