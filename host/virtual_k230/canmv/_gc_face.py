"""What `import gc` gives on the virtual board; _boot.py adds the native functions that are not replaced here."""

import gc as _native

from _hal import call as _call

_GROWTH_BYTES = 128 * 1024 * 1024  # the build counts as free what it could add to its heap; the launcher forbids that


_peak = [0]


def collect():
    """Collect, after noting how much was allocated: _peak_bytes() is the most that collections and the script's end saw."""
    _peak[0] = max(_peak[0], _native.mem_alloc())
    return _native.collect()


def _peak_bytes():
    _peak[0] = max(_peak[0], _native.mem_alloc())
    return _peak[0]


def mem_free():
    return _native.mem_free() - _GROWTH_BYTES


def sys_total():
    return tuple(_call("gc.sys", "total"))


def sys_heap():
    return tuple(_call("gc.sys", "heap"))


def sys_page():
    return tuple(_call("gc.sys", "page"))


def sys_mmz():
    return tuple(_call("gc.sys", "mmz"))
