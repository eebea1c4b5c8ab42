"""The training curve as points of a small SVG: loss and mAP50 over epochs. Drawn by templates/_curve.html."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WIDTH = 560
HEIGHT = 180
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 10, 22


@dataclass(frozen=True, slots=True)
class Curve:
    """Polylines in SVG units; empty strings where nothing is known yet. `last` holds the newest known values."""

    map50: str
    map50_95: str
    loss: str
    epochs: int
    last: dict[str, Any]
    most_loss: float
    marks: tuple[tuple[float, int], ...]
    lines: tuple[tuple[float, str], ...]


def curve(points: list[dict[str, Any]], epochs: int) -> Curve | None:
    """The curve of these epochs, None before the first.

    Args:
        points: {"epoch", "loss", "map50", "map50_95"} in order.
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

    def line(name: str, share: Callable[[float], float]) -> str:
        known = [point for point in points if point.get(name) is not None]
        return " ".join(f"{x(point['epoch']):.1f},{y(share(float(point[name]))):.1f}" for point in known)

    def newest(name: str) -> float | None:
        return next((point[name] for point in reversed(points) if point[name] is not None), None)

    step = max(1, round(last_epoch / 5))
    return Curve(
        map50=line("map50", lambda value: value),
        map50_95=line("map50_95", lambda value: value),
        loss=line("loss", lambda value: value / most_loss),
        epochs=last_epoch,
        last={name: newest(name) for name in ("loss", "map50", "map50_95")},
        most_loss=most_loss,
        marks=tuple((x(epoch), epoch) for epoch in sorted({1, *range(step, last_epoch + 1, step)})),
        lines=tuple((y(share), f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1)),
    )
