"""machine.TOUCH: the finger events of the panel, and the driver's rotation of their coordinates.

A controller of one's own on an I2C bus (dev other than 0) feels the same finger: the virtual board has one screen.
"""

from gc import mem_free as _mem_free

from _hal import call as _call

_MAX_POINTS = 10
_is_range_needed = _call("board.profile")["letter"] in "AB"  # later firmware asks the controller


class TOUCH_INFO:
    """One touch point: event, track_id, width, x, y in panel pixels, timestamp in ms."""

    def __init__(self, row):
        self.event, self.track_id, self.width, self.x, self.y, self.timestamp = row

    def __repr__(self):
        return "track_id: %d, event: %d, width: %d, x: %d, y: %d, timestamp: %d" % (
            self.track_id, self.event, self.width, self.x, self.y, self.timestamp
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
    TYPE_CST226SE = 0
    TYPE_CST328 = 0
    TYPE_GT911 = 0

    def __init__(
        self, dev, *, rotate=-1, range_x=-1, range_y=-1, i2c=None, rst=None, int=None, type=-1, slave_addr=None
    ):
        if dev != 0:
            if range_x == -1 and _is_range_needed:
                raise ValueError("Custom Touch Device should set range_x")
            if range_y == -1 and _is_range_needed:
                raise ValueError("Custom Touch Device should set range_y")
            if i2c is None:
                raise ValueError("Custom Touch Device should set i2c")
        _call("touch.open", dev)
        self._dev = dev
        self._rotate = rotate
        self._reads = 0

    def read(self, count=1):
        if not 0 < count <= _MAX_POINTS:
            raise ValueError("point_number invalid")
        self._reads += 1
        if self._reads % 64 == 1:
            rows = _call("touch.read", count, self._rotate, _mem_free())
        elif self._rotate == -1:
            rows = _call("touch.read", count)
        else:
            rows = _call("touch.read", count, self._rotate)
        return tuple([TOUCH_INFO(row) for row in rows]) if rows else ()

    def __repr__(self):
        width, height = _call("touch.range")
        return "Touch(index=%d, rotate=%d, range=%dx%d, initialized)" % (self._dev, self._rotate, width, height)

    def deinit(self):
        self._reads = 0
