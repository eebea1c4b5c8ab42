"""Hardware calls of the virtual board, MicroPython side: every emulated module reaches its device through here.

call(op, *args) -> value, call_blob(op, blob, *args) -> (value, bytes), token(handle) -> an object that frees the
Python-side handle when it is collected. Errors raised by the Python side arrive as the same builtin exception.
Callbacks of timers and pins (`handlers`) run here, after a call whose reply says that one is due.
"""

import builtins
import gc
import io
import json
import struct
import sys

_dev = open("/dev/hal", "r+b")
_write = _dev.write
_readinto = _dev.readinto
_dumps = json.dumps
_pack = struct.pack
_unpack = struct.unpack
_loads = json.loads
_print_exception = sys.print_exception
_head = bytearray(8)
_small = bytearray(2048)
_small_view = memoryview(_small)
_DUE = 0x80000000  # bit of the reply's length: a callback is due

handlers = {}
"""{("timer" | "pin", number): function without arguments}."""
_is_handling = False
between = None
"""Called after each hardware call when there are threads (_thread.py): another one may get its turn."""


def _error(reply):
    kind = getattr(builtins, reply[1], RuntimeError)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        kind = RuntimeError
    return kind(*reply[2])


def _send(request, blob, n_blob):
    text = _dumps(request).encode()
    _write(_pack("<II", len(text), n_blob) + text)
    if n_blob:
        _write(blob)


def _receive():
    """(reply, number of bytes that follow, is a callback due)."""
    _readinto(_head)
    n_text, n_blob = _unpack("<II", _head)
    is_due = n_text >= _DUE
    if is_due:
        n_text -= _DUE
    if n_text <= 2048:
        view = _small_view[:n_text]
    else:
        view = memoryview(bytearray(n_text))
    _readinto(view)
    return _loads(view), n_blob, is_due


def report(error):
    """Print a traceback without the frames of the emulation."""
    text = io.StringIO()
    _print_exception(error, text)
    for line in text.getvalue().split("\n")[:-1]:
        if not line.startswith('  File "/.frozen/'):
            print(line)


_hoard = []


def _fill_heap(left_bytes):
    """A fault that was asked for: take memory until only so much is free; -1 gives it back."""
    from gc import collect, mem_free

    _hoard.clear()
    collect()
    if left_bytes < 0:
        return
    for size in (65536, 4096, 512):
        try:
            while mem_free() > left_bytes + size:
                _hoard.append(bytearray(size))
        except MemoryError:  # what is free lies in pieces smaller than this
            continue


def _handle():
    """Run the callbacks that are due; one that raises is reported and not called again, as on the board."""
    global _is_handling
    _is_handling = True
    try:
        for kind, number in call("event.take"):
            if kind == "heap":
                _fill_heap(number)
                continue
            handler = handlers.get((kind, number))
            if handler is None:
                continue
            try:
                handler()
            except Exception as error:
                if error.args == ("IDE interrupt",):
                    raise
                print("Uncaught exception in IRQ callback handler")
                report(error)
                handlers.pop((kind, number), None)
                if kind == "timer":
                    call("event.stop_timer", number)
                else:
                    call("hw.pin_listen", number, None)
    finally:
        _is_handling = False


def call(op, *args):
    _send((op, args), None, 0)
    reply, n_blob, is_due = _receive()
    if n_blob:
        _readinto(bytearray(n_blob))
    if is_due and not _is_handling:
        _handle()
    if between is not None and not _is_handling:
        between()
    if len(reply) > 1:
        raise _error(reply)
    return reply[0]


def call_blob(op, blob, *args):
    """blob: bytes-like; b"" sends none. Returns (value, bytearray); the bytearray is new and belongs to the caller."""
    if isinstance(blob, str):
        blob = blob.encode()
    n = len(blob)
    if n and not isinstance(blob, (bytes, bytearray)):
        n *= len(bytes(blob[:1]))
    _send((op, args), blob, n)
    reply, n_blob, is_due = _receive()
    data = bytearray(n_blob)
    if n_blob:
        _readinto(data)
    if is_due and not _is_handling:
        _handle()
    if between is not None and not _is_handling:
        between()
    if len(reply) > 1:
        raise _error(reply)
    return reply[0], data


def token(handle):
    """An object whose collection (or close()) tells the Python side by op "hal.free" that `handle` is no longer used."""
    try:
        return open("/dev/hal_handle/%d" % handle, "rb")
    except OSError:  # some 4000 files may be open at once; dropped tokens still count until the next collection
        gc.collect()
        return open("/dev/hal_handle/%d" % handle, "rb")
