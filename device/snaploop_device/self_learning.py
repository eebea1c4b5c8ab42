"""Things that a board learnt by being shown: a metric-learning model's vectors with names, kept on the card, one file per model.

A model with head "embedding" turns a frame into a vector; the same thing gives nearly the same vector. Showing a thing once is
enough to know it again: the nearest kept vector by cosine names it.
"""

import json

from snaploop_shared.manifest import cosine_permille
from snaploop_shared.portable import parse_json

FOLDER = "library"
EXAMPLES_PER_THING = 8  # more views of one thing make it surer; the oldest goes
MOST_THINGS = 50


class Library:
    """Names and their vectors (lists of thousandths, unit length) for the model with this digest."""

    def __init__(self, card, digest: str) -> None:
        """Read what this card has for the model; a damaged file counts as none."""
        self._card = card
        self.digest = digest
        self._file = "{}/{}.json".format(FOLDER, digest[:12])
        self.things = {}  # name → vectors, oldest first
        card.make_folder(FOLDER)
        card.finish(self._file, _is_library)
        if card.has(self._file):
            data = card.read(self._file)
            if _is_library(data):
                for name, vectors in parse_json(data)["things"]:
                    self.things[name] = vectors

    @property
    def names(self) -> "list[str]":
        """What is known, in alphabetical order."""
        return sorted(self.things)

    def recognise(self, vector: "list[int]", limit_permille: int) -> "tuple[str, int]":
        """(name, likeness in permille) of the thing that is most like the vector; name "" when that is below the limit."""
        best_name, best = "", -1000
        for name, vectors in self.things.items():
            for known in vectors:
                likeness = cosine_permille(known, vector)
                if likeness > best:
                    best_name, best = name, likeness
        return (best_name if best >= limit_permille else "", best)

    def add(self, name: str, vector: "list[int]") -> None:
        """Keep a vector under a name, on the card too.

        Raises:
            ValueError: no more things fit.
            CardFullError, OSError: the card refuses; nothing was learnt then.
        """
        if name not in self.things and len(self.things) >= MOST_THINGS:
            raise ValueError("{} things are known already: forget one first".format(MOST_THINGS))
        changed = dict(self.things)
        changed[name] = (self.things.get(name, []) + [list(vector)])[-EXAMPLES_PER_THING:]
        self._save(changed)

    def forget(self, name: str) -> None:
        """Drop a name with all its vectors, on the card too.

        Raises:
            ValueError: nothing of that name is known.
            CardFullError, OSError: the card refuses; it stays known then.
        """
        if name not in self.things:
            raise ValueError("nothing called {} is known".format(name))
        changed = dict(self.things)
        del changed[name]
        self._save(changed)

    def free_name(self, wanted: "list[str]") -> str:
        """The first of these names that nothing has yet, else "thing 1", "thing 2" and so on."""
        for name in wanted:
            if name not in self.things:
                return name
        number = 1
        while "thing {}".format(number) in self.things:
            number += 1
        return "thing {}".format(number)

    def _save(self, things):
        listed = [[name, things[name]] for name in sorted(things)]
        self._card.write(self._file, json.dumps({"v": 1, "things": listed}).encode())
        self.things = things


def _is_library(data):
    try:
        things = parse_json(data)["things"]
        return all([isinstance(name, str) and isinstance(vectors, list) for name, vectors in things])
    except (ValueError, KeyError, TypeError):
        return False
