"""select on the virtual board: sys.stdin and sockets, waited for by the Python side."""

import _console
import _hal
from _hal import call
from utime import ticks_diff, ticks_ms

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16

_input = _console._input
_ASKED = 1 << 29  # bit of the numbers of streams that answer by their ioctl()
_STDIN = -1  # the number that stands for sys.stdin in the wait operation


_POLL_REQUEST = 3  # of a stream's ioctl()
_LOOK_AGAIN_MS = 5


def _number(thing):
    if thing is _console.stdin or thing is _console.stdin.buffer:
        return _STDIN
    number = getattr(thing, "_handle", None)
    if number is None:
        if hasattr(thing, "ioctl"):  # a stream that a script made: it is asked itself
            return id(thing) | _ASKED
        raise OSError(22)
    return number


class _Poll:
    def __init__(self):
        self._things = {}
        self._stdin_ready = None
        self._only_stdin = None

    def register(self, thing, mask=POLLIN | POLLOUT):
        number = _number(thing)
        self._things[number] = [thing, mask]
        self._notice_stdin()

    def modify(self, thing, mask):
        number = _number(thing)
        if number not in self._things:
            raise OSError(2)
        self._things[number][1] = mask
        self._notice_stdin()

    def unregister(self, thing):
        self._things.pop(_number(thing), None)
        self._notice_stdin()

    def _notice_stdin(self):
        item = self._things.get(_STDIN)
        self._stdin_ready = None
        if item and item[1] & POLLIN:
            self._stdin_ready = [(item[0], POLLIN)]
        self._only_stdin = self._stdin_ready if len(self._things) == 1 else None

    def poll(self, timeout_ms=-1):
        ready = self._only_stdin
        if ready is not None:  # the loop of a program that reads its input byte by byte: kept short
            if _input.at < _input.end:
                return ready
            if _hal.between is None or timeout_ms == 0:
                return ready if _console.fill(-1 if timeout_ms is None else int(timeout_ms)) else []
        if self._stdin_ready is not None and _console.has_input():
            timeout_ms = 0
        return self._wait(-1 if timeout_ms is None else int(timeout_ms))

    def _wait(self, timeout_ms):
        own = [item for number, item in self._things.items() if number > 0 and number & _ASKED]
        if not own:
            return self._wait_once(timeout_ms)
        start = ticks_ms()
        while True:
            ready = []
            for thing, mask in own:
                state = thing.ioctl(_POLL_REQUEST, mask)
                if state:
                    ready.append((thing, state))
            left_ms = -1 if timeout_ms < 0 else max(0, timeout_ms - ticks_diff(ticks_ms(), start))
            wait_ms = 0 if ready else _LOOK_AGAIN_MS if left_ms < 0 else min(left_ms, _LOOK_AGAIN_MS)
            ready += self._wait_once(wait_ms)
            if ready or left_ms == 0:
                return ready

    def _wait_once(self, timeout_ms):
        if _hal.between is None or timeout_ms == 0:
            return self._ask(timeout_ms)
        import _thread  # the others go on while this one waits

        start = ticks_ms()
        while True:
            ready = self._ask(0)
            if ready or 0 <= timeout_ms <= ticks_diff(ticks_ms(), start):
                return ready
            _thread.wait(_LOOK_AGAIN_MS)

    def _ask(self, timeout_ms):
        ready = []
        asked = []
        for number, (thing, mask) in self._things.items():
            if number == _STDIN and mask & POLLIN and _console.has_input():
                ready.append((thing, POLLIN))
            elif number < 0 or not number & _ASKED:
                asked.append((number, mask))
        for number, mask in call("poll.wait", asked, timeout_ms):
            ready.append((self._things[number][0], mask))
        return ready

    def ipoll(self, timeout_ms=-1, flags=0):
        for item in self.poll(timeout_ms):
            if flags & 1:
                self.modify(item[0], 0)
            yield item


def poll():
    return _Poll()


def select(readable, writable, broken, timeout_s=-1):
    waiter = _Poll()
    for thing in readable:
        waiter.register(thing, POLLIN)
    for thing in writable:
        number = _number(thing)
        mask = waiter._things[number][1] if number in waiter._things else 0
        waiter.register(thing, mask | POLLOUT)
    found = waiter.poll(-1 if timeout_s is None or timeout_s < 0 else int(timeout_s * 1000))
    return (
        [thing for thing, mask in found if mask & (POLLIN | POLLHUP | POLLERR) and thing in readable],
        [thing for thing, mask in found if mask & (POLLOUT | POLLERR) and thing in writable],
        [],
    )
