"""The files that a board needs: the two packages as this process imports them, and main.py of the wheel or the checkout."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..errors import MissingToolError

APP_FOLDER = "/sdcard"  # on the module path of every firmware, next to main.py
PACKAGES = ("snaploop_shared", "snaploop_device")
MAIN = "main.py"

_HOST_PACKAGE = Path(__file__).resolve().parents[1]
_PLACES = (_HOST_PACKAGE / "board_files", _HOST_PACKAGE.parents[1] / "firmware_scripts")  # of a wheel, of a checkout


def deploy_script(name: str) -> str:
    """Source of a file of firmware_scripts/deploy.

    Raises:
        MissingToolError: this installation lacks it.
    """
    return _script(f"deploy/{name}").read_text()


def _script(name: str) -> Path:
    found = next((place / name for place in _PLACES if (place / name).exists()), None)
    if found is None:
        raise MissingToolError(f"{name} of the board is not part of this installation: install snaploop again")
    return found


def board_files() -> dict[str, bytes]:
    """Path on the board → bytes, for both packages and main.py.

    Raises:
        MissingToolError: this installation lacks them.
    """
    found = {f"{APP_FOLDER}/{MAIN}": _script(MAIN).read_bytes()}
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise MissingToolError(f"{name} is not part of this installation: install snaploop again")
        root = Path(next(iter(spec.submodule_search_locations)))
        for path in sorted(root.rglob("*.py")):
            found[f"{APP_FOLDER}/{name}/{path.relative_to(root).as_posix()}"] = path.read_bytes()
    return found
