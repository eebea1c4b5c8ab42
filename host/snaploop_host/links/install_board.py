"""The app comes onto a board and the board into the store, in one piece of work: for `snaploop board install` and the page's button."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..services.pair_board import PairBoard
from .board_console import opened
from .board_files import board_files
from .installer import Installed, identify, install, read_config, restart


@dataclass(frozen=True, slots=True)
class InstallWish:
    """What somebody asks for; what is not asked for stays as it is on the board, or becomes its default.

    `asked` and `defaults` are fields of config.json; the first win over what the board has, the second do not.
    """

    port: str
    name: str | None = None
    project: str | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InstalledBoard:
    """Which board it was, and what was written."""

    board: str
    project: str
    files: Installed


def install_board(
    pair: PairBoard,
    wish: InstallWish,
    say: Callable[[str], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> InstalledBoard:
    """Stop what runs on the board, put the app on it, pair it, restart it. Again it changes only what differs.

    Args:
        pair: where boards get their keys.
        wish: what is asked for.
        say: gets a line for each step.
        progress: gets the bytes that went over the wire, and how many there are.

    Raises:
        PortBusyError, BoardLinkError: the board or its port does not answer; the app that was on it is still there.
        NotFoundError, ConflictError, BadInputError: as `PairBoard.pair`.
        MissingToolError: this installation lacks the board's files.
    """
    files = board_files()
    with opened(wish.port, say) as console:
        identity = identify(console)
        say(f"found {identity.machine} with chip id {identity.id}")
        board, project = pair.pair(identity.id, wish.name, wish.project)
        who = {"id": board.id, "key": board.key.hex(), "name": board.name, "project": project.name}
        before = {name: value for name, value in read_config(console).items() if name not in who}
        done = install(console, files, {**wish.defaults, **before, **wish.asked, **who}, say, progress)
        restart(console)
    return InstalledBoard(board.name, project.name, done)
