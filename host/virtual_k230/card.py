"""The memory card: /sdcard and /data as real folders that obey a FAT card's rules.

The interpreter reads the folders by itself (card_fs.mjs) and asks here for everything that changes them. Rules: names
are case-insensitive; rename onto something that exists fails with EEXIST; the file of a running script or an imported
module cannot be written, renamed or removed until a reset; the card has a capacity; power can be cut at the n-th write.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from .hal import Hal, HalError

logger = logging.getLogger(__name__)

CLUSTER_BYTES = 32 * 1024  # usual for FAT32 on cards of this size; statvfs counts in it
SDCARD_BYTES = 500 * 1000 * 1000  # reference §1.3
DATA_BYTES = 28 * 1000 * 1000 * 1000


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _one_at_a_time(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """The script and the IDE change the card from two threads."""

    @functools.wraps(method)
    def change(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with args[0]._changing:  # type: ignore[attr-defined]  # the Card itself
            return method(*args, **kwargs)

    return change


class Partition:
    """One mounted folder with a capacity."""

    def __init__(self, name: str, root: Path, capacity_bytes: int) -> None:
        self.name = name
        self.root = root
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self.full_at_bytes: int | None = None
        """Instead of the capacity, while a full card is asked for."""
        self.count_used()

    def count_used(self) -> int:
        """Bytes in all files, counted anew."""
        total = 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                try:
                    total += os.path.getsize(os.path.join(folder, name))
                except OSError:  # a file that the host removed while we walked
                    continue
        self.used_bytes = total
        return total

    @property
    def free_bytes(self) -> int:
        """Room that is left."""
        capacity = self.capacity_bytes if self.full_at_bytes is None else self.full_at_bytes
        return max(0, capacity - self.used_bytes)


class Card:
    """The two partitions, and the faults that tests ask for."""

    def __init__(
        self, sdcard: Path, data: Path, sdcard_bytes: int = SDCARD_BYTES, data_bytes: int = DATA_BYTES
    ) -> None:
        self.partitions = {
            "/sdcard": Partition("/sdcard", sdcard, sdcard_bytes),
            "/data": Partition("/data", data, data_bytes),
        }
        self.n_writes = 0
        """Operations that changed the card since the board was made; what cut_at_write counts."""
        self.cut_at_write: int | None = None
        """Cut the power at this write (counted by n_writes): half of its bytes still reach the card."""
        self.on_power_cut: Callable[[], None] = lambda: None
        self.is_read_only = False
        """Every change fails with EROFS, as on a card whose lock is on."""
        self.locked: set[str] = set()
        """Board paths (lower case) of running scripts."""
        self._imported: set[str] = set()
        self._open: dict[str, tuple[int, int]] = {}
        self._kept: set[str] = set()
        self._changing = threading.RLock()

    def host_path(self, board_path: str) -> Path:
        """The real path of a board path; components are matched without regard to case.

        Raises:
            FileNotFoundError: the path is on no partition, or steps out of it.
        """
        for name, partition in self.partitions.items():
            if board_path == name or board_path.startswith(name + "/"):
                real = partition.root
                for part in board_path[len(name) :].split("/"):
                    if part in ("", "."):
                        continue
                    if part == "..":
                        raise FileNotFoundError(errno.ENOENT, "path steps out of the card", board_path)
                    real = _child(real, part)
                return real
        raise FileNotFoundError(errno.ENOENT, "no such partition", board_path)

    def leave_free(self, n_bytes: int | None) -> None:
        """Let both partitions have so little room; None: what their capacity says."""
        for partition in self.partitions.values():
            partition.full_at_bytes = None if n_bytes is None else partition.count_used() + n_bytes

    def _partition(self, board_path: str) -> Partition:
        for name, partition in self.partitions.items():
            if board_path == name or board_path.startswith(name + "/"):
                return partition
        raise HalError("OSError", errno.ENOENT)

    def _resolve(self, board_path: str) -> Path:
        try:
            return self.host_path(board_path)
        except FileNotFoundError:
            raise HalError("OSError", errno.ENOENT) from None

    def _count_write(self) -> bool:
        """Count one write; True when the power goes at this one."""
        self.n_writes += 1
        return self.cut_at_write is not None and self.n_writes >= self.cut_at_write

    def _cut(self) -> None:
        self.cut_at_write = None
        logger.info("power cut at write %d", self.n_writes)
        self.on_power_cut()

    def _refuse_locked(self, board_path: str, number: int) -> None:
        if self.is_read_only:
            raise HalError("OSError", errno.EROFS)
        if board_path.lower() in self.locked | self._imported:
            raise HalError("OSError", number)

    def _change(self, action: Callable[[], Any]) -> None:
        if self.is_read_only:
            raise HalError("OSError", errno.EROFS)
        if self._count_write():
            self._cut()
            return
        try:
            action()
        except OSError as error:
            raise HalError("OSError", error.errno or errno.EIO) from None

    @_one_at_a_time
    def create(self, board_path: str) -> None:
        """A new empty file."""
        real = self._resolve(board_path)
        if self._partition(board_path).free_bytes <= 0:
            raise HalError("OSError", errno.ENOSPC)
        self._change(lambda: os.close(os.open(real, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)))

    @_one_at_a_time
    def mkdir(self, board_path: str) -> None:
        """A new folder; EEXIST when there is something of that name."""
        real = self._resolve(board_path)
        self._change(lambda: os.mkdir(real))

    @_one_at_a_time
    def open_for_writing(self, board_path: str, survives_resets: bool = False) -> None:
        """Called when a file is opened for writing; EPERM when it is a running script or an imported module."""
        self._refuse_locked(board_path, errno.EPERM)
        fd, n_users = self._open.get(board_path, (-1, 0))
        if n_users == 0:
            try:
                fd = os.open(self._resolve(board_path), os.O_RDWR)
            except OSError as error:
                raise HalError("OSError", error.errno) from None
        self._open[board_path] = (fd, n_users + 1)
        if survives_resets:
            self._kept.add(board_path)

    @_one_at_a_time
    def close(self, board_path: str) -> None:
        """The counterpart of open_for_writing."""
        fd, n_users = self._open.pop(board_path, (-1, 0))
        self._kept.discard(board_path)
        if n_users > 1:
            self._open[board_path] = (fd, n_users - 1)
        elif fd >= 0:
            os.close(fd)

    @_one_at_a_time
    def write(self, board_path: str, position: int, blob: memoryview) -> int:
        """Write into an open file at a byte position; returns the bytes written (fewer when the card fills up)."""
        if self.is_read_only:
            raise HalError("OSError", errno.EROFS)
        fd = self._open[board_path][0]
        partition = self._partition(board_path)
        size = os.fstat(fd).st_size
        room = partition.free_bytes + max(0, size - position)
        if room <= 0 and len(blob):
            raise HalError("OSError", errno.ENOSPC)
        part = blob[:room]
        if self._count_write():
            os.pwrite(fd, part[: len(part) // 2], position)
            self._cut()
            return len(part)
        os.pwrite(fd, part, position)
        partition.used_bytes += max(0, position + len(part) - size)
        return len(part)

    @_one_at_a_time
    def truncate(self, board_path: str, size: int) -> None:
        """Cut a file to `size` bytes (open(..., "w") does so with 0)."""
        self._refuse_locked(board_path, errno.EPERM)
        real = self._resolve(board_path)
        partition = self._partition(board_path)
        try:
            before = real.stat().st_size
        except OSError as error:
            raise HalError("OSError", error.errno) from None
        if size == before:
            return
        self._change(lambda: os.truncate(real, size))
        partition.used_bytes += size - before

    @_one_at_a_time
    def rename(self, old: str, new: str) -> None:
        """Rename; EEXIST when the target exists, as the board's FAT driver answers (only a change of case may pass)."""
        source, target = self._resolve(old), self._resolve(new)
        self._refuse_locked(old, errno.EBUSY)
        if target.exists() and not (source.exists() and target.samefile(source)):
            raise HalError("OSError", errno.EEXIST)
        if target.exists():
            target = target.with_name(new.rsplit("/", 1)[-1])
        self._change(lambda: os.rename(source, target))

    @_one_at_a_time
    def remove(self, board_path: str) -> None:
        """Remove a file."""
        self._refuse_locked(board_path, errno.EPERM)
        real = self._resolve(board_path)
        size = real.stat().st_size if real.is_file() else 0
        self._change(lambda: os.remove(real))
        self._partition(board_path).used_bytes -= size

    @_one_at_a_time
    def rmdir(self, board_path: str) -> None:
        """Remove an empty folder."""
        real = self._resolve(board_path)
        self._change(lambda: os.rmdir(real))

    def statvfs(self, board_path: str) -> list[int]:
        """The ten numbers of os.statvfs(); as on the board only f_bsize, f_blocks and f_bfree mean something."""
        partition = self._partition(board_path)
        blocks = partition.capacity_bytes // CLUSTER_BYTES
        free = partition.free_bytes // CLUSTER_BYTES
        return [CLUSTER_BYTES, CLUSTER_BYTES, blocks, free, free, 0, 0, 0, 0, 255]

    @_one_at_a_time
    def forget_open_files(self) -> None:
        """Close what a child left open (it was killed, or reset)."""
        for board_path in [path for path in self._open if path not in self._kept]:
            os.close(self._open.pop(board_path)[0])
        self.locked.clear()
        self._imported.clear()

    def imported(self, board_path: str) -> None:
        """The interpreter compiles a module's file: it stays in use until a reset."""
        self._imported.add(board_path.lower())

    def register(self, hal: Hal) -> None:
        """Answer the card operations of card_fs.mjs and of canmv/os.py."""
        for name in (
            "create", "mkdir", "open_for_writing", "close", "write", "truncate", "rename", "remove", "rmdir", "statvfs",
            "imported",
        ):  # fmt: skip
            hal.op(f"card.{name}", getattr(self, name))


def _child(folder: Path, name: str) -> Path:
    exact = folder / name
    if exact.exists():
        return exact
    wanted = name.lower()
    try:
        for other in os.listdir(folder):
            if other.lower() == wanted:
                return folder / other
    except OSError:  # no such folder: the caller finds out by using the path
        return exact
    return exact
