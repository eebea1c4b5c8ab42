"""YOLO data sets: pictures with a text file of the same name each, `class xc yc w h` or `class x1 y1 x2 y2 ...` in shares of the picture.

Both layouts: images/train with labels/train (ultralytics) and train/images with train/labels (Roboflow), or all side by side. Names are in
data.yaml, classes.txt or *.names. An empty file says that nothing is there; a missing one that nobody looked, so its picture is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import DETECT, SEGMENT
from ..errors import BadInputError
from .picture_file import picture_files, read_names, read_picture

NAME_FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
_BOX_COLUMNS = (5, 6)  # the sixth may be a score
_SLACK = 0.005  # shares of the picture that rounding may reach outside


class YoloFolder:
    """The pictures of one data set; `ports.AnnotatedFolder`."""

    def __init__(self, folder: Path) -> None:
        """Look for pictures and names.

        Raises:
            BadInputError: no such folder, no pictures, or nothing that names the classes.
        """
        if not folder.is_dir():
            raise BadInputError(f"{folder} is no folder: give the one that holds images and labels, or its zip")
        self._folder = folder
        self._files = list(picture_files(folder))
        if not self._files:
            raise BadInputError(f"{folder.name} holds no pictures: is it the right folder?")
        self._names = _names(folder)
        self.task = SEGMENT if any(self._has_outline(path) for path in self._files) else DETECT

    def class_names(self) -> tuple[str, ...]:
        """In the order of their numbers."""
        return tuple(self._names)

    def pictures(self) -> Iterator[AnnotatedPicture | str]:
        """Each picture, or a line that says why it cannot be imported."""
        for path in self._files:
            try:
                yield self._picture(path)
            except BadInputError as error:
                yield str(error)

    def _picture(self, path: Path) -> AnnotatedPicture:
        labels = _labels_of(path)
        if labels is None:
            raise BadInputError(f"{path.name}: no {path.stem}.txt for it: label it, or move it away")
        data, size = read_picture(path)
        boxes = [
            self._box(line.split(), size, f"{labels.name}: line {number}")
            for number, line in enumerate(read_names(labels), 1)
        ]
        return AnnotatedPicture(path.relative_to(self._folder).as_posix().replace("/", "-"), data, tuple(boxes), size)

    def _box(self, fields: list[str], size: tuple[int, int], where: str) -> Box:
        try:
            index, numbers = int(fields[0]), [float(one) for one in fields[1:]]
        except (ValueError, IndexError) as error:
            raise BadInputError(f"{where} is not numbers ({' '.join(fields)[:60]}): correct it") from error
        if not 0 <= index < len(self._names):
            raise BadInputError(f"{where} is of class {index}, there are {len(self._names)} names: correct it")
        is_box = len(fields) in _BOX_COLUMNS
        if not is_box and (len(numbers) < 6 or len(numbers) % 2):
            raise BadInputError(
                f"{where} has {len(fields)} columns: a box has 5, an outline 7 or more and an odd number: correct it"
            )
        if is_box:
            x, y, w, h = numbers[:4]
            corners = [(x - w / 2, y - h / 2), (x + w / 2, y + h / 2)]
        else:
            corners = list(zip(numbers[::2], numbers[1::2], strict=True))
        if any(not -_SLACK <= share <= 1 + _SLACK for corner in corners for share in corner):
            raise BadInputError(
                f"{where} reaches outside 0 to 1 ({' '.join(fields)[:60]}): write shares of the picture"
            )
        points = [
            (min(max(round(x * size[0]), 0), size[0]), min(max(round(y * size[1]), 0), size[1])) for x, y in corners
        ]
        left, top = min(x for x, _ in points), min(y for _, y in points)
        right, bottom = max(x for x, _ in points), max(y for _, y in points)
        return Box(self._names[index], left, top, right - left, bottom - top, () if is_box else tuple(points))

    def _has_outline(self, path: Path) -> bool:
        labels = _labels_of(path)
        try:
            return labels is not None and any(len(line.split()) > max(_BOX_COLUMNS) for line in read_names(labels))
        except BadInputError:
            return False  # told, with the picture's name, by `pictures`


def _labels_of(picture: Path) -> Path | None:
    """The text file of a picture: beside it, or where `images` of its path is `labels`."""
    places = [picture.with_suffix(".txt")]
    parts = list(picture.parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at].lower() == "images":
            places.append(Path(*parts[:at], "labels", *parts[at + 1 :]).with_suffix(".txt"))
            break
    return next((place for place in places if place.is_file()), None)


def _names(folder: Path) -> list[str]:
    found = next((path for name in NAME_FILES for path in sorted(folder.rglob(name))), None)
    if found is None:
        raise BadInputError(
            f"{folder.name} has neither data.yaml nor classes.txt: put one there that names the classes, one a line"
        )
    names = read_names(found) if found.suffix in (".txt", ".names") else _of_yaml(found)
    if not names:
        raise BadInputError(f"{found.name} names no classes: write them there, one a line or under `names:`")
    return names


def _of_yaml(path: Path) -> list[str]:
    try:
        raw: Any = yaml.load(path.read_text(encoding="utf-8-sig"), _AsWritten)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path.name} is not YAML ({' '.join(str(error).split())[:80]}): correct it") from error
    names = raw.get("names") if isinstance(raw, dict) else None
    if isinstance(names, dict):
        numbers = [str(number) for number in range(len(names))]
        if set(names) != set(numbers):
            raise BadInputError(f"{path.name}: names are numbered {sorted(names)[:5]}..., they must be 0, 1, 2 ...")
        names = [names[number] for number in numbers]
    if not isinstance(names, list):
        raise BadInputError(f"{path.name} has no list `names`: write names: [first, second]")
    return [str(name) for name in names]


class _AsWritten(yaml.SafeLoader):
    """Leaves scalars as text: to YAML, `no`, `on` and `1e3` as names of classes are false, true and a thousand."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # of the library's own making
