"""machine on the virtual board: touch panel, chip id, reset, and the pins, PWM and timers that scripts ask for."""

from gc import mem_free as _mem_free

from _hal import call as _call
from _hal import call_blob as _call_blob


def chipid():
    return bytes(_call_blob("machine.chipid", b"")[1])


def temperature():
    return _call("machine.temperature")


def reset():
    """The process that runs this code ends here."""
    _call("machine.reset")
    while True:
        _call("time.sleep", 1000)


def bootloader():
    raise OSError(95)


class TOUCH_INFO:
    """One touch point: event, track_id, width, x, y in panel pixels, timestamp in ms."""

    def __init__(self, row):
        self.event, self.track_id, self.width, self.x, self.y, self.timestamp = row

    def __repr__(self):
        return "event: %d, track_id: %d, width: %d, x: %d, y: %d, timestamp: %d" % (
            self.event, self.track_id, self.width, self.x, self.y, self.timestamp
        )  # fmt: skip


class TOUCH:
    EVENT_NONE = 0
    EVENT_UP = 1
    EVENT_DOWN = 2
    EVENT_MOVE = 3
    ROTATE_0 = 0
    ROTATE_90 = 1
    ROTATE_180 = 2
    ROTATE_270 = 3
    ROTATE_SWAP_XY = 4
    TYPE_CST226SE = 1
    TYPE_CST328 = 2
    TYPE_GT911 = 3

    def __init__(self, dev, *, rotate=-1, range_x=-1, range_y=-1, i2c=None, rst=None, int=None, type=0, slave_addr=0):
        if dev != 0 and (range_x < 0 or range_y < 0 or i2c is None):
            raise ValueError("range_x, range_y and i2c are needed for dev %d" % dev)
        if dev != 0:
            raise RuntimeError("Open Touch Device(%d) failed" % dev)
        self._reads = 0

    def read(self, count=1):
        self._reads += 1
        if self._reads % 64 == 1:
            rows = _call("touch.read", count, _mem_free())
        else:
            rows = _call("touch.read", count)
        return tuple([TOUCH_INFO(row) for row in rows]) if rows else ()

    def deinit(self):
        pass


class Pin:
    IN = 0
    OUT = 1
    PULL_NONE = 0
    PULL_UP = 1
    PULL_DOWN = 2

    def __init__(self, index, mode=IN, pull=PULL_NONE, value=-1, drive=7, alt=-1):
        self._index = index
        if value >= 0:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return _call("machine.pin", self._index)
        return _call("machine.pin", self._index, int(bool(level)))

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    high = on
    low = off

    def init(self, mode=IN, pull=PULL_NONE, drive=7):
        pass


class PWM:
    def __init__(self, channel, freq=-1, duty=-1, duty_u16=-1, duty_ns=-1, enable=False):
        self._freq = freq
        self._duty = duty

    def freq(self, value=None):
        if value is not None:
            self._freq = value
        return self._freq

    def duty(self, value=None):
        if value is not None:
            self._duty = value
        return self._duty

    def enable(self, on=True):
        pass

    def deinit(self):
        pass


class FPIOA:
    GPIO0 = 0

    def set_function(self, pin, func, *args, **settings):
        pass

    def help(self, *args, **settings):
        pass


class WDT:
    def __init__(self, id=1, timeout=5):
        pass

    def feed(self):
        pass
