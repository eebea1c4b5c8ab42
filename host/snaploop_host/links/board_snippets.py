"""MicroPython code that the installer runs on a board. Each gets its arguments in front, as assignments; see `with_arguments`.

The firmware's hashlib has no hexdigest and its binascii may be a Python file: the u-names mean the C modules where they exist.
"""

from __future__ import annotations

# Prints repr((chip id, board type, firmware)).
IDENTIFY = """
import machine, os
try:
    from ubinascii import hexlify
except ImportError:
    from binascii import hexlify
_id = machine.chipid()
_id = hexlify(_id).decode() if isinstance(_id, (bytes, bytearray)) else str(_id)
print(repr((_id, os.uname()[4], os.uname()[3])))
"""

# PATHS: list of paths. Prints repr({path: (size, sha256 hex)}) of those that are there.
LIST_FILES = """
import os
try:
    from uhashlib import sha256
except ImportError:
    from hashlib import sha256
try:
    from ubinascii import hexlify
except ImportError:
    from binascii import hexlify
_found = {}
_buffer = bytearray(4096)
_view = memoryview(_buffer)
for _path in PATHS:
    try:
        _size = os.stat(_path)[6]
        _hash = sha256()
        with open(_path, "rb") as _file:
            while True:
                _n = _file.readinto(_buffer)
                if not _n:
                    break
                _hash.update(_view[:_n])
        _found[_path] = (_size, hexlify(_hash.digest()).decode())
    except OSError:
        pass
print(repr(_found))
"""

# FOLDERS: parents first. Makes those that are not there.
MAKE_FOLDERS = """
import os
for _path in FOLDERS:
    try:
        os.stat(_path)
    except OSError:
        os.mkdir(_path)
"""

# PACKAGE: path of a file with, for each file, u16 length of its path, u32 length of its zlib stream, both. Unpacks them as PATH.part.
UNPACK = """
import os, struct, zlib
with open(PACKAGE, "rb") as _package:
    while True:
        _head = _package.read(6)
        if len(_head) < 6:
            break
        _n_path, _n_data = struct.unpack(">HI", _head)
        _path = _package.read(_n_path).decode()
        with open(_path + ".part", "wb") as _file:
            _file.write(zlib.decompress(_package.read(_n_data)))
os.remove(PACKAGE)
"""

# Prints repr(True) when the firmware can unpack.
CAN_UNPACK = """
try:
    from zlib import decompress
    print(True)
except ImportError:
    print(False)
"""

# PATHS: each has a finished PATH.part beside it, which takes its place. FAT refuses to rename over a file, so that one goes first.
SWAP_FILES = """
import os
for _path in PATHS:
    try:
        os.remove(_path)
    except OSError as _error:
        if _error.args[0] != 2:
            raise
    os.rename(_path + ".part", _path)
if hasattr(os, "sync"):
    os.sync()
"""

# MAIN: path of main.py. A script there that is not ours moves to main_before_snaploop.py, unless there is one. Prints repr(whether).
KEEP_MAIN = """
import os
_folder, _kept = MAIN.rsplit("/", 1)[0], False
try:
    with open(MAIN) as _file:
        _is_ours = "snaploop" in _file.read(4096)
    if not _is_ours and "main_before_snaploop.py" not in os.listdir(_folder):
        os.rename(MAIN, _folder + "/main_before_snaploop.py")
        _kept = True
except (OSError, UnicodeError):
    pass
print(repr(_kept))
"""

# FOLDERS, KEEP: removes every .py and .part below the folders whose path is not in KEEP.
REMOVE_OTHERS = """
import os
def _clean(folder):
    for _name in os.listdir(folder):
        _path = folder + "/" + _name
        if os.stat(_path)[0] & 0x4000:
            _clean(_path)
        elif (_name.endswith(".py") or _name.endswith(".part")) and _path not in KEEP:
            os.remove(_path)
for _folder in FOLDERS:
    _clean(_folder)
"""

RESET = """
import machine
machine.reset()
"""


def with_arguments(snippet: str, **arguments: object) -> str:
    """The snippet with its arguments assigned in front."""
    return "".join(f"{name} = {value!r}\n" for name, value in arguments.items()) + snippet
