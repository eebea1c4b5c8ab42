"""machine on the virtual board. Chip functions and the touch panel are here; the other classes load when asked for."""

from _hal import call as _call
from _hal import call_blob as _call_blob

from ._touch import TOUCH, TOUCH_INFO  # noqa: F401  scripts take both from machine

_HOMES = {
    "Pin": "gpio", "FPIOA": "fpioa", "LED": "gpio", "ADC": "gpio", "PWM": "pwm", "UART": "buses", "I2C": "buses", "I2C_Slave": "buses",
    "SPI": "buses", "SPI_LCD": "spi_lcd", "Timer": "clocks", "RTC": "clocks", "WDT": "clocks", "FFT": "fft",
}  # fmt: skip
if _call("board.profile")["has_otp"]:
    _HOMES["OTP"] = "buses"

__all__ = ("TOUCH", "chipid", "temperature", "reset", "bootloader", "mem_copy", "mem8", "mem16", "mem32") + tuple(
    _HOMES
)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(name)
    home = __import__("machine._" + _HOMES[name], None, None, (name,))
    value = getattr(home, name)
    globals()[name] = value
    return value


def chipid():
    """32 bytes, unique for each card folder."""
    return bytearray(_call_blob("machine.chipid", b"")[1])


def temperature():
    return _call("machine.temperature")


def reset():
    """The process that runs this code ends here."""
    _call("machine.reset")
    while True:
        _call("time.sleep", 1000)


def bootloader(timeout=0):
    raise RuntimeError("enter bootloader failed.")


def mem_copy(dst, src, size):
    raise RuntimeError("the virtual K230 has no physical memory to copy")


class _Memory:
    """Registers do not exist here: every access says so."""

    def __init__(self, bits):
        self._bits = bits

    def _refuse(self, address):
        raise RuntimeError("the virtual K230 has no register: mem%d[0x%x]" % (self._bits, address))

    def __getitem__(self, address):
        self._refuse(address)

    def __setitem__(self, address, value):
        self._refuse(address)

    def __repr__(self):
        return "<%d-bit memory>" % self._bits


mem8 = _Memory(8)
mem16 = _Memory(16)
mem32 = _Memory(32)
