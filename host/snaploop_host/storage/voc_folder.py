"""Pascal VOC folders: pictures and one XML file each, side by side or in JPEGImages/ and Annotations/. The real `ports.AnnotatedFolder`.

Folders of a split (train/, valid/ ...) may lie around them, as Roboflow exports them.

VOC counts pixels from 1 and names the last pixel inside a box; tools such as LabelImg write x from 0 and the first pixel outside.
Both are taken as corners [xmin, xmax) here, which is at most one pixel off.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import DETECT
from ..errors import BadInputError
from .picture_file import PICTURE_SUFFIXES, picture_files, read_picture

MAX_XML_BYTES = 4 * 1024 * 1024


class VocFolder:
    """The annotated pictures of one folder."""

    task = DETECT

    def __init__(self, folder: Path, annotations: Path | None = None) -> None:
        """Look for pictures in `folder` and, unless they lie there too, for their XML files in `annotations`.

        Raises:
            BadInputError: no such folder, or none in it.
        """
        if not folder.is_dir():
            raise BadInputError(
                f"{folder} is no folder: give the one that holds the pictures, or JPEGImages and Annotations"
            )
        if annotations is not None and not annotations.is_dir():
            raise BadInputError(f"{annotations} is no folder: give the one that holds the XML files, or Annotations")
        pictures = _inside(folder, "JPEGImages")
        self._annotations = (
            _inside(annotations, "Annotations") if annotations else _inside(folder, "Annotations", pictures)
        )
        self._folder = pictures
        self._files = list(picture_files(pictures))
        self._by_stem = {path.stem: path for path in sorted(self._annotations.rglob("*.xml"))}
        if not self._files:
            raise BadInputError(
                f"{pictures} holds no pictures ({', '.join(PICTURE_SUFFIXES)}): is it the right folder?"
            )

    def pictures(self) -> Iterator[AnnotatedPicture | str]:
        """Each picture in order of its name, or a line that says why it cannot be imported."""
        for path in self._files:
            try:
                yield self._picture(path)
            except BadInputError as error:
                yield str(error)

    def path_of(self, name: str) -> Path:
        """Where the picture of that name lies."""
        return next((path for path in self._files if self._name(path) == name), self._folder / name)

    def class_names(self) -> tuple[str, ...]:
        """Every class of the readable annotations, sorted."""
        names: set[str] = set()
        for path in self._files:
            try:
                names.update(box.class_name for box in _boxes(_parsed(self._xml_of(path)), path.name))
            except BadInputError:
                continue  # told again, with the picture's name, by `pictures`
        return tuple(sorted(names))

    def _xml_of(self, picture: Path) -> Path:
        """Beside the picture, at its place among the annotations, else the one of its name."""
        places = (
            picture.with_suffix(".xml"),
            (self._annotations / picture.relative_to(self._folder)).with_suffix(".xml"),
        )
        found = next((place for place in places if place.exists()), None)
        return found or self._by_stem.get(picture.stem, places[-1])

    def _name(self, picture: Path) -> str:
        return picture.relative_to(self._folder).as_posix().replace("/", "-")

    def _picture(self, path: Path) -> AnnotatedPicture:
        xml = self._xml_of(path)
        if not xml.exists():
            raise BadInputError(f"{path.name}: no {xml.name} beside it: annotate it, or move it away")
        root = _parsed(xml)
        stated = _stated_size(root)
        data, _ = read_picture(path, stated)
        return AnnotatedPicture(self._name(path), data, _boxes(root, xml.name), stated)


def _inside(folder: Path, name: str, otherwise: Path | None = None) -> Path:
    """The sub-folder of that name where there is one, else `otherwise`, else the folder itself."""
    return folder / name if (folder / name).is_dir() else otherwise or folder


def _parsed(path: Path) -> ElementTree.Element:
    try:
        if path.stat().st_size > MAX_XML_BYTES:
            raise BadInputError(f"{path.name}: larger than {MAX_XML_BYTES // 2**20} MiB, no VOC annotation")
        text = path.read_bytes()
        if b"<!ENTITY" in text:
            raise BadInputError(f"{path.name}: defines XML entities, which no VOC annotation needs: remove them")
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise BadInputError(f"{path.name}: not well-formed XML ({error}): write it again") from error
    except (ValueError, LookupError) as error:  # Chinese tools write GB2312, which the parser does not know
        raise BadInputError(
            f"{path.name}: written in an encoding that is not read ({error}): save it as UTF-8"
        ) from error
    except OSError as error:
        raise BadInputError(f"{path.name}: cannot be read ({error.strerror})") from error


def _boxes(root: ElementTree.Element, where: str) -> tuple[Box, ...]:
    found: list[Box] = []
    for one in root.iter("object"):
        corners = one.find("bndbox")
        name = (one.findtext("name") or "").strip()
        try:
            if corners is None:
                raise ValueError("no bndbox")
            x0, y0, x1, y1 = (round(float(corners.findtext(side) or "?")) for side in ("xmin", "ymin", "xmax", "ymax"))
        except (ValueError, OverflowError) as error:
            raise BadInputError(
                f"{where}: object {len(found) + 1} ({name}) has no readable bndbox: correct its XML"
            ) from error
        if not name:
            raise BadInputError(f"{where}: object {len(found) + 1} has no name: give it its class")
        found.append(Box(name, x0, y0, x1 - x0, y1 - y0))
    return tuple(found)


def _stated_size(root: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = int(root.findtext("size/width") or 0), int(root.findtext("size/height") or 0)
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None
