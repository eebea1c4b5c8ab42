"""Folders of photos with text marked in them, as two tools leave them. The real `ports.AnnotatedFolder` for the text tasks.

PPOCRLabel: `Label.txt`, a line per picture: its path (below this folder or below the one above), a tab, and a JSON list of
{"transcription", "points": four or more corners}. ICDAR 2015: for each picture `gt_NAME.txt` (or NAME.txt), beside it or in another folder,
with lines `x1,y1,x2,y2,x3,y3,x4,y4,text`. Text that nobody can read is "###" in both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snaploop_shared.sample_record import MAX_POINTS, MAX_TEXT_CHARS

from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import OCR_RECOGNIZE
from ..errors import BadInputError
from .picture_file import picture_files, read_picture

LABELS = "Label.txt"
CLASS = "text"
UTF8_MARK = "\ufeff"


class TextFolder:
    """The pictures of one folder with their texts."""

    task = OCR_RECOGNIZE

    def __init__(self, folder: Path) -> None:
        """Look for Label.txt, else for a text file of each picture.

        Raises:
            BadInputError: no such folder, or nothing of that kind in it.
        """
        if not folder.is_dir():
            raise BadInputError(f"{folder} is no folder: give the one that holds the pictures and {LABELS}")
        self._folder = folder
        self._listed = _lines(folder / LABELS) if (folder / LABELS).is_file() else None
        self._labels = _icdar_files(folder) if self._listed is None else {}
        if self._listed is None and not self._labels:
            raise BadInputError(
                f"{folder} holds neither {LABELS} (PPOCRLabel) nor pictures with gt_NAME.txt (ICDAR): give the one that has both below it"
            )

    def pictures(self) -> Iterator[AnnotatedPicture | str]:
        """Each picture, or a line that says why it cannot be imported."""
        for read, what in self._all():
            try:
                yield read(what)
            except BadInputError as error:
                yield str(error)

    def path_of(self, name: str) -> Path:
        """Where the picture of that name lies."""
        return self._folder / name

    def class_names(self) -> tuple[str, ...]:
        """Text is text."""
        return (CLASS,)

    def _all(self) -> Iterator[tuple[Any, Any]]:
        if self._listed is not None:
            yield from ((self._from_line, line) for line in self._listed if line.strip())
        else:
            yield from ((self._from_file, path) for path in self._labels)

    def _from_line(self, line: str) -> AnnotatedPicture:
        name, _, rest = line.partition("\t")
        path = next((one for one in (self._folder / name, self._folder.parent / name) if one.is_file()), None)
        if path is None:
            raise BadInputError(
                f"{LABELS} names {name[:80]}, which is not there: put the picture back or remove the line"
            )
        try:
            boxes = [_box(entry["points"], entry["transcription"], path.name) for entry in json.loads(rest)]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(
                f"{path.name}: its line in {LABELS} cannot be read ({error}): label it again"
            ) from error
        return _picture(path, boxes)

    def _from_file(self, path: Path) -> AnnotatedPicture:
        boxes = []
        for number, line in enumerate(_lines(self._labels[path]), 1):
            if not line.strip():
                continue
            fields = line.split(",", 8)
            try:
                corners = [(float(fields[at]), float(fields[at + 1])) for at in range(0, 8, 2)]
            except (ValueError, IndexError) as error:
                raise BadInputError(
                    f"{path.name}: line {number} of its labels is not x1,y1,...,x4,y4,text: correct it"
                ) from error
            boxes.append(_box(corners, fields[8] if len(fields) > 8 else "", path.name))
        return _picture(path, boxes)


def _icdar_files(folder: Path) -> dict[Path, Path]:
    """Picture → its text file: beside it, else the only one of its name anywhere in the folder."""
    named: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*.txt")):
        named.setdefault(file.stem.removeprefix("gt_"), []).append(file)
    found: dict[Path, Path] = {}
    for picture in picture_files(folder):
        files = named.get(picture.stem, [])
        beside = [file for file in files if file.parent == picture.parent]
        if beside or len(files) == 1:
            found[picture] = (beside or files)[0]
    return found


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").removeprefix(UTF8_MARK).splitlines()
    except UnicodeDecodeError as error:
        raise BadInputError(f"{file} is not UTF-8: save it as UTF-8") from error


def _picture(path: Path, boxes: list[Box]) -> AnnotatedPicture:
    data, size = read_picture(path)
    return AnnotatedPicture(path.name, data, tuple(boxes), size)


def _box(corners: Any, text: Any, picture: str) -> Box:
    points = tuple((round(float(x)), round(float(y))) for x, y in corners)
    if not 4 <= len(points) <= MAX_POINTS or len(str(text)) > MAX_TEXT_CHARS:
        raise BadInputError(
            f"{picture}: a text of {len(points)} corners and {len(str(text))} characters: 4 to {MAX_POINTS} and "
            f"up to {MAX_TEXT_CHARS} are taken"
        )
    left, top = min(x for x, _ in points), min(y for _, y in points)
    right, bottom = max(x for x, _ in points), max(y for _, y in points)
    return Box(CLASS, left, top, right - left + 1, bottom - top + 1, points, str(text).strip())
