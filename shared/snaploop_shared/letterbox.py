"""Where a picture lies in a model input: board (ai2d), calibration, evaluation and drawing all use this one rule.

Aspect kept, centred, padded with 114; text models want the picture in the corner instead, models of whole photos and of regions
stretched. Integer arithmetic only, so that single and double floats agree.
"""

PAD_VALUE = 114  # as ultralytics trains and the vendor's DetectionApp pads


STRIP_PERCENT = 70


class Placement:
    """A picture of source_w×source_h placed in an input of input_w×input_h: size after resize and the padding around it, px."""

    def __init__(
        self, source_w: int, source_h: int, input_w: int, input_h: int, in_corner: bool = False, pad: int = PAD_VALUE
    ) -> None:
        """Compute the placement; see `placement` and `corner_placement`. `pad` is the value of the pixels around the picture."""
        if min(source_w, source_h, input_w, input_h) < 1:
            raise ValueError(
                "letterbox of {}x{} into {}x{}: every side must be at least 1 px".format(
                    source_w, source_h, input_w, input_h
                )
            )
        self.pad = pad
        self.cut = (0, 0, source_w, source_h)  # the part of the source that is shown to the model: x, y, w, h
        self.source_w = source_w
        self.source_h = source_h
        self.input_w = input_w
        self.input_h = input_h
        if input_w * source_h <= input_h * source_w:  # the width decides the scale
            self.width = input_w
            self.height = max(1, (source_h * input_w + source_w // 2) // source_w)
        else:
            self.height = input_h
            self.width = max(1, (source_w * input_h + source_h // 2) // source_h)
        self.left = 0 if in_corner else (input_w - self.width) // 2
        self.top = 0 if in_corner else (input_h - self.height) // 2
        self.right = input_w - self.width - self.left
        self.bottom = input_h - self.height - self.top

    def to_source(self, x: float, y: float) -> "tuple[float, float]":
        """A point of the input, in source px."""
        cut_x, cut_y, cut_w, cut_h = self.cut
        return cut_x + (x - self.left) * cut_w / self.width, cut_y + (y - self.top) * cut_h / self.height

    def to_input(self, x: float, y: float) -> "tuple[float, float]":
        """A point of the source, in input px."""
        cut_x, cut_y, cut_w, cut_h = self.cut
        return (x - cut_x) * self.width / cut_w + self.left, (y - cut_y) * self.height / cut_h + self.top


def placement(source_w: int, source_h: int, input_w: int, input_h: int) -> Placement:
    """Where a source_w×source_h picture lies in an input_w×input_h model input.

    Raises:
        ValueError: a side is smaller than 1 px.
    """
    return Placement(source_w, source_h, input_w, input_h)


def corner_placement(source_w: int, source_h: int, input_w: int, input_h: int, pad: int = PAD_VALUE) -> Placement:
    """As `placement`, but in the top left corner: so the vendor's text models want it, found with pad 114 and read with pad 0."""
    return Placement(source_w, source_h, input_w, input_h, True, pad)


def stretch_placement(source_w: int, source_h: int, input_w: int, input_h: int) -> Placement:
    """The picture stretched over the whole input, whatever its shape, as the vendor's scripts for these tasks do."""
    place = Placement(source_w, source_h, input_w, input_h)
    place.width, place.height = input_w, input_h
    place.left = place.top = place.right = place.bottom = 0
    return place


def strip_placement(source_w: int, source_h: int, input_w: int, input_h: int) -> Placement:
    """A strip of the input's shape from the middle of the source, STRIP_PERCENT of its width where that is not too high: to read a line."""
    wide = source_w * STRIP_PERCENT // 100
    high = wide * input_h // input_w
    if high > source_h:
        wide, high = source_h * input_w // input_h, source_h
    place = Placement(wide, high, input_w, input_h, True, 0)
    place.cut = ((source_w - wide) // 2, (source_h - high) // 2, wide, high)
    place.source_w, place.source_h = source_w, source_h
    return place


def input_size(source_w: int, source_h: int, long_side: int, multiple: int = 32) -> "tuple[int, int]":
    """The model input (w, h) for pictures of this shape: the longer side `long_side`, the other rounded up to `multiple`."""
    if source_w >= source_h:
        return long_side, _round_up(long_side * source_h, source_w, multiple)
    return _round_up(long_side * source_w, source_h, multiple), long_side


def _round_up(numerator: int, denominator: int, multiple: int) -> int:
    step = denominator * multiple
    return (numerator + step - 1) // step * multiple
