"""A child process that does not outlive the one that started it. Standard library only."""

from __future__ import annotations

import ctypes
import os
import signal

_LIBC = ctypes.CDLL(None)  # loaded here: between fork and exec nothing may be loaded
_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent(parent: int = 0, sent: signal.Signals = signal.SIGKILL) -> None:
    """In the child: have the kernel send it `sent` when the parent is gone, however it went (`kill -9` too).

    The kernel tells of the end of the thread that started the child, not of its process. Linux only; elsewhere nothing happens.

    Args:
        parent: its process id, when it is known: a parent that went before this call ends the child at once.
        sent: the signal.
    """
    if not hasattr(_LIBC, "prctl"):
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, sent)
    if parent and os.getppid() != parent:
        os._exit(1)
