"""Who may use page and API (docs/decisions: loopback is open, everything else needs the token), and what errors look like.

The board road is not asked here: its messages carry their own signatures.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from urllib.parse import urlsplit

from aiohttp import web

from snaploop_shared.messages import HTTP_PATH

from ..errors import HostError, http_status
from .context import CONTEXT, Handler

logger = logging.getLogger(__name__)

COOKIE = "snaploop_token"
_COOKIE_S = 365 * 24 * 3600
_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@web.middleware
async def check_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through when its sender may: by token, or from this machine's own pages when there is none."""
    if request.path == HTTP_PATH or request.path.startswith("/static/"):
        return await handler(request)
    token = request.app[CONTEXT].token
    if token is None and not _is_local_name(request.host):
        raise web.HTTPForbidden(
            text=f"{request.host} is not this machine: open http://127.0.0.1, or start with --listen to use a token"
        )
    if request.method in _UNSAFE and not _is_same_origin(request):
        raise web.HTTPForbidden(text="refused: this request was sent by a page of another site")
    if token is None:
        return await handler(request)
    if request.method == "GET" and _is_same(request.query.get("token"), token):
        answer = web.Response(
            status=303, headers={"Location": request.path}
        )  # the token leaves address bar and history
        answer.set_cookie(COOKIE, token, max_age=_COOKIE_S, httponly=True, samesite="Lax")
        return answer
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if _is_same(request.cookies.get(COOKIE), token) or (scheme.lower() == "bearer" and _is_same(sent.strip(), token)):
        return await handler(request)
    text = "This host asks for its token: open the address that `snaploop serve` printed (it ends with ?token=...)"
    if request.path.startswith("/api/"):
        return web.json_response({"error": text}, status=401)
    return web.Response(text=text, status=401)


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn our errors into {"error": line} with the status of the table; others into 500 and a log entry."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if request.path.startswith("/api/") and error.status >= 400:
            return web.json_response({"error": error.text or error.reason}, status=error.status)
        raise
    except HostError as error:
        return _error(request, str(error), http_status(error))
    except Exception:  # boundary: one bad request must not stop the daemon
        logger.exception("%s %s failed", request.method, request.path)
        return _error(request, "the host failed on this request: see its log", 500)


@web.middleware
async def add_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the browser to take everything from here only, and to guess nothing."""
    answer = await handler(request)
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    answer.headers.setdefault("Referrer-Policy", "same-origin")
    answer.headers.setdefault(
        "Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return answer


def _error(request: web.Request, text: str, status: int) -> web.Response:
    if request.path.startswith("/api/"):
        return web.json_response({"error": text}, status=status)
    return web.Response(text=text, status=status)


def _is_same(sent: str | None, token: str) -> bool:
    return sent is not None and hmac.compare_digest(sent.encode(), token.encode())


def _is_local_name(host: str) -> bool:
    """Whether a Host header names this machine itself: a page elsewhere may point its own name at 127.0.0.1 (DNS rebinding)."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_same_origin(request: web.Request) -> bool:
    """Whether a page of ours or no browser sent it; other programs send no Origin."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host
