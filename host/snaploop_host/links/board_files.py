"""The files that a board needs: from board_files/ of an installed wheel, or from the source roots of a checkout."""

from __future__ import annotations

from pathlib import Path

from ..errors import MissingToolError

APP_FOLDER = "/sdcard"  # on the module path of every firmware, next to main.py
PACKAGES = ("snaploop_shared", "snaploop_device")
MAIN = "main.py"

_HOST_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _HOST_PACKAGE / "board_files"
_CHECKOUT = _HOST_PACKAGE.parents[1]


def board_files() -> dict[str, bytes]:
    """Path on the board → bytes, for both packages and main.py.

    Raises:
        MissingToolError: this installation lacks them.
    """
    if _INSTALLED.is_dir():
        roots = {name: _INSTALLED / name for name in PACKAGES}
        main = _INSTALLED / "firmware_scripts" / MAIN
    else:
        roots = {
            "snaploop_shared": _CHECKOUT / "shared" / "snaploop_shared",
            "snaploop_device": _CHECKOUT / "device" / "snaploop_device",
        }
        main = _CHECKOUT / "firmware_scripts" / MAIN
    missing = [path for path in (*roots.values(), main) if not path.exists()]
    if missing:
        raise MissingToolError(f"{missing[0]} is not part of this installation: install snaploop again")
    found = {f"{APP_FOLDER}/{MAIN}": main.read_bytes()}
    for name, root in roots.items():
        for path in sorted(root.rglob("*.py")):
            found[f"{APP_FOLDER}/{name}/{path.relative_to(root).as_posix()}"] = path.read_bytes()
    return found
