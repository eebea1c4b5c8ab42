"""Apps for an empty card that other installed packages offer, so that a person need not copy files; without any, nothing is offered.

A package offers one by an entry point of the group `virtual_k230.apps`: its name is the app's, and it is a function without arguments
that returns {path on the board: bytes}, with a /sdcard/main.py among them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

GROUP = "virtual_k230.apps"
MAIN = "/sdcard/main.py"


def app_names() -> list[str]:
    """What is offered."""
    return sorted({one.name for one in entry_points(group=GROUP)})


def app_files(name: str) -> dict[str, bytes]:
    """Path on the board → bytes.

    Raises:
        ValueError: nobody offers it, or what is offered cannot be used; says why.
    """
    found = next((one for one in entry_points(group=GROUP) if one.name == name), None)
    if found is None:
        raise ValueError(
            f"no app {name!r}: there is {', '.join(app_names()) or 'none, no installed package offers any'}"
        )
    try:
        files = cast("Callable[[], dict[str, bytes]]", found.load())()
    except Exception as error:  # boundary: another package's code
        raise ValueError(f"the app {name} cannot be had ({error}): install the package {found.value} again") from error
    if MAIN not in files:
        raise ValueError(f"the app {name} brings no {MAIN}: nothing would start")
    return files
