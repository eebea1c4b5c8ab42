"""What the command line of `virtual-k230` is given: numbers and files, each refused in one line that names it and the mend."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
import os
import re
from pathlib import Path
from typing import Any, NoReturn

from .board import VirtualK230
from .system import TOUCH_EVENTS

logger = logging.getLogger(__name__)

_TOUCH_EXAMPLE = '[{"at_s": 1.0, "event": "down", "x": 10, "y": 20}]'


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line; the whole usage is what --help is for."""

    def error(self, message: str) -> NoReturn:
        """End the program with exit status 2."""
        self.exit(2, f"virtual-k230: {message} (`{self.prog} --help` shows what there is)\n")


def size(text: str) -> tuple[int, int]:
    """800x480 as two numbers."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 800x480") from None
    return width, height


def seconds(text: str) -> float:
    """A time above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: give seconds above 0")
    return number


def count(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no count: give a whole number above 0")
    return int(text)


def port(text: str) -> int:
    """A TCP port, or 0."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give 1 to 65535, or 0 for any free one")
    return int(text)


def read_script(board: VirtualK230, script: Path) -> bytes:
    """Source of a script that is a file on this PC, or lies on the board's card ("/sdcard/…", "/data/…").

    Raises:
        OSError: it is not there, or is a folder.
    """
    is_on_card = script.as_posix().startswith(("/sdcard", "/data")) and not script.exists()
    try:
        return (board.host_path(script.as_posix()) if is_on_card else script).read_bytes()
    except FileNotFoundError:
        where = "the board's card (--sd DIR is its /sdcard)" if is_on_card else "this PC"
        raise FileNotFoundError(f"{script} is not on {where}") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{script} is a folder: name a script in it") from None


def forgotten_module(script: Path, exception: str) -> str:
    """What to do where a script of this PC wants a module that lies beside it here, but not on the card; empty where it is not that.

    Args:
        script: as it was named.
        exception: what it ended with, as MicroPython prints it.
    """
    missing = re.search(r"ImportError: no module named '([\w.]+)'", exception)
    module = script.parent / (missing[1].replace(".", "/") + ".py") if missing else None
    if module is None or not module.is_file():
        return ""
    return f"{module} is on this PC, a script runs on the board: copy it to the card too (--sd DIR is its /sdcard)"


def read_touches(file: Path) -> list[dict[str, Any]]:
    """Finger events of a JSON file, sorted by time.

    Raises:
        ValueError: it is not a list of events, or cannot be read.
    """
    try:
        events = json.loads(file.read_text())
    except OSError as error:
        raise ValueError(f"--touch {file} cannot be read ({_reason(error)}): give a JSON file") from error
    except ValueError as error:
        raise ValueError(f"--touch {file} is not JSON ({error}): write a list such as {_TOUCH_EXAMPLE}") from error
    if not isinstance(events, list):
        raise ValueError(f"--touch {file} is no list: write one such as {_TOUCH_EXAMPLE}")
    for number, event in enumerate(events, 1):
        if not _is_touch(event):
            raise ValueError(
                f"--touch {file}, event {number}: {json.dumps(event)[:80]} lacks something; give at_s (seconds, 0 or more), "
                f"event ({', '.join(TOUCH_EVENTS)}), x and y (pixels)"
            )
    return sorted(events, key=lambda event: float(event["at_s"]))


def _is_touch(event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    at_s, numbers = event.get("at_s"), [event.get("x"), event.get("y")]
    is_time = isinstance(at_s, int | float) and math.isfinite(at_s) and at_s >= 0
    return is_time and event.get("event") in TOUCH_EVENTS and all(isinstance(number, int) for number in numbers)


def make_folder(folder: Path, option: str) -> None:
    """Make a folder for what is written.

    Raises:
        ValueError: there is a file of that name, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{option} {folder} is no folder and cannot be made ({_reason(error)}): name another"
        ) from error


def check_output(file: str) -> None:
    """See before a long run that its summary can be written.

    Raises:
        ValueError: it cannot.
    """
    path = Path(file)
    if path.is_dir():
        raise ValueError(f"--json {file} is a folder: name a file in it")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"--json {file}: make the folder {path.parent} first")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise ValueError(f"--json {file} cannot be written: name a file in a folder that is yours")


def read_twins(pairs: list[str]) -> dict[str, str | Path]:
    """{sha256 of the kmodel: ONNX path} of folders and KMODEL=ONNX arguments.

    Raises:
        ValueError: a file is missing, or a folder has no pair.
    """
    twins: dict[str, str | Path] = {}
    for pair in pairs:
        if Path(pair).is_dir():
            twins.update(_twins_of_folder(Path(pair)))
            continue
        kmodel, _, onnx = pair.partition("=")
        if not onnx or not Path(onnx).is_file():
            raise ValueError(f"--onnx {pair}: give a folder that exists, or KMODEL=ONNX with an existing ONNX file")
        is_digest = len(kmodel) == 64 and all(char in "0123456789abcdef" for char in kmodel)
        if not is_digest and not Path(kmodel).is_file():
            raise ValueError(f"--onnx {pair}: there is no file {kmodel}; give the kmodel, or its SHA-256 in hex")
        twins[kmodel if is_digest else hashlib.sha256(Path(kmodel).read_bytes()).hexdigest()] = onnx
    return twins


def _twins_of_folder(folder: Path) -> dict[str, str | Path]:
    """The twins in a folder and those below it: x.kmodel and x.onnx beside each other."""
    pairs = [(kmodel, kmodel.with_suffix(".onnx")) for kmodel in sorted(folder.rglob("*.kmodel"))]
    found: dict[str, str | Path] = {
        hashlib.sha256(kmodel.read_bytes()).hexdigest(): onnx for kmodel, onnx in pairs if onnx.is_file()
    }
    without = [kmodel.name for kmodel, onnx in pairs if not onnx.is_file()]
    if without and found:
        logger.warning("--onnx %s: no twin beside %s; the simulator runs them", folder, ", ".join(without))
    if not found:
        raise ValueError(f"--onnx {folder}: no NAME.kmodel there has a NAME.onnx beside it")
    return found


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()
