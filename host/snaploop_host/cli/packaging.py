"""`snaploop package`: a model as a zip for any K230 board."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import DataOption, JsonOption, opened


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(package)


def package(
    model: Annotated[
        str, typer.Argument(help="The model's digest or its first 12 digits; `snaploop models` lists them.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the package and its zip into.")] = Path(
        "packages"
    ),
    force: Annotated[
        bool, typer.Option("--force", help="Also a model that lost too much; its README says so.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pack a model with scripts that run unedited on boards with or without the app."""
    from ..links.board_files import deploy_script
    from ..services.package_model import PackageModel

    with opened(data) as host:
        packer = PackageModel(
            host.store, host.blobs, host.jobs, host.pictures, host.train.publisher.find, deploy_script
        )
        archive = packer.write(model, out, force)
    if as_json:
        print(json.dumps({"zip": str(archive), "folder": str(archive.with_suffix(""))}, indent=1))
    else:
        print(archive)
