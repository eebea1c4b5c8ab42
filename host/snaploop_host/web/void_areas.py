"""Areas of a photo that do not count, for the page: in which order they and the outlines lie on each other. Called by the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def layers(sample: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """("x,y x,y …", whether it is void) of each region of a sample as `overview.sample_fields` gives it, the lowest first.

    Small regions lie on large ones, as in training: a void rim around a thing is an area with the thing on top.
    """
    regions = [(_corners(box), False) for box in sample["boxes"]] + [(area, True) for area in sample["void_px"]]
    regions.sort(key=lambda region: -_area(region[0]))
    return [(" ".join(f"{x},{y}" for x, y in points), is_void) for points, is_void in regions]


def _corners(box: Mapping[str, Any]) -> Sequence[Sequence[int]]:
    if "points_px" in box:
        points: Sequence[Sequence[int]] = box["points_px"]
        return points
    x, y, w, h = box["xywh_px"]
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def _area(points: Sequence[Sequence[int]]) -> float:
    following = [*points[1:], points[0]]
    return abs(sum(x * below - right * y for (x, y), (right, below) in zip(points, following, strict=True))) / 2
