"""A sample: one photo with its annotation, as the host keeps it. The rules of a record are those of snaploop_shared.sample_record."""

from __future__ import annotations

from dataclasses import dataclass

from snaploop_shared.sample_record import LABELLED, NEW, REJECTED

__all__ = ["LABELLED", "NEW", "REJECTED", "AnnotatedPicture", "Box", "Polygon", "Sample"]

Polygon = tuple[tuple[int, int], ...]  # (x, y) in photo pixels


@dataclass(frozen=True, slots=True)
class Box:
    """A labelled rectangle: class name and left, top, width, height in whole photo pixels, origin top left.

    `points`: the polygon or quad that it encloses, (x, y) in photo pixels; none for a plain rectangle. `text`: what is written there.
    """

    class_name: str
    x: int
    y: int
    w: int
    h: int
    points: tuple[tuple[int, int], ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo of a project.

    `photo` is the SHA-256 of its bytes and, within a project, its identity; `rev` grows with each change of the labels;
    `source` is the id of the board that took it, or "import"; `road` how the photo came: "usb", "wifi" or "import". `void`: areas that
    count neither in training nor in scores (segment); known to the host alone, boards neither send nor get them.
    """

    id: int
    project_id: int
    name: str
    photo: str
    photo_bytes: int
    width_px: int
    height_px: int
    rev: int
    state: str
    boxes: tuple[Box, ...]
    source: str
    road: str
    created_at_s: float
    void: tuple[Polygon, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnotatedPicture:
    """A picture file's bytes with its boxes, before import.

    `stated_size_px`: what the annotation says of the picture, if it does. `void`: as in `Sample`.
    """

    name: str
    data: bytes
    boxes: tuple[Box, ...]
    stated_size_px: tuple[int, int] | None
    void: tuple[Polygon, ...] = ()
