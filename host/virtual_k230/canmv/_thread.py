"""_thread on the virtual board: real stacks, one thread at a time.

A thread runs until it makes a hardware call after its slice of 5 ms, sleeps, polls, or waits for a lock; the board
switches between any two bytecodes instead. A thread that only computes therefore holds the others up, and a read from a
blocking socket does too until its timeout. Stops (Ctrl-C, IDE) reach the main thread. At most 8 threads besides it.
"""

import _hal
from _hal import call as _call
from utime import ticks_add, ticks_diff, ticks_ms

_MOST = 8
_SLICE_MS = 5
_LOCK_WAIT_MS = 1
_EAGAIN = 11

_device = open("/dev/threads", "wb")
_jobs = {}
_order = [0]
_wake = {0: None}  # thread -> ticks_ms() at which it wants its turn, or None: at once
_current = 0
_last_number = 0
_slice_end = 0


def _switch(number):
    """Give the turn away; returns when it has come back."""
    global _current, _slice_end
    mine = _current
    if number != mine:
        _current = number
        _call_quietly("board.thread", number)
        _device.write(b"to %d" % number)
        if _current != mine:  # a thread that ended gives the turn to the first one
            _current = mine
            _call_quietly("board.thread", mine)
    _slice_end = ticks_add(ticks_ms(), _SLICE_MS)


def _call_quietly(op, number):
    hook, _hal.between = _hal.between, None
    try:
        _call(op, number)
    finally:
        _hal.between = hook


def _next():
    """The thread whose turn it is after this one, or None when all others sleep."""
    at = _order.index(_current) if _current in _order else 0
    now = ticks_ms()
    for number in _order[at + 1 :] + _order[:at]:
        when = _wake[number]
        if when is None or ticks_diff(when, now) <= 0:
            return number
    return None


def _between():
    """Called after each hardware call: is the slice over?"""
    if ticks_diff(_slice_end, ticks_ms()) <= 0:
        number = _next()
        if number is not None:
            _switch(number)


def wait(milliseconds):
    """Sleep while others run, each that can at least once. time.sleep() is this when there are threads."""
    me = _current
    until = ticks_add(ticks_ms(), int(milliseconds) + (milliseconds > int(milliseconds)))
    served = []
    while True:
        left = ticks_diff(until, ticks_ms())
        _wake[me] = until
        number = _next()
        if left <= 0 and (number is None or number in served):
            break
        if number is not None:
            served.append(number)
            _switch(number)
            continue
        others = [ticks_diff(when, ticks_ms()) for other, when in _wake.items() if other != me and when is not None]
        hook, _hal.between = _hal.between, None
        try:
            _call("time.sleep", max(0, min([left] + others)))
        finally:
            _hal.between = hook
            _wake[me] = None
    _wake[me] = None


def start_new_thread(function, args, kwargs=None):
    global _last_number
    if not callable(function):
        raise TypeError("'%s' object isn't callable" % type(function).__name__)
    args = tuple(args)
    if len(_order) > _MOST:
        raise OSError(_EAGAIN)
    _last_number += 1
    number = _last_number
    _jobs[number] = (function, args, kwargs or {})
    _device.write(b"new %d" % number)
    _order.append(number)
    _wake[number] = None
    _hal.between = _between
    return number


def _enter(number):
    """A new thread's first and last call (threads.mjs)."""
    global _current, _slice_end
    _slice_end = ticks_add(ticks_ms(), _SLICE_MS)
    function, args, kwargs = _jobs.pop(number)
    try:
        function(*args, **kwargs)
    except SystemExit:
        pass
    except BaseException as error:
        print("Unhandled exception in thread started by", function)
        _hal.report(error)
    _order.remove(number)
    del _wake[number]
    if len(_order) == 1:
        _hal.between = None
    _current = 0
    _call_quietly("board.thread", 0)


def get_ident():
    return _current + 1


def stack_size(size=0):
    return 0


def exit():
    raise SystemExit


class LockType:
    def __init__(self):
        self._is_locked = False

    def acquire(self, waitflag=1, timeout=-1):
        until = None if timeout < 0 else ticks_add(ticks_ms(), int(timeout * 1000))
        while self._is_locked:
            if not waitflag or (until is not None and ticks_diff(until, ticks_ms()) <= 0):
                return False
            wait(_LOCK_WAIT_MS)
        self._is_locked = True
        return True

    def release(self):
        if not self._is_locked:
            raise RuntimeError
        self._is_locked = False

    def locked(self):
        return self._is_locked

    def __enter__(self):
        self.acquire()

    def __exit__(self, kind, error, traceback):
        self.release()


def allocate_lock():
    return LockType()
