"""`snaploop doctor`: what is there, what is missing, and the one command that mends it."""

from __future__ import annotations

import typer

from ..config import data_dir
from .options import DataOption, JsonOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Check this machine; exit code 1 when something is missing."""
    import json

    from ..diagnosis import MISSING, NOTE, diagnose

    checks = list(diagnose(data_dir(data)))
    lacking = [check for check in checks if check.state == MISSING]
    if as_json:
        print(json.dumps([check.as_dict() for check in checks], indent=1))
    else:
        from rich.console import Console
        from rich.markup import escape

        console = Console(soft_wrap=True, highlight=False)
        for check in checks:
            mark = {MISSING: "[bold red]missing[/]", NOTE: "[dim]note   [/]"}.get(check.state, "[green]ok     [/]")
            console.print(f"{mark}  [bold]{check.name:<18}[/] {escape(check.found)} [dim]({check.needed_for})[/]")
            if check.mend:
                console.print(f"         mend it:           [bold]{escape(check.mend)}[/]")
        console.print(f"{len(lacking)} of {len(checks)} need something" if lacking else "everything is there")
    if lacking:
        raise typer.Exit(1)
