"""machine.Timer, RTC and WDT."""

import time as _time

import _hal
from _hal import call as _call

_N_TIMERS = 6
_numbers = iter(range(100, 1 << 29))  # software timers


class Timer:
    """A callback after a period, once or again and again; it runs at the script's next hardware call or in its sleep."""

    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, index, mode=1, freq=-1, period=-1, callback=None):
        if index != -1 and not 0 <= index < _N_TIMERS:
            raise ValueError("invalid timer number")
        if index != -1 and ("timer", index) in _hal.handlers:
            raise RuntimeError("create hard timer(%d) obj failed" % index)
        self._index = index
        self._number = next(_numbers) if index == -1 else index
        self._period = 100
        self._mode = mode
        if callback is not None or freq != -1 or period != -1:
            self.init(mode, freq, period, callback)

    def init(self, mode=1, freq=-1, period=-1, callback=None, arg=None):
        period_ms = int(1000 / freq) if freq != -1 else period
        if callback is None or not callable(callback):
            raise ValueError("invalid callback")
        if period_ms < 5:
            raise ValueError("invalid period or freq, period should >= 5")
        if mode not in (self.ONE_SHOT, self.PERIODIC):
            raise ValueError("invalid mode")
        self._period = period_ms
        self._mode = mode
        _hal.handlers["timer", self._number] = lambda: callback(self)
        _call("event.start_timer", self._number, period_ms, mode == self.PERIODIC)

    def deinit(self):
        _hal.handlers.pop(("timer", self._number), None)
        _call("event.stop_timer", self._number)

    def __repr__(self):
        return "Timer %d: period=%d ms, mode=%s\n" % (
            self._index, self._period, "oneshot" if self._mode == self.ONE_SHOT else "periodic"
        )  # fmt: skip


class RTC:
    """The clock behind time.time(); it starts with the PC's time, and setting it lasts until the board is reset hard."""

    def init(self, when):
        year, month, day, _, hours, minutes, seconds, _ = when
        wanted = _time.mktime((year, month, day, hours, minutes, seconds, 0, 0))
        _time.set_clock(wanted)

    def datetime(self, when=None):
        """(year, month, day, weekday 1-7, hours, minutes, seconds, microseconds)."""
        if when is not None:
            return self.init(when)
        now = _time.localtime()
        return (now[0], now[1], now[2], now[6] + 1, now[3], now[4], now[5], _time.time_ns() // 1000 % 1000000)

    now = datetime


class WDT:
    """The watchdog: without feed() for `timeout` seconds the board resets. The end of the script closes it (auto_close)."""

    def __init__(self, id=1, timeout=5, auto_close=True):
        if id != 1:
            raise ValueError("WDT%d is not available: use WDT(1)" % id)
        if timeout <= 0:
            raise ValueError("invalid timeout")
        _call("hw.start_watchdog", timeout)

    def feed(self):
        _call("hw.feed_watchdog")
