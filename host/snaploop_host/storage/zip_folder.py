"""Zips from elsewhere: names that lead out of them, bombs and damage are refused before anything is read or unpacked."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import BadInputError

MAX_ENTRIES = 200_000
MAX_UNPACKED_BYTES = 32 * 2**30


class SafeZip:
    """The files of one zip; `name` is what messages call it."""

    def __init__(self, name: str, file: Path | IO[bytes]) -> None:
        """Open it.

        Raises:
            BadInputError: it is no whole zip, or an entry's name leads out of it.
        """
        self.name = name
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError) as error:
            raise BadInputError(f"{name} is no whole zip ({error}): download it again") from error
        self._entries = {one.filename: one for one in self._zip.infolist() if not one.is_dir()}
        if len(self._entries) > MAX_ENTRIES:
            raise BadInputError(f"{name} has {len(self._entries)} entries, at most {MAX_ENTRIES} are taken")
        for entry in self._entries:
            path = PurePosixPath(entry.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
                raise BadInputError(f"{name} has an entry that leads out of it ({entry[:60]!r}): it is not opened")

    def names(self) -> list[str]:
        """Every file but what macOS adds."""
        return sorted(name for name in self._entries if "__MACOSX" not in name and not name.endswith(".DS_Store"))

    def size(self, name: str) -> int:
        """Of a file, unpacked."""
        return self._entries[name].file_size

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            BadInputError: it is damaged, locked or packed by an unknown method.
        """
        where = f"{self.name}: {name}"
        try:
            return self._zip.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise BadInputError(f"{where} is damaged ({error}): download the zip again") from error
        except (RuntimeError, NotImplementedError) as error:  # a password, or a method that Python does not know
            raise BadInputError(f"{where} cannot be opened ({error}): unpack it and give the folder") from error


@contextlib.contextmanager
def opened_folder(path: Path) -> Iterator[Path]:
    """The folder itself; of a zip an unpacked copy that goes away with the block, without the one folder that may wrap it all.

    Raises:
        BadInputError: the zip is damaged, or not to be trusted.
        OSError: no room to unpack it.
    """
    if not (path.is_file() and path.suffix.lower() == ".zip"):
        yield path
        return
    archive = SafeZip(path.name, path)
    total = sum(archive.size(name) for name in archive.names())
    with tempfile.TemporaryDirectory(prefix="snaploop_zip_") as folder:
        if total > min(MAX_UNPACKED_BYTES, shutil.disk_usage(folder).free):
            raise BadInputError(f"{path.name} unpacks to {total >> 20} MiB, which is too much: give a part of it")
        root = Path(folder)
        for name in archive.names():
            target = root / name.replace("\\", "/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
        inside = list(root.iterdir())
        yield inside[0] if len(inside) == 1 and inside[0].is_dir() else root
