"""Put the routes together, listen, and serve until told to stop. Called by app.py and tests."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from ..errors import AddressTakenError, BadInputError
from . import api, board_road, installs, page, pairing, photos, recipe, report_page
from .access import add_headers, check_access, tell_errors
from .context import CONTEXT, Context

MAX_BODY_BYTES = 1024 * 1024
_STATIC = Path(__file__).parent / "static"


def application(context: Context) -> web.Application:
    """The aiohttp application."""
    app = web.Application(middlewares=[add_headers, tell_errors, check_access], client_max_size=MAX_BODY_BYTES)
    app[CONTEXT] = context
    for module in (board_road, api, photos, pairing, installs, report_page, recipe, page):
        app.add_routes(module.ROUTES)
    app.router.add_static("/static/", _STATIC)
    return app


async def serve(app: web.Application, host: str, port: int, is_up: Callable[[int], None], stop: asyncio.Event) -> None:
    """Listen, call `is_up` with the port (the system's choice for 0), serve until `stop` is set.

    Raises:
        AddressTakenError: another program listens there.
        BadInputError: this machine has no such address, or we may not listen on the port.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise _listen_error(error, host, port) from error
        is_up(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()


def _listen_error(error: OSError, host: str, port: int) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return AddressTakenError(
            f"port {port} on {host} is taken by another program: stop it, or choose one with --listen {host}:{port + 1}"
        )
    if error.errno == errno.EACCES:
        return BadInputError(f"port {port} needs root: choose one above 1023 with --listen {host}:8230")
    return BadInputError(
        f"cannot listen on {host}:{port} ({error.strerror}): give an address of this machine with --listen"
    )
