"""Photos and their small copies, by digest. A digest names its bytes for ever, so browsers may keep them."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ..errors import NotFoundError
from .context import CONTEXT

_FOR_EVER = "private, max-age=31536000, immutable"


async def get_photo(request: web.Request) -> web.StreamResponse:
    """The original bytes."""
    context = request.app[CONTEXT]
    digest = request.match_info["digest"]
    if context.store.photo_road(digest) is None:
        raise NotFoundError(f"no photo {digest[:12]}")
    return web.FileResponse(
        context.blobs.path(digest), headers={"Content-Type": "image/jpeg", "Cache-Control": _FOR_EVER}
    )


async def get_thumbnail(request: web.Request) -> web.StreamResponse:
    """A small JPEG."""
    context = request.app[CONTEXT]
    digest = request.match_info["digest"]
    if context.store.photo_road(digest) is None:
        raise NotFoundError(f"no photo {digest[:12]}")
    data = await asyncio.to_thread(context.thumbnails.thumbnail, digest)
    return web.Response(body=data, content_type="image/jpeg", headers={"Cache-Control": _FOR_EVER})


ROUTES = [
    web.get("/photos/{digest:[0-9a-f]{64}}.jpg", get_photo),
    web.get("/photos/{digest:[0-9a-f]{64}}/small.jpg", get_thumbnail),
]
