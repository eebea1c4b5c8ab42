"""media.media on the virtual board: MediaManager and the helpers that scripts import with a star."""

from _hal import call as _call


def ALIGN_UP(x, align):
    return (x + align - 1) // align * align


class MediaManager:
    @classmethod
    def init(cls):
        text = _call("media.init")
        if text:
            print(text)

    @classmethod
    def deinit(cls):
        text = _call("media.deinit")
        if text:
            print(text)
