"""Whether the labels of whole photos can teach a model: rules of classify, multilabel and embed. Pure, no I/O.

Asked when a training is started, so that the person reads it at once, and again in the job, which may come from elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .scores import CLASSIFY, EMBED, MULTILABEL

WHOLE_PHOTO_TASKS = (CLASSIFY, MULTILABEL, EMBED)
ONE_CLASS_TASKS = (CLASSIFY, EMBED)  # a photo has one class at most; without any it is left out
LEAST_PHOTOS = 2  # of a class: one to learn from, one to check with


@dataclass(frozen=True)
class PhotoLabels:
    """What is said of one photo."""

    name: str
    classes: frozenset[str]


def label_problem(task: str, classes: Sequence[str], photos: Sequence[PhotoLabels]) -> str | None:
    """Why these photos cannot train this task, with the mend; None when they can.

    Args:
        task: one of WHOLE_PHOTO_TASKS.
        classes: of the project.
        photos: all that are labelled, also those without a class.
    """
    if task in ONE_CLASS_TASKS:
        for photo in photos:
            if len(photo.classes) > 1:
                both = " and ".join(sorted(photo.classes))
                return (
                    f"photo {photo.name} is both {both}, but a photo has one class here: "
                    "keep one of them, or make a multilabel project"
                )
    counts = Counter(name for photo in photos for name in photo.classes)
    if len(classes) < 2 and task in ONE_CLASS_TASKS:
        return f'{classes[0]} is the only class, so there is nothing to tell it from: add a second one, or "other"'
    for name in classes:
        if counts[name] < LEAST_PHOTOS:
            shown = "no photo" if counts[name] == 0 else "one photo only"
            return f"class {name} has {shown}, training needs {LEAST_PHOTOS}: take some more, or remove the class"
    if task == MULTILABEL and len({photo.classes for photo in photos}) < 2:
        return "all photos have the same labels, so there is nothing to learn: take some that lack one of them"
    return None
