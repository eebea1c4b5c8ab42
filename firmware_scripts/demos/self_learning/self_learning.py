"""Show it something, tap Learn, and it knows it again. With a model of vectors on the card that decides; else colours in a grid do.

Colours alone tell an apple from a mug, not two mugs: for that, train a metric-learning model and the same script uses it.
"""

from snaploop_device.handheld import Handheld
from snaploop_device.self_learning import Library

LIKENESS_PERMILLE = 930  # how alike a view must be; a model of vectors brings its own limit
GRID = 6  # by 6 cells over the middle of the frame, three colours each
LEARN, FORGET = (648, 180, 144, 80), (648, 270, 144, 80)
BUTTON, TEXT, GOOD, DIM = (52, 60, 75), (240, 243, 248), (60, 200, 90), (158, 168, 184)
COLOURS = "colours"  # the library's name without a model


class SelfLearning(Handheld):
    """Things and their names are kept on the card, one library per model."""

    def ready(self) -> None:
        """Nothing is open until it is known whether a model runs."""
        self.library = None
        self.vector = None
        self.name = ""
        self.likeness = 0
        self.shown = None

    def frame(self, found, now_ms) -> None:
        """Recognise what is in view."""
        has_model = self.models.is_ready and self.models.is_embedding
        digest = self.models.manifest.digest if has_model else COLOURS
        if self.library is None or self.library.digest != digest:
            self.library = Library(self.card, digest)
        self.vector = found if has_model else colours(self.board.camera.ai_frame())
        limit = self.models.manifest.score_permille if has_model else LIKENESS_PERMILLE
        self.name, self.likeness = self.library.recognise(self.vector, limit)
        self.draw()

    def touched(self, event, x, y) -> None:
        """The two buttons."""
        if event != "up" or self.vector is None:
            return
        if _is_in(LEARN, x, y):
            self.library.add(self.name or self.library.free_name([]), self.vector)
        elif _is_in(FORGET, x, y) and self.name:
            self.library.forget(self.name)

    def draw(self) -> None:
        """The name, and what is known."""
        views = [(name, len(vectors)) for name, vectors in self.library.things.items()]
        shown = (self.name, self.likeness // 10, views)
        if shown == self.shown:
            return
        self.shown = shown
        canvas = self.canvas
        canvas.clear()
        for index in range(len(views[:7])):
            colour = GOOD if views[index][0] == self.name else DIM
            canvas.text(650, 8 + 24 * index, 18, "{} ({})".format(views[index][0], views[index][1]), colour)
        for (x, y, w, h), title in ((LEARN, "More" if self.name else "Learn"), (FORGET, "Forget")):
            canvas.rectangle(x, y, w, h, BUTTON, fill=True)
            canvas.text(x + 24, y + 26, 24, title, TEXT)
        text = "{} ({} % alike)".format(self.name, self.likeness // 10) if self.name else "hold something up, tap Learn"
        self.say(text, GOOD if self.name else TEXT, 26)
        canvas.show()


def colours(frame) -> "list[int]":
    """The mean colours of the frame's middle against its mean, a vector of unit length in thousandths.

    Args:
        frame: 3×H×W uint8 array, as the camera gives it.
    """
    height, width = frame.shape[1], frame.shape[2]
    side = min(height, width) // (2 * GRID)
    top, left = (height - GRID * side) // 2, (width - GRID * side) // 2
    means = []
    for plane in range(3):
        for row in range(GRID):
            y = top + row * side + side // 2
            lines = [frame[plane][y + dy] for dy in (-side // 4, 0, side // 4)]
            for column in range(GRID):
                x = left + column * side + side // 2
                means.append(sum([int(line[x + dx]) for line in lines for dx in (-side // 4, 0, side // 4)]) / 9)
    middle = sum(means) / len(means)
    centred = [mean - middle for mean in means]
    length = sum([one * one for one in centred]) ** 0.5 or 1
    return [int(1000 * one / length) for one in centred]


def _is_in(rect, x, y):
    return rect[0] <= x < rect[0] + rect[2] and rect[1] <= y < rect[1] + rect[3]
