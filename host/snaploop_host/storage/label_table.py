"""What pictures show, in a table: CSV, or JSON as data-set libraries write it. The real `ports.AnnotatedFolder`.

A row names a picture (`file_name`, `filename`, `image`, …) and says what it shows, in one of these forms:

- one column of labels (`class_name`, `label`, `tags`, …), several in one cell parted by | or ; or , and in `tags` by spaces;
- a column per label with 0 and 1, as Roboflow's `_classes.csv`;
- a box per row: a label and `xmin, ymin, xmax, ymax`, in px, or all of them 0 to 1 as Open Images has them.

JSON is a list of such objects, one per line (`metadata.jsonl`), or one object {picture: label or labels}. A picture of which several
rows speak has what all of them say. Pictures are looked for by their path from the table, then by name anywhere below, ids also
without suffix.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import CLASSIFY, DETECT, MULTILABEL
from ..errors import BadInputError
from .picture_file import PICTURE_SUFFIXES, picture_files, read_picture

TABLE_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
PICTURE_COLUMNS = (
    *("file_name", "filename", "file", "image", "image_path", "imageid", "image_id", "image_name"),
    *("img", "path", "picture", "name", "id"),
)
LABEL_COLUMNS = (
    *("class_name", "classname", "class", "classes", "label", "labels", "labelname", "label_name"),
    *("tags", "tag", "category"),
)
BOX_COLUMNS = ("xmin", "ymin", "xmax", "ymax")
OTHER_COLUMNS = ("width", "height", "split", "source", "confidence", "subset")  # said of a picture, and no label of it
SPACED_COLUMN = "tags"
MARKS = {"": False, "0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}

_Row = Mapping[str, Any]


class LabelTable:
    """The pictures that one table, or all tables of a folder, speak of."""

    def __init__(self, path: Path) -> None:
        """Read the tables.

        Raises:
            BadInputError: no such file or folder, no table in it, or none of its columns is a picture's name and a label.
        """
        if not path.exists():
            raise BadInputError(f"{path} is not there: give the table of labels, or the folder that holds it")
        self._folder = path if path.is_dir() else path.parent
        tables = _tables(path)
        self._rows = [(table.parent, row) for table in tables for row in _rows(table)]
        if not self._rows:
            raise BadInputError(
                f"{path.name} holds no table of labels: a CSV or JSON file with a column file_name and a column class_name, "
                "or a column per label with 0 and 1"
            )
        self._by_name: dict[str, Path] = {}
        for picture in picture_files(self._folder):
            for name in (picture.name, picture.stem):
                self._by_name.setdefault(name.lower(), picture)
        self._said: dict[str, list[tuple[str, tuple[float, ...]]]] = {}
        self._places: dict[str, Path] = {}
        for folder, (name, things) in self._rows:
            key = f"{folder.relative_to(self._folder)}/{name}"
            self._places.setdefault(key, folder / name)
            self._said.setdefault(key, []).extend(things)
        kinds = {len({label for label, _ in things}) for things in self._said.values()}
        is_boxed = any(box for things in self._said.values() for _, box in things)
        self.task = DETECT if is_boxed else CLASSIFY if kinds == {1} else MULTILABEL

    def class_names(self) -> tuple[str, ...]:
        """Every label that a picture has, sorted."""
        return tuple(sorted({label for things in self._said.values() for label, _ in things}))

    def pictures(self) -> Iterator[AnnotatedPicture | str]:
        """Each picture, or a line that says why it cannot be imported."""
        for key, things in self._said.items():
            try:
                yield self._picture(self._places[key], things)
            except BadInputError as error:
                yield str(error)

    def _picture(self, place: Path, things: Sequence[tuple[str, tuple[float, ...]]]) -> AnnotatedPicture:
        path = place if place.is_file() else self._by_name.get(place.name.lower())
        if path is None or not path.resolve().is_relative_to(self._folder.resolve()):
            raise BadInputError(
                f"{place.name[:80]} is in the table and not below {self._folder.name}: put the picture there"
            )
        data, (width, height) = read_picture(path)
        boxes = [_box(label, box, width, height) for label, box in dict.fromkeys(things)]
        name = "-".join(path.relative_to(self._folder).parts) if path.is_relative_to(self._folder) else path.name
        return AnnotatedPicture(name, data, tuple(boxes), (width, height))


def _tables(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(one for one in path.rglob("*") if one.suffix.lower() in TABLE_SUFFIXES)
    return [one for one in found if not any(part.startswith((".", "__MACOSX")) for part in one.relative_to(path).parts)]


def _rows(table: Path) -> list[tuple[str, list[tuple[str, tuple[float, ...]]]]]:
    """Of each row: the picture's name, and what is said of it, each with four corners or none."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{table.name} is not UTF-8: save it as UTF-8") from error
    if table.suffix.lower() in (".csv", ".tsv", ".txt"):
        return list(_from_csv(text, table.name))
    return list(_from_json(text, table.name))


