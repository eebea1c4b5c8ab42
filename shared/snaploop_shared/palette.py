"""The colours of classes, the same on the board, on the host's page and in result pictures.

A class whose name says a colour gets that one; any other gets one by its name, so that it keeps it when classes are added after it
and in other projects. All pairs stay apart for most eyes, colour-blind ones too (tests/unit/shared/test_palette.py has the distances).
"""

from .portable import binascii

# RGB
PALETTE = (
    (224, 54, 25),  # red
    (255, 245, 20),  # yellow
    (64, 153, 115),  # green
    (64, 90, 255),  # blue
    (255, 160, 45),  # orange
    (165, 105, 211),  # purple
    (63, 219, 250),  # cyan
    (245, 187, 189),  # pink
    (176, 220, 126),  # lime
    (158, 65, 52),  # brown
)
_WORDS = {
    "red": 0,
    "yellow": 1,
    "green": 2,
    "blue": 3,
    "orange": 4,
    "amber": 4,
    "purple": 5,
    "violet": 5,
    "cyan": 6,
    "turquoise": 6,
    "pink": 7,
    "lime": 8,
    "brown": 9,
    "text": 8,  # the one class of the text tasks: bright on any picture
}
_STEP = 3  # to the next candidate; has no divisor in common with the ten


def slots(names: "list[str] | tuple[str, ...]") -> "dict[str, int]":
    """Class name → index in PALETTE, each taken once as long as there are enough; later names never change earlier ones."""
    found = {}
    taken = set()
    for name in names:
        if name in found:
            continue
        if len(taken) == len(PALETTE):
            taken = set()
        slot = _wished(name)
        while slot in taken:
            slot = (slot + _STEP) % len(PALETTE)
        taken.add(slot)
        found[name] = slot
    return found


def colours(names: "list[str] | tuple[str, ...]") -> "dict[str, tuple[int, int, int]]":
    """Class name → RGB."""
    return {name: PALETTE[slot] for name, slot in slots(names).items()}


def _wished(name):
    plain = name.lower()
    for sign in "_-./":
        plain = plain.replace(sign, " ")
    for word in plain.split():
        if word in _WORDS:
            return _WORDS[word]
    return binascii.crc32(name.encode()) % len(PALETTE)
