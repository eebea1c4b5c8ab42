"""`snaploop boards`, `snaploop board install`, `recover` and `revoke`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import DEFAULT_PORT, data_dir, parse_address
from ..errors import BadInputError, HostError, NotFoundError
from ..network import own_address
from .options import DataOption, JsonOption, ago, opened, show

board = typer.Typer(help="One board: install the app and pair it, recover it, take its key away.", no_args_is_help=True)
PAUSE_S = 300  # an installation over a slow console takes a minute or two
MAX_SSID_BYTES = 32
ROADS = ("auto", "usb", "wifi")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(boards)
    app.add_typer(board, name="board")


def boards(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Paired boards."""
    import time

    from ..services.overview import Overview

    with opened(data) as host:
        rows = Overview(host.store, host.train).boards(time.time())
    if not as_json:
        rows = [
            row
            | {"seen": "key revoked" if row["is_revoked"] else ago(row["last_seen_at_s"]), "model": row["model"][:12]}
            for row in rows
        ]
    columns = {"name": "board", "id": "id", "project": "project", "seen": "seen", "last_road": "road", "model": "model"}
    show(rows, columns, as_json, "no board yet: `snaploop board install --port PORT` with one on USB")


@board.command("install")
def install(
    port: Annotated[
        str | None, typer.Option("--port", help="Serial port; default: the only board that is plugged in.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name for people.")] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="What the board works for; default: the only project.")
    ] = None,
    wifi: Annotated[
        str | None, typer.Option("--wifi", metavar="SSID[:KEY]", help="Network for syncing without the cable.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--host", metavar="ADDR:PORT", help="Where the board finds this host over Wi-Fi; default: this machine."
        ),
    ] = None,
    road: Annotated[str | None, typer.Option("--road", help="auto, usb or wifi; default auto.")] = None,
    data: DataOption = None,
) -> None:
    """Put the app on a board over USB, pair it with this host, and restart it. Doing it again changes only what differs."""
    from ..links.install_board import InstallWish, install_board

    if road is not None and road not in ROADS:
        raise BadInputError(f"--road {road}: one of {', '.join(ROADS)}")
    folder = data_dir(data)
    asked = _asked_config(wifi, address, road)
    defaults = {"host": [own_address(), _daemon_port(folder)], "wifi": ["", ""]}
    port = port or _only_port()
    with opened(data) as host, _port_let_go(folder, port):
        done = install_board(host.pair, InstallWish(port, name, project, asked, defaults), print)
    print(f"{len(done.files.written)} files written, {done.files.skipped} were up to date")
    print(f"board {done.board} is paired for project {done.project} and restarts now")


@board.command("recover")
def recover(
    port: Annotated[str | None, typer.Argument(help="Serial port; default: the only board that is plugged in.")] = None,
    restart: Annotated[
        bool, typer.Option("--restart/--stop", help="Run main.py again, or leave the board at its prompt.")
    ] = True,
    data: DataOption = None,
) -> None:
    """Bring a board back whose main.py hangs. Nothing on its card is changed."""
    from ..links.recover import recover as bring_back

    port = port or _only_port()
    with _port_let_go(data_dir(data), port):
        how = bring_back(port, print, restart)
    print(f"stopped by {how}: " + ("main.py runs again" if restart else "the board is at its prompt"))


@board.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="Name or id, as `snaploop boards` shows it.")], data: DataOption = None
) -> None:
    """Take a board's key away: nothing it sends is answered until it is paired again. Its photos stay."""
    with opened(data) as host:
        revoked = host.pair.revoke(name)
    print(f"board {revoked.name} is not trusted any more; `snaploop board install` pairs it anew")


def _asked_config(wifi: str | None, address: str | None, road: str | None) -> dict[str, Any]:
    """The fields of config.json that the options name."""
    asked: dict[str, Any] = {}
    if wifi is not None:
        ssid, _, key = wifi.partition(":")
        if not 0 < len(ssid.encode()) <= MAX_SSID_BYTES:
            raise BadInputError(
                f"--wifi {ssid!r}: an SSID has 1 to {MAX_SSID_BYTES} bytes; write SSID:KEY, or SSID for an open network"
            )
        if key and not 8 <= len(key) <= 63:
            raise BadInputError("--wifi: a WPA key has 8 to 63 characters")
        asked["wifi"] = [ssid, key]
    if address is not None:
        asked["host"] = list(parse_address(address))
    if road is not None:
        asked["road"] = road
    return asked


def _only_port() -> str:
    from ..links.usb_ports import board_ports

    ports = board_ports()
    if not ports:
        raise NotFoundError(
            "no board on USB: plug one in, or name its port with --port (`snaploop doctor` lists the ports)"
        )
    if len(ports) > 1:
        raise BadInputError(f"several boards are plugged in: choose one with --port: {', '.join(ports)}")
    return ports[0]


@contextlib.contextmanager
def _port_let_go(folder: Path, port: str) -> Iterator[None]:
    """Ask a daemon that serves the port to let it go meanwhile."""
    from ..app import daemon_address
    from .daemon_client import post

    daemon = daemon_address(folder)
    if daemon is None:
        yield
        return
    post(daemon, "/api/usb/pause", {"port": port, "seconds": PAUSE_S})
    try:
        yield
    finally:
        with contextlib.suppress(HostError):  # the pause ends by itself
            post(daemon, "/api/usb/resume", {"port": port})


def _daemon_port(folder: Path) -> int:
    from urllib.parse import urlsplit

    from ..app import daemon_address

    daemon = daemon_address(folder)
    return (urlsplit(daemon["url"]).port if daemon else None) or DEFAULT_PORT
