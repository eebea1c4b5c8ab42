"""Finds Node and the MicroPython package, patches its WebAssembly once, and says in one line what is missing.

Called by board.py before a child is started. The patched file (see gc_patch.mjs) lies in the user's cache folder under
the digest of its inputs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent
_MICROPYTHON = Path("@micropython/micropython-webassembly-pyscript")
_BINARYEN = Path("binaryen/index.js")
_NODE_MIN = 18


class InterpreterMissingError(RuntimeError):
    """Node, the MicroPython package or binaryen is not there; the message names the mend."""


@dataclass(frozen=True)
class Interpreter:
    """What is needed to start a child: the node program, micropython.mjs and the patched micropython.wasm.

    thread_wasm is the variant that runs the script's second and further threads.
    """

    node: str
    package: Path
    wasm: Path

    @property
    def thread_wasm(self) -> Path:
        """Made together with wasm."""
        return _thread_variant(self.wasm)


def find_interpreter() -> Interpreter:
    """The interpreter, patched and ready; the first call on a machine takes some seconds.

    Raises:
        InterpreterMissingError: something is missing or too old.
    """
    node = _find_node()
    package = _find_in_node_modules(_MICROPYTHON / "micropython.mjs")
    return Interpreter(node, package, _patched(node, package.with_name("micropython.wasm")))


def _find_node() -> str:
    node = os.environ.get("VIRTUAL_K230_NODE") or shutil.which("node")
    if not node:
        raise InterpreterMissingError(f"Node is missing: install Node {_NODE_MIN} or newer and put `node` on the PATH")
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise InterpreterMissingError(f"{node} does not run ({error}): install Node {_NODE_MIN} or newer") from error
    version = re.match(r"v(\d+)\.", said)
    if version is None or int(version[1]) < _NODE_MIN:
        raise InterpreterMissingError(f"{node} is {said.strip()}, too old: install Node {_NODE_MIN} or newer")
    return node


def _find_in_node_modules(wanted: Path) -> Path:
    places = [parent / "node_modules" for parent in HERE.parents]
    if os.environ.get("VIRTUAL_K230_NODE_MODULES"):
        places.insert(0, Path(os.environ["VIRTUAL_K230_NODE_MODULES"]))
    for place in places:
        if (place / wanted).is_file():
            return place / wanted
    raise InterpreterMissingError(
        f"npm package {wanted.parent} is missing: run `make setup` (or `npm ci`) in the repository, "
        "or set VIRTUAL_K230_NODE_MODULES to the node_modules folder that has it"
    )


def _patched(node: str, wasm: Path) -> Path:
    script = HERE / "gc_patch.mjs"
    digest = hashlib.sha256(wasm.read_bytes() + script.read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "virtual_k230"
    target = cache / f"micropython-{digest}.wasm"
    if target.is_file() and _thread_variant(target).is_file():
        return target
    binaryen = _find_in_node_modules(_BINARYEN)
    cache.mkdir(parents=True, exist_ok=True)
    logger.info("preparing the interpreter once: %s", target)
    done = subprocess.run(
        [node, str(script), str(binaryen), str(wasm), str(target), str(_thread_variant(target))],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 or not target.is_file():
        lines = [line for line in done.stderr.splitlines() if "Error" in line] or done.stderr.splitlines()[-1:]
        raise InterpreterMissingError(f"could not prepare the interpreter with binaryen: {' '.join(lines)[:300]}")
    return target


def _thread_variant(wasm: Path) -> Path:
    return wasm.with_suffix(".thread.wasm")
