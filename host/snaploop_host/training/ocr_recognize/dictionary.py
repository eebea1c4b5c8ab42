"""Which characters a model reads, and how its answers become text.

The network has one output more than there are characters on either side: index 0 stands for nothing and is never taught, because the
vendor's C++ programs drop it; the last index is the blank between two characters, as all of the vendor's decoders have it
(k230-platform §6.3). So `labels` of n characters has n + 2 entries, the first and the last empty; it is what the manifest carries, and
line by line it is the vendor's dict.txt. Decoding is greedy: the best index of each step, repeats and blanks dropped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...domain.text_labels import is_readable
from ...domain.text_metrics import Reading
from ..errors import BadDatasetError
from ..job_spec import TrainingJob

MOST_CHARACTERS = 8000


def characters_of(job: TrainingJob) -> str:
    """The job's `dictionary` parameter, else all characters of its labels in the order of their codes.

    Raises:
        BadDatasetError: there is none, or a label has one that the given dictionary lacks; the message names both.
    """
    used: dict[str, str] = {}
    for photo in job.train + job.val:
        for box in photo.boxes:
            if is_readable(box.text):
                used.update(dict.fromkeys(box.text.strip(), photo.name))
    given = job.parameters.dictionary
    if given:
        strangers = sorted(set(used) - set(given))
        if strangers:
            raise BadDatasetError(
                f"photo {used[strangers[0]]}: {''.join(strangers[:20])!r} is not in the dictionary: add it there, or correct the label"
            )
    characters = "".join(dict.fromkeys(given)) if given else "".join(sorted(used))
    if not characters:
        raise BadDatasetError(
            "no photo says what is written in it: type the text of each box in the dashboard or import labels"
        )
    if len(characters) > MOST_CHARACTERS:
        raise BadDatasetError(f"the dictionary has {len(characters)} characters, at most {MOST_CHARACTERS} can be read")
    return characters


def labels_of(characters: str) -> tuple[str, ...]:
    """What each output of the network stands for."""
    return ("", *characters, "")


def read_steps(logits: npt.NDArray[np.float32], labels: Sequence[str]) -> Reading:
    """The text in a network's answer (T, labels), and the mean probability of its characters (0 where there is none)."""
    best = logits.argmax(axis=1)
    blank = len(labels) - 1
    with np.errstate(over="ignore"):
        chance = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    text, chances = "", []
    for step, index in enumerate(best):
        if index != blank and (step == 0 or best[step - 1] != index):
            text += labels[index]
            chances.append(float(chance[step]))
    return Reading(text, float(np.mean(chances)) if chances else 0.0)
