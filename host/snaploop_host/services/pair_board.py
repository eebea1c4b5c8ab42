"""Pair a board: give it a key, a name and a project, or take the key away. `snaploop board install` writes it to the board by cable."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import time
from collections.abc import Callable

from snaploop_shared.auth import KEY_BYTES

from ..domain.boards import Board
from ..domain.projects import Project
from ..errors import BadInputError, ConflictError, NotFoundError
from ..ports import Store

logger = logging.getLogger(__name__)

MAX_NAME_CHARS = 40


class PairBoard:
    """Make boards known to the host."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        """Wire it up."""
        self._store = store
        self._clock = clock

    def pair(
        self, board_id: str, name: str | None = None, project_name: str | None = None, key: bytes | None = None
    ) -> tuple[Board, Project]:
        """The paired board and its project. A known board keeps its key unless `key` is given, and what is not given stays.

        Args:
            board_id: the chip id, as hex digits.
            name: for people; a new board without one is called k230- and the end of its id.
            project_name: a new board without one joins the only project there is.
            key: what a one-time code gave (invite_board.py).

        Raises:
            NotFoundError: no such project, or none at all.
            ConflictError: several projects to choose from.
            BadInputError: not a usable id or name.
        """
        if not board_id or len(board_id) > 64 or not board_id.isalnum():
            raise BadInputError(f"board id {board_id!r}: expected the hex digits of machine.chipid()")
        if name is not None and (not 0 < len(name.strip()) <= MAX_NAME_CHARS or not name.isprintable()):
            raise BadInputError(f"board name {name!r}: use 1 to {MAX_NAME_CHARS} printable characters")
        known = self._store.find_board(board_id)
        project = self._project(known, project_name)
        board = Board(
            id=board_id,
            name=name.strip() if name else known.name if known else f"k230-{board_id[-4:]}",
            key=key or (known.key if known and known.is_trusted else secrets.token_bytes(KEY_BYTES)),
            project_id=project.id,
            counter=0,
            paired_at_s=self._clock(),
        )
        self._store.add_board(board)
        logger.info("board %s (%s) is paired for project %s", board.name, board.id, project.name)
        return board, project

    def revoke(self, name: str) -> Board:
        """Take a board's key away: nothing it sends is answered or stored until it is paired again. Its photos and health stay.

        Args:
            name: its name or its id.

        Raises:
            NotFoundError: no such board.
            ConflictError: several boards have this name.
        """
        boards = self._store.boards()
        found = [one for one in boards if one.id == name] or [one for one in boards if one.name == name]
        if not found:
            raise NotFoundError(f"no board {name!r}: `snaploop boards` lists them")
        if len(found) > 1:
            raise ConflictError(
                f"several boards are called {name!r}: give the id ({', '.join(one.id for one in found)})"
            )
        board = dataclasses.replace(found[0], key=b"")
        self._store.add_board(board)
        logger.info("the key of board %s (%s) was revoked", board.name, board.id)
        return board

    def _project(self, known: Board | None, name: str | None) -> Project:
        if name is not None:
            return self._store.project_named(name)
        if known is not None:
            return self._store.project(known.project_id)
        projects = self._store.projects()
        if not projects:
            raise NotFoundError("there is no project yet: make one with `snaploop projects add NAME --classes A,B`")
        if len(projects) > 1:
            names = ", ".join(project.name for project in projects)
            raise ConflictError(f"say which project the board is for: --project with one of {names}")
        return projects[0]