def _from_csv(text: str, name: str) -> Iterator[tuple[str, list[tuple[str, tuple[float, ...]]]]]:
    first = text.splitlines()[0] if text.strip() else ""
    separator = max("\t;,", key=first.count)
    try:
        lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text), delimiter=separator) if line]
    except csv.Error as error:
        raise BadInputError(f"{name} cannot be read as CSV ({error}): export it again") from error
    if not lines:
        return
    head = [cell.lower() for cell in lines[0]]
    if len(head) == 2 and PurePosixPath(lines[0][0]).suffix.lower() in PICTURE_SUFFIXES:
        lines.insert(0, ["file_name", "class_name"])  # no header
        head = lines[0]
    elif not set(head) & set(PICTURE_COLUMNS):
        raise BadInputError(
            f"{name}: none of its columns ({', '.join(lines[0])[:120]}) names the picture: call that one file_name"
        )
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) != len(head):
            raise BadInputError(
                f"{name}: line {number} has {len(cells)} columns, the first line {len(head)}: correct it"
            )
        yield _read_row(dict(zip(head, cells, strict=True)), lines[0], f"{name}: line {number}")


def _from_json(text: str, name: str) -> Iterator[tuple[str, list[tuple[str, tuple[float, ...]]]]]:
    try:
        read = json.loads(text) if not name.lower().endswith(("jsonl", "ndjson")) else _lines_of_json(text)
    except ValueError as error:
        raise BadInputError(f"{name} cannot be read as JSON ({error}): export it again") from error
    if isinstance(read, dict) and {"images", "annotations"} <= set(read):
        raise BadInputError(f"{name} is a COCO file: import it with --coco")
    if isinstance(read, dict):
        read = [{"file_name": picture, "labels": labels} for picture, labels in read.items()]
    for number, one in enumerate(read if isinstance(read, list) else [], 1):
        if not isinstance(one, dict):
            raise BadInputError(
                f'{name}: entry {number} is no object such as {{"file_name": "a.jpg", "label": "pear"}}'
            )
        row = {str(key).lower(): value for key, value in one.items()}
        if not set(row) & set(PICTURE_COLUMNS):
            raise BadInputError(f"{name}: entry {number} names no picture: call it file_name")
        yield _read_row(row, [str(key) for key in one], f"{name}: entry {number}")


def _lines_of_json(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _read_row(row: _Row, spelt: Sequence[str], where: str) -> tuple[str, list[tuple[str, tuple[float, ...]]]]:
    picture = next(column for column in PICTURE_COLUMNS if column in row)
    name = str(row[picture]).replace("\\", "/").removeprefix("./")
    if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise BadInputError(f"{where} names no picture below the table ({name[:80]!r}): correct it")
    label = next((column for column in LABEL_COLUMNS if column in row), None)
    if label is None:
        return name, [(one, ()) for one in _marked(row, spelt, picture, where)]
    labels = _labels(row[label], label)
    if not set(BOX_COLUMNS) <= set(row) or all(str(row[column]).strip() == "" for column in BOX_COLUMNS):
        return name, [(one, ()) for one in labels]
    try:
        corners = tuple(float(row[column]) for column in BOX_COLUMNS)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{where}: xmin, ymin, xmax and ymax are not numbers: correct it") from error
    return name, [(one, corners) for one in labels]


def _labels(cell: Any, column: str) -> Iterable[str]:
    if isinstance(cell, (list, tuple)):
        parts = [str(one) for one in cell]
    else:
        text = "" if cell is None else str(cell)
        separator = next((one for one in "|;," if one in text), " " if column == SPACED_COLUMN else None)
        parts = text.split(separator) if separator else [text]
    return [part.strip() for part in parts if part.strip()]


def _marked(row: _Row, spelt: Sequence[str], picture: str, where: str) -> list[str]:
    """The columns that are marked with 1."""
    found = []
    for column in (one for one in spelt if one.lower() != picture and one.lower() not in OTHER_COLUMNS):
        mark = str(row[column.lower()]).strip().lower()
        if mark not in MARKS:
            raise BadInputError(
                f"{where}: {column} is {mark[:40]!r}: a column of labels is called class_name or labels, a label's own column holds 0 and 1"
            )
        if MARKS[mark]:
            found.append(column)
    return found


def _box(label: str, corners: tuple[float, ...], width: int, height: int) -> Box:
    if not corners:
        return Box(label, 0, 0, width, height)
    if all(0 <= value <= 1 for value in corners):
        corners = tuple(value * side for value, side in zip(corners, (width, height, width, height), strict=True))
    left, top, right, bottom = (round(value) for value in corners)
    return Box(label, left, top, right - left, bottom - top)
