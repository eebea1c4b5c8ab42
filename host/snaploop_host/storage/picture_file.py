"""What all importers ask of a picture file: is it there, not too large, and how large is what it shows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from ..errors import BadInputError
from .voc_folder import MAX_PICTURE_BYTES, PICTURE_SUFFIXES


def picture_files(folder: Path) -> Iterator[Path]:
    """Every picture below a folder, in order of its path; hidden folders are left alone."""
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(folder).parts)
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file() and not is_hidden:
            yield path


def read_picture(path: Path) -> tuple[bytes, tuple[int, int]]:
    """Bytes, width and height in px.

    Raises:
        BadInputError: it cannot be read, is too large or no picture; the message names it.
    """
    try:
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise BadInputError(f"{path.name}: larger than {MAX_PICTURE_BYTES // 2**20} MiB: make it smaller")
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            return data, image.size
    except OSError as error:  # Pillow's own errors among them
        raise BadInputError(f"{path.name}: no readable picture ({error}): replace the file and import again") from error


def read_names(path: Path) -> list[str]:
    """The lines of a text file without empty ones.

    Raises:
        BadInputError: it is not UTF-8.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path.name} is not UTF-8: save it as UTF-8") from error
    return [line.strip() for line in lines if line.strip()]
