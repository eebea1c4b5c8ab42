"""Runs the portable checks under real MicroPython on the virtual board; test_on_cpython.py runs the same files here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from virtual_k230 import VirtualK230

ROOT = Path(__file__).parents[2]
CHECK_FILES = sorted(path.stem for path in Path(__file__).parent.glob("check_*.py"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CHECK_FILES)
def test_checks(name: str, tmp_path: Path) -> None:
    card = tmp_path / "sd"
    shutil.copytree(
        ROOT / "shared/snaploop_shared", card / "snaploop_shared", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(
        ROOT / "device/snaploop_device", card / "snaploop_device", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(Path(__file__).parent / f"{name}.py", card)
    code = (
        f"import sys\nsys.path.append('/sdcard')\nimport {name}\n"
        f"for check in {name}.CHECKS:\n    check()\n    print('ok', check.__name__)\n"
        f"print('all', len({name}.CHECKS), 'passed on', sys.implementation.name)\n"
    )
    board = VirtualK230(sd=card)
    try:
        said = board.run_code(code, timeout=400)
    finally:
        board.close()
    assert "passed on micropython" in said, said
    assert said.count("ok ") >= 5


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CHECK_FILES)
def test_checks_on_the_firmwares_generation(name: str) -> None:
    done = subprocess.run(
        [
            "node",
            Path(__file__).with_name("run_on_2023.mjs"),
            ROOT / "node_modules",
            Path(__file__).with_name(f"{name}.py"),
            ROOT / "shared/snaploop_shared",
            ROOT / "device/snaploop_device",
        ],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert "passed on 3.4.0; MicroPython v1.22.0-preview" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
