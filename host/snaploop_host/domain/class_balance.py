"""How many examples of each class training and validation would have, and what is wrong with that. Pure, no I/O.

Shown before a training: on the page, by `snaploop train`, and by the job in its notes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

RARE_FACTOR = 10  # a class with so many times fewer examples than the commonest is hardly learnt


@dataclass(frozen=True, slots=True)
class ClassCount:
    """Labelled examples of one class on each side: boxes, outlines or photos."""

    name: str
    train: int
    val: int


def class_counts(classes: Sequence[str], train: Iterable[str], val: Iterable[str]) -> tuple[ClassCount, ...]:
    """The counts of every class, from the class of each labelled example of the two sides."""
    trained, validated = Counter(train), Counter(val)
    return tuple(ClassCount(name, trained[name], validated[name]) for name in classes)


def balance_warnings(counts: Sequence[ClassCount]) -> list[str]:
    """Sentences about classes that one side lacks, and about those that are far rarer than others; each with the mend."""
    most = max((count.train for count in counts), default=0)
    said = []
    for count in counts:
        if not count.train:
            said.append(f"class {count.name} has no training example: the model cannot learn it; label some")
        elif not count.val:
            said.append(
                f"class {count.name} has none in validation: its score is not measured; "
                "take some more of it, at another time"
            )
        if 0 < count.train * RARE_FACTOR <= most:
            commonest = max(counts, key=lambda one: one.train)
            said.append(
                f"class {count.name} is rare: {count.train} examples to learn from, {commonest.name} has {commonest.train}; "
                f"label more of it"
            )
    return said
