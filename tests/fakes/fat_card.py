"""A FAT card in memory under snaploop_device.card: rename refuses a target, power can go at every write, cards fill up and lock.

What a cut leaves: the directory learns a file's new size at its close, so before that the old size stands; or some sectors of the
new bytes got there, and the last of them is torn: half new bytes, half noise.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable

from snaploop_device import card as card_module

SECTOR_BYTES = 512
CLUSTER_BYTES = 32 * 1024
CAPACITY_BYTES = 64 * 1024 * 1024
FOLDER_MODE = 0x4000


class PowerCutError(BaseException):
    """The board is off: nothing of the script may run on, so no `except Exception` may hold it."""


class FatCard:
    """Files and folders by path; `on_write(kind, path, old, new)` is called before everything that changes the card."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = {"/data"}
        self.n_writes = 0
        self.cut_at: int | None = None
        self.locked_at: int | None = None
        self.full_at: int | None = None
        self.on_write: Callable[[str, str, bytes, bytes], None] = lambda kind, path, old, new: None

    def mount(self, monkeypatch) -> None:
        """Put it under the app's Card; everything the app stores goes through there."""
        monkeypatch.setattr(card_module, "os", self)
        monkeypatch.setattr(card_module, "open", self.open, raising=False)
        monkeypatch.setattr(card_module, "path_exists", lambda path: path in self.files or path in self.folders)
        monkeypatch.setattr(card_module, "file_size", lambda path: len(self.files[path]) if path in self.files else -1)
        monkeypatch.setattr(card_module, "sync_card", lambda: None)

    def put(self, files: dict[str, bytes], folders: set[str]) -> None:
        """Begin from this content, with every fault off."""
        self.files, self.folders = dict(files), set(folders)
        self.n_writes = 0
        self.cut_at = self.locked_at = self.full_at = None
        self.on_write = lambda kind, path, old, new: None

    def change(self, kind: str, path: str, old: bytes = b"", new: bytes = b"") -> None:
        """Count a write and let the faults have it."""
        if self.cut_at is not None and self.n_writes >= self.cut_at:
            raise PowerCutError
        if self.locked_at is not None and self.n_writes >= self.locked_at:
            raise OSError(errno.EROFS)
        self.on_write(kind, path, old, new)
        self.n_writes += 1
        if self.cut_at is not None and self.n_writes >= self.cut_at:
            torn = torn_files(kind, path, old, new, random.Random(self.n_writes))
            if torn:
                self.files[path] = torn[-1]
            raise PowerCutError
        if self.full_at is not None and self.n_writes >= self.full_at and kind in ("create", "write", "mkdir"):
            raise OSError(errno.ENOSPC)

    # -- what Card calls --

    def open(self, path: str, mode: str = "rb") -> FatFile:
        if mode == "rb":
            if path not in self.files:
                raise OSError(errno.ENOENT)
            return FatFile(self, path, self.files[path], False)
        old = self.files.get(path, b"") if mode == "ab" else b""
        if mode == "wb" or path not in self.files:
            self.change("create", path)
            self.files[path] = b""
        return FatFile(self, path, old, True)

    def mkdir(self, path: str) -> None:
        self.change("mkdir", path)
        self.folders.add(path)

    def rmdir(self, path: str) -> None:
        if any(one.startswith(path + "/") for one in self.files):
            raise OSError(errno.ENOTEMPTY)
        self.change("rmdir", path)
        self.folders.remove(path)

    def listdir(self, path: str) -> list[str]:
        return [one[len(path) + 1 :] for one in (*self.files, *self.folders) if one.rpartition("/")[0] == path]

    def rename(self, old: str, new: str) -> None:
        if old not in self.files:
            raise OSError(errno.ENOENT)
        if new in self.files or new in self.folders:
            raise OSError(errno.EEXIST)
        self.change("rename", old)
        self.files[new] = self.files.pop(old)

    def remove(self, path: str) -> None:
        if path not in self.files:
            raise OSError(errno.ENOENT)
        self.change("remove", path)
        del self.files[path]

    def statvfs(self, path: str) -> tuple[int, ...]:
        used = sum(-(-len(data) // CLUSTER_BYTES) for data in self.files.values())
        total = CAPACITY_BYTES // CLUSTER_BYTES
        is_full = self.full_at is not None and self.n_writes >= self.full_at
        return (CLUSTER_BYTES, CLUSTER_BYTES, total, 0 if is_full else total - used)


class FatFile:
    """An open file; its bytes are the card's when it is closed."""

    def __init__(self, card: FatCard, path: str, data: bytes, is_writable: bool) -> None:
        self._card, self._path, self._data, self._is_writable = card, path, data, is_writable
        self._old = data
        self._at = 0
        self._is_broken = False

    def seek(self, position: int) -> None:
        self._at = position

    def read(self, length: int = -1) -> bytes:
        data = self._data[self._at :] if length < 0 else self._data[self._at : self._at + length]
        self._at += len(data)
        return data

    def write(self, data) -> int:
        try:
            self._card.change("write", self._path, self._old, self._data + bytes(data))
        except (OSError, PowerCutError):
            self._is_broken = True
            raise
        self._data += bytes(data)
        return len(data)

    def __enter__(self) -> FatFile:
        return self

    def __exit__(self, *_error) -> None:
        if self._is_writable and not self._is_broken:
            self._card.change("close", self._path, self._old, self._data)
            self._card.files[self._path] = self._data


def torn_files(kind: str, path: str, old: bytes, new: bytes, rng: random.Random) -> list[bytes]:
    """What may lie at `path` after a cut in this write, beside what was there before."""
    if kind not in ("write", "close"):
        return []
    sectors = rng.randrange(len(old) // SECTOR_BYTES, len(new) // SECTOR_BYTES + 1) * SECTOR_BYTES
    last = new[sectors : sectors + SECTOR_BYTES // 2]
    return [new[:sectors] + last + rng.randbytes(min(SECTOR_BYTES // 2, max(0, len(new) - sectors - len(last))))]
