"""One life of the interpreter: the Node process that runs it, and the two pipes over which it asks for hardware.

board.py starts one for each boot. The process ends when its pipes close, so it never outlives the program that owns the
board, whatever ends that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .hal import Hal
from .interpreter import HERE, Interpreter

_GOING_S = 1.0  # from the end of its pipe to the end of the process
_STACK_KIB = 3900  # of Node itself, for deep calls of the script


def _module_path(cards: dict[str, str]) -> list[str]:
    """sys.path; images of 2024 keep `libs` in /sdcard/app."""
    path = ["", "/.frozen", "/sdcard", "/data"]
    return [*path, "/sdcard/app"] if Path(cards.get("/sdcard", ""), "app/libs").is_dir() else path


class Child:
    """A running interpreter.

    Args:
        interpreter: what find_interpreter() found.
        heap_bytes: size of MicroPython's heap.
        cards: {"/sdcard": real folder, …}.
        temporary: folders that it removes when this program is killed and cannot do it.
        code: MicroPython source that it runs; it ends with it.
    """

    def __init__(
        self, interpreter: Interpreter, heap_bytes: int, cards: dict[str, str], temporary: list[str], code: str
    ) -> None:
        request_read, request_write = os.pipe()
        reply_read, reply_write = os.pipe()
        watch_read, watch_write = os.pipe()
        config = {
            "package": str(interpreter.package),
            "wasm": str(interpreter.wasm),
            "threadWasm": str(interpreter.thread_wasm),
            "requestFd": request_write,
            "replyFd": reply_read,
            "watchFd": watch_read,
            "heapBytes": heap_bytes,
            "modules": str(HERE / "canmv"),
            "cards": cards,
            "temporary": temporary,
            "code": f"import sys\nsys.path[:] = {_module_path(cards)}\n" + code,
        }
        try:
            self._process = subprocess.Popen(
                [interpreter.node, f"--stack-size={_STACK_KIB}", str(HERE / "launcher.mjs"), json.dumps(config)],
                pass_fds=(request_write, reply_read, watch_read),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal is for the PC's program, not for the board
            )
        except OSError:
            for fd in (request_read, reply_write, watch_write):
                os.close(fd)
            raise
        finally:
            for fd in (request_write, reply_read, watch_read):
                os.close(fd)
        self._requests = os.fdopen(request_read, "rb", buffering=1 << 16)
        self._reply_fd, self._watch_fd = reply_write, watch_write

    def serve(self, hal: Hal, on_end: Callable[[Child], Any]) -> threading.Thread:
        """Let `hal` answer its hardware calls in a thread of its own; on_end(this object) is called there when it is gone.

        Returns:
            The thread; over when on_end has returned.
        """

        def ended() -> None:
            try:
                self._process.wait(_GOING_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._requests.close()
            os.close(self._reply_fd)
            os.close(self._watch_fd)
            on_end(self)

        return hal.start(self._requests, self._reply_fd, "virtual-k230-hal", ended)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def has_failed(self) -> bool:
        """Did it end by an error of its own, rather than at the end of its code or by kill()?"""
        return self._process.returncode not in (None, 0, -signal.SIGKILL)

    def kill(self) -> None:
        """End it at once; on_end follows."""
        self._process.kill()

    def cpu_s(self) -> float:
        """CPU seconds that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
