"""Files over the IDE protocol: upload with a SHA-256 (all firmware), and the file commands of protocol version 2.

Facts: K230 platform notes §9.4 and §9.6, and the firmware's own protocol handler. Every number on the wire is little endian.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path

from .card import Card
from .hal import HalError

NAME_BYTES = 68
INFO_BYTES = 4 + NAME_BYTES + 32
CHUNK_MAX = 128 * 1024
PATH_MAX = 512

NONE, PATH_ERR, CHKSUM_ERR, WRITE_ERR, CHUNK_ERR, NOT_OPEN, SHA2_ERR, VERIFY_OK, OPEN_ERR = range(1024, 1033)
NOT_FOUND, EXISTS, INVALID_PATH, NOT_EMPTY, DENIED, IO_ERROR = range(1033, 1039)

_STATUS_OF_ERRNO = {
    errno.ENOENT: NOT_FOUND, errno.EEXIST: EXISTS, errno.EACCES: DENIED, errno.EPERM: DENIED, errno.ENOTEMPTY: NOT_EMPTY,
}  # fmt: skip
_ROOTS = ("/sdcard", "/data")


class IdeFiles:
    """What the IDE does to one board's card."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.status = NONE
        """Answer to QUERY_FILE_STAT: how the last CREATEFILE or WRITEFILE went."""
        self._name = ""
        self._digest = b""
        self._chunk_bytes = 0
        self._path: str | None = None
        """The file that is being written."""
        self._position = 0

    # -- upload -----------------------------------------------------------------------------------------------------

    def create(self, info: bytes) -> int:
        """Begin a file: chunk size, name, SHA-256 (INFO_BYTES); returns the status."""
        self.close()
        if len(info) != INFO_BYTES:
            self.status = PATH_ERR
            return self.status
        self._chunk_bytes, name, self._digest = struct.unpack(f"<i{NAME_BYTES}s32s", info)
        self._name = name.split(b"\0", 1)[0].decode("utf-8", "replace")
        path = resolve(self._name)
        if not 0 < self._chunk_bytes <= CHUNK_MAX:
            self.status = CHUNK_ERR
        elif path is None:
            self.status = PATH_ERR
        else:
            self.status = self._open(path)
        if self.status != NONE:
            self._chunk_bytes = 0
        return self.status

    def _open(self, path: str) -> int:
        try:
            if self._card.host_path(path).exists():
                self._card.truncate(path, 0)
            else:
                self._card.create(path)
            self._card.open_for_writing(path, survives_resets=True)
        except (HalError, OSError):
            return OPEN_ERR
        self._path, self._position = path, 0
        return NONE

    def write(self, chunk: bytes) -> int:
        """Append a chunk; returns the status."""
        if self._path is None or len(chunk) > self._chunk_bytes:
            self.status = WRITE_ERR
            return self.status
        try:
            written = self._card.write(self._path, self._position, memoryview(chunk))
        except (HalError, OSError):
            written = -1
        if written == len(chunk):
            self._position += written
            self.status = NONE
        else:
            self.close()
            self.status = WRITE_ERR
        return self.status

    def append(self, chunk: bytes) -> int:
        """As `write`, for version 2: goes on after another command has closed the file; returns the status."""
        if not self._chunk_bytes or len(chunk) > self._chunk_bytes:
            self.status = CHUNK_ERR
            return self.status
        path = resolve(self._name)
        if self._path is None and path is not None and self._reopen(path) != NONE:
            self.status = WRITE_ERR
            return self.status
        return self.write(chunk)

    def _reopen(self, path: str) -> int:
        try:
            position = self._card.host_path(path).stat().st_size
            self._card.open_for_writing(path, survives_resets=True)
        except (HalError, OSError):
            return OPEN_ERR
        self._path, self._position = path, position
        return NONE

    def verify(self) -> int:
        """Close the file and compare its SHA-256; returns VERIFY_OK, NOT_OPEN or SHA2_ERR."""
        self.close()
        self._chunk_bytes = 0
        path = resolve(self._name)
        try:
            if path is None:
                return NOT_OPEN
            digest = hashlib.sha256(self._card.host_path(path).read_bytes()).digest()
        except OSError:
            return NOT_OPEN
        return VERIFY_OK if digest == self._digest else SHA2_ERR

    def close(self) -> None:
        """Close the file that is being written, if any."""
        path, self._path = self._path, None
        if path is not None:
            self._card.close(path)

    # -- version 2 --------------------------------------------------------------------------------------------------

    def stat(self, name: str | None) -> bytes:
        """Status (0: found), kind (1: folder), size, time of change."""
        try:
            path = _resolved(name)
            if path == "/":
                return struct.pack("<4I", 0, 1, 0, 0)
            found = self._card.host_path(path).stat()
        except (HalError, OSError) as error:
            return struct.pack("<4I", _status(error), 0, 0, 0)
        return struct.pack("<4I", 0, *_facts(found))

    def list(self, name: str | None) -> bytes:
        """Status, bytes of the entries, their number; then for each: kind, length of name, size, time of change, name."""
        try:
            path = _resolved(name)
            if path == "/":
                paths = [(root[1:].encode(), self._card.host_path(root)) for root in _ROOTS]
            else:
                paths = [(os.fsencode(one.name), one) for one in sorted(self._card.host_path(path).iterdir())]
        except (HalError, OSError) as error:
            return struct.pack("<3I", _status(error), 0, 0)
        entries = []
        for text, entry in paths:
            kind, size, changed = _describe(entry)
            entries.append(struct.pack("<BBII", kind, len(text[:255]), size, changed) + text[:255])
        body = b"".join(entries)
        return struct.pack("<3I", 0, len(body), len(entries)) + body

    def read(self, offset: int, n_bytes: int, name: str | None) -> bytes:
        """Status, bytes that follow, size of the whole file; then at most CHUNK_MAX bytes from `offset` on."""
        try:
            path = self._card.host_path(_resolved(name))
            if path.is_dir():
                return struct.pack("<3I", INVALID_PATH, 0, 0)
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(offset)
                data = file.read(min(n_bytes, CHUNK_MAX))
        except (HalError, OSError) as error:
            return struct.pack("<3I", _status(error), 0, 0)
        return struct.pack("<3I", 0, len(data), size & 0xFFFFFFFF) + data

    def delete(self, name: str | None) -> int:
        """Remove a file; returns the status."""
        return self._change(lambda: self._card.remove(_resolved(name)), done=NONE)

    def rename(self, old: str | None, new: str | None) -> int:
        """Rename; returns the status."""
        return self._change(lambda: self._card.rename(_resolved(old), _resolved(new)), done=0)

    def mkdir(self, name: str | None) -> int:
        """Make a folder; returns the status."""
        status = self._change(lambda: self._card.mkdir(_resolved(name)), done=NONE, closes=False)
        return INVALID_PATH if status == NOT_FOUND else status

    def rmdir(self, name: str | None) -> int:
        """Remove an empty folder; returns the status."""
        return self._change(lambda: self._card.rmdir(_resolved(name)), done=NONE)

    def _change(self, action: Callable[[], None], done: int, closes: bool = True) -> int:
        if closes:
            self.close()
        try:
            action()
        except (HalError, OSError) as error:
            return _status(error)
        return done


