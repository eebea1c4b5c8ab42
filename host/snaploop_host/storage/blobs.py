"""Immutable bytes named by their SHA-256, under blobs/, and uploads that can stop and go on at any byte, under blobs/partial/.

    blobs/ab/ab12…      complete, verified, never changed, never deleted
    blobs/partial/ab12… what has arrived so far of ab12…

A file is written beside its place, flushed to the disk and renamed, so that a power cut leaves the old state or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

from snaploop_shared.sample_record import is_digest

from ..errors import BadInputError, NotFoundError, UploadGapError
from ..files import storage_errors, sync_folder

logger = logging.getLogger(__name__)

MAX_UPLOAD_BYTES = 16 * 1024 * 1024  # a 1920×1080 JPEG of the board has well under 2 MiB
_CHUNK_BYTES = 1024 * 1024


class BlobFolder:
    """The blobs below one folder; safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Make the folders when they are not there.

        Raises:
            StorageError: they cannot be made.
        """
        self._folder = folder
        self._partial = folder / "partial"
        with storage_errors(folder):
            self._partial.mkdir(parents=True, exist_ok=True)

    def has(self, digest: str) -> bool:
        """Whether the blob is here, complete."""
        return is_digest(digest) and self._place(digest).exists()

    def path(self, digest: str) -> Path:
        """Where the blob lies; read it, never write it.

        Raises:
            NotFoundError: there is none.
        """
        if not self.has(digest):
            raise NotFoundError(f"no blob {digest[:12]} in {self._folder}")
        return self._place(digest)

    def size(self, digest: str) -> int:
        """Bytes of a complete blob."""
        return self.path(digest).stat().st_size

    def read(self, digest: str, offset: int = 0, length: int | None = None) -> bytes:
        """Up to `length` bytes from `offset`; all when None."""
        with self.path(digest).open("rb") as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def add(self, data: bytes) -> str:
        """Store bytes; their digest. Storing what is there already costs nothing.

        Raises:
            StorageFullError, StorageError: nothing was stored.
        """
        digest = hashlib.sha256(data).hexdigest()
        if not self.has(digest):
            with self._new_file(digest) as file:
                file.write(data)
        return digest

    def add_file(self, path: Path) -> str:
        """Store a copy of a file; its digest."""
        hasher = hashlib.sha256()
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                hasher.update(chunk)
            digest = hasher.hexdigest()
            if not self.has(digest):
                source.seek(0)
                with self._new_file(digest) as file:
                    while chunk := source.read(_CHUNK_BYTES):
                        file.write(chunk)
        return digest

    def partial_size(self, digest: str) -> int:
        """How many bytes of an upload are here: all of them when it is complete."""
        if self.has(digest):
            return self.size(digest)
        try:
            return (self._partial / digest).stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, digest: str, offset: int, piece: bytes, total: int) -> int:
        """Add a piece of an upload; how many bytes are here now. At `total` bytes the blob is verified and complete.

        Raises:
            UploadGapError: `offset` is not where the upload stopped.
            BadInputError: not a digest, too long, or the whole has another digest (what was there is dropped: begin again).
            StorageFullError, StorageError: what was there before is still there.
        """
        if not is_digest(digest):
            raise BadInputError(f"{digest!r} is no SHA-256")
        if not 0 < total <= MAX_UPLOAD_BYTES:
            raise BadInputError(f"upload of {total} bytes: 1 to {MAX_UPLOAD_BYTES} are taken")
        here = self.partial_size(digest)
        if self.has(digest):
            return here
        if offset != here:
            raise UploadGapError(digest, here)
        if here + len(piece) > total:
            (self._partial / digest).unlink(missing_ok=True)
            raise BadInputError(
                f"upload of {digest[:12]} is longer than the {total} bytes that were announced: begin again"
            )
        path = self._partial / digest
        with storage_errors(path):
            self._append_or_undo(path, here, piece)
        if here + len(piece) == total:
            self._complete(digest, path)
        return here + len(piece)

    def _append_or_undo(self, path: Path, here: int, piece: bytes) -> None:
        with path.open("ab", buffering=0) as file:  # unbuffered: closing must not write what was undone
            try:
                _write_all(file, piece)
            except OSError:
                os.ftruncate(file.fileno(), here)
                raise

    def _complete(self, digest: str, path: Path) -> None:
        with path.open("rb") as file:
            found = _digest_of(file)
            os.fsync(file.fileno())
        if found != digest:
            path.unlink()
            raise BadInputError(f"upload of {digest[:12]} arrived with digest {found[:12]}: begin again")
        with storage_errors(path):
            place = self._place(digest)
            place.parent.mkdir(exist_ok=True)
            path.replace(place)
            sync_folder(place.parent)

    @contextlib.contextmanager
    def _new_file(self, digest: str) -> Iterator[BinaryIO]:
        place = self._place(digest)
        part = self._partial / f"{digest}.{secrets.token_hex(4)}.new"
        with storage_errors(place):
            try:
                place.parent.mkdir(exist_ok=True)
                with part.open("wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(place)
                sync_folder(place.parent)
            finally:
                part.unlink(missing_ok=True)

    def _place(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


def _write_all(file: RawIOBase, piece: bytes) -> None:
    """Write every byte; the system may take a part at a time."""
    view = memoryview(piece)
    while view:
        view = view[file.write(view) or 0 :]


def _digest_of(file: BinaryIO) -> str:
    hasher = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        hasher.update(chunk)
    return hasher.hexdigest()
