"""`snaploop`: registers the commands, turns our errors into one line and an exit code. Heavy libraries are imported inside commands."""

from __future__ import annotations

import sys

import typer

from .. import __version__
from ..errors import HostError, exit_code
from . import (
    boards,
    compile_onnx,
    daemon,
    demo,
    diagnosis,
    evaluation,
    models,
    packaging,
    project_settings,
    projects,
    recipes,
    show_model,
    texts,
    training,
)

app = typer.Typer(
    name="snaploop",
    help="Photograph, label, train and deploy on K230 camera boards: the whole loop on your own desk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    daemon,
    projects,
    project_settings,
    recipes,
    texts,
    training,
    models,
    show_model,
    evaluation,
    compile_onnx,
    packaging,
    boards,
    diagnosis,
    demo,
):
    module.register(app)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"snaploop {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Photograph, label, train and deploy on K230 camera boards: the whole loop on your own desk."""


def main() -> None:
    """The entry point of the `snaploop` command."""
    try:
        app()
    except HostError as error:
        print(f"snaploop: {error}", file=sys.stderr)
        sys.exit(exit_code(error))
    except BrokenPipeError:  # `snaploop models | head`
        sys.stderr.close()
        sys.exit(0)
