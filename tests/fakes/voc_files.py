"""Annotations of Pascal VOC, as labelling tools write them."""

from __future__ import annotations

from collections.abc import Iterable


def voc_xml(boxes: Iterable[tuple[str, int, int, int, int]], size: tuple[int, int] | None = None) -> str:
    """An XML file's text; boxes are (class, xmin, ymin, xmax, ymax), `size` is what it states of the picture."""
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for label, x0, y0, x1, y1 in boxes
    )
    shape = "" if size is None else f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    return f"<annotation>{shape}{objects}</annotation>"
