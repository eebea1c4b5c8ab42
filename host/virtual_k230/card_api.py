"""The card of a virtual board over HTTP: list, read, write, remove. Part of control.py; obeys the card's rules and faults."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from typing import Any

from aiohttp import web

from .apps import MAIN, app_files, app_names
from .board import VirtualK230
from .hal import HalError
from .http_json import read_object

MAX_UPLOAD_BYTES = 256 << 20


class CardApi:
    """The handlers over one board's card."""

    def __init__(self, board: VirtualK230) -> None:
        self._board = board

    def routes(self) -> list[web.RouteDef]:
        """What control.py adds to its application."""
        return [
            web.get("/card/list", self.list),
            web.get("/card/file", self.read),
            web.put("/card/file", self.write),
            web.delete("/card/file", self.remove),
            web.post("/card/folder", self.make_folder),
            web.get("/apps", self.apps),
            web.post("/apps", self.put_app),
        ]

    async def list(self, request: web.Request) -> web.StreamResponse:
        """?path=: {"entries": [{"name", "is_folder", "size", "mtime"}] by name, folders first, "free_bytes"}."""
        path = _path(request)
        entries = []
        for entry in self._board.host_path(path).iterdir():
            found = entry.stat()
            is_folder = stat.S_ISDIR(found.st_mode)
            entries.append(
                {"name": entry.name, "is_folder": is_folder, "size": found.st_size, "mtime": int(found.st_mtime)}
            )
        entries.sort(key=lambda one: (not one["is_folder"], str(one["name"]).lower()))
        sizes = self._board.card.statvfs(path)
        return web.json_response({"entries": entries, "free_bytes": sizes[0] * sizes[3]})

    async def read(self, request: web.Request) -> web.StreamResponse:
        """?path=: the file."""
        found = self._board.host_path(_path(request))
        if not found.is_file():
            raise ValueError(f"{_path(request)} is a folder: list it")
        return web.FileResponse(found, headers={"Cache-Control": "no-store"})

    async def write(self, request: web.Request) -> web.StreamResponse:
        """?path=: the body becomes the file."""
        path = _path(request)
        data = bytearray()
        async for piece in request.content.iter_chunked(1 << 16):
            data += piece
            if len(data) > MAX_UPLOAD_BYTES:
                raise ValueError(
                    f"{path}: more than {MAX_UPLOAD_BYTES >> 20} MiB; put it into the card's folder instead"
                )
        await asyncio.to_thread(self._as_os_error, path, self._write, path, data)
        return web.json_response({"bytes": len(data)})

    def _write(self, path: str, data: bytes | bytearray) -> None:
        card = self._board.card
        if card.host_path(path).exists():
            card.truncate(path, 0)
        else:
            card.create(path)
        card.open_for_writing(path, survives_resets=True)
        try:
            if card.write(path, 0, memoryview(data)) < len(data):
                raise HalError("OSError", errno.ENOSPC)
        finally:
            card.close(path)

    async def remove(self, request: web.Request) -> web.StreamResponse:
        """?path=: a file or an empty folder."""
        path = _path(request)
        is_folder = self._board.host_path(path).is_dir()
        action = self._board.card.rmdir if is_folder else self._board.card.remove
        await asyncio.to_thread(self._as_os_error, path, action, path)
        return web.json_response({"removed": path})

    async def make_folder(self, request: web.Request) -> web.StreamResponse:
        """{"path": new folder}."""
        path = _on_card(str((await read_object(request)).get("path", "")))
        await asyncio.to_thread(self._as_os_error, path, self._board.card.mkdir, path)
        return web.json_response({"made": path})

    async def apps(self, request: web.Request) -> web.StreamResponse:
        """{"apps": names}: what can be put on the card with a click."""
        return web.json_response({"apps": await asyncio.to_thread(app_names)})

    async def put_app(self, request: web.Request) -> web.StreamResponse:
        """{"name": app}: its files come onto the card, and the board starts with its main.py."""
        name = str((await read_object(request)).get("name", ""))
        if self.has_main():
            raise ValueError(f"{MAIN} is there already: remove it from the card first")
        files = await asyncio.to_thread(app_files, name)
        await asyncio.to_thread(self._put_all, files)
        await asyncio.to_thread(self._board.reset, True)
        return web.json_response({"app": name, "files": len(files)})

    def has_main(self) -> bool:
        """Whether something starts when the board is switched on."""
        return bool(self._board.card.host_path(MAIN).is_file())

    def _put_all(self, files: dict[str, bytes]) -> None:
        card = self._board.card
        for path in sorted(files, key=lambda path: path == MAIN):  # main.py last: half an app never starts
            parts = path.split("/")
            for depth in range(3, len(parts)):
                folder = "/".join(parts[:depth])
                if not card.host_path(folder).is_dir():
                    self._as_os_error(folder, card.mkdir, folder)
            self._as_os_error(path, self._write, path, files[path])

    @staticmethod
    def _as_os_error(path: str, action: Any, *args: Any) -> None:
        try:
            action(*args)
        except HalError as error:
            number = error.error_args[0] if error.error_args and isinstance(error.error_args[0], int) else errno.EIO
            reason = "a running script has it open" if number == errno.EPERM else os.strerror(number).lower()
            raise ValueError(f"{path}: {reason}") from error


def _path(request: web.Request) -> str:
    return _on_card(request.query.get("path", ""))


def _on_card(path: str) -> str:
    if not path.startswith(("/sdcard", "/data")):
        raise ValueError(f"path {path!r}: it begins with /sdcard or /data")
    return path
