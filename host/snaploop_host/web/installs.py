"""Put the app on a board that is plugged in: the page before it, the button, and the same for programs. links/install_jobs.py works."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from ..errors import BadInputError, HostError, http_status
from .context import CONTEXT, Call, Context, in_thread
from .page import environment
from .pairing import MAX_SSID_BYTES, port_of


def wish_fields(context: Context, ssid: str, wifi_key: str, own_port: int) -> dict[str, Any]:
    """What the board's config.json is to say: where we are, and the network when one is named.

    Raises:
        BadInputError: no usable network name or key.
    """
    if len(ssid.encode()) > MAX_SSID_BYTES or (wifi_key and not 8 <= len(wifi_key) <= 63):
        raise BadInputError(f"a network name has up to {MAX_SSID_BYTES} bytes, a WPA key 8 to 63 characters")
    fields: dict[str, Any] = {"host": [context.address_for_boards(), own_port]}
    return fields | ({"wifi": [ssid, wifi_key]} if ssid else {})


async def get_install(request: web.Request) -> web.StreamResponse:
    """The page that asks for the network, and has the button."""
    return await _page(request, request.query.get("port", ""), "", 200)


async def post_install(request: web.Request) -> web.StreamResponse:
    """The button: begin, and go to where one sees how it goes."""
    context, name, form = request.app[CONTEXT], request.match_info["name"], await request.post()
    port, ssid, key = str(form.get("port", "")), str(form.get("ssid", "")).strip(), str(form.get("key", ""))
    try:
        fields = wish_fields(context, ssid, key, port_of(request))
        await asyncio.to_thread(context.installs.begin, port, context.store.project_named(name).name, fields)
    except HostError as error:
        return await _page(request, port, str(error), http_status(error))
    raise web.HTTPSeeOther(f"/projects/{name}#boards")


async def post_api(request: web.Request) -> web.StreamResponse:
    """Begin from {"port", "ssid", "key"}."""
    body: Any = await request.json() if request.can_read_body else {}
    if not isinstance(body, dict):
        raise BadInputError("the body must be a JSON object")
    context, name = request.app[CONTEXT], request.match_info["name"]
    fields = wish_fields(context, str(body.get("ssid", "")), str(body.get("key", "")), port_of(request))
    project = context.store.project_named(name).name
    await asyncio.to_thread(context.installs.begin, str(body.get("port", "")), project, fields)
    return web.json_response(context.installs.state(), status=202)


def list_installs(context: Context, _call: Call) -> Any:
    """The newest installation of each port."""
    return context.installs.state()


async def _page(request: web.Request, port: str, notice: str, status: int) -> web.StreamResponse:
    context = request.app[CONTEXT]
    project = await asyncio.to_thread(context.store.project_named, request.match_info["name"])
    values = {
        "project": project,
        "projects": context.store.projects(),
        "notice": notice,
        "port": port,
        "ports": [str(one["port"]) for one in context.usb.state() if one["state"] == "open"],
        "is_reachable": context.address_for_boards() != "127.0.0.1",
    }
    html = environment().get_template("install.html").render(values)
    return web.Response(text=html, content_type="text/html", status=status)


ROUTES = [
    web.get("/projects/{name}/install", get_install),
    web.post("/projects/{name}/install", post_install),
    web.get("/api/installs", in_thread(list_installs)),
    web.post("/api/projects/{name}/install", post_api),
]
