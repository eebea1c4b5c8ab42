"""media.pyaudio on the virtual board: the names are there, and open() says that there is no sound."""

paInt16 = 8
paInt24 = 4
paInt32 = 2
paUInt8 = 32
paFloat32 = 1
LEFT, RIGHT, LEFT_RIGHT = 0, 1, 2


class PyAudio:
    """Opens no stream."""

    def initialize(self, *arguments, **options):
        pass

    def open(self, *arguments, **options):
        raise OSError("virtual K230 has no microphone and no loudspeaker; sound needs a real board")

    def terminate(self):
        pass


def get_sample_size(format):
    sizes = {paInt16: 2, paInt24: 3, paInt32: 4, paUInt8: 1, paFloat32: 4}
    if format not in sizes:
        raise ValueError("Invalid format: %s" % format)
    return sizes[format]
