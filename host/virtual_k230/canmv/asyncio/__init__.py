"""asyncio on the virtual board, with the board's names.

The event loop and the streams are ours: the interpreter's own loop lives in JavaScript and cannot run inside a script.
Tasks (C), Event, Lock, gather and wait_for are the interpreter's.
"""

from . import core  # noqa: F401  the modules below take it from here
from .core import (  # noqa: F401  the public face
    CancelledError,
    Loop,
    TimeoutError,
    create_task,
    current_task,
    get_event_loop,
    new_event_loop,
    run,
    run_until_complete,
    sleep,
    sleep_ms,
)
from .stream import Server, Stream, StreamReader, StreamWriter, open_connection, start_server  # noqa: F401

__version__ = (3, 0, 0)
__path__ = ".frozen/asyncio"  # what follows comes from the interpreter

from .event import Event, ThreadSafeFlag  # noqa: E402, F401
from .funcs import gather, wait_for, wait_for_ms  # noqa: E402, F401
from .lock import Lock  # noqa: E402, F401
