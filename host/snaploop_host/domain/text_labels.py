"""What labels of text must be like before a model can learn from them. Pure, no I/O.

The same questions are asked when training is started (services.train_model) and, once more and with the model's real width, in the job.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

UNREADABLE = ("###", "*")  # what label tools write where nobody can read the text: need not be found, is not read
MOST_STEPS = 80  # half the answers of the widest model, 640 px at 4 px each: closer together characters melt into one


def is_readable(text: str) -> bool:
    """Whether somebody could read what is in the box."""
    return text.strip() not in UNREADABLE


def steps_needed(text: str) -> int:
    """Answers that a model needs at least for a text: one for each character, and a blank between two equal ones."""
    return len(text) + sum(one == other for one, other in itertools.pairwise(text))


def reading_problem(labels: Sequence[tuple[str, str]], dictionary: str) -> str:
    """Why no model can learn to read from these labels, "" when one can.

    Args:
        labels: (name of the photo, what is written in a box of it), "" where nobody said.
        dictionary: the only characters there may be, "" for any.
    """
    said = [(name, text.strip()) for name, text in labels if text.strip() and is_readable(text)]
    if not said:
        return "no box says what is written in it: set it with `snaploop text`, or import labels that have it"
    steps, name, text = max((steps_needed(text), name, text) for name, text in said)
    if steps > MOST_STEPS:
        return f"photo {name}: {text!r} has {len(text)} characters, a model reads at most {MOST_STEPS}: mark it as two texts"
    strangers = sorted({(one, name) for name, text in said for one in text if dictionary and one not in dictionary})
    if strangers:
        found = "".join(dict.fromkeys(one for one, _ in strangers))
        return f"photo {strangers[0][1]}: {found[:20]!r} is not in the dictionary: add it there, or correct the label"
    return ""
