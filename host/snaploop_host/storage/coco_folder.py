"""COCO data sets: a JSON file with images, annotations and categories, and the pictures beside it or below its folder.

Boxes are [x, y, width, height] in px, outlines lists of x, y or run lengths (coco_masks.py). Ids may be any numbers; categories are taken
in the order of their ids. The vendor's own detection sets (IMAGES/ and labels.json) are of this form. A crowd is left out of boxes; as a
region it is as good as any.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..domain.geometry import polygon_area
from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import DETECT, SEGMENT
from ..errors import BadInputError
from .coco_masks import is_run_lengths, region_outlines
from .picture_file import picture_files, read_picture


class CocoFolder:
    """The pictures of one annotation file, or of all in a folder; `ports.AnnotatedFolder`."""

    def __init__(self, path: Path, task: str | None = None) -> None:
        """Read the annotations.

        Args:
            path: the file, or a folder with one or several of them.
            task: of the project that takes them; None for a new one. Segmentation takes outlines, everything else boxes.

        Raises:
            BadInputError: no such file or folder, or no COCO annotations in it.
        """
        if not path.exists():
            raise BadInputError(f"{path} is not there: give the annotation file, or the folder that holds it")
        files = [path] if path.is_file() else sorted(path.rglob("*.json"))
        read = [(file, _read(file)) for file in files]
        self._sets = [(file, raw) for file, raw in read if raw is not None]
        if not self._sets:
            raise BadInputError(
                f"{path.name} holds no COCO annotations (a JSON file with images, annotations and categories)"
            )
        self._folder = path if path.is_dir() else path.parent
        if path.is_file() and not any(picture_files(self._folder)):
            self._folder = self._folder.parent  # annotations/x.json beside images/
        self._by_name: dict[str, Path] = {}
        for picture in picture_files(self._folder):
            self._by_name.setdefault(picture.name, picture)
        self._names: dict[str, None] = {}
        for _, raw in self._sets:
            for one in sorted(raw["categories"], key=lambda one: one["id"]):
                self._names[str(one["name"])] = None
        is_boxed = any(one.get("bbox") for _, raw in self._sets for one in raw["annotations"])
        is_outlined = any(
            _polygons(one) or is_run_lengths(one.get("segmentation"))
            for _, raw in self._sets
            for one in raw["annotations"]
        )
        self.task = task or (SEGMENT if is_outlined and not is_boxed else DETECT)

    def class_names(self) -> tuple[str, ...]:
        """In the order of their ids."""
        return tuple(self._names)

    def pictures(self) -> Iterator[AnnotatedPicture | str]:
        """Each picture, or a line that says why it cannot be imported."""
        for file, raw in self._sets:
            names = {one["id"]: str(one["name"]) for one in raw["categories"]}
            of_image: dict[Any, list[dict[str, Any]]] = {one["id"]: [] for one in raw["images"]}
            lost = 0
            for one in raw["annotations"]:
                if one.get("image_id") in of_image:
                    of_image[one["image_id"]].append(one)
                else:
                    lost += 1
            if lost:
                yield f"{file.name}: {lost} annotations are of images that it does not list: they are left out"
            for image in raw["images"]:
                try:
                    picture, crowds = self._picture(image, of_image[image["id"]], names, file)
                except BadInputError as error:
                    yield str(error)
                    continue
                yield picture
                if crowds:
                    yield f"{image['file_name']}: {crowds} crowd regions are left out, the rest of the picture is kept"

    def _picture(
        self, image: dict[str, Any], annotations: list[dict[str, Any]], names: dict[Any, str], file: Path
    ) -> tuple[AnnotatedPicture, int]:
        """The picture, and how many of its annotations are crowds, which no box stands for."""
        name = str(image.get("file_name", ""))
        path = self._path_of(name)
        if path is None:
            raise BadInputError(f"{file.name} lists {name[:80]!r}, which is not there: put the picture back")
        stated = (image.get("width"), image.get("height"))
        is_stated = all(isinstance(side, (int, float)) and side > 0 for side in stated)
        stated_px = (int(stated[0] or 0), int(stated[1] or 0)) if is_stated else None
        data, size = read_picture(path, stated_px)
        boxes: list[Box] = []
        takes_outlines = self.task == SEGMENT
        singles = [one for one in annotations if takes_outlines or not one.get("iscrowd")]
        for number, one in enumerate(singles, 1):
            where = f"{name}: annotation {number}"
            label = names.get(one.get("category_id"))
            if label is None:
                raise BadInputError(f"{where} is of category {one.get('category_id')}, which is not listed: correct it")
            boxes += _boxes(one, label, where, stated_px or size) if takes_outlines else [_box(one, label, where)]
        picture = AnnotatedPicture(name.replace("/", "-"), data, tuple(boxes), stated_px or size)
        return picture, len(annotations) - len(singles)

    def _path_of(self, name: str) -> Path | None:
        """Where a listed picture is: by its path, else by its name alone."""
        if not name or ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            return None
        exact = self._folder / name
        return exact if exact.is_file() else self._by_name.get(PurePosixPath(name).name)


def _read(file: Path) -> dict[str, Any] | None:
    """A COCO file's content, None when it is another kind of JSON."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise BadInputError(f"{file.name} cannot be read as JSON ({error}): export it again") from error
    keys = ("images", "annotations", "categories")
    if not isinstance(raw, dict) or not all(isinstance(raw.get(key), list) for key in keys):
        return None
    for key, needs in (("images", ("id", "file_name")), ("categories", ("id", "name")), ("annotations", ("image_id",))):
        for number, one in enumerate(raw[key], 1):
            if not isinstance(one, dict) or any(name not in one for name in needs):
                raise BadInputError(f"{file.name}: {key} {number} lacks {' or '.join(needs)}: export it again")
    return raw


def _polygons(one: dict[str, Any]) -> list[list[float]]:
    found = one.get("segmentation")
    if not isinstance(found, list):
        return []
    return [part for part in found if isinstance(part, list) and len(part) >= 6 and len(part) % 2 == 0]


def _boxes(one: dict[str, Any], label: str, where: str, size: tuple[int, int]) -> list[Box]:
    """A region's outlines; specks of a region of several parts are left out. Without any, its box."""
    segmentation = one.get("segmentation")
    if is_run_lengths(segmentation):
        parts = region_outlines(segmentation, size, where)
    else:
        try:
            parts = [
                [(round(float(x)), round(float(y))) for x, y in zip(part[::2], part[1::2], strict=True)]
                for part in _polygons(one)
            ]
        except (TypeError, ValueError, OverflowError) as error:
            raise BadInputError(f"{where} has an outline that is not numbers ({error}): correct it") from error
    found = []
    for points in parts:
        if len(parts) > 1 and not polygon_area(points):
            continue
        xs, ys = [x for x, _ in points], [y for _, y in points]
        found.append(Box(label, min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys), tuple(points)))
    return found or [_box(one, label, where)]


def _box(one: dict[str, Any], label: str, where: str) -> Box:
    try:
        numbers = one["bbox"]
        if len(numbers) == 1:  # some exporters wrap it once more
            numbers = numbers[0]
        x, y, w, h = (float(number) for number in numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(f"{where} has no readable bbox ({one.get('bbox')!r}): correct it") from error
    left, top = round(x), round(y)
    return Box(label, left, top, round(x + w) - left, round(y + h) - top)
