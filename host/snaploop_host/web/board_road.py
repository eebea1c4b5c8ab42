"""POST /board/v1: the Wi-Fi road. The body is a signed request of messages.py, the answer its signed response."""

from __future__ import annotations

import asyncio

from aiohttp import web

from snaploop_shared.messages import HTTP_PATH, MAX_BODY_BYTES, MAX_HEAD_BYTES

from ..services.sync_board import WIFI
from .context import CONTEXT

MAX_REQUEST_BYTES = MAX_HEAD_BYTES + MAX_BODY_BYTES + 64


async def post_board(request: web.Request) -> web.StreamResponse:
    """Hand a request to the board API; who is not paired gets an unsigned 401."""
    if (request.content_length or 0) > MAX_REQUEST_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_REQUEST_BYTES, request.content_length or 0)
    data = await request.read()
    answer = await asyncio.to_thread(request.app[CONTEXT].board_api.handle, data, WIFI)
    if answer is None:
        return web.Response(
            status=401,
            text="not paired with this host: tap Pair in About, or run `snaploop board install`\n",
        )
    return web.Response(body=answer, content_type="application/octet-stream")


ROUTES = [web.post(HTTP_PATH, post_board)]
