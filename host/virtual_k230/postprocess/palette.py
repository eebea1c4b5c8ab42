"""The 80 class colours that the vendor's scripts and C functions use: those of COCO's "thing" categories, in its order."""

from __future__ import annotations

_COLOURS = (
    "dc143c 770b20 00008e 0000e6 6a00e4 003c64 005064 000046 0000c0 faaa1e 64aa1e dcdc00 af74af fa001e a52a2a ff4dff "
    "00e2fc b6b6ff 005200 78a69d 6e4c00 ae39ff c76400 480076 ffb3f0 007d5c d10097 bcd0b6 00dcb0 ff63a4 5c0049 8581ff "
    "4eb4ff 00e400 aefff3 2d59ff 868667 9194ae ffd0ba c5e2ff ab8601 6d3f36 cf8aff 97005f 09503d 546933 4a4169 a6c466 "
    "d0c3d2 ff6d41 008f95 b300c2 d1636a 057900 e3ffcd 93bad0 994501 035fa1 a3ff00 7700aa 00b6c7 00a578 b78258 5f2000 "
    "827287 6e8185 a64a76 db8eb9 4fd272 b25a3e 41460f 7fa773 3b696a 8e6c2d c4ac00 5f3650 804cff c93901 f6007a bfa2d0"
)
RGB: tuple[tuple[int, int, int], ...] = tuple(
    (int(colour[0:2], 16), int(colour[2:4], 16), int(colour[4:6], 16)) for colour in _COLOURS.split()
)


def argb(number: int, alpha: int) -> tuple[int, int, int, int]:
    """The colour of a class, in the byte order of an ARGB8888 image; classes beyond 80 begin again."""
    return (alpha, *RGB[number % len(RGB)])
