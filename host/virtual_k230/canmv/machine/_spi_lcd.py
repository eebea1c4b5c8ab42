"""machine.SPI_LCD: a small RGB565 panel on an SPI bus; the virtual board's screen shows it while no other panel is on."""

import image as _image
from _hal import call as _call

_DIRECTION_HMIRROR, _DIRECTION_VFLIP, _DIRECTION_BGR = 0x40, 0x80, 0x08


class SPI_LCD:
    ST7789 = 1

    def __init__(self, spi, dc, cs=None, rst=None, bl=None, type=1):
        if type != self.ST7789:
            raise ValueError("SPI_LCD: unsupported type %s" % type)
        self._size = None
        self._image = None
        self._hmirror = self._vflip = self._bgr = False
        self._light = 100

    def configure(self, width, height, hmirror=False, vflip=False, bgr=False):
        self._size = (width, height)
        self._hmirror, self._vflip, self._bgr = bool(hmirror), bool(vflip), bool(bgr)

    def init(self, custom_command=False):
        if self._size is None:
            raise RuntimeError("SPI_LCD: call configure() before init()")
        _call("display.spi_init", *self._size)
        self._image = _image.Image(self._size[0], self._size[1], _image.RGB565)
        return self._image

    def _buffer(self):
        if self._image is None:
            raise RuntimeError("SPI_LCD: call init() first")
        return self._image

    def deinit(self):
        self._image = None
        _call("display.spi_deinit")

    def command(self, cmd, data=None):
        self._buffer()

    def width(self):
        return self._size[0] if self._size else 0

    def height(self):
        return self._size[1] if self._size else 0

    def hmirror(self, value=None):
        if value is None:
            return self._hmirror
        self._hmirror = bool(value)

    def vflip(self, value=None):
        if value is None:
            return self._vflip
        self._vflip = bool(value)

    def bgr(self, value=None):
        if value is None:
            return self._bgr
        self._bgr = bool(value)

    def get_direction(self):
        return (
            (_DIRECTION_HMIRROR if self._hmirror else 0)
            | (_DIRECTION_VFLIP if self._vflip else 0)
            | (_DIRECTION_BGR if self._bgr else 0)
        )

    def light(self, value=None):
        if value is None:
            return self._light
        self._light = value

    def get(self, x, y):
        return self._buffer().get_pixel(x, y)

    def set(self, x, y, color):
        self._buffer().set_pixel(x, y, color)

    pixel = set

    def fill(self, color):
        self._buffer().draw_rectangle(0, 0, self._size[0], self._size[1], color=color, fill=True)

    def show(self, img=None, x=0, y=0):
        own = self._buffer()
        _call("display.spi_show", (own if img is None else img)._h, x, y)

    show_image = show
