"""Files on the card: every write that must survive a power cut goes through here. Samples, models, config and log use it.

FAT has no atomic replace (k230-platform §1.3), so a file is written as x.part, closed, then renamed over the removed target.
After a cut either x is the old one, or x is gone and x.part is whole; `finish` tells these apart with the caller's check.
"""

import os

from snaploop_shared.errors import CardFullError
from snaploop_shared.portable import file_size, path_exists, sync_card

PART = ".part"
RESERVE_BYTES = 1024 * 1024  # left free, so that labels, slots and the log can always be written
_ENOSPC = 28
_EROFS = 30


class Card:
    """One folder tree on the card, paths are relative to its root."""

    def __init__(self, root: str) -> None:
        """Make the root folder when it is missing (its parents too)."""
        self.root = root
        self.make_folder("")

    def path(self, name: str) -> str:
        """The full path of a name under the root."""
        return self.root + "/" + name if name else self.root

    def make_folder(self, name: str) -> None:
        """Make a folder and its parents where missing.

        Raises:
            CardFullError: no room.
            OSError: the card refuses, e.g. because it is read-only or broken.
        """
        path = self.path(name)
        at = path.find("/", 1)
        while True:
            folder = path if at < 0 else path[:at]
            if not path_exists(folder):
                try:
                    os.mkdir(folder)
                except OSError as error:
                    raise as_card_error(error, folder)
            if at < 0:
                return
            at = path.find("/", at + 1)

    def names(self, folder: str) -> "list[str]":
        """The names in a folder, sorted; none when it is missing."""
        if not path_exists(self.path(folder)):
            return []
        return sorted(os.listdir(self.path(folder)))

    def has(self, name: str) -> bool:
        """Whether a file or folder of this name exists."""
        return path_exists(self.path(name))

    def size(self, name: str) -> int:
        """Size in bytes, -1 when there is no such file."""
        return file_size(self.path(name))

    def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
        """`length` bytes of a file from `offset`; to its end when -1.

        Raises:
            OSError: there is no such file, or the card fails.
        """
        with open(self.path(name), "rb") as file:
            if offset:
                file.seek(offset)
            return file.read(length) if length >= 0 else file.read()

    def write(self, name: str, data: "bytes | bytearray | memoryview") -> None:
        """Make the file hold `data`: afterwards it does, or nothing changed.

        Raises:
            CardFullError: no room; what was there before is untouched.
            OSError: the card fails.
        """
        part = self.path(name) + PART
        try:
            with open(part, "wb") as file:
                self._write_all(file, data)
            sync_card()
            self.rename(name + PART, name)
        except OSError as error:
            self._discard(name + PART)
            raise as_card_error(error, name)

    def append(self, name: str, data: bytes) -> None:
        """Add to the end of a file; a cut may tear the last piece.

        Raises:
            CardFullError: no room.
            OSError: the card fails.
        """
        try:
            with open(self.path(name), "ab") as file:
                self._write_all(file, data)
        except OSError as error:
            raise as_card_error(error, name)

    def rename(self, name: str, target: str) -> None:
        """Rename over `target`, which is removed first."""
        self.remove(target)
        os.rename(self.path(name), self.path(target))

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        if path_exists(self.path(name)):
            os.remove(self.path(name))

    def remove_folder(self, name: str) -> None:
        """Remove a folder and the files in it."""
        for inner in self.names(name):
            self.remove(name + "/" + inner)
        if self.has(name):
            os.rmdir(self.path(name))

    def finish(self, name: str, is_whole) -> None:
        """After a power cut: complete an interrupted `write` of this file, or undo it.

        Args:
            name: the file.
            is_whole: function(bytes) -> bool; whether these bytes are a complete file of its kind.
        """
        part = name + PART
        if not self.has(part):
            return
        if not self.has(name) and is_whole(self.read(part)):
            self.rename(part, name)
        else:
            self.remove(part)

    def free_bytes(self) -> int:
        """Free space in bytes."""
        status = os.statvfs(self.root)
        return status[0] * status[3]

    def check_room(self, size: int) -> None:
        """Return when a file of this size fits.

        Raises:
            CardFullError: it does not; the message says how much is free.
        """
        free = self.free_bytes()
        if free < size + RESERVE_BYTES:
            raise CardFullError("card full: {} KiB free; sync, then delete photos with a PC".format(free // 1024))

    def _write_all(self, file, data):
        """The one place where bytes go to the card (tests cut the power here)."""
        done = 0
        view = memoryview(data)
        while done < len(view):
            count = file.write(view[done:])
            if not count:
                raise OSError(_ENOSPC)
            done += count

    def _discard(self, name):
        try:
            self.remove(name)
        except OSError as error:  # the first error is the one to tell; start-up removes the leftover
            print("card: leftover", name, error)


def as_card_error(error: OSError, name: str) -> Exception:
    """The error to raise for a failed write: CardFullError when the card is full, else one that names the file."""
    code = error.args[0] if error.args else 0
    if code == _ENOSPC:
        return CardFullError("card full while writing {}: sync, then delete photos with a PC".format(name))
    if code == _EROFS:
        return OSError(code, "the card is read-only: {}".format(name))
    return error
