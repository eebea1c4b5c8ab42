"""Write a file so that a power cut leaves the old one or the new one. For every folder that keeps files."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from .errors import StorageError, StorageFullError

FULL_BYTES = 256 << 10


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path`: written beside it, flushed to the disk, renamed.

    Raises:
        StorageFullError, StorageError: the old file is still there.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with storage_errors(path):
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder has no room for anything that is worth writing."""
    return shutil.disk_usage(folder).free < FULL_BYTES


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors about `path` into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError(
                f"no room on the disk of {path.parent}: free some space and try again; nothing was lost"
            ) from error
        raise StorageError(f"{path} cannot be written ({error.strerror}): check owner and permissions") from error