def _facts(found: os.stat_result) -> tuple[int, int, int]:
    """Kind (1: folder), size, time of change; what does not fit into 32 bits is cut as the firmware cuts it."""
    is_folder = stat.S_ISDIR(found.st_mode)
    return int(is_folder), 0 if is_folder else found.st_size & 0xFFFFFFFF, int(found.st_mtime) & 0xFFFFFFFF


def _describe(entry: Path) -> tuple[int, int, int]:
    try:
        return _facts(entry.stat())
    except OSError:  # it went away since the folder was read
        return 0, 0, 0


class _InvalidPathError(OSError):
    pass


def resolve(name: str) -> str | None:
    """The board path of a name: relative ones lie under /sdcard; None for an empty one or one with "..".."""
    if not name or ".." in name:
        return None
    return name if name.startswith("/") else f"/sdcard/{name}"


def _resolved(name: str | None) -> str:
    path = None if name is None else resolve(name)
    if path is None:
        raise _InvalidPathError
    return path


def _status(error: Exception) -> int:
    if isinstance(error, _InvalidPathError):
        return INVALID_PATH
    number = error.error_args[0] if isinstance(error, HalError) else getattr(error, "errno", None)
    return _STATUS_OF_ERRNO.get(number, IO_ERROR)  # type: ignore[arg-type]  # None has no entry either
