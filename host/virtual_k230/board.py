"""`VirtualK230`: one virtual board, its child process with the interpreter, and what a test or a person does to it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from .hal import Hal

logger = logging.getLogger(__name__)

_HERE = Path(__file__).resolve().parent
_PACKAGE = Path("@micropython/micropython-webassembly-pyscript/micropython.mjs")


class VirtualK230:
    """A board that is switched on by `with` (or start()) and off by the end of the block (or close())."""

    def __init__(self, sd: str | Path | None = None, heap_mib: int = 4, **options: Any) -> None:
        self.options = options
        self.heap_mib = heap_mib
        self.hal = Hal()
        self.lock = threading.RLock()
        self.log = ""
        self._child: subprocess.Popen[bytes] | None = None
        self.hal.op("console.write", self._console_write)
        self.hal.op("hal.free", self._free)
        self._frees: list[Any] = []

    def _console_write(self, blob: memoryview) -> None:
        self.log += bytes(blob).decode("utf-8", "replace")

    def on_free(self, function: Any) -> None:
        """`function(handle) -> bool` is asked for each freed handle until one says that it was its own."""
        self._frees.append(function)

    def _free(self, handles: list[int]) -> None:
        for handle in handles:
            for function in self._frees:
                if function(handle):
                    break

    def run_code(self, code: str, timeout: float = 60) -> str:
        """Run MicroPython source in a fresh child to its end; returns everything it printed."""
        request_read, request_write = os.pipe()
        reply_read, reply_write = os.pipe()
        node = shutil.which("node") or "node"
        config = {
            "package": str(_find_package()),
            "requestFd": request_write,
            "replyFd": reply_read,
            "heapBytes": self.heap_mib << 20,
            "modules": str(_HERE / "canmv"),
            "code": "import sys\nsys.path[:] = ['', '/.frozen', '/sdcard', '/data']\n" + code,
        }
        child = subprocess.Popen(
            [node, str(_HERE / "launcher.mjs"), json.dumps(config)], pass_fds=(request_write, reply_read)
        )
        self._child = child
        os.close(request_write)
        os.close(reply_read)
        requests = os.fdopen(request_read, "rb", buffering=1 << 16)
        self.hal.start(requests, reply_write, "virtual-k230-hal", lambda: None).join(timeout)
        child.kill()
        child.wait()
        os.close(reply_write)
        requests.close()
        return self.log


def _find_package() -> Path:
    for root in [os.environ.get("VIRTUAL_K230_NODE_MODULES"), *(str(p / "node_modules") for p in _HERE.parents)]:
        if root and (Path(root) / _PACKAGE).is_file():
            return Path(root) / _PACKAGE
    raise FileNotFoundError(f"{_PACKAGE.parent} not found")
