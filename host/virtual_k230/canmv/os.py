"""os on the virtual board: MicroPython's own, with what CanMV adds and without what it lacks."""

from collections import namedtuple

from _hal import call, call_blob
from uos import chdir, getcwd, listdir, mkdir, remove, rename, rmdir, stat, unlink  # noqa: F401  scripts import these from here
from uos import ilistdir as _ilistdir
from vfs import mount as _mount
from vfs import umount as _umount

sep = "/"
EXITPOINT_DISABLE = 0
EXITPOINT_ENABLE = 1
EXITPOINT_ENABLE_SLEEP = 2

_Uname = namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))
_environment = {}
_mounted = []
_terminals = {}
_last_error = 0


def uname():
    return _Uname(*call("os.uname"))


def mount(file_system, path, **options):
    """Let a file system that a script made (as `mpremote mount` does) appear at path."""
    _mount(file_system, path, **options)
    _mounted.append((file_system, path))


def umount(path_or_file_system):
    _umount(path_or_file_system)
    _mounted[:] = [pair for pair in _mounted if path_or_file_system not in pair]


def _is_mounted(path):
    """Does path lie in a file system that a script made?"""
    full = path if path.startswith("/") else getcwd() + "/" + path
    return any((full + "/").startswith(point + "/") for _, point in _mounted)


def ilistdir(path="."):
    """(name, type, inode, size) of each entry, as FAT lists them; what a mounted file system says, as it says it."""
    if _is_mounted(path):
        return _ilistdir(path)
    return _with_sizes(path)


def _with_sizes(path):
    folder = path if path.endswith("/") else path + "/"
    for entry in _ilistdir(path):
        yield (entry[0], entry[1], 0, stat(folder + entry[0])[6] if entry[1] & 0x8000 else 0)


def statvfs(path):
    return tuple(call("card.statvfs", path))


def exitpoint(flag=None):
    """Without a flag: deliver a pending stop, else return the flag. With one: set it, return the old one; 0 also delivers."""
    if flag is None:
        return call("os.exitpoint")
    old = call("board.exit_flag", flag)
    if flag == EXITPOINT_DISABLE:
        call("os.exitpoint")
    return old


def urandom(n):
    return bytes(call_blob("os.urandom", b"", n)[1])


def cpu_usage():
    """Percent of a PC core that this interpreter used since the last call."""
    return call("os.cpu_usage")


def sync():
    """Nothing to do: every write is on the PC's disk when it returns."""


def errno(*number):
    """The C library's error number, which a script can set; nothing here sets it by itself."""
    global _last_error
    if not number:
        return _last_error
    _last_error = number[0]


def getenv(name, default=None):
    return _environment.get(name, default)


def putenv(name, value):
    _environment[name] = value


def unsetenv(name):
    _environment.pop(name, None)


def dupterm(stream, index=0):
    """The stream that was in the slot. What is printed goes to the new one too (see _console.py)."""
    import _console

    old = _terminals.get(index)
    if stream is None:
        _terminals.pop(index, None)
    else:
        _terminals[index] = stream
    _console.copies[:] = list(_terminals.values())
    return old


if call("board.profile")["has_os_replace"]:

    def replace(old, new):
        """rename() that may fall onto an existing file."""
        try:
            stat(new)
        except OSError:
            pass  # there is none: a plain rename
        else:
            remove(new)
        rename(old, new)
