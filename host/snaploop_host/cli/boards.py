"""`snaploop boards` and `snaploop board install`."""

from __future__ import annotations

import typer

from .options import DataOption, JsonOption, ago, opened, show


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(boards)


def boards(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Paired boards."""
    import time

    from ..services.overview import Overview

    with opened(data) as host:
        rows = Overview(host.store, host.train).boards(time.time())
    if not as_json:
        rows = [row | {"seen": ago(row["last_seen_at_s"]), "model": row["model"][:12]} for row in rows]
    columns = {
        "name": "board",
        "id": "id",
        "project": "project",
        "seen": "seen",
        "last_road": "road",
        "model": "model",
        "firmware": "firmware",
    }
    show(rows, columns, as_json, "no board yet: `snaploop board install --port PORT` with one on USB")
