"""machine.FFT: the chip's 16-bit Fourier transform."""

from math import sqrt as _sqrt

from _hal import call_blob as _call_blob

_POINTS = (64, 128, 256, 512, 1024, 2048, 4096)


class FFT:
    """FFT(int16 samples, points, shift): run() gives (real, imaginary) pairs."""

    def __init__(self, byte, points=64, shift=0):
        if points not in _POINTS:
            raise ValueError("[CANMV]FFT:invalid points")
        if byte is None:
            raise ValueError("[CANMV]FFT:invalid byte")
        self._samples = bytes(byte)
        if len(self._samples) % 4:
            raise ValueError("[CANMV]FFT:Buffer length must be a multiple of 4")
        self._points = points
        self._shift = shift

    def run(self):
        return [tuple(pair) for pair in _call_blob("hw.fft", self._samples, self._points, self._shift)[0]]

    def freq(self, points=64, sample_rate=16000):
        self._points = points
        step = sample_rate // points
        return [step * i for i in range(points)]

    def amplitude(self, spectrum):
        if not isinstance(spectrum, list):
            raise ValueError("[CANMV]FFT:obj is not a list")
        n = len(spectrum)
        halvings = bin(self._shift & (self._points - 1)).count("1")
        result = []
        for i, (real, imaginary) in enumerate(spectrum):
            amplitude = int(_sqrt(real * real + imaginary * imaginary))
            result.append((amplitude // n if i == 0 else 2 * amplitude // n) << halvings)
        return result
