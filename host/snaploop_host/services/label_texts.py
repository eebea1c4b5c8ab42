"""Say what is written in the boxes of a photo. On a board texts are framed, but nobody wants to type with a finger on 5 inches.

Boards own the revisions of their labels; texts are put in without a new one, and a box that a board sends again keeps the text of the one
that lay there (`with_known_texts`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from snaploop_shared.manifest import iou_permille
from snaploop_shared.sample_record import MAX_TEXT_CHARS

from ..domain.projects import TEXT_TASKS, Project
from ..domain.samples import Box, Sample
from ..errors import BadInputError, NotFoundError
from ..ports import Store

SAME_BOX_PERMILLE = 500


class LabelTexts:
    """Texts of a project's photos."""

    def __init__(self, store: Store) -> None:
        """Wire it up."""
        self._store = store

    def listed(self, project: Project) -> list[Sample]:
        """Photos with boxes, oldest first; boxes are counted from the top, then from the left."""
        _check_task(project)
        samples = [sample for sample in self._store.samples(project.id) if sample.boxes]
        return [dataclasses.replace(sample, boxes=_in_order(sample.boxes)) for sample in samples]

    def set(self, project: Project, photo: str, texts: Sequence[str]) -> Sample:
        """The photo with a text in each of its boxes, "" for none.

        Args:
            project: of a text task.
            photo: its name.
            texts: as many as the photo has boxes, from the top, then from the left.

        Raises:
            NotFoundError: no such photo.
            BadInputError: the project has no texts, or these do not fit the boxes.
        """
        sample = next((one for one in self.listed(project) if one.name == photo), None)
        if sample is None:
            raise NotFoundError(
                f"{project.name} has no photo {photo} with a box: `snaploop text {project.name}` lists them"
            )
        if len(texts) != len(sample.boxes):
            raise BadInputError(
                f"{photo} has {len(sample.boxes)} boxes, {len(texts)} texts were given: one for each, '' for none"
            )
        for text in texts:
            if len(text) > MAX_TEXT_CHARS or not text.isprintable():
                raise BadInputError(f"text {text!r}: up to {MAX_TEXT_CHARS} printable characters on one line")
        boxes = tuple(
            dataclasses.replace(box, text=text.strip()) for box, text in zip(sample.boxes, texts, strict=True)
        )
        self._store.set_boxes(sample.id, boxes)
        return dataclasses.replace(sample, boxes=boxes)


def with_known_texts(boxes: Sequence[Box], known: Sequence[Box]) -> tuple[Box, ...]:
    """The boxes, and where one says nothing, the text of the known one that lies there."""
    told = []
    for box in boxes:
        text = box.text or next((one.text for one in known if one.text and _is_same(one, box)), "")
        told.append(dataclasses.replace(box, text=text))
    return tuple(told)


def _is_same(one: Box, other: Box) -> bool:
    return iou_permille((one.x, one.y, one.w, one.h), (other.x, other.y, other.w, other.h)) >= SAME_BOX_PERMILLE


def _in_order(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Line by line: a box belongs to the line above while its middle is above that one's lower edge."""
    rest, ordered = sorted(boxes, key=lambda box: box.y + box.h / 2), []
    while rest:
        line = [box for box in rest if box.y + box.h / 2 < rest[0].y + rest[0].h]
        ordered += sorted(line, key=lambda box: box.x)
        rest = rest[len(line) :]
    return tuple(ordered)


def _check_task(project: Project) -> None:
    if project.task not in TEXT_TASKS:
        raise BadInputError(
            f"project {project.name} is of task {project.task}, only {' and '.join(TEXT_TASKS)} have texts"
        )
