"""Logging of the daemon and of foreground work, set up once."""

from __future__ import annotations

import logging


def set_up_logging(is_verbose: bool) -> None:
    """Lines `time level where text` on stderr; everything of ours with `is_verbose`, warnings of others."""
    set_up_warnings()
    logging.getLogger("snaploop_host").setLevel(logging.DEBUG if is_verbose else logging.INFO)


def set_up_warnings() -> None:
    """The same with nothing but warnings."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(name)s  %(message)s", datefmt="%H:%M:%S", level=logging.WARNING
    )
