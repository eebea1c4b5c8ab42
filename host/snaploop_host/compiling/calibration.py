"""Which pictures stand for a data set: a choice that gives every class its turn. Standard library only.

Used for the compiler's calibration pictures and for the pictures the gate evaluates; a sorted list would give both mostly the first
class. Called by `training.job`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence


def choose_stratified(classes_of: Sequence[set[int]], count: int, seed: int) -> list[int]:
    """Indices of up to `count` pictures, the classes taking turns, rarest first; any first part of it is balanced as well.

    Args:
        classes_of: per picture, the classes it holds; an empty set is a picture without objects.
        count: how many at most.
        seed: same seed, same choice.
    """
    order = list(range(len(classes_of)))
    random.Random(seed).shuffle(order)
    everything = {cls for held in classes_of for cls in held}
    queues = {cls: [index for index in order if cls in classes_of[index]] for cls in everything}
    queues[-1] = [
        index for index in order if not classes_of[index]
    ]  # empty scenes matter for the range of activations too
    turns = sorted((cls for cls in queues if queues[cls]), key=lambda cls: (cls == -1, len(queues[cls]), cls))
    chosen: list[int] = []
    seen: set[int] = set()
    while len(chosen) < count and any(queues[cls] for cls in turns):
        for cls in turns:
            while queues[cls] and queues[cls][0] in seen:
                queues[cls].pop(0)
            if queues[cls] and len(chosen) < count:
                index = queues[cls].pop(0)
                seen.add(index)
                chosen.append(index)
    return chosen
