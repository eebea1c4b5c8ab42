"""What `import sys` gives on the virtual board; _boot.py adds the native names that are not replaced here."""

import sys as _native
from collections import namedtuple

import _console

REPLACED = ("stdin", "stdout", "stderr", "platform", "version", "implementation")

stdin = _console.stdin
stdout = _console.make_output(_native.stdout)
stderr = stdout
platform = "rt-smart"
version = "3.4.0; MicroPython v1.21.0 on 2025-06-16"
implementation = namedtuple("implementation", ("name", "version", "_machine", "_mpy"))(
    "micropython", (1, 21, 0), "k230_canmv with K230", 7942
)
