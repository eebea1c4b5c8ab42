"""Pictures in a folder per class, the usual form of classification sets: DIR/<class>/*.jpg. The real `ports.AnnotatedFolder`.

A picture gets a box of its class as large as itself. What lies in DIR itself, in folders within the class folders, or in hidden ones
is left alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..domain.samples import AnnotatedPicture, Box
from ..domain.scores import CLASSIFY
from ..errors import BadInputError
from .voc_folder import MAX_PICTURE_BYTES, PICTURE_SUFFIXES


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
    name = f"{kind}/{path.name}"
    try:
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise BadInputError(f"{name}: larger than {MAX_PICTURE_BYTES // 2**20} MiB: make it smaller")
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except UnidentifiedImageError as error:
        raise BadInputError(f"{name}: no readable picture: replace the file and import again") from error
    except OSError as error:
        raise BadInputError(f"{name}: cannot be read ({error}): check the file and its permissions") from error
    # Classes may hold files of one name: the class is part of the sample's.
    return AnnotatedPicture(f"{kind}-{path.name}", data, (Box(kind, 0, 0, width, height),), (width, height))
