"""A project: a task and its classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadInputError
from .scores import CLASSIFY, DETECT, EMBED, MULTILABEL, OCR_DETECT, OCR_RECOGNIZE, SEGMENT

TASKS = (DETECT, CLASSIFY, MULTILABEL, EMBED, SEGMENT, OCR_DETECT, OCR_RECOGNIZE)  # what can be trained
TASK_TITLES = {
    DETECT: "boxes around things",
    CLASSIFY: "one class per photo",
    MULTILABEL: "any number of labels per photo",
    EMBED: "tell things apart, new ones too",
    SEGMENT: "which part of the picture is what",
    OCR_DETECT: "find lines of text",
    OCR_RECOGNIZE: "read a line of text",
}
"""What a task is for, where people choose one."""

TEXT_TASKS = (OCR_DETECT, OCR_RECOGNIZE)  # boxes are quads around text, and may say what it is

BACKGROUND = "background"  # what a segmentation model calls pixels that belong to no class

MAX_CLASSES = 80  # as many as COCO; the board's class bar scrolls
MAX_NAME_CHARS = 40
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Project:
    """A task and its classes; the order of `classes` gives class indices.

    `settings`: parameters of its own for every training, by name (domain.training_parameters); one that a run gives itself wins.
    """

    id: int
    name: str
    task: str
    classes: tuple[str, ...]
    created_at_s: float
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)


def check_project_name(name: str) -> str:
    """The name itself, when it can be part of an address and a folder name.

    Raises:
        BadInputError: it cannot.
    """
    if len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
        raise BadInputError(
            f"project name {name!r}: use 1 to {MAX_NAME_CHARS} letters (a-z, A-Z), digits, dots, dashes or underscores"
        )
    return name


def check_task(task: str) -> str:
    """The task itself, when models of it can be trained here.

    Raises:
        BadInputError: they cannot.
    """
    if task not in TASKS:
        raise BadInputError(f"task {task!r}: projects here are of {', '.join(TASKS)}")
    return task


def check_classes(classes: tuple[str, ...], task: str = DETECT) -> tuple[str, ...]:
    """The class names, stripped, when there are 1 to MAX_CLASSES different ones without commas, and the task can have them.

    Raises:
        BadInputError: names the class that breaks a rule.
    """
    names = tuple(name.strip() for name in classes)
    if not 0 < len(names) <= MAX_CLASSES:
        raise BadInputError(
            f"a project has 1 to {MAX_CLASSES} classes, got {len(names)}: give them as red,yellow,green"
        )
    for name in names:
        if not name or len(name) > MAX_NAME_CHARS or "," in name or not name.isprintable():
            raise BadInputError(f"class name {name!r}: use 1 to {MAX_NAME_CHARS} printable characters without commas")
        if names.count(name) > 1:
            raise BadInputError(f"class {name!r} is given twice")
        if task == SEGMENT and name.lower() == BACKGROUND:
            raise BadInputError(
                f"class {name!r}: a segmentation has it by itself, for what nobody outlined: leave it out"
            )
    return names


def model_labels(task: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    """What the outputs of a task's model stand for, in their order: the classes, in segmentation with the background first."""
    return (BACKGROUND, *classes) if task == SEGMENT else classes
