"""Heads "segmap" and "segfull": which part of the picture belongs to which class. Over ulab on a board, NumPy on a PC.

The model's second output, at a quarter of its input's width and height, is decoded: 15 to 60 KB where the full size has a megabyte, and
a finger is wider than its cells. A model of a vendor package has the full size only: every fourth pixel of it is looked at. A picture's
regions are runs: rectangles of cells, as wide as they go and as high as they stay alike.
"""

from snaploop_shared.manifest import HEAD_SEGFULL, SEGMAP_STRIDE
from snaploop_shared.sample_record import MAX_POINTS

from . import shapes
from .outputs import GARBAGE_BYTES, check_finite, count_of

try:
    from ulab import numpy as np
except ImportError:  # on a PC
    import numpy as np

MOST_OUTLINES = 12  # proposed in a photo
SMALLEST_PERMILLE = 3  # of the picture, that an outline is proposed around


class Segmenter:
    """Decodes the coarse logits [1, H/4, W/4, labels]; label 0 is the background."""

    def __init__(self, manifest, placement, kpu=None) -> None:
        """As the decoders of inference.py; the picture is stretched to the input, so the placement only tells the photo's size."""
        self.checks_finite = True
        self.set_score(manifest.score_permille)
        self._labels = len(manifest.labels)
        self._is_full = manifest.head == HEAD_SEGFULL
        self._across = manifest.input_w // SEGMAP_STRIDE
        self._down = manifest.input_h // SEGMAP_STRIDE
        self._photo = (placement.source_w, placement.source_h)
        pixels = self._across * self._down * (2 + (SEGMAP_STRIDE * SEGMAP_STRIDE if self._is_full else 0))
        self.garbage = 1 + 4 * pixels * self._labels // GARBAGE_BYTES

    def set_score(self, permille: int) -> None:
        """Show classes that cover at least this much of the picture."""
        self._least_permille = permille

    def in_input(self, output) -> "list[int]":
        """How much of the picture each label covers, in permille.

        Raises:
            NotFiniteError: the output holds NaN or infinity.
            ValueError: it is not that of the manifest's model.
        """
        return self._shares(self._cells(output))

    def in_photo(self, output) -> "list[tuple]":
        """(label index, share permille, x, y, w, h, runs) of each class in view, the largest first; errors as `in_input`.

        The box encloses all of its runs; a run is (x, y, w, h); all in whole photo px.
        """
        cells = self._cells(output)
        shares = self._shares(cells)
        found = []
        for index in range(1, self._labels):
            if shares[index] and shares[index] >= self._least_permille:
                runs = [self._in_photo_px(run) for run in runs_of(cells, self._across, index)]
                left, top = min([run[0] for run in runs]), min([run[1] for run in runs])
                right, bottom = max([run[0] + run[2] for run in runs]), max([run[1] + run[3] for run in runs])
                found.append((index, shares[index], left, top, right - left, bottom - top, runs))
        found.sort(key=_by_share, reverse=True)
        return found

    def _cells(self, output):
        """One byte a cell, row by row: its label."""
        tensor = self._coarse(output(0)) if self._is_full else output(1)
        count = self._across * self._down
        if count_of(tensor) != count * self._labels:
            text = "output has shape {}, the manifest says {}x{} cells of {} labels"
            raise ValueError(text.format(tensor.shape, self._across, self._down, self._labels))
        if self.checks_finite:
            check_finite(tensor, "class scores")
        best = np.argmax(tensor.reshape((count, self._labels)), axis=1)
        return bytes(np.array(best, dtype=np.uint8).tobytes())

    def _coarse(self, tensor):
        """Every fourth pixel of the logits [1, H, W, labels], across and down."""
        high, wide = SEGMAP_STRIDE * self._down, SEGMAP_STRIDE * self._across
        if count_of(tensor) != high * wide * self._labels:
            text = "output has shape {}, the manifest says {}x{} pixels of {} labels"
            raise ValueError(text.format(tensor.shape, wide, high, self._labels))
        return tensor.reshape((high, wide, self._labels))[::SEGMAP_STRIDE, ::SEGMAP_STRIDE, :].copy()

    def _shares(self, cells):
        return [1000 * cells.count(bytes([index])) // len(cells) for index in range(self._labels)]

    def _in_photo_px(self, run):
        x0, y0, across, down = run
        width, height = self._photo
        left, top = x0 * width // self._across, y0 * height // self._down
        right, bottom = (x0 + across) * width // self._across, (y0 + down) * height // self._down
        return (left, top, right - left, bottom - top)


def runs_of(cells: bytes, across: int, index: int) -> "list[tuple[int, int, int, int]]":
    """The cells of a label as rectangles (x, y, w, h) in cells; alike ones below each other are one."""
    mark = bytes([index])
    done = []
    before = {}  # (x, w) → y of the first row, of runs that reach the row before
    for y in range(len(cells) // across + 1):
        now = {}
        row = cells[y * across : (y + 1) * across]
        x = row.find(mark)
        while x >= 0:
            end = x + 1
            while end < across and row[end] == index:
                end += 1
            now[(x, end - x)] = before.pop((x, end - x), y)
            x = row.find(mark, end)
        for (x, w), top in before.items():
            done.append((x, top, w, y - top))
        before = now
    return done


def outlines(runs: "list[tuple]", photo_w: int, photo_h: int) -> "list[list[tuple[int, int]]]":
    """Polygons around the parts that hang together, large ones first, in the px of the runs: left ends downwards, right ends up again.

    A hole or a bay towards the side is not followed: the person who is shown the outline corrects it.
    """
    parts = []
    for run in sorted(runs, key=_by_top):
        mine = [run]
        others = []
        for part in parts:
            if _touches(part, run):
                mine = part + mine
            else:
                others.append(part)
        parts = others + [mine]
    sized = [(sum([run[2] * run[3] for run in part]), part) for part in parts]
    sized = [one for one in sized if 1000 * one[0] >= SMALLEST_PERMILLE * photo_w * photo_h]
    sized.sort(key=_by_size, reverse=True)
    return [_outline(part) for _size, part in sized[:MOST_OUTLINES]]


def _touches(part, run):
    """Whether the run begins right below (or beside) one of the part and overlaps it."""
    x, y, w, _h = run
    for other_x, other_y, other_w, other_h in part:
        if other_y <= y <= other_y + other_h and other_x < x + w and x < other_x + other_w:
            return True
    return False


def _outline(part):
    ends = {}  # y → (left, right) of the row of runs that begins or ends there
    for x, y, w, h in part:
        for at in (y, y + h - 1):
            left, right = ends.get(at, (x, x + w - 1))
            ends[at] = (min(left, x), max(right, x + w - 1))
    rows = sorted(ends)
    points = [(ends[y][0], y) for y in rows] + [(ends[y][1], y) for y in reversed(rows)]
    return shapes.simplified(points)[:MAX_POINTS]


def _by_share(one):
    return one[1]


def _by_top(run):
    return run[1]


def _by_size(one):
    return one[0]
