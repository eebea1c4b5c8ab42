"""Pictures in a folder per class, the usual form of classification sets: DIR/<class>/*.jpg. The real `ports.AnnotatedFolder`.

A picture gets a box of its class as large as itself. What lies in DIR itself, in folders within the class folders, or in hidden ones
is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import CLASSIFY
from ..errors import BadInputError
from .picture_file import PICTURE_SUFFIXES, read_picture


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
        kinds = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        self._files = {
            kind.name: sorted(path for path in kind.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
            for kind in kinds
        }
        if not any(self._files.values()):
            raise BadInputError(
                f"no folder in {folder} holds pictures ({', '.join(PICTURE_SUFFIXES)}): "
                "make one per class and put its pictures there"
            )

    def pictures(self) -> Iterator[AnnotatedPicture | str]:
        """Each picture, class by class, or a line that says why it cannot be imported."""
        for name, files in self._files.items():
            for path in files:
                try:
                    yield _picture(name, path)
                except BadInputError as error:
                    yield str(error)

    def class_names(self) -> tuple[str, ...]:
        """Every folder that holds a picture, sorted."""
        return tuple(name for name, files in self._files.items() if files)


def _picture(kind: str, path: Path) -> AnnotatedPicture:
    data, (width, height) = read_picture(path, name=f"{kind}/{path.name}")
    # Classes may hold files of one name: the class is part of the sample's.
    return AnnotatedPicture(f"{kind}-{path.name}", data, (Box(kind, 0, 0, width, height),), (width, height))
