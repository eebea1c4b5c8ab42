"""The training curve as points of a small SVG: loss and scores over epochs. Drawn by templates/_parts.html."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..domain.scores import METRIC_TITLES

WIDTH = 560
HEIGHT = 180
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 10, 22


@dataclass(frozen=True, slots=True)
class Line:
    """One polyline: what it is called, its points in SVG units, the newest known value (None: nothing known yet)."""

    title: str
    points: str
    last: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """Lines in SVG units: the metrics in the order to show them, and the loss, whose largest value is at the top."""

    scores: tuple[Line, ...]
    loss: Line
    epochs: int
    most_loss: float
    marks: tuple[tuple[float, int], ...]
    lines: tuple[tuple[float, str], ...]


def curve(points: list[dict[str, Any]], metrics: Sequence[str], epochs: int) -> Curve | None:
    """The curve of these epochs, None before the first.

    Args:
        points: {"epoch", "loss", "scores"} in order.
        metrics: names of the scores to draw.
        epochs: how many there will be; 0 when that is not known.
    """
    if not points:
        return None
    last_epoch: int = max(epochs, points[-1]["epoch"], 2)
    most_loss = max((float(point["loss"]) for point in points if point["loss"] is not None), default=1.0) or 1.0

    def x(epoch: float) -> float:
        return LEFT + (epoch - 1) / (last_epoch - 1) * (WIDTH - LEFT - RIGHT)

    def y(share: float) -> float:
        return TOP + (1 - min(1.0, max(0.0, share))) * (HEIGHT - TOP - BOTTOM)

    def line(title: str, value: Callable[[dict[str, Any]], float | None], top: float = 1.0) -> Line:
        known = [(point["epoch"], float(found)) for point in points if (found := value(point)) is not None]
        drawn = " ".join(f"{x(epoch):.1f},{y(value / top):.1f}" for epoch, value in known)
        return Line(title, drawn, known[-1][1] if known else None)

    def score(name: str) -> Callable[[dict[str, Any]], float | None]:
        return lambda point: point["scores"].get(name)

    step = max(1, round(last_epoch / 5))
    return Curve(
        scores=tuple(line(METRIC_TITLES[name], score(name)) for name in metrics),
        loss=line("loss", lambda point: point["loss"], most_loss),
        epochs=last_epoch,
        most_loss=most_loss,
        marks=tuple((x(epoch), epoch) for epoch in sorted({1, *range(step, last_epoch + 1, step)})),
        lines=tuple((y(share), f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1)),
    )
