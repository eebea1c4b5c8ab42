"""media.media on the virtual board: MediaManager and the helpers that scripts import with a star."""

from _hal import call as _call


def ALIGN_UP(x, align):
    return (x + align - 1) // align * align


class _Buffer:
    """A block of media memory."""

    def __init__(self, size, pool):
        if size <= 0:
            raise ValueError("buffer size must be positive")
        self.size = size
        self.pool_id = pool
        self.data = bytearray(size)

    @classmethod
    def get(cls, size, poolid=-1):
        return cls(size, poolid)

    @classmethod
    def alloc(cls, size):
        return cls(size, -1)

    def free(self):
        self.data = None

    def flush_cache(self):
        pass


class _Link:
    """Two ends of the media pipeline; nothing flows here but what Display.bind_layer() binds."""

    def __init__(self, source, target):
        self.source = source
        self.target = target

    def destroy(self):
        self.source = self.target = None


class MediaManager:
    Buffer = _Buffer

    @classmethod
    def link(cls, source, target):
        return _Link(source, target)

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
