"""Pairing on page and API: the QR code that a board's camera reads, and taking a board's key away."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import Any

import segno
from aiohttp import web

from snaploop_shared.pairing import Invitation

from ..errors import BadInputError, HostError, http_status
from .context import CONTEXT, Call, Context, in_thread
from .page import environment

MAX_SSID_BYTES = 32
QR_PIXELS_PER_MODULE = 6
CARD_PX = (
    1280,
    720,
)  # the code as a picture: the shape of a camera's view, so that a virtual board's camera sees all of it
CARD_MARGIN_PX = 60


def invitation(context: Context, project: str, port: int, ssid: str, wifi_key: str) -> dict[str, Any]:
    """{"text", "svg", "card", "host", "expires_at_s"}: a fresh invitation to this project; "card" is a PNG picture as data: address.

    Raises:
        NotFoundError: no such project.
        BadInputError: no usable network name or key.
    """
    if len(ssid.encode()) > MAX_SSID_BYTES or (wifi_key and not 8 <= len(wifi_key) <= 63):
        raise BadInputError(f"a network name has up to {MAX_SSID_BYTES} bytes, a WPA key 8 to 63 characters")
    code = context.invite.invite(project)
    address = context.address_for_boards()
    text = Invitation(address, port, code.code, ssid, wifi_key).text()
    picture = segno.make(text, error="m", micro=False)
    svg = picture.svg_inline(scale=QR_PIXELS_PER_MODULE, border=4, dark="#000", light="#fff")
    return {
        "text": text,
        "svg": svg,
        "card": _card(picture),
        "host": f"{address}:{port}",
        "expires_at_s": code.expires_at_s,
    }


def _card(code: segno.QRCode) -> str:
    """The code in the middle of a grey picture, as a data: address."""
    from PIL import Image

    small = io.BytesIO()
    code.save(small, kind="png", scale=1, border=4)
    side = int(code.symbol_size(1, 4)[0])
    scale = (CARD_PX[1] - 2 * CARD_MARGIN_PX) // side
    card = Image.new("L", CARD_PX, 150)
    enlarged = Image.open(small).convert("L").resize((side * scale, side * scale), Image.Resampling.NEAREST)
    card.paste(enlarged, ((CARD_PX[0] - side * scale) // 2, (CARD_PX[1] - side * scale) // 2))
    out = io.BytesIO()
    card.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


async def get_pair(request: web.Request) -> web.StreamResponse:
    """The form for the network, before there is a code."""
    return await _page(request, None, "")


async def post_pair(request: web.Request) -> web.StreamResponse:
    """The page with the code."""
    form = await request.post()
    name = request.match_info["name"]
    try:
        made = await asyncio.to_thread(
            invitation,
            request.app[CONTEXT],
            name,
            port_of(request),
            str(form.get("ssid", "")).strip(),
            str(form.get("key", "")),
        )
    except HostError as error:
        return await _page(request, None, str(error), http_status(error))
    return await _page(request, made, "")


async def post_revoke(request: web.Request) -> web.StreamResponse:
    """Take the key of the board in the address away."""
    await asyncio.to_thread(request.app[CONTEXT].pair.revoke, request.match_info["board"])
    raise web.HTTPSeeOther(f"/projects/{request.match_info['name']}")


async def post_invitation(request: web.Request) -> web.StreamResponse:
    """An invitation from {"ssid", "key"}."""
    body: Any = await request.json() if request.can_read_body else {}
    if not isinstance(body, dict):
        raise BadInputError("the body must be a JSON object")
    ssid, key = str(body.get("ssid", "")), str(body.get("key", ""))
    made = await asyncio.to_thread(
        invitation, request.app[CONTEXT], request.match_info["name"], port_of(request), ssid, key
    )
    return web.json_response(made, status=201)


def revoke_board(context: Context, call: Call) -> Any:
    """Take a board's key away."""
    return {"revoked": context.pair.revoke(call.path["id"]).id}


def port_of(request: web.Request) -> int:
    """The port that this daemon listens on."""
    return int(request.transport.get_extra_info("sockname")[1]) if request.transport else 0


async def _page(
    request: web.Request, made: dict[str, Any] | None, notice: str, status: int = 200
) -> web.StreamResponse:
    context = request.app[CONTEXT]
    project = await asyncio.to_thread(context.store.project_named, request.match_info["name"])
    values = {
        "project": project,
        "projects": context.store.projects(),
        "notice": notice,
        "made": made,
        "minutes": 0 if made is None else round((made["expires_at_s"] - context.clock()) / 60),
        "is_reachable": context.address_for_boards() != "127.0.0.1",
    }
    html = environment().get_template("pair.html").render(values)
    return web.Response(text=html, content_type="text/html", status=status)


ROUTES = [
    web.get("/projects/{name}/pair", get_pair),
    web.post("/projects/{name}/pair", post_pair),
    web.post("/projects/{name}/boards/{board}/revoke", post_revoke),
    web.post("/api/projects/{name}/invitations", post_invitation),
    web.post("/api/boards/{id}/revoke", in_thread(revoke_board)),
]
