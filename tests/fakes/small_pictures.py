"""Small JPEG files for folders that are imported."""

from __future__ import annotations

from pathlib import Path

from fakes.board_client import jpeg

SIZE = (64, 48)
"""Width and height of each, px."""


def put(path: Path, number: int = 0) -> None:
    """Write the picture with this number; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(number, *SIZE))
