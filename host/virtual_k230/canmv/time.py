"""time on the virtual board: sleeping waits on the Python side, where a stop can end it; the epoch is 1970."""

import _hal
from _hal import call as _call
from utime import gmtime as _gmtime
from utime import (  # noqa: F401  scripts import these from here
    mktime,
    ticks_add,
    ticks_cpu,
    ticks_diff,
    ticks_ms,
    ticks_us,
)
from utime import time as _time
from utime import time_ns as _time_ns

ticks = ticks_ms
_ahead_s = _call("hw.clock_offset", None)  # of the PC's clock; machine.RTC sets it


def set_clock(seconds):
    global _ahead_s
    _ahead_s = _call("hw.clock_offset", int(seconds) - int(_time()))


def time():
    return int(_time()) + _ahead_s


def time_ns():
    return _time_ns() + _ahead_s * 1000000000


def gmtime(seconds=None):
    return _gmtime(time() if seconds is None else seconds)


localtime = gmtime  # the board knows no time zone


def sleep_ms(milliseconds):
    if _hal.between is not None:
        import _thread

        return _thread.wait(milliseconds)
    left = _call("time.sleep", milliseconds)
    while left > 0:  # a timer or pin callback interrupted it
        left = _call("time.sleep", left)


def sleep(seconds):
    sleep_ms(seconds * 1000)


def sleep_us(microseconds):
    sleep_ms(microseconds / 1000)


def ntp_sync():
    """True when there is a network: the clock then is the PC's."""
    global _ahead_s
    if not _call("wlan.isconnected"):
        return False
    _ahead_s = _call("hw.clock_offset", 0)
    return True


class clock:
    """Frame timer: tick() at the start of a frame, fps() the mean rate since reset()."""

    def __init__(self):
        self.reset()

    def reset(self):
        self._start = ticks_ms()
        self._last = self._start
        self._frames = 0

    def tick(self):
        self._last = ticks_ms()
        self._frames += 1

    def avg(self):
        passed = ticks_diff(ticks_ms(), self._start)
        return passed / self._frames if self._frames else 0

    def fps(self):
        mean = self.avg()
        return 1000 / mean if mean else 0
