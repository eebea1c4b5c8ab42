"""A stand-in for the firmware's libs.PipeLine: camera frames and a layer to draw on (k230-platform §7.1)."""

import image
from media.display import Display
from media.media import MediaManager
from media.sensor import Sensor


class PipeLine:
    def __init__(self, rgb888p_size, display_mode, display_size=None, osd_layer_num=1, debug_mode=0):
        assert display_mode in ("lcd", "hdmi"), display_mode
        self.size = rgb888p_size
        self.display_size = [800, 480] if display_mode == "lcd" else [1920, 1080]
        self.driver = Display.ST7701 if display_mode == "lcd" else Display.LT9611

    def create(self, sensor=None, hmirror=None, vflip=None, fps=60):
        self.sensor = Sensor()
        self.sensor.reset()
        self.sensor.set_framesize(width=self.size[0], height=self.size[1], chn=2)
        self.sensor.set_pixformat(Sensor.RGBP888, chn=2)
        Display.init(self.driver, width=self.display_size[0], height=self.display_size[1], osd_num=1)
        MediaManager.init()
        self.sensor.run()
        self.osd_img = image.Image(self.display_size[0], self.display_size[1], image.ARGB8888)

    def get_display_size(self):
        return self.display_size

    def get_frame(self):
        self.picture = self.sensor.snapshot(chn=2)
        return self.picture.to_numpy_ref()

    def show_image(self):
        Display.show_image(self.osd_img, 0, 0, Display.LAYER_OSD3)

    def destroy(self):
        self.sensor.stop()
        Display.deinit()
        MediaManager.deinit()
