"""What a bad USB cable does to the bytes on it, the same each time for the same seed."""

from __future__ import annotations

import random


class WireFaults:
    """Loses, flips, doubles and delays bytes. Switched off while all rates are 0.

    Attributes:
        drop, flip, duplicate: probability per byte, 0 to 1, in both directions.
        delay_ms: a packet is held back for up to this long.
        seed: what decides which bytes are hit; setting it starts the sequence anew.
    """

    def __init__(self) -> None:
        self.drop = 0.0
        self.flip = 0.0
        self.duplicate = 0.0
        self.delay_ms = 0.0
        self.hit = 0
        """Bytes that were lost, flipped or doubled."""
        self.seed = 1

    @property
    def seed(self) -> int:
        """The number that decides which bytes are hit."""
        return self._seed

    @seed.setter
    def seed(self, seed: int) -> None:
        self._seed = int(seed)
        self._dice = {"to host": random.Random(2 * self._seed), "to board": random.Random(2 * self._seed + 1)}

    def bend(self, data: bytes, direction: str) -> bytes:
        """The bytes that arrive; direction is "to host" or "to board"."""
        if not (self.drop or self.flip or self.duplicate):
            return data
        dice = self._dice[direction]
        arrived = bytearray()
        for byte in data:
            chance = dice.random()
            if chance < self.drop:
                self.hit += 1
                continue
            chance -= self.drop
            if chance < self.flip:
                self.hit += 1
                arrived.append(byte ^ 1 << dice.randrange(8))
                continue
            if chance < self.flip + self.duplicate:
                self.hit += 1
                arrived.append(byte)
            arrived.append(byte)
        return bytes(arrived)

    def delay_s(self, direction: str) -> float:
        """How long the next packet is held back, in seconds."""
        return self._dice[direction].uniform(0, self.delay_ms) / 1000 if self.delay_ms else 0.0
