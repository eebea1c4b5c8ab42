"""`snaploop try`, `demo` and `bench`: options here, the work in snaploop_host.demo and snaploop_host.bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import BadInputError
from .options import JsonOption


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("try")(try_out)
    app.command()(demo)
    app.command()(bench)


def try_out(
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the card and the host's data; kept for the next time.")
    ] = Path("out/try"),
    camera: Annotated[
        str,
        typer.Option(
            "--camera", metavar="WHAT", help="What the board's camera sees: a folder, a picture, a video, scene:NAME."
        ),
    ] = "scene:traffic_lights",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the two pages.")] = True,
) -> None:
    """A host and a virtual board with an empty card, for your own mouse: two pages, until Ctrl-C."""
    from ..demo.hands_on import run_hands_on
    from .logs import set_up_logging

    set_up_logging(False)
    run_hands_on(out, camera, browser, lambda text: print(text, flush=True))


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for report.html, report.json and everything else.")] = Path(
        "out/demo"
    ),
    camera: Annotated[
        Path | None, typer.Option("--camera", metavar="DIR", help="Your own pictures instead of the built-in scene.")
    ] = None,
    labels: Annotated[Path | None, typer.Option("--labels", metavar="VOC_DIR", help="Their Pascal VOC files.")] = None,
    photos: Annotated[int | None, typer.Option("--photos", min=8, help="Photos of the first lap.")] = None,
    more_photos: Annotated[int | None, typer.Option("--more-photos", min=0, help="Photos of the second lap.")] = None,
) -> None:
    """The whole loop on a virtual board, driven through its touch panel; leaves a report."""
    from ..demo.command import run_demo
    from .logs import set_up_logging

    set_up_logging(False)
    asked = {"photos": photos, "more_photos": more_photos}
    run_demo(out, camera, labels, **{name: value for name, value in asked.items() if value is not None})
    print(f"report: {out / 'report.html'}")


def bench(
    name: Annotated[str, typer.Argument(help="Which bench, such as loop.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for what it makes.")] = Path("out/bench"),
    quick: Annotated[bool, typer.Option("--quick", help="Less of everything: to see that it runs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure against a peer in the same run."""
    from ..bench.command import BENCHES, QUICK_BENCHES, run_bench

    if name not in BENCHES:
        raise BadInputError(f"no bench {name!r}: there is {', '.join(sorted(BENCHES))}")
    if quick and name not in QUICK_BENCHES:
        raise BadInputError(f"bench {name} has no --quick: only {', '.join(sorted(QUICK_BENCHES))}")
    run_bench(name, out, as_json, quick)
