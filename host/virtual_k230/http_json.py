"""What all handlers of the HTTP API share: bodies that are JSON objects, errors as JSON, and who may ask at all."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from .camera import CameraError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body's JSON object; empty without a body.

    Raises:
        ValueError: the body is something else.
    """
    try:
        body = await request.json() if request.can_read_body else {}
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


def is_loopback(address: str | None) -> bool:
    """Is it this machine speaking to itself?"""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return address == "localhost"


@web.middleware
async def own_page_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Another site's page in the same browser must not drive the board, nor read its card."""
    origin = request.headers.get("Origin", "")
    if origin and origin.partition("://")[2] != request.host:
        raise web.HTTPForbidden(text=f"requests from {origin} are refused: use the page of the virtual board itself")
    if not _is_ours(request.host):
        raise web.HTTPForbidden(text=f"the name {request.host} is refused: use this machine's address or host name")
    return await handler(request)


def _is_ours(host: str) -> bool:
    """Is it a name that no site elsewhere can point at this machine: an address, localhost or the machine's own name?"""
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.rpartition(":")[0] or host
    try:
        ipaddress.ip_address(name)
    except ValueError:
        own = socket.gethostname().lower()
        return name.lower() in {"localhost", own, own.partition(".")[0], f"{own.partition('.')[0]}.local"}
    return True


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """{"error": text} with the status of an HTTP error, else 400."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return web.json_response({"error": error.text or error.reason}, status=error.status)
    except (CameraError, ValueError, OSError, RuntimeError) as error:  # boundary: what was asked for cannot be done
        return web.json_response({"error": str(error)}, status=400)
