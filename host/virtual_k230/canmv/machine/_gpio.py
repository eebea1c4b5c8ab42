"""machine.Pin, LED and ADC."""

import _hal
from _hal import call as _call


class _Irq:
    """What Pin.irq() returns: calling it runs the handler."""

    def __init__(self, pin, handler, trigger):
        self._pin = pin
        self._handler = handler
        self._trigger = trigger

    def __call__(self):
        self._handler(self._pin)

    def trigger(self, trigger=None):
        old = self._trigger
        if trigger is not None:
            self._trigger = trigger
            _call("hw.pin_listen", self._pin._number, trigger)
        return old

    def flags(self):
        return self._trigger


class Pin:
    OUT = 0
    IN = 1
    OPEN_DRAIN = 4
    PULL_NONE = 4
    PULL_UP = 8
    PULL_DOWN = 16
    IRQ_RISING = 0
    IRQ_FALLING = 1
    IRQ_BOTH = 2
    IRQ_HIGH_LEVEL = 3
    IRQ_LOW_LEVEL = 4

    def __init__(self, index, mode=-1, pull=-1, *, value=-1, drive=-1, alt=-1):
        if alt != -1:
            print("unsupport alt")
        self._number = index
        for line in _call("hw.pin_open", index, mode, pull, value, drive):
            print(line)

    def init(self, mode=-1, pull=-1, *, value=-1, drive=-1, alt=-1):
        if alt != -1:
            print("unsupport alt")
        _call("hw.pin_open", self._number, mode, pull, value, drive)

    def value(self, *level):
        if not level:
            return _call("hw.pin_get", self._number)
        complaint = _call("hw.pin_set", self._number, level[0], True)
        if complaint:
            print(complaint)

    __call__ = value

    def on(self):
        _call("hw.pin_set", self._number, 1, False)
        return True

    def off(self):
        _call("hw.pin_set", self._number, 0, False)
        return True

    high = on
    low = off

    def toggle(self):
        _call("hw.pin_set", self._number, 1 - _call("hw.pin_get", self._number), False)
        return True

    def mode(self, *mode):
        return _call("hw.pin_mode", self._number, mode[0] if mode else None)

    def pull(self, *pull):
        return _call("hw.pin_pull", self._number, pull[0] if pull else None)

    def drive(self, *drive):
        return _call("hw.pin_drive", self._number, drive[0] if drive else None)

    def irq(self, handler=None, trigger=2, priority=-1, wake=None, hard=False, *, debounce=10):
        """handler(pin) runs at the script's next hardware call or in its sleep; its own exceptions end the listening."""
        if handler is None or not callable(handler):
            raise ValueError("invalid callback")
        if not 0 <= trigger <= 4:
            raise ValueError("invalid trigger")
        if debounce < 5:
            raise ValueError("invalid debounce, should >= 5")
        irq = _Irq(self, handler, trigger)
        _hal.handlers["pin", self._number] = irq
        _call("hw.pin_listen", self._number, trigger)
        return irq

    def __int__(self):
        return self._number

    def __repr__(self):
        return '{"Pin": "{"id":%d, "mode":%d}\n' % (self._number, self.mode())

    def __del__(self):
        _hal.handlers.pop(("pin", self._number), None)
        _call("hw.pin_listen", self._number, None)


for _level in range(16):
    setattr(Pin, "DRIVE_%d" % _level, _level)


class LED:
    """LED(1 | 2 | 3) or LED("LED_RED" | "LED_GREEN" | "LED_BLUE"); brightness 0 to 255."""

    def __init__(self, id):
        self._place = _call("hw.led", id)

    def value(self, brightness):
        _call("hw.led_set", self._place, brightness)

    def on(self):
        self.value(255)

    def off(self):
        self.value(0)


class ADC:
    def __init__(self, channel):
        _call("hw.adc", channel)
        self._channel = channel

    def read_u16(self):
        return _call("hw.adc", self._channel)[0]

    def read_uv(self):
        return _call("hw.adc", self._channel)[1]
