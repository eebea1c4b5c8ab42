"""Segmentation sets with masks: for each picture a PNG of its size in which every pixel tells its class, by number or by colour.

Found are JPEGImages with SegmentationClass (VOC), images with masks or labels, leftImg8bit with gtFine (Cityscapes, *_labelIds.png or
*_labelTrainIds.png), and NAME.jpg beside NAME.png or NAME_mask.png. Palette and grey masks hold class numbers; 0 is the background, in
training ids the first class. Masks of only 0 and 255 have one
class. RGB masks need their colours named: labelmap.txt (`name:r,g,b`, CVAT and VOC), class_dict.csv (name,r,g,b) or meta.json
(Supervisely); where nothing names colours, those in which all is grey hold numbers as well. Without any file of names
the classes are those of the project, else class1, class2 ...

Void pixels count neither in training nor in scores (docs/decisions/0021): the number 255, VOC's border colour, and what the file of names
calls void, ignore or unlabeled. Where black (or 0) is called so, nothing is called background, and it covers much of the masks, it is what
that set calls its background.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..domain.projects import BACKGROUND
from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import SEGMENT
from ..errors import BadInputError, MissingToolError
from .picture_file import picture_files, read_names, read_picture

VOID = 255  # the number, here and in training
VOC_BORDER = (224, 224, 192)
LOSSLESS_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")  # a JPEG mixes the classes at their edges
MOST_VOID = 0.25  # of all pixels; CamVid, Cityscapes, ADE20K and VOC leave 3 to 11 per cent out
MASK_FOLDERS = ("masks", "mask", "labels", "annotations", "segmentationclass", "gtfine", "gt", "masks_machine", "ann")
FROM_ZERO = (
    "_gtfine_labeltrainids",
    "_labeltrainids",
)  # number 0 is the first class there; taken where there is nothing else
MASK_ENDS = (*FROM_ZERO, "_gtfine_labelids", "_labelids", "_mask", "_masks", "_label", "_labels", "_gt", "_seg")
PICTURE_ENDS = ("_leftimg8bit",)
OTHER_FOLDERS = ("segmentationobject", "masks_human", "masks_instances")  # pictures for the eye, or of single things
NAME_FILES = ("labelmap.txt", "class_dict.csv", "meta.json", "classes.txt", "labels.txt", "class_names.txt")
_BACKGROUNDS = (BACKGROUND, "_background_", "__background__")
_VOID_NAME = "void"
_VOIDS = (_VOID_NAME, "ignore", "ignored", "_ignore_", "__ignore__", "unlabeled", "unlabelled")
_BLACK = (0, 0, 0)
Rgb = tuple[int, int, int]


class MaskFolder:
    """The pictures of one set; `ports.AnnotatedFolder`."""

    task = SEGMENT

    def __init__(self, folder: Path, names: Path | None = None, known: Sequence[str] = ()) -> None:
        """Pair pictures with masks, and find out what the classes are called.

        Args:
            folder: of the set.
            names: the file that names the classes; None: found in the folder.
            known: classes of the project that takes them, for masks whose numbers nobody named.

        Raises:
            BadInputError: no such folder, no pair in it, or names that cannot be read.
            MissingToolError: OpenCV is not installed.
        """
        if not folder.is_dir():
            raise BadInputError(f"{folder} is no folder: give the one that holds pictures and masks, or its zip")
        if importlib.util.find_spec("cv2") is None:
            raise MissingToolError("reading masks needs OpenCV: pip install 'snaploop[train]'")
        self._folder = folder
        self._pairs, self._alone = _pairs(folder)
        if not self._pairs:
            raise BadInputError(
                f"{folder.name} holds no picture with a mask (a PNG of the same name in masks/, or NAME_mask.png): is it the right folder?"
            )
        self._colours: dict[Rgb, str] = {}
        self._by_number: dict[int, str] = {}
        file = names or next((path for name in NAME_FILES for path in sorted(folder.rglob(name))), None)
        if file is not None:
            self._colours, self._by_number = _named(file)
        self._first = 0 if 0 in self._by_number else 1  # what number 0 of training ids becomes
        numbers = self._numbers()
        if file is None:
            found = {number: f"class{number}" for number in sorted(numbers - {VOID})}
            self._by_number = dict(enumerate(known, 1)) if known else found
        self._void_numbers = {VOID} | {number for number, name in self._by_number.items() if name == _VOID_NAME}
        self._void_colours = {colour for colour, name in self._colours.items() if name == _VOID_NAME}
        self._void_colours |= {VOC_BORDER} - set(self._colours)
        if self._is_black_the_ground():
            self._void_numbers -= {0}
            self._void_colours -= {_BLACK}
        self._by_number = {
            number: name
            for number, name in self._by_number.items()
            if number > 0 and name not in (BACKGROUND, _VOID_NAME)
        }
        self._is_binary = numbers <= {0, VOID} if not self._colours else False
        if self._is_binary and not self._by_number:
            self._by_number = {1: "class1"}

    def class_names(self) -> tuple[str, ...]:
        """In the order of their numbers, or of the colour map."""
        if self._by_number:
            return tuple(self._by_number[number] for number in sorted(self._by_number))
        return tuple(name for name in dict.fromkeys(self._colours.values()) if name not in (BACKGROUND, _VOID_NAME))

    def pictures(self) -> Iterator[AnnotatedPicture | str]:
        """Each picture with the outlines of its mask, or a line that says why it cannot be imported."""
        for path in self._alone:
            yield f"{path.name}: no mask for it (such as {path.stem}.png in masks/): draw one, or move it away"
        for path, mask in self._pairs:
            try:
                yield self._picture(path, mask)
            except BadInputError as error:
                yield str(error)

    def _picture(self, path: Path, mask: Path) -> AnnotatedPicture:
        from .mask_outlines import outlines

        values, names = self._classes_in(mask)
        data, size = read_picture(path, values.size)
        if values.size != size:
            raise BadInputError(
                f"{path.name} has {size[0]}x{size[1]} px, its mask {mask.name} {values.size[0]}x{values.size[1]}: "
                "save the mask in the picture's size"
            )
        if values.getextrema() == (VOID, VOID):
            raise BadInputError(f"{mask.name}: all of it is void, which does not count: draw classes, or move it away")
        boxes, void = [], []
        for value, points in outlines(values, {*names, VOID}):
            if value == VOID:
                void.append(tuple(points))
                continue
            xs, ys = [x for x, _ in points], [y for _, y in points]
            boxes.append(Box(names[value], min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys), tuple(points)))
        name = path.relative_to(self._folder).as_posix().replace("/", "-")
        return AnnotatedPicture(name, data, tuple(boxes), size, tuple(void))

    def _classes_in(self, mask: Path) -> tuple[Image.Image, dict[int, str]]:
        """The mask as one number a pixel, and the class of each number in it; VOID does not count, others are background."""
        image = self._opened(mask)
        if image.mode == "P" and self._colours:
            return self._of_colours(image.convert("RGB"), mask.name, _numbered(image))
        if image.mode not in ("RGB", "RGBA"):
            grey = self._from_one(image, mask)
            if self._is_binary:
                number = min(self._by_number)
                return grey.point(lambda value: number if value == VOID else 0), {number: self._by_number[number]}
            grey = grey.point(lambda value: VOID if value in self._void_numbers else value)
            present = set(grey.tobytes())
            strange = sorted(present - set(self._by_number) - {0, VOID})
            if strange:
                raise BadInputError(
                    f"{mask.name}: number {strange[0]} is none of the {len(self._by_number)} classes "
                    f"({', '.join(self.class_names())[:60]}): correct the mask, or name the class"
                )
            return grey, {number: name for number, name in self._by_number.items() if number in present}
        if not self._colours:
            raise BadInputError(
                f"{mask.name} is in colours that nothing names: put labelmap.txt (name:r,g,b) beside the masks"
            )
        return self._of_colours(image.convert("RGB"), mask.name)

    def _of_colours(
        self, image: Image.Image, name: str, palette: Image.Image | None = None
    ) -> tuple[Image.Image, dict[int, str]]:
        """A mask in colours, as one number a pixel; of a palette mask the numbers too, whose VOID counts whatever its colour is."""
        import numpy as np

        pixels = np.asarray(image, np.uint32)
        codes = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
        classes = {label: number for number, label in enumerate(self.class_names(), 1)}
        numbers = np.zeros(codes.shape, np.uint8)
        for code in np.unique(codes):
            colour = (int(code) >> 16, int(code) >> 8 & 255, int(code) & 255)
            if colour in self._void_colours:
                numbers[codes == code] = VOID
                continue
            label = self._colours.get(colour, BACKGROUND if colour == _BLACK else None)
            if label is None:
                count = int((codes == code).sum())
                raise BadInputError(
                    f"{name}: {count} px have the colour {colour}, which is no class's: correct the mask, or name the colour"
                )
            numbers[codes == code] = classes.get(label, 0)
        if palette is not None:
            numbers[np.asarray(palette) == VOID] = VOID
        return Image.fromarray(numbers), {number: label for label, number in classes.items()}

    def _from_one(self, image: Image.Image, mask: Path) -> Image.Image:
        """The numbers of a mask that is not in colours, those of training ids one up: 0 is the background everywhere else."""
        grey = _numbered(image)
        if not self._first or not mask.stem.lower().endswith(FROM_ZERO):
            return grey
        return grey.point(lambda value: value if value == VOID else value + 1)

    def _is_black_the_ground(self) -> bool:
        """Whether what is called void can only be the background: black or 0, nothing else is called so, and much of the masks."""
        names = {*self._colours.values(), *self._by_number.values()}
        if BACKGROUND in names or not (0 in self._void_numbers or _BLACK in self._void_colours):
            return False
        black = total = 0
        for _, mask in self._pairs:
            try:
                image = self._opened(mask)
            except BadInputError:
                continue  # told, with the mask's name, by `pictures`
            in_colours = image.mode in ("RGB", "RGBA") or bool(self._colours)
            colours = image.convert("RGB").convert("L") if in_colours else _numbered(image)
            black += colours.histogram()[0]
            total += image.width * image.height
        return black > MOST_VOID * total

    def _opened(self, mask: Path) -> Image.Image:
        image = _opened(mask)
        return image if self._colours else _without_colour(image)

    def _numbers(self) -> set[int]:
        """Every number in the grey and palette masks."""
        found: set[int] = set()
        for _, mask in self._pairs:
            try:
                image = self._opened(mask)
            except BadInputError:
                continue  # told, with the mask's name, by `pictures`
            if image.mode not in ("RGB", "RGBA"):
                found |= set(self._from_one(image, mask).tobytes())
        return found - {0} or {VOID}


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            image.load()
            return image
    except (OSError, SyntaxError, ValueError) as error:
        raise BadInputError(f"{path.name}: no readable mask ({error}): replace the file and import again") from error


def _without_colour(image: Image.Image) -> Image.Image:
    """A mask in colours that are all grey as a grey one: many tools save white on black as RGB."""
    if image.mode not in ("RGB", "RGBA"):
        return image
    red, green, blue = image.split()[:3]
    return red if red.tobytes() == green.tobytes() == blue.tobytes() else image


def _numbered(image: Image.Image) -> Image.Image:
    """A mask that is not in colours, as one byte a pixel: class numbers."""
    if image.mode == "P":  # the palette is only for the eye
        return Image.frombytes("L", image.size, image.tobytes())
    if image.mode in ("I", "I;16"):
        return image.point(lambda value: value).convert("L") if image.mode == "I" else _low_bytes(image)
    return image.convert("L")


def _low_bytes(image: Image.Image) -> Image.Image:
    return Image.frombytes("L", image.size, image.tobytes()[::2])


def _pairs(folder: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """(picture, mask) of each picture that has one, and pictures without."""
    masks: dict[str, Path] = {}
    photos: list[Path] = []
    for path in picture_files(folder):
        stem, below = path.stem.lower(), {part.lower() for part in path.relative_to(folder).parts[:-1]}
        if below & set(OTHER_FOLDERS):
            continue
        end = next((end for end in MASK_ENDS if stem.endswith(end)), None)
        if path.suffix.lower() in LOSSLESS_SUFFIXES and (end or below & set(MASK_FOLDERS)):
            key = stem.removesuffix(end or "")
            if "_gtfine" in key or (end in FROM_ZERO and key in masks):  # colour and instance pictures of Cityscapes
                continue
            masks[key] = path
        else:
            photos.append(path)
    by_stem = {path.stem.lower(): path for path in photos if path.suffix.lower() in LOSSLESS_SUFFIXES}
    pairs, alone = [], []
    for path in photos:
        stem = path.stem.lower()
        for end in PICTURE_ENDS:
            stem = stem.removesuffix(end)
        beside = by_stem.get(stem) if path.suffix.lower() not in LOSSLESS_SUFFIXES else None
        if mask := masks.get(stem) or beside:
            pairs.append((path, mask))
        elif path not in by_stem.values() or not any(other.stem.lower() == stem and other != path for other in photos):
            alone.append(path)
    return pairs, alone


def _named(file: Path) -> tuple[dict[Rgb, str], dict[int, str]]:
    """({colour: class}, {number: class}) of a file of names; the background is left out of the latter and kept in the former."""
    try:
        if file.suffix == ".json":
            return _of_meta(json.loads(file.read_text(encoding="utf-8-sig"))), {}
        if file.suffix == ".csv":
            rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
            return {_rgb(row[1:4]): _class(row[0]) for row in rows if row and row[1].strip().isdigit()}, {}
        lines = [line for line in read_names(file) if not line.startswith("#")]
        if any(":" in line for line in lines):
            pairs = [line.split(":") for line in lines]
            return {_rgb(one[1].split(",")): _class(one[0]) for one in pairs}, {}
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise BadInputError(
            f"{file.name} does not name classes and colours ({error!r}): write name:r,g,b lines"
        ) from error
    names = [_class(line) for line in lines]
    start = 0 if names and names[0] in (BACKGROUND, _VOID_NAME) else 1
    if names[:2] == [_VOID_NAME, BACKGROUND]:  # labelme counts __ignore__ as -1, which a mask's byte holds as VOID
        names, start = names[1:], 0
    return {}, dict(enumerate(names, start))


def _of_meta(raw: Any) -> dict[Rgb, str]:
    found = {}
    for one in raw["classes"]:
        colour = str(one["color"]).lstrip("#")
        found[(int(colour[0:2], 16), int(colour[2:4], 16), int(colour[4:6], 16))] = _class(str(one["title"]))
    return found


def _rgb(fields: Sequence[str]) -> Rgb:
    red, green, blue = (int(field) for field in fields[:3])
    return red, green, blue


def _class(name: str) -> str:
    """The class, or "background" and "void" for what other tools call so."""
    name = name.strip()
    return BACKGROUND if name.lower() in _BACKGROUNDS else _VOID_NAME if name.lower() in _VOIDS else name
