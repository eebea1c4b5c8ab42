"""Two cheap looks at a frame, for hints at the shutter: is it blurred, and does it show what was just photographed? ulab or NumPy.

Both use the green plane only, on a few rows. They are hints: the photo is kept whatever they say.
"""

from .inference import np  # ulab on a board, NumPy on a PC

ROWS_STEP_PX = 12  # every 12th row is looked at: 30 of 360
NEAR_PX = 2  # over one pixel there is mostly sensor noise
FAR_PX = 8
FLAT_VARIANCE = 60  # grey levels squared; below it a frame has no detail to judge by
BLUR_PERMILLE = 105  # sharp pictures of 13 scenes: 182 to 517; blurred by a Gaussian of 3 px: 72 to 102
HASH_ROWS = 8
HASH_COLUMNS = 9
HASH_BAND_PX = 6  # rows that are averaged per line of the hash
SAME_BITS = 5  # of 64: as near as two frames of a board that stands still
REMEMBERED = 16


class PhotoHints:
    """Judges frames at the shutter and remembers the last photos of this start."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._seen = []  # (hash, name)

    def judge(self, frame, name: str) -> str:
        """A line about the photo `name` of which `frame` (3×H×W uint8) is the same moment, "" when all is well."""
        plane = frame[1]
        sharpness = sharpness_permille(plane)
        if sharpness is None:
            return ""
        alike = self._alike(fingerprint(plane), name)
        if sharpness < BLUR_PERMILLE:
            return "blurred? hold still, or clean the lens"
        if alike:
            return "looks like {}: move, turn or change the light".format(alike)
        return ""

    def _alike(self, mark, name):
        alike = ""
        for other, other_name in self._seen:
            if bin(mark ^ other).count("1") <= SAME_BITS:
                alike = other_name
        self._seen.append((mark, name))
        if len(self._seen) > REMEMBERED:
            self._seen.pop(0)
        return alike


def sharpness_permille(plane) -> "int | None":
    """Squared differences of neighbours NEAR_PX apart by those of neighbours FAR_PX apart, ×1000; None for a flat plane.

    Both are of the same edges, so contrast and amount of detail cancel out. Blur leaves ramps, on which the ratio falls to
    (NEAR_PX / FAR_PX)², 62 per mille; sharp edges give several hundred.
    """
    rows = plane[::ROWS_STEP_PX] * 1.0
    if float(np.std(rows)) ** 2 < FLAT_VARIANCE:
        return None
    near = far = 0.0
    for gap in (NEAR_PX, FAR_PX):
        across = rows[:, gap:] - rows[:, :-gap]
        below = plane[gap::ROWS_STEP_PX] * 1.0
        down = below - rows[: below.shape[0]]
        energy = float(np.mean(across * across)) + float(np.mean(down * down))
        if gap == NEAR_PX:
            near = energy
        else:
            far = energy
    return int(1000 * near / far) if far > 0 else None


def fingerprint(plane) -> int:
    """A 64-bit difference hash: per line of 9 averaged fields, whether each is brighter than its left neighbour."""
    height, width = plane.shape
    mark = 0
    for row in range(HASH_ROWS):
        top = (2 * row + 1) * height // (2 * HASH_ROWS) - HASH_BAND_PX // 2
        band = np.mean(plane[top : top + HASH_BAND_PX] * 1.0, axis=0)
        last = None
        for column in range(HASH_COLUMNS):
            start, end = column * width // HASH_COLUMNS, (column + 1) * width // HASH_COLUMNS
            level = float(np.mean(band[start:end]))
            if last is not None:
                mark = mark * 2 + (1 if level > last else 0)
            last = level
    return mark
