"""Version 2 of the IDE's protocol ("capabilities", firmware v1.8): files, running a file, virtual touch.

Facts: K230 platform notes §9.6 and the firmware's protocol handler.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .ide_files import NONE, resolve
from .ide_talk import Command, Talk, path, payload

CAPABILITIES, FW_VERSION_FULL, SCRIPT_STATUS, QUERY_FILE_STAT2, LIST_DIR, READ_FILE = range(0xA2, 0xA8)
CREATE_FILE2, WRITE_FILE2, DELETE_FILE, RENAME_FILE, MKDIR, RMDIR, FILE_EXEC = range(0xA8, 0xAF)
VTOUCH_STATUS, VTOUCH_EVENT = 0xAF, 0xB0
_VERSION, _FLAGS = 2, 0x3FF  # list, read, write, delete, rename, mkdir, rmdir, exec, touch, REPL input
_TOUCH_EVENTS = {1: "up", 2: "down", 3: "move"}
_TOUCH_BYTES = 12
_TOUCH_QUEUE_EVENTS = 16  # what the firmware keeps; the oldest goes when another one comes


def version_2_commands(ide: Any) -> dict[int, Command]:
    """{command: handler} over one board's Ide."""
    return {
        CAPABILITIES: lambda length: ide.send_u32(_VERSION, _FLAGS),
        FW_VERSION_FULL: lambda length: ide.send(ide.board.version_text.encode()[:127].ljust(128, b"\0")),
        SCRIPT_STATUS: lambda length: ide.send_u32(int(ide.board.is_script_running())),
        **_file_commands(ide),
        FILE_EXEC: _on_path(lambda name: _run_file(ide, name)),
        VTOUCH_STATUS: lambda length: ide.send_u32(*ide.board.touch_status()),
        VTOUCH_EVENT: lambda length: _touch(ide.board, length),
    }


def _file_commands(ide: Any) -> dict[int, Command]:
    files = ide.files

    def read_file(length: int) -> Talk:
        offset, n_bytes = struct.unpack("<II", (yield 8))
        ide.send(files.read(offset, n_bytes, (yield from path())))

    def create_file(length: int) -> Talk:
        ide.send_u32(_acknowledged(files.create((yield from ide.file_info(length)))))

    def write_file(length: int) -> Talk:
        n_bytes = length
        if not n_bytes:
            (n_bytes,) = struct.unpack("<I", (yield 4))
        ide.send_u32(_acknowledged(files.append((yield from payload(n_bytes)))))

    def rename(length: int) -> Talk:
        old = yield from path()
        ide.send_u32(files.rename(old, (yield from path())))

    return {
        QUERY_FILE_STAT2: _on_path(lambda name: ide.send(files.stat(name))),
        LIST_DIR: _on_path(lambda name: ide.send(files.list(name))),
        READ_FILE: read_file,
        CREATE_FILE2: create_file,
        WRITE_FILE2: write_file,
        DELETE_FILE: _on_path(lambda name: ide.send_u32(files.delete(name))),
        RENAME_FILE: rename,
        MKDIR: _on_path(lambda name: ide.send_u32(files.mkdir(name))),
        RMDIR: _on_path(lambda name: ide.send_u32(files.rmdir(name))),
    }


def _on_path(answer: Callable[[str | None], object]) -> Command:
    def handle(length: int) -> Talk:
        answer((yield from path()))

    return handle


def _run_file(ide: Any, name: str | None) -> None:
    found = None if name is None else resolve(name)
    if found is None:
        return
    if ide.board.is_script_running():
        ide.capture(b"FILE_EXEC ERROR: script already running\n")
        return
    try:
        ide.run(ide.board.host_path(found).read_bytes().decode("utf-8", "replace"))
    except OSError as error:
        ide.capture(f"OSError: [Errno {error.errno}] {found}\n".encode())


def _touch(board: Any, length: int) -> Talk:
    event = yield from payload(length)
    if length == _TOUCH_BYTES:
        x, y, kind = struct.unpack_from("<HHB", event)
        if kind in _TOUCH_EVENTS and board.touches.is_open:
            board.touches.put(_TOUCH_EVENTS[kind], x, y, limit=_TOUCH_QUEUE_EVENTS)


def _acknowledged(status: int) -> int:
    """Version 2 says 0 where the older commands say NONE."""
    return 0 if status == NONE else status
