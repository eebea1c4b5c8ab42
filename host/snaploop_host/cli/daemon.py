"""`snaploop serve`: the daemon in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..config import DEFAULT_HOST, DEFAULT_PORT, Config, data_dir, parse_address
from .options import DataOption

ListenOption = Annotated[
    str,
    typer.Option("--listen", metavar="ADDR:PORT", help="Where to listen; 0.0.0.0:8230 lets boards come over Wi-Fi."),
]
UsbOption = Annotated[
    list[str] | None,
    typer.Option(
        "--usb",
        metavar="PORT",
        help="Serial port of a board; repeat for more. Without it boards are found by their USB id.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    usb: UsbOption = None,
    listen: ListenOption = f"{DEFAULT_HOST}:{DEFAULT_PORT}",
    data: DataOption = None,
    find: Annotated[bool, typer.Option("--find/--no-find", help="Look for boards on USB.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Say the address as one JSON line: {url, token, data, pid}.")
    ] = False,
    end_jobs: Annotated[
        bool, typer.Option("--end-jobs", help="End running trainings with it; otherwise they go on by themselves.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every request.")] = False,
) -> None:
    """Serve boards, page and API until Ctrl-C."""
    import asyncio

    from .logs import set_up_logging

    set_up_logging(verbose)
    host, port = parse_address(listen)
    config = Config(data_dir(data), host, port, tuple(usb or ()), find and not usb)
    asyncio.run(_serve(config, as_json, end_jobs))


async def _serve(config: Config, as_json: bool, end_jobs: bool) -> None:
    import asyncio
    import signal

    from ..app import open_host, serve_until

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    host = open_host(config)
    try:
        await serve_until(host, stop, lambda url, token: _say_ready(url, token, config.data_dir, as_json))
        if end_jobs:
            for run in host.store.active_runs():
                host.train.cancel(run.id)
    finally:
        host.close()


def _say_ready(url: str, token: str | None, data: Path, as_json: bool) -> None:
    """One line on stdout, for people or for programs."""
    import json
    import os

    if as_json:
        print(json.dumps({"url": url, "token": token, "data": str(data), "pid": os.getpid()}), flush=True)
    else:
        print(
            f"snaploop serves {data} at {url}" + (f"/?token={token}" if token else "") + "   (Ctrl-C ends it)",
            flush=True,
        )
