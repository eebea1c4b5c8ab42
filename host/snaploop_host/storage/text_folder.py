"""Folders of photos with text marked in them, as other tools leave them. The real `ports.AnnotatedFolder` for the text tasks.

PPOCRLabel: `Label.txt`, a line per picture: its path (below this folder or below the one above), a tab, and a JSON list of
{"transcription", "points": four or more corners}. ICDAR: for each picture `gt_NAME.txt` (or NAME.txt), beside it or in another
folder, with lines `x1,y1,...,x4,y4,text` (2015), `x1,y1,...,x4,y4,script,text` (MLT 2017 and 2019) or `left top right bottom "text"`
(2013, also with commas). Lines that are cut out already: a list `PICTURE<tab>text` (PaddleOCR's `rec_gt.txt`) or `PICTURE, "text"`
(ICDAR's word tasks), any number of lists. Text that nobody can read is "###" in all of them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snaploop_shared.sample_record import MAX_POINTS, MAX_TEXT_CHARS

from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import OCR_RECOGNIZE
from ..errors import BadInputError
from .picture_file import PICTURE_SUFFIXES, picture_files, read_picture

LABELS = "Label.txt"
SCRIPTS = {
    "Arabic",
    "Bangla",
    "Bengali",
    "Chinese",
    "Devanagari",
    "Hindi",
    "Japanese",
    "Korean",
    "Latin",
    "Mixed",
    "None",
    "Symbols",
}  # of MLT
CLASS = "text"
UTF8_MARK = "\ufeff"


class TextFolder:
    """The pictures of one folder with their texts."""

    task = OCR_RECOGNIZE

    def __init__(self, folder: Path) -> None:
        """Look for Label.txt, else for lists of cut-out lines, else for a text file of each picture.

        Args:
            folder: or a list of cut-out lines itself.

        Raises:
            BadInputError: no such folder, or nothing of that kind in it.
        """
        if not folder.exists():
            raise BadInputError(f"{folder} is not there: give the folder that holds the pictures and {LABELS}")
        lists = [folder] if folder.is_file() else sorted(folder.rglob("*.txt"))
        self._folder = folder.parent if folder.is_file() else folder
        self._listed = _lines(folder / LABELS) if (folder / LABELS).is_file() else None
        self._cut = [] if self._listed is not None else [one for file in lists for one in _cut_lines(file)]
        self._labels = {} if self._listed is not None or self._cut else _icdar_files(self._folder)
        if self._listed is None and not self._cut and not self._labels:
            raise BadInputError(
                f"{folder.name} holds neither {LABELS} (PPOCRLabel), nor pictures with gt_NAME.txt (ICDAR), nor a list with lines "
                "PICTURE<tab>text: give the one that has both below it"
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
        elif self._cut:
            yield from ((self._from_list, entry) for entry in self._cut)
        else:
            yield from ((self._from_file, path) for path in self._labels)

    def _from_list(self, entry: tuple[Path, str]) -> AnnotatedPicture:
        path, text = entry
        if not path.is_file():
            raise BadInputError(f"{path.name} is in the list and not there: put the picture back or remove the line")
        data, (width, height) = read_picture(path)
        said = _plain(text)
        if len(said) > MAX_TEXT_CHARS:
            raise BadInputError(f"{path.name}: a text of {len(said)} characters, up to {MAX_TEXT_CHARS} are taken")
        name = "-".join(path.relative_to(self._folder).parts) if path.is_relative_to(self._folder) else path.name
        return AnnotatedPicture(name, data, (Box(CLASS, 0, 0, width, height, (), said),), (width, height))

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
        lines = _lines(self._labels[path])
        has_scripts = all(_has_script(line) for line in lines if line.strip())
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                corners, text = _marked(line, has_scripts)
            except (ValueError, IndexError) as error:
                raise BadInputError(
                    f"{path.name}: line {number} of its labels is not x1,y1,...,x4,y4,text: correct it"
                ) from error
            boxes.append(_box(corners, text, path.name))
        return _picture(path, boxes)


def _marked(line: str, has_script: bool) -> tuple[list[tuple[float, float]], str]:
    """Corners and text of one line of ICDAR's.

    Raises:
        ValueError, IndexError: it is none.
    """
    fields = line.split(",", 9 if has_script else 8)
    if len(fields) >= 8 and all(_is_number(one) for one in fields[:8]):
        numbers = [float(one) for one in fields[:8]]
        return list(zip(numbers[::2], numbers[1::2], strict=True)), fields[-1] if len(fields) > 8 else ""
    found = re.fullmatch(r"\s*" + r"([-+.\d]+)(?:\s*,\s*|\s+)" * 4 + r'"(.*)"\s*', line)
    if found is None:
        raise ValueError(line)
    left, top, right, bottom = (float(found[at]) for at in range(1, 5))
    return [(left, top), (right, top), (right, bottom), (left, bottom)], found[5]


def _has_script(line: str) -> bool:
    fields = line.split(",", 9)
    return len(fields) == 10 and fields[8].strip() in SCRIPTS


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _cut_lines(file: Path) -> list[tuple[Path, str]]:
    """(picture, text) of each line of a list, nothing of a file that is none: all its first words are pictures that are there."""
    found: list[tuple[Path, str]] = []
    try:
        lines = _lines(file)
    except BadInputError:
        return []  # no list; said where it is needed
    for line in lines:
        if not line.strip():
            continue
        name, text = _cut_line(line)
        if Path(name).suffix.lower() not in PICTURE_SUFFIXES or ".." in Path(name).parts or Path(name).is_absolute():
            return []
        path = next(
            (one for one in (file.parent / name, file.parent.parent / name) if one.is_file()), file.parent / name
        )
        found.append((path, text))
    return found


def _cut_line(line: str) -> tuple[str, str]:
    if "\t" in line:
        name, _, text = line.partition("\t")
        return name.strip(), text
    quoted = re.fullmatch(r'\s*(\S+?)\s*,\s*"(.*)"\s*', line)
    if quoted:
        return quoted[1], quoted[2].replace('\\"', '"').replace("\\\\", "\\")
    name, _, text = line.strip().partition(" ")
    return name, text


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
    said = _plain(str(text))
    if not 4 <= len(points) <= MAX_POINTS or len(said) > MAX_TEXT_CHARS:
        raise BadInputError(
            f"{picture}: a text of {len(points)} corners and {len(said)} characters: 4 to {MAX_POINTS} and "
            f"up to {MAX_TEXT_CHARS} are taken"
        )
    left, top = min(x for x, _ in points), min(y for _, y in points)
    right, bottom = max(x for x, _ in points), max(y for _, y in points)
    return Box(CLASS, left, top, right - left + 1, bottom - top + 1, points, said)


def _plain(text: str) -> str:
    """The text with letters composed, every kind of space as a plain one, and nothing that nobody sees: a model learns what is visible."""
    composed = unicodedata.normalize("NFC", text)
    seen = "".join(" " if one.isspace() else one for one in composed if unicodedata.category(one) != "Cf")
    return " ".join(seen.split())
