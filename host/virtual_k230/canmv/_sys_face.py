"""What `import sys` gives on the virtual board; _boot.py adds the native names that are not replaced here."""

import sys as _native
from collections import namedtuple

import _console
from _hal import call as _call

_profile = _call("board.profile")
_uname = _call("os.uname")

REPLACED = ["stdin", "stdout", "stderr", "platform", "version", "implementation"]
if not _profile["has_print_exception"]:
    REPLACED.append("print_exception")

stdin = _console.stdin
stdout = _console.make_output(_native.stdout)
stderr = stdout
platform = "rt-smart"
version = "3.4.0; CanMV " + _uname[3]
implementation = namedtuple("implementation", ("name", "version", "_machine", "_mpy"))(
    "micropython", (1, 21, 0), _uname[4], 7942
)
