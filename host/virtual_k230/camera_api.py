"""The camera of a virtual board over HTTP: what is in view, and what shall be. Part of control.py."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web

from .board import VirtualK230
from .http_json import is_loopback, read_object


class CameraApi:
    """The handlers over one board's camera."""

    def __init__(self, board: VirtualK230) -> None:
        self._board = board
        self._first = board.camera

    def routes(self) -> list[web.RouteDef]:
        """What control.py adds to its application."""
        return [
            web.get("/camera", self.look),
            web.post("/camera", self.show),
            web.put("/camera/picture", self.hold_picture),
        ]

    def state(self) -> dict[str, Any]:
        """What /state says about the camera; "first" is the source that the command line named."""
        camera = self._board.camera
        return {
            "name": camera.name, "index": camera.index, "count": camera.count, "held": camera.held is not None,
            "fps": camera.fps, "first": self._first.name,
        }  # fmt: skip

    async def look(self, request: web.Request) -> web.StreamResponse:
        """What is in view, and the truth about it (unknown for a picture that somebody holds in front)."""
        camera = self._board.camera
        truth = camera.truth() if camera.held is None else []
        return web.json_response({**self.state(), "frame": camera.frame, "truth": truth})

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Bring something else into view.

        {"next": true}, {"show": number}, {"path": file}, {"source": "scene:NAME" | "first"}, {"fps": frames per second, 0: any},
        or {"hold": true | false}: what is in view now stays, whatever the source does.
        """
        body = await read_object(request)
        camera = self._board.camera
        if body.get("next"):
            await asyncio.to_thread(camera.next)
        elif "hold" in body:
            await asyncio.to_thread(camera.hold, camera.scaled(1920, 1080).copy() if body["hold"] else None)
        elif "fps" in body:
            camera.fps = min(max(0.0, float(body["fps"])), 1000.0)
        elif "source" in body:
            await asyncio.to_thread(self._change, str(body["source"]))
        elif "path" in body:
            if not is_loopback(request.remote):
                raise web.HTTPForbidden(text="files of this PC are shown to this PC only: send the picture itself")
            await asyncio.to_thread(camera.show, Path(str(body["path"])))
        elif "show" in body:
            await asyncio.to_thread(camera.show, int(body["show"]))
        else:
            raise ValueError('body needs "show": number, "path": file, "next": true, "hold", "fps" or "source"')
        return await self.look(request)

    def _change(self, source: str) -> None:
        if source != "first" and not source.startswith("scene:"):
            raise ValueError(f'source {source!r}: "scene:traffic_lights", or "first" for what --camera named')
        self._board.point_camera_at(self._first if source == "first" else source)

    async def hold_picture(self, request: web.Request) -> web.StreamResponse:
        """The body, a picture file, is held in front of the camera until another picture is shown."""
        from PIL import Image, UnidentifiedImageError

        try:
            picture = np.asarray(Image.open(io.BytesIO(await request.read())).convert("RGB"))
        except UnidentifiedImageError as error:
            raise ValueError("the body is no picture: send a JPEG or PNG") from error
        self._board.camera.hold(picture)
        return await self.look(request)
