"""media.media on the virtual board: MediaManager and the helpers that scripts import with a star."""

import uctypes  # noqa: F401 - scripts get it by `from media.media import *`
from _hal import call as _call

CAM_DEV_ID_0, CAM_DEV_ID_1, CAM_DEV_ID_2, CAM_DEV_ID_MAX = 0, 1, 2, 3
CAM_CHN_ID_0, CAM_CHN_ID_1, CAM_CHN_ID_2, CAM_CHN_ID_MAX = 0, 1, 2, 3
DISPLAY_CHN_ID_0, DISPLAY_CHN_ID_1, DISPLAY_CHN_ID_2, DISPLAY_CHN_ID_3 = 0, 1, 2, 3
DISPLAY_CHN_ID_4, DISPLAY_CHN_ID_5, DISPLAY_CHN_ID_6 = 4, 5, 6
DISPLAY_DEV_ID = VENC_DEV_ID = VDEC_DEV_ID = 0
VENC_CHN_ID_0, VENC_CHN_ID_1, VENC_CHN_ID_2, VENC_CHN_ID_3 = 0, 1, 2, 3
VDEC_CHN_ID_0, VDEC_CHN_ID_1, VDEC_CHN_ID_2, VDEC_CHN_ID_3 = 0, 1, 2, 3
VENC_PACK_CNT_MAX = 12
CAMERA_MOD_ID = 5
DISPLAY_MOD_ID, VIDEO_ENCODE_MOD_ID, VIDEO_DECODE_MOD_ID = "VO", "VENC", "VDEC"
AUDIO_IN_MOD_ID, AUDIO_OUT_MOD_ID, AUDIO_ENCODE_MOD_ID, AUDIO_DECODE_MOD_ID = "AI", "AO", "AENC", "ADEC"
VB_INVALID_POOLID = VB_INVALID_HANDLE = 0xFFFFFFFF

PIXEL_FORMAT_RGB_565 = "RGB565"
PIXEL_FORMAT_RGB_888 = "RGB888"
PIXEL_FORMAT_RGB_888_PLANAR = "RGBP888"
PIXEL_FORMAT_BGR_888 = "BGR888"
PIXEL_FORMAT_ARGB_8888 = "ARGB8888"
PIXEL_FORMAT_ABGR_8888 = "ABGR8888"
PIXEL_FORMAT_RGBA_8888 = "RGBA8888"
PIXEL_FORMAT_BGRA_8888 = "BGRA8888"
PIXEL_FORMAT_YUV_SEMIPLANAR_420 = "YUV420SP"
PIXEL_FORMAT_YVU_PLANAR_420 = "YVU420P"
PIXEL_FORMAT_GRAYSCALE = "GRAYSCALE"


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


class _Frame:
    """The picture of a _FrameInfo: width, height, pixel_format, addresses of up to three planes, and the image itself."""

    def __init__(self, picture, pixel_format):
        self._picture = picture
        self.width = picture.width()
        self.height = picture.height()
        self.pixel_format = pixel_format
        self.phys_addr = [picture.phyaddr(), 0, 0]
        self.virt_addr = [picture.virtaddr(), 0, 0]
        self.pts = 0

    def to_image(self, new_format=None):
        if new_format is not None:
            raise RuntimeError("TODO: convert image pixel format %s to %s" % (self.pixel_format, new_format))
        return self._picture

    def release(self):
        self._picture = None


class _FrameInfo:
    """A raw frame, as Sensor.snapshot(dump_frame=True) and Display.writeback_dump() give it."""

    def __init__(self, picture, pixel_format):
        self.mod_id = CAMERA_MOD_ID
        self.pool_id = picture.poolid()
        self.v_frame = _Frame(picture, pixel_format)


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
