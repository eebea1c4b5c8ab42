"""os on the virtual board: MicroPython's own, with what CanMV adds and without what it lacks."""

from collections import namedtuple

from _hal import call, call_blob
from uos import chdir, getcwd, listdir, mkdir, remove, rename, rmdir, stat, unlink  # noqa: F401  scripts import these from here
from uos import ilistdir as _ilistdir

sep = "/"
EXITPOINT_DISABLE = 0
EXITPOINT_ENABLE = 1
EXITPOINT_ENABLE_SLEEP = 2

_Uname = namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))


def uname():
    return _Uname(*call("os.uname"))


def ilistdir(path="."):
    """(name, type, inode, size) of each entry, as FAT lists them."""
    folder = path if path.endswith("/") else path + "/"
    for entry in _ilistdir(path):
        yield (entry[0], entry[1], 0, stat(folder + entry[0])[6] if entry[1] & 0x8000 else 0)


def statvfs(path):
    return tuple(call("card.statvfs", path))


def exitpoint(flag=None):
    """Without a flag: deliver a pending stop, else return the flag. With one: set it and return the old one."""
    return call("os.exitpoint", flag)


def urandom(n):
    return bytes(call_blob("os.urandom", b"", n)[1])


def cpu_usage():
    return call("os.cpu_usage")


def sync():
    pass


def errno():
    return 0


def dupterm(stream, index=0):
    return None
