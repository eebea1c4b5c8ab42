"""Pictures in a folder per class, the usual form of classification sets: DIR/<class>/*.jpg. The real `ports.AnnotatedFolder`.

One level of `train`, `val` and the like may lie above, as in ImageNet's layout: all of it is taken, the host parts training from validation
itself. A class folder may be called `apple.class`, as OpenMV does. A picture gets a box of its class as large as itself. What lies in DIR
itself, in folders within the class folders, or in hidden ones is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import CLASSIFY
from ..errors import BadInputError
from .picture_file import PICTURE_SUFFIXES, UNREADABLE_SUFFIXES, read_picture, refusal

SIDES = ("train", "training", "val", "valid", "validation", "test", "testing")
OPENMV_SUFFIX = ".class"


class ClassFolders:
    """The pictures of a folder of class folders."""

    task = CLASSIFY

    def __init__(self, folder: Path) -> None:
        """Look for class folders in `folder`.

        Raises:
            BadInputError: no such folder, or no picture in any folder of it.
        """
        if not folder.is_dir():
            raise BadInputError(f"{folder} is no folder: give the one that holds a folder of pictures per class")
        self._files = _class_files(folder)
        if not any(path.suffix.lower() in PICTURE_SUFFIXES for _, _, path in self._files):
            raise BadInputError(
                f"no folder in {folder.name} holds pictures ({', '.join(PICTURE_SUFFIXES)}): "
                "make one per class and put its pictures there; one level of train and val may lie above"
            )

    def pictures(self) -> Iterator[AnnotatedPicture | str]:
        """Each picture, class by class, or a line that says why it cannot be imported."""
        for kind, name, path in self._files:
            try:
                yield _picture(kind, name, path)
            except BadInputError as error:
                yield str(error)

    def class_names(self) -> tuple[str, ...]:
        """Every folder that holds a picture, sorted."""
        return tuple(sorted({kind for kind, _, _ in self._files}))


def _class_files(folder: Path) -> list[tuple[str, str, Path]]:
    """(class, name of the picture with all folders above it, file) of everything that looks like a picture."""
    tops = _folders(folder)
    if len(tops) == 1 and not _pictures(tops[0]):  # the one folder that an archive wraps around everything
        return _class_files(tops[0])
    sides = [one for one in tops if one.name.lower() in SIDES and not _pictures(one) and _folders(one)]
    kinds = [(f"{side.name}-", kind) for side in sides for kind in _folders(side)]
    kinds += [("", kind) for kind in tops if kind not in sides]
    return [
        (kind.name.removesuffix(OPENMV_SUFFIX), f"{above}{kind.name}-{path.name}", path)
        for above, kind in sorted(kinds, key=lambda one: (one[1].name, one[0]))
        for path in _pictures(kind)
    ]


def _folders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "__MACOSX"
    )


def _pictures(folder: Path) -> list[Path]:
    suffixes = PICTURE_SUFFIXES + UNREADABLE_SUFFIXES
    found = (path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))  # macOS puts ._NAME beside each


def _picture(kind: str, name: str, path: Path) -> AnnotatedPicture:
    said = f"{path.parent.name}/{path.name}"
    if path.suffix.lower() in UNREADABLE_SUFFIXES:
        raise BadInputError(refusal(said))
    data, (width, height) = read_picture(path, name=said)
    # Classes may hold files of one name: the folders above are part of the sample's.
    return AnnotatedPicture(name, data, (Box(kind, 0, 0, width, height),), (width, height))
