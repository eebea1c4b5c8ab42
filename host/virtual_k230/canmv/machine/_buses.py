"""machine.UART, I2C, SPI and what hangs on them. Nothing does here: reads time out, addresses do not answer."""

from _hal import call as _call
from _hal import call_blob as _call_blob

_EIO = 5


class UART:
    """A port whose other end is the virtual board's Python API (Hardware.uart_feed, Hardware.uarts[n].sent)."""

    UART0 = 0
    UART1 = 1
    UART2 = 2
    UART3 = 3
    UART4 = 4
    FIVEBITS = 5
    SIXBITS = 6
    SEVENBITS = 7
    EIGHTBITS = 8
    PARITY_NONE = 0
    PARITY_ODD = 1
    PARITY_EVEN = 2
    STOPBITS_ONE = 0
    STOPBITS_TWO = 1

    def __init__(self, id, baudrate=115200, bits=8, parity=0, stop=0, timeout=0):
        self._id = id
        self._timeout_ms = timeout
        self.init(baudrate, bits, parity, stop)

    def init(self, baudrate=115200, bits=8, parity=0, stop=0, timeout=None):
        if not 5 <= bits <= 8:
            raise ValueError("invalid data bits")
        if parity not in (0, 1, 2):
            raise ValueError("invalid parity")
        if stop not in (0, 1):
            raise ValueError("invalid stop bits")
        if timeout is not None:
            self._timeout_ms = timeout
        _call("hw.uart_open", self._id, True)

    def read(self, nbytes=-1):
        return bytes(_call_blob("hw.uart_read", b"", self._id, nbytes, self._timeout_ms, False)[1])

    def readline(self):
        return bytes(_call_blob("hw.uart_read", b"", self._id, -1, self._timeout_ms, True)[1])

    def readinto(self, buf, nbytes=-1):
        n = len(buf) if nbytes < 0 else min(nbytes, len(buf))
        data = self.read(n)
        buf[: len(data)] = data
        return len(data)

    def write(self, buf):
        return _call_blob("hw.uart_write", buf, self._id)[0]

    def any(self):
        return _call("hw.uart_any", self._id)

    def deinit(self):
        _call("hw.uart_open", self._id, False)


class I2C:
    """A bus without devices: scan() finds none, everything else is not acknowledged (EIO)."""

    I2C0 = 0
    I2C1 = 1
    I2C2 = 2
    I2C3 = 3
    I2C4 = 4

    def __init__(self, id, freq=100000, timeout=1000, *, scl=None, sda=None):
        if not 0 <= id <= 9:
            raise ValueError("invalid i2c number")
        if id > 4 and (scl is None or sda is None):
            raise ValueError("soft i2c should set scl and sda")
        self._id = id

    def scan(self):
        return []

    def _no_answer(self, *args, **settings):
        raise OSError(_EIO)

    readfrom = _no_answer
    readfrom_into = _no_answer
    writeto = _no_answer
    readfrom_mem = _no_answer
    readfrom_mem_into = _no_answer
    writeto_mem = _no_answer

    def deinit(self):
        self._id = None


class I2C_Slave:
    """Firmware images do not enable the controllers' slave mode: there is none to open."""

    @staticmethod
    def list():
        return []

    def __init__(self, id, addr=0x10, mem_size=20):
        raise RuntimeError("I2C slave %d does not exist: the firmware was built without I2C slave mode" % id)


class SPI:
    """A bus without devices: what is written goes nowhere, reads give 0."""

    SPI0 = 0
    SPI1 = 1
    SPI2 = 2

    def __init__(self, id, baudrate=500000, polarity=0, phase=0, bits=8):
        if not 0 <= id <= 2:
            raise ValueError("invalid spi number")
        self._id = id

    def _check(self):
        if self._id is None:
            raise OSError(9)

    def read(self, nbytes, write=0):
        self._check()
        return bytes(nbytes)

    def readinto(self, buf, write=0):
        self._check()
        buf[:] = bytes(len(buf))

    def write(self, buf):
        self._check()

    def write_readinto(self, write_buf, read_buf):
        self._check()
        if len(write_buf) != len(read_buf):
            raise ValueError("buffers must be the same length")
        read_buf[:] = bytes(len(read_buf))

    def deinit(self):
        self._id = None


class OTP:
    def __init__(self, *args, **settings):
        raise RuntimeError("the virtual K230 has no one-time programmable memory")
