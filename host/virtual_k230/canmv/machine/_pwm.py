"""machine.PWM: six channels, three of which share a frequency."""

from _hal import call as _call


class PWM:
    """PWM(channel 0 to 5, or a pin that has one). Only one of duty (percent), duty_u16 and duty_ns at a time."""

    def __init__(self, channel, freq=-1, duty=-1, duty_u16=-1, duty_ns=-1, enable=True):
        self._channel = _call("hw.pwm_channel", channel)
        self.init(freq, duty, duty_u16, duty_ns)
        _call("hw.pwm_set", self._channel, -1, -1, bool(enable))

    def init(self, freq=-1, duty=-1, duty_u16=-1, duty_ns=-1):
        if (duty != -1) + (duty_u16 != -1) + (duty_ns != -1) > 1:
            raise ValueError("only one of duty, duty_u16 and duty_ns can be set")
        if freq != -1:
            self.freq(freq)
        if duty != -1:
            self.duty(duty)
        elif duty_u16 != -1:
            self.duty_u16(duty_u16)
        elif duty_ns != -1:
            self.duty_ns(duty_ns)

    def _state(self):
        return _call("hw.pwm_get", self._channel)

    def _set(self, duty):
        _call("hw.pwm_set", self._channel, -1, duty, None)

    def freq(self, *freq):
        if not freq:
            return self._state()[0]
        _call("hw.pwm_set", self._channel, freq[0], -1, None)

    def duty(self, *percent):
        if not percent:
            return round(self._state()[1] * 100)
        self._set(percent[0] / 100)

    def duty_u16(self, *value):
        if not value:
            return round(self._state()[1] * 65535)
        self._set(value[0] / 65535)

    def duty_ns(self, *value):
        freq, duty = self._state()
        if not value:
            return round(duty * 1000000000 / freq)
        self._set(value[0] * freq / 1000000000)

    def enable(self, on=True):
        _call("hw.pwm_set", self._channel, -1, -1, bool(on))

    def deinit(self):
        self.enable(False)
