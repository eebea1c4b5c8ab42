"""Put the app on a board: copy what differs, write its configuration, restart it. Used by `snaploop board install`.

Files are written as x.part, checked by digest on the board, then swapped in one go, so that a cable pulled out midway leaves the old app.
"""

from __future__ import annotations

import json
import logging
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ..errors import BoardLinkError
from . import board_snippets as snippets
from .board_console import BoardConsole
from .board_files import APP_FOLDER, MAIN, PACKAGES

logger = logging.getLogger(__name__)

DATA_FOLDER = "/data/snaploop"
CONFIG_FILE = f"{DATA_FOLDER}/config.json"
MAIN_FILE = f"{APP_FOLDER}/{MAIN}"
PACKAGE_FILE = (
    f"{APP_FOLDER}/{PACKAGES[0]}/install.part"  # swept away with other left-overs when an installation was cut
)


@dataclass(frozen=True, slots=True)
class BoardIdentity:
    """Who the board is: chip id as hex digits, board type, firmware version text."""

    id: str
    machine: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation changed."""

    written: tuple[str, ...]
    skipped: int


def identify(console: BoardConsole) -> BoardIdentity:
    """The board at the console.

    Raises:
        BoardLinkError: it is no CanMV board.
    """
    try:
        chip, machine, firmware = console.value(snippets.IDENTIFY)
    except BoardLinkError as error:
        if "ImportError" in str(error) or "AttributeError" in str(error):
            raise BoardLinkError(f"this is no CanMV K230 board ({error})") from error
        raise
    plain = "".join(character for character in chip if character.isalnum()).lower()
    return BoardIdentity(plain, machine, firmware)


def read_config(console: BoardConsole) -> dict[str, Any]:
    """The board's configuration, {} when it has none that can be read."""
    try:
        fields = json.loads(console.read_file(CONFIG_FILE) or b"{}")
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def install(
    console: BoardConsole,
    files: Mapping[str, bytes],
    config: Mapping[str, Any],
    say: Callable[[str], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Installed:
    """Bring the files and the configuration onto the board; what is there already with the same bytes is not touched.

    Args:
        console: the board.
        files: path on the board → bytes.
        config: the fields of config.json.
        say: gets a line for each step.
        progress: gets the bytes that went over the wire, and how many there are.

    Raises:
        BoardLinkError: the board stopped answering, its card is full, or it would not replace a file.
    """
    wanted = {**files, CONFIG_FILE: json.dumps(config).encode()}
    here = console.value(snippets.with_arguments(snippets.LIST_FILES, PATHS=list(wanted)))
    changed = {path: data for path, data in wanted.items() if here.get(path) != _size_and_digest(data)}
    if changed:
        say(f"copying {len(changed)} of {len(wanted)} files ({sum(map(len, changed.values())) // 1024 + 1} KiB)")
        console.run(snippets.with_arguments(snippets.MAKE_FOLDERS, FOLDERS=_folders(changed)))
        _write_parts(console, changed, progress)
        _check_parts(console, changed)
        if MAIN_FILE in changed and console.value(snippets.with_arguments(snippets.KEEP_MAIN, MAIN=MAIN_FILE)):
            say(f"your own {MAIN_FILE} is kept as main_before_snaploop.py")
        console.run(snippets.with_arguments(snippets.SWAP_FILES, PATHS=list(changed)))
    folders = [f"{APP_FOLDER}/{package}" for package in PACKAGES]
    console.run(snippets.with_arguments(snippets.REMOVE_OTHERS, FOLDERS=folders, KEEP=sorted(wanted)))
    return Installed(tuple(changed), len(wanted) - len(changed))


def restart(console: BoardConsole) -> None:
    """Reset the board, so that its main.py runs."""
    console.leave_with(snippets.RESET)


def _write_parts(
    console: BoardConsole, files: Mapping[str, bytes], progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write each file as x.part; in one compressed package where the firmware can, as the wire carries some 10 KB/s."""
    if not console.value(snippets.CAN_UNPACK):
        total, before = sum(map(len, files.values())), 0
        for path, data in files.items():
            console.write_file(f"{path}.part", data, lambda done, so_far=before: progress(so_far + done, total))  # type: ignore[misc]
            before += len(data)
        return
    pieces = []
    for path, data in files.items():
        packed = zlib.compress(data, 9)
        pieces += [struct.pack(">HI", len(path.encode()), len(packed)), path.encode(), packed]
    package = b"".join(pieces)
    logger.debug("writing a package of %d bytes", len(package))
    console.write_file(PACKAGE_FILE, package, lambda done: progress(done, len(package)))
    console.run(snippets.with_arguments(snippets.UNPACK, PACKAGE=PACKAGE_FILE))


def _check_parts(console: BoardConsole, changed: Mapping[str, bytes]) -> None:
    parts = {f"{path}.part": _size_and_digest(data) for path, data in changed.items()}
    here = console.value(snippets.with_arguments(snippets.LIST_FILES, PATHS=list(parts)))
    damaged = sorted(path for path, expected in parts.items() if here.get(path) != expected)
    if damaged:
        raise BoardLinkError(
            f"{damaged[0]} arrived damaged on the board: try again; the app that was there is still there"
        )


def _size_and_digest(data: bytes) -> tuple[int, str]:
    return len(data), sha256(data).hexdigest()


def _folders(paths: Mapping[str, bytes]) -> list[str]:
    """Every folder that the paths need below the mount points, parents first."""
    needed: set[str] = set()
    for path in paths:
        parts = path.split("/")[:-1]
        needed.update("/".join(parts[:depth]) for depth in range(3, len(parts) + 1))
    return sorted(needed)
