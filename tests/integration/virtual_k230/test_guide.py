"""docs/virtual_k230.md says what is so: its example runs, its tables are the code's, its commands exist."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from virtual_k230 import VirtualK230
from virtual_k230.__main__ import main
from virtual_k230.control import ControlApi
from virtual_k230.faults import CATALOGUE
from virtual_k230.profiles import FIRMWARE

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/virtual_k230.md").read_text()


def rows_under(heading: str) -> list[list[str]]:
    """Cells of the table below a heading."""
    section = GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_python_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block("python")], cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "host")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == ["0", "simulator", "None"]
    assert (tmp_path / "screen.png").is_file()


def test_the_finger_moves_as_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "finger.json").write_text(block("json"))
    (tmp_path / "script.py").write_text(
        "from machine import TOUCH\nn = 0\nwhile n < 3:\n"
        "    for p in TOUCH(0).read(1):\n        n += 1\n        print(p.event, p.x, p.y)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "virtual_k230", "run", "script.py", "--touch", "finger.json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "host")},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["2 100 50", "3 180 60", "1 180 60"], done.stderr


def test_every_fault_is_in_the_table() -> None:
    assert rows_under("Faults") == [
        [f"`{fault.name}`", f"{fault.default:g} {fault.unit}" if fault.unit else "on", fault.text]
        for fault in CATALOGUE
    ]


def test_every_request_is_in_the_table_and_exists() -> None:
    board = VirtualK230()
    try:
        resources = ControlApi(board).app().router.routes()
        known = {f"{route.method} {route.resource.canonical}" for route in resources if route.resource is not None}
    finally:
        board.close()
    page = {f"GET /{file.name}" for file in (ROOT / "host/virtual_k230/page").iterdir() if file.is_file()}
    known = {line for line in known if not line.startswith("HEAD")} - page - {"GET /"}
    told = {
        match[1]
        for row in rows_under("Serve")
        for match in re.finditer(r"`((?:GET|POST|PUT|DELETE) /[a-z./]+)", row[0])
    }
    assert told == known


def test_profiles_are_those_of_the_table() -> None:
    assert [row[:3] for row in rows_under("Firmware profiles and boards")] == [
        [letter, firmware.version, firmware.nncase] for letter, firmware in FIRMWARE.items()
    ]


@pytest.mark.parametrize("letter", list(FIRMWARE))
def test_profiles_differ_as_the_table_says(letter: str) -> None:
    board = VirtualK230(profile=letter)
    try:
        said = board.run_code(
            "import sys, os, machine\nfrom media.sensor import *\nfrom media.display import *\n"
            "print(hasattr(sys, 'print_exception'), hasattr(os, 'replace'), hasattr(machine, 'OTP'))\n"
            "s = Sensor()\ns.reset()\ns.set_framesize(width=640, height=480)\ns.set_pixformat(Sensor.RGB565)\n"
            "try:\n    Display.init(Display.ST7701, width=801, height=480)\n"
            "except Exception as e:\n    print(type(e).__name__)\n"
            "Display.init(Display.ST7701, width=800, height=480)\n"
            "try:\n    s.run()\n    print('runs')\nexcept OSError:\n    print('needs MediaManager.init()')\n"
        )
    finally:
        board.close()
    lines = [line for line in said.splitlines() if not line.startswith("find sensor")]
    is_old = letter in "AB"
    assert lines == [
        f"{letter != 'D'} {letter == 'D'} {letter == 'D'}",
        "ValueError" if is_old else "RuntimeError",
        "needs MediaManager.init()" if is_old else "runs",
    ]


def test_modules_are_there_and_missing_as_the_guide_says() -> None:
    there = [name for row in rows_under("Modules") for name in re.findall(r"`([a-z_.0-9]+)`", row[0])]
    lacking = re.search(r"raises\s+`ImportError`: (.*)", GUIDE)
    absent = re.search(r"importing (.*?)raises\s+`ImportError`", GUIDE, re.DOTALL)
    assert lacking is not None and absent is not None
    missing = re.findall(r"`([a-z_.0-9]+)`", lacking[1] + absent[1])
    assert len(there) > 20 and len(missing) > 5
    classes = next(re.findall(r"`(\w+)`", row[1]) for row in rows_under("Modules") if row[0] == "`machine`")
    assert len(classes) > 10
    board = VirtualK230(profile="C")
    try:
        said = board.run_code(
            "import json\nfound = []\n"
            f"for name in {there + missing!r}:\n"
            "    try:\n        __import__(name)\n        found.append(name)\n    except ImportError:\n        pass\n"
            "print(json.dumps(found))\n"
            "import machine\n"
            f"print([name for name in {classes!r} if not hasattr(machine, name)])\n"
            "print(1 / 3 == 0.3333333333333333)\n"
        ).splitlines()
    finally:
        board.close()
    assert set(json.loads(said[0])) == set(there)
    assert said[1] == "[]"
    assert said[2] == "True"  # floats are doubles


def test_options_and_commands_of_the_guide_exist(capsys: pytest.CaptureFixture[str]) -> None:
    helped = ""
    for verb in ("run", "serve", "shell", "bench", "faults"):
        with contextlib.suppress(SystemExit):
            main([verb, "--help"])
        helped += capsys.readouterr().out
    for option in set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", GUIDE)):
        assert option in helped, option
    verbs = set(re.findall(r"virtual-k230 ([a-z]+)", GUIDE))
    assert verbs == {"run", "serve", "shell", "bench", "faults"}
