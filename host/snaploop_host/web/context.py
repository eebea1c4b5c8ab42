"""What the handlers may use, handed in by app.py, and how a handler runs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from ..errors import BadInputError
from ..ports import Blobs, Store
from ..services.invite_board import InviteBoard
from ..services.model_details import ModelDetails
from ..services.overview import Overview
from ..services.pair_board import PairBoard
from ..services.sync_board import BoardApi
from ..services.train_model import TrainModel

MOST_DIGITS = 15  # of a number in an address; SQLite holds 18


class Thumbnails(Protocol):
    """Small copies of photos."""

    def thumbnail(self, digest: str) -> bytes:
        """A small JPEG; NotFoundError when there is no such photo."""


class UsbControl(Protocol):
    """The served serial ports."""

    def state(self) -> list[dict[str, object]]:
        """Each port with its state."""

    def pause(self, port: str, seconds: float) -> bool:
        """Let a port go; whether it is ours."""

    def resume(self, port: str) -> bool:
        """Take it back; whether it is ours."""


class InstallControl(Protocol):
    """Installations of the app on boards that are plugged in."""

    def state(self) -> list[dict[str, Any]]:
        """Each port's newest installation."""

    def begin(self, port: str, project: str, config: dict[str, Any]) -> None:
        """Start one; `config` are fields of the board's config.json."""


@dataclass(frozen=True, slots=True)
class Context:
    """Services and stores for the handlers; `token` is None when only this machine can reach us."""

    store: Store
    blobs: Blobs
    thumbnails: Thumbnails
    train: TrainModel
    overview: Overview
    details: ModelDetails
    board_api: BoardApi
    pair: PairBoard
    invite: InviteBoard
    address_for_boards: Callable[[], str]
    usb: UsbControl
    installs: InstallControl
    token: str | None
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler needs of a request: path parts, query and JSON object of the body."""

    path: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of the query, from 0 to `most`."""
        text = self.query.get(name, str(default))
        if not text.isdecimal() or len(text) > MOST_DIGITS or int(text) > most:
            raise BadInputError(f"{name}={text}: give a whole number from 0 to {most}")
        return int(text)

    def part(self, name: str) -> int:
        """A whole number of the path."""
        text = self.path[name]
        if not text.isdecimal() or len(text) > MOST_DIGITS:
            raise BadInputError(f"{text!r} is no number")
        return int(text)


CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def call_of(request: web.Request) -> Call:
    """The call in a request.

    Raises:
        BadInputError: a body that is no JSON object.
    """
    body: Any = {}
    if request.can_read_body and request.content_type == "application/json":
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError as error:
            raise BadInputError(f"the body is not JSON ({error})") from error
        if not isinstance(body, dict):
            raise BadInputError("the body must be a JSON object")
    return Call(dict(request.match_info), dict(request.query), body)


def in_thread(function: Callable[[Context, Call], Any], status: int = 200) -> Handler:
    """A handler that runs `function` beside the event loop and answers with its JSON."""

    async def handler(request: web.Request) -> web.StreamResponse:
        call = await call_of(request)
        return web.json_response(await asyncio.to_thread(function, request.app[CONTEXT], call), status=status)

    handler.__doc__ = function.__doc__
    return handler
