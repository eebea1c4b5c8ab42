"""What this machine has and lacks for snaploop, each with the one command that mends it. Called by `snaploop doctor`.

Nothing heavy is imported: packages are looked up, not loaded.
"""

from __future__ import annotations

import contextlib
import grp
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .compiling import dotnet, nncase_environment
from .compiling.errors import NncaseMissingError
from .config import DEFAULT_HOST, DEFAULT_PORT
from .errors import MissingToolError

PYTHONS = ((3, 10), (3, 13))  # nncase has wheels for 3.10 to 3.12
OLDEST_NODE = 18
ENOUGH_FREE_BYTES = 5 * 2**30  # photos are small; weights, jobs and a training's caches are not
MICROPYTHON = Path("@micropython/micropython-webassembly-pyscript/micropython.mjs")
TRAINING_PACKAGES = ("torch", "ultralytics", "onnx", "onnxruntime", "cv2")

OK = "ok"
MISSING = "missing"
NOTE = "note"  # nothing is wrong, but a person may want to know


@dataclass(frozen=True, slots=True)
class Check:
    """One thing: its state, what was found, what it is for, and the command that mends it."""

    name: str
    state: str
    found: str
    needed_for: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def diagnose(data_dir: Path, environ: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """Every check, as it is done."""
    yield _python()
    yield _node(environ)
    yield _micropython(environ)
    yield _dotnet(environ)
    yield _nncase()
    yield _simulator()
    yield _training_packages()
    yield _data_folder(data_dir)
    yield _disk(data_dir)
    yield _port(data_dir)
    yield from _serial_ports()


def require_loop_tools(environ: Mapping[str, str] = os.environ) -> None:
    """Return when the virtual board, a training and the compiler can work here; lays nothing out and loads nothing.

    Raises:
        MissingToolError: what is not there, with the command that mends it.
    """
    checks = [_node(environ), _micropython(environ), _nncase(), _simulator(), _training_packages()]
    if dotnet.find_npm_package(environ=environ) is None:  # else a job lays the runtime out by itself
        checks.append(_dotnet(environ))
    lacking = [f"{check.name}: {check.found}: {check.mend}" for check in checks if check.state == MISSING]
    if lacking:
        raise MissingToolError(f"{'; '.join(lacking)} (`snaploop doctor` checks everything)")


def _python() -> Check:
    here = sys.version_info[:2]
    is_good = PYTHONS[0] <= here < PYTHONS[1]
    mend = "" if is_good else "install Python 3.11 and run `make setup PYTHON=python3.11`"
    return Check("Python", OK if is_good else MISSING, f"{here[0]}.{here[1]} at {sys.executable}", "everything", mend)


def _node(environ: Mapping[str, str]) -> Check:
    purpose = "the virtual board"
    program = environ.get("VIRTUAL_K230_NODE") or shutil.which("node", path=environ.get("PATH"))
    if program is None:
        return Check("Node", MISSING, "not on PATH", purpose, "sudo apt-get install nodejs npm")
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        major = int(said.lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return Check("Node", MISSING, f"{program} does not run", purpose, "sudo apt-get install --reinstall nodejs")
    if major < OLDEST_NODE:
        return Check(
            "Node", MISSING, f"{said}, {OLDEST_NODE} or newer is needed", purpose, "sudo npm install -g n && sudo n 20"
        )
    return Check("Node", OK, f"{said} at {program}", purpose)


def _micropython(environ: Mapping[str, str]) -> Check:
    places = [Path(environ["VIRTUAL_K230_NODE_MODULES"])] if environ.get("VIRTUAL_K230_NODE_MODULES") else []
    places += [parent / "node_modules" for parent in (*Path(__file__).resolve().parents, *(Path.cwd() / "x").parents)]
    found = next((place for place in places if (place / MICROPYTHON).exists()), None)
    if found is None:
        return Check("MicroPython", MISSING, "npm package not installed", "the virtual board", "npm ci")
    return Check("MicroPython", OK, str(found / MICROPYTHON.parent), "the virtual board")


def _dotnet(environ: Mapping[str, str]) -> Check:
    purpose = "compiling"
    root = dotnet.find_runtime(environ)
    if root is not None:
        return Check(".NET runtime", OK, f"{dotnet.runtime_version(root)} at {root}", purpose)
    package = dotnet.find_npm_package(environ=environ)
    if package is not None:
        found = f"not laid out yet; its files are in {package}"
        return Check(".NET runtime", MISSING, found, purpose, f"{sys.executable} -m snaploop_host.compiling.dotnet")
    return Check(
        ".NET runtime",
        MISSING,
        "none found",
        purpose,
        "npm ci && " + f"{sys.executable} -m snaploop_host.compiling.dotnet",
    )


def _nncase() -> Check:
    purpose, mend = "compiling", "pip install 'snaploop[train]'"
    try:
        version = nncase_environment.nncase_version()
        plugin = nncase_environment.site_packages() / "nncase" / "modules" / "kpu"
    except NncaseMissingError as error:
        return Check("nncase", MISSING, str(error).split(":")[0], purpose, mend)
    if not plugin.is_dir():
        return Check(
            "nncase",
            MISSING,
            f"{version}, without its K230 plug-in",
            purpose,
            "pip install --force-reinstall nncase-kpu==" + version,
        )
    return Check("nncase", OK, f"{version} with the K230 plug-in", purpose)


def _simulator() -> Check:
    purpose = "checking kmodels"
    try:
        program = nncase_environment.site_packages() / nncase_environment.SIMULATOR_EXECUTABLE
    except NncaseMissingError:
        return Check("K230 simulator", MISSING, "not installed", purpose, "pip install 'snaploop[train]'")
    if not program.exists():
        return Check(
            "K230 simulator", MISSING, f"{program} is not there", purpose, "pip install --force-reinstall nncase-kpu"
        )
    return Check("K230 simulator", OK, f"{program} (jobs put it on their PATH)", purpose)


def _training_packages() -> Check:
    lacking = [name for name in TRAINING_PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        return Check(
            "training packages", MISSING, f"without {', '.join(lacking)}", "training", "pip install 'snaploop[train]'"
        )
    return Check("training packages", OK, ", ".join(TRAINING_PACKAGES), "training")


def _data_folder(folder: Path) -> Check:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if os.access(there, os.W_OK | os.X_OK) and there.is_dir():
        return Check(
            "data folder", OK, f"{folder}" + ("" if folder.exists() else " (made at the first start)"), "everything"
        )
    return Check("data folder", MISSING, f"{there} cannot be written", "everything", f"sudo chown -R $USER {there}")


def _disk(folder: Path) -> Check:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / 2**30:.1f} GiB free"
    if free < ENOUGH_FREE_BYTES:
        mend = f"free {(ENOUGH_FREE_BYTES - free) / 2**30:.1f} GiB, or choose another disk with --data"
        return Check("disk", MISSING, text, "photos and trainings", mend)
    return Check("disk", OK, text, "photos and trainings")


def _port(folder: Path) -> Check:
    from .app import daemon_address

    running = daemon_address(folder)
    if running is not None:
        return Check("daemon", OK, f"serves at {running['url']}", "boards and page")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((DEFAULT_HOST, DEFAULT_PORT))
        except OSError:
            mend = f"snaploop serve --listen {DEFAULT_HOST}:{DEFAULT_PORT + 1}"
            return Check("daemon", MISSING, f"port {DEFAULT_PORT} is taken by another program", "boards and page", mend)
    return Check(
        "daemon", NOTE, f"not running; port {DEFAULT_PORT} is free: `snaploop serve` starts it", "boards and page"
    )


def _serial_ports() -> Iterator[Check]:
    from serial.tools import list_ports

    from .links.usb_ports import board_ports

    boards = board_ports()
    others = sorted(one.device for one in list_ports.comports() if one.device not in boards and one.vid is not None)
    if not boards:
        also = f"; other serial devices: {', '.join(others)}" if others else ""
        yield Check("board on USB", NOTE, f"none plugged in{also}", "installing and syncing over USB")
    for port in boards:
        if os.access(port, os.R_OK | os.W_OK):
            yield Check("board on USB", OK, port, "installing and syncing over USB")
        else:
            mend = f"sudo usermod -aG {_group(port)} $USER, then log in again"
            yield Check("board on USB", MISSING, f"no permission for {port}", "installing and syncing over USB", mend)


def _group(port: str) -> str:
    with contextlib.suppress(OSError, KeyError):
        return grp.getgrgid(os.stat(port).st_gid).gr_name
    return "dialout"
