"""media.wave: PCM files (.wav) read and written, as the firmware's module does; no sound hardware is needed for that."""

import struct as _struct

_open = open


class Error(Exception):
    pass


class Wave_read:
    """An open file: get_channels(), get_sampwidth(), get_framerate(), get_nframes(), read_frames(n) -> bytes."""

    def __init__(self, path):
        self._file = _open(path, "rb")
        if self._file.read(4) != b"RIFF":
            raise Error("file does not start with RIFF id")
        self._file.read(4)
        if self._file.read(4) != b"WAVE":
            raise Error("not a WAVE file")
        self._left = -1
        self._frame = 0
        while self._left < 0:
            head = self._file.read(8)
            if len(head) < 8:
                raise Error("fmt chunk and/or data chunk missing")
            name, size = head[:4], _struct.unpack("<I", head[4:])[0]
            if name == b"fmt ":
                kind, self._channels, self._rate, _, self._frame, bits = _struct.unpack(
                    "<HHIIHH", self._file.read(size)[:16]
                )
                if kind != 1:
                    raise Error("unknown format: %d" % kind)
                self._width = bits // 8
            elif name == b"data":
                if not self._frame:
                    raise Error("data chunk before fmt chunk")
                self._left = size
            else:
                self._file.seek(size + size % 2, 1)
        self._n = self._left // self._frame

    def get_channels(self):
        return self._channels

    def get_sampwidth(self):
        return self._width

    def get_framerate(self):
        return self._rate

    def get_nframes(self):
        return self._n

    def read_frames(self, n):
        data = self._file.read(min(n * self._frame, self._left))
        self._left -= len(data)
        return data

    def close(self):
        self._file.close()


class Wave_write:
    """A file to be: set_channels(), set_sampwidth(), set_framerate(), write_frames(bytes), close()."""

    def __init__(self, path):
        self._file = _open(path, "wb")
        self._channels = self._width = self._rate = self._bytes = 0

    def set_channels(self, n):
        self._channels = n

    def set_sampwidth(self, n):
        self._width = n

    def set_framerate(self, n):
        self._rate = n

    def write_frames(self, data):
        if not (self._channels and self._width and self._rate):
            raise Error("# channels, sample width and rate must be specified before frames are written")
        if not self._bytes:
            self._header()
        self._file.write(data)
        self._bytes += len(data)

    def _header(self):
        frame = self._channels * self._width
        self._file.seek(0)
        self._file.write(b"RIFF" + _struct.pack("<I", 36 + self._bytes) + b"WAVEfmt ")
        self._file.write(
            _struct.pack("<IHHIIHH", 16, 1, self._channels, self._rate, self._rate * frame, frame, self._width * 8)
        )
        self._file.write(b"data" + _struct.pack("<I", self._bytes))

    def close(self):
        if self._bytes:
            self._header()
        self._file.close()


def open(path, mode="rb"):
    if mode in ("r", "rb"):
        return Wave_read(path)
    if mode in ("w", "wb"):
        return Wave_write(path)
    raise Error("mode must be 'r', 'rb', 'w', or 'wb'")
