"""Photos of one size for the link bench: noise, which nothing can compress further, as JPEGs with their labels on a card."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from snaploop_shared.portable import sha256_hex
from snaploop_shared.sample_record import LABELLED, Box, SampleRecord

WIDTH, HEIGHT = 640, 360
GRAIN_PX = 6
QUALITY = 60


def noise_jpegs(size: int) -> Iterator[bytes]:
    """Ever new JPEGs of 640x360 px and exactly `size` bytes.

    Raises:
        ValueError: `size` is too small for such a picture.
    """
    number = 0
    while True:
        rng = np.random.default_rng(number)
        number += 1
        noise = rng.integers(0, 256, (HEIGHT // GRAIN_PX, WIDTH // GRAIN_PX, 3), np.uint8)
        out = io.BytesIO()
        Image.fromarray(noise).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(out, "JPEG", quality=QUALITY)
        yield _filled_up(out.getvalue(), size, rng)


def put_samples(folder: Path, boot: int, count: int, photos: Iterator[bytes]) -> None:
    """Lay labelled samples into the samples folder of a card, as the app keeps them."""
    folder.mkdir(parents=True)
    for sequence in range(1, count + 1):
        photo, name = next(photos), f"b{boot}-{sequence:06d}"
        box = Box("red", 10 + sequence % 200, 20, 60, 50)
        record = SampleRecord(name, sha256_hex(photo), len(photo), WIDTH, HEIGHT, 1, LABELLED, [box])
        (folder / f"{name}.jpg").write_bytes(photo)
        (folder / f"{name}.json").write_bytes(record.to_json())


def _filled_up(jpeg: bytes, size: int, rng: np.random.Generator) -> bytes:
    """The picture with a comment of random bytes behind its first marker, so that it has `size` bytes."""
    missing = size - len(jpeg)
    segments = b""
    while missing > 0:
        length = min(missing, 0xFFFF + 2)
        if 0 < missing - length < 4:
            length -= 4
        if length < 4:
            break
        segments += b"\xff\xfe" + (length - 2).to_bytes(2, "big") + rng.bytes(length - 4)
        missing -= length
    if missing:
        raise ValueError(f"a noise picture of {len(jpeg)} bytes does not become one of {size}: ask for more")
    return jpeg[:2] + segments + jpeg[2:]
