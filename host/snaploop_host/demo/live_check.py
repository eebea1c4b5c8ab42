"""What the live screen shows against what is really in view: boxes are read back from what the board drew on its panel."""

from __future__ import annotations

from dataclasses import dataclass, field

MATCH_IOU = 0.5


@dataclass(frozen=True)
class LabelledBox:
    """A rectangle in window pixels (640x360, origin top left) with its class name."""

    label: str
    x: float
    y: float
    w: float
    h: float


@dataclass
class LiveResult:
    """Counts over the checked frames."""

    frames: int = 0
    true_boxes: int = 0
    found: int = 0
    false: int = 0
    pictures: list[str] = field(default_factory=list)

    @property
    def found_share(self) -> float:
        """Share of the true boxes that the screen shows, 0 to 1."""
        return self.found / self.true_boxes if self.true_boxes else 0.0

    def add(self, truth: list[LabelledBox], drawn: list[LabelledBox]) -> None:
        """Count one frame: a drawn box is found when class and place (IoU >= 0.5) agree with a true one, each used once."""
        self.frames += 1
        self.true_boxes += len(truth)
        left = list(truth)
        for box in drawn:
            candidates = [other for other in left if other.label == box.label and iou(box, other) >= MATCH_IOU]
            if candidates:
                left.remove(max(candidates, key=lambda other: iou(box, other)))
                self.found += 1
            else:
                self.false += 1


def iou(a: LabelledBox, b: LabelledBox) -> float:
    """Intersection over union, 0 to 1."""
    width = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    height = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (a.w * a.h + b.w * b.h - both)


def drawn_boxes(
    calls: list[list[object]], colours: dict[tuple[int, int, int], str], thickness: int, window: tuple[int, int]
) -> list[LabelledBox]:
    """The detections among draw calls: outlines of this thickness in a class colour that begin inside the window.

    Args:
        calls: as the virtual board's /drawn answers: ["rectangle", x, y, w, h, [a, r, g, b], thickness, fill], ...
        colours: (r, g, b) to class name.
        thickness: of a detection's outline, px.
        window: width and height of the live window, px.
    """
    found = []
    for call in calls:
        if call[0] != "rectangle" or bool(call[7]) or call[6] != thickness:
            continue
        x, y, w, h = (float(value) for value in call[1:5])  # type: ignore[arg-type]  # JSON numbers
        red, green, blue = (int(value) for value in list(call[5])[-3:])  # type: ignore[call-overload]  # (r, g, b) or (a, r, g, b)
        label = colours.get((red, green, blue))
        if label is not None and x < window[0] and y < window[1]:
            found.append(LabelledBox(label, x, y, w, h))
    return found
