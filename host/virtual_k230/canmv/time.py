"""time on the virtual board: sleeping waits on the Python side, where a stop can end it; the epoch is 1970."""

from _hal import call as _call
from utime import (  # noqa: F401  scripts import these from here
    gmtime,
    localtime,
    mktime,
    ticks_add,
    ticks_cpu,
    ticks_diff,
    ticks_ms,
    ticks_us,
    time_ns,
)
from utime import time as _time


def time():
    return int(_time())


def sleep(seconds):
    _call("time.sleep", seconds * 1000)


def sleep_ms(milliseconds):
    _call("time.sleep", milliseconds)


def sleep_us(microseconds):
    _call("time.sleep", microseconds / 1000)


def ntp_sync():
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
