"""The sensor: channel 0 goes to the panel by hardware, channel 1 gives photos, channel 2 feeds the KPU (k230-platform §2.4)."""

from ..layout import PHOTO_H, PHOTO_W
from . import ports

VIDEO_CHANNEL = 0
PHOTO_CHANNEL = 1
AI_CHANNEL = 2
SENSOR_W = 1920  # the sensor's native mode is the safe one with three channels (k230-platform §2.4)
SENSOR_H = 1080
SENSOR_FPS = 30


class K230Photo(ports.Photo):
    """The frozen frame: one RGB565 image, made once and reused; RGB565 is what the firmware can save (§5.3)."""

    def __init__(self) -> None:
        """Allocate the pixels in media memory."""
        import image

        self.width = PHOTO_W
        self.height = PHOTO_H
        self.image = image.Image(PHOTO_W, PHOTO_H, image.RGB565)

    def jpeg(self, quality: int):
        """The frame as JPEG bytes."""
        return self.image.compressed(quality=quality).bytearray()


class K230Camera(ports.Camera):
    """One sensor with three channels of the same field of view."""

    def __init__(self) -> None:
        """Nothing is touched yet."""
        self._sensor = None
        self._photo = None
        self._frame = None  # image behind the newest AI frame: kept until the next snapshot

    def configure(self) -> None:
        """Find the sensor and set its channels."""
        from media.sensor import Sensor

        sensor = Sensor(width=SENSOR_W, height=SENSOR_H, fps=SENSOR_FPS)
        self._sensor = sensor
        sensor.reset()
        for channel, pixels in (
            (VIDEO_CHANNEL, Sensor.YUV420SP),
            (PHOTO_CHANNEL, Sensor.RGB565),
            (AI_CHANNEL, Sensor.RGBP888),
        ):
            sensor.set_framesize(width=PHOTO_W, height=PHOTO_H, chn=channel)
            sensor.set_pixformat(pixels, chn=channel)

    def bind_info(self) -> dict:
        """What Display.bind_layer wants to know, picture at the top left."""
        return self._sensor.bind_info(x=0, y=0, chn=VIDEO_CHANNEL)

    def run(self) -> None:
        """Start the stream."""
        self._sensor.run()

    def make_buffers(self) -> None:
        """Allocate the frozen frame, once."""
        self._photo = K230Photo()

    def freeze(self) -> K230Photo:
        """The newest frame, copied: the driver takes its own buffer back at the next snapshot."""
        self._photo.image.copy_from(self._sensor.snapshot(chn=PHOTO_CHANNEL))
        return self._photo

    def load(self, path: str) -> K230Photo:
        """A stored JPEG as frozen frame."""
        import image

        self._photo.image.copy_from(image.Image(path).to_rgb565())
        return self._photo

    def sheet(self) -> K230Photo:
        """An empty contact sheet in the frozen frame's memory."""
        self._photo.image.clear()
        return self._photo

    def place(self, path: str, x: int, y: int, width: int, height: int) -> K230Photo:
        """A stored JPEG, made smaller, on the contact sheet."""
        import image

        picture = image.Image(path).to_rgb565()
        self._photo.image.draw_image(picture, x, y, x_scale=width / picture.width(), y_scale=height / picture.height())
        return self._photo

    def codes(self) -> "list[str]":
        """QR codes of the photo channel; the firmware decodes them from grey values."""
        found = self._sensor.snapshot(chn=PHOTO_CHANNEL).to_grayscale(copy=True).find_qrcodes()
        return [code.payload() for code in found]

    def ai_frame(self):
        """The newest frame as 3×H×W array."""
        self._frame = self._sensor.snapshot(chn=AI_CHANNEL)
        return self._frame.to_numpy_ref()

    def stop(self) -> None:
        """Stop the stream."""
        self._frame = None
        self._photo = None
        if self._sensor is not None:
            self._sensor.stop()
            self._sensor = None
