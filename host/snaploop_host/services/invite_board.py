"""Invite a board by QR code: one-time codes that live for some minutes, and the board that comes with one (shared/pairing.py)."""

from __future__ import annotations

import binascii
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from snaploop_shared.auth import is_same
from snaploop_shared.errors import AuthError
from snaploop_shared.messages import Request
from snaploop_shared.pairing import CODE_DIGITS, key_from_code

from ..domain.boards import Board
from ..errors import HostError
from ..ports import Store
from .pair_board import PairBoard

logger = logging.getLogger(__name__)

LIVES_S = 600.0
MOST = 20  # open at a time; a new one ends the oldest


@dataclass
class OpenCode:
    """A code that was shown; `board_id` is the board that took it: only that one may say it again, when its answer was lost."""

    code: str
    project: str
    expires_at_s: float
    board_id: str = ""


class InviteBoard:
    """The open codes of this daemon; they end with it."""

    def __init__(self, store: Store, pair: PairBoard, clock: Callable[[], float] = time.time) -> None:
        """Wire it up."""
        self._store = store
        self._pair = pair
        self._clock = clock
        self._open: list[OpenCode] = []
        self._lock = threading.Lock()

    def invite(self, project: str) -> OpenCode:
        """A fresh code for a board that is to work for this project.

        Raises:
            NotFoundError: no such project.
        """
        self._store.project_named(project)
        code = OpenCode(secrets.token_hex(CODE_DIGITS // 2), project, self._clock() + LIVES_S)
        with self._lock:
            self._open = [*self._living(), code][-MOST:]
        return code

    def accept(self, request: Request) -> Board | None:
        """The board that is paired by this POST /pair; None when its signature is of no open code."""
        try:
            nonce = binascii.unhexlify(str(request.arguments.get("nonce", "")))
        except ValueError:
            return None
        with self._lock:
            for one in self._living():
                try:
                    key = key_from_code(one.code, request.board_id, nonce)
                    request.check(key)
                except (AuthError, ValueError):
                    continue
                return self._take(one, request, key)
        return None

    def _take(self, one: OpenCode, request: Request, key: bytes) -> Board | None:
        if one.board_id:
            known = self._store.find_board(request.board_id)
            return known if known is not None and one.board_id == known.id and is_same(known.key, key) else None
        try:
            board, _ = self._pair.pair(request.board_id, None, one.project, key)
        except HostError as error:  # a strange id, or the project is gone
            logger.warning("a board with a valid code cannot be paired: %s", error)
            return None
        one.board_id = board.id
        return board

    def _living(self) -> list[OpenCode]:
        return [one for one in self._open if one.expires_at_s > self._clock()]
