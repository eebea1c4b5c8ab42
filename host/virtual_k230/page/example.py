"""Shows the camera and a dot under the finger. Runs on a CanMV K230 board as it does on the virtual one."""

import gc
import os
import time

from machine import TOUCH
from media.display import Display
from media.media import MediaManager
from media.sensor import Sensor

WIDTH, HEIGHT = 800, 480
GREEN, WHITE = (60, 196, 143), (255, 255, 255)

sensor = Sensor()
try:
    sensor.reset()
    sensor.set_framesize(width=WIDTH, height=HEIGHT)
    sensor.set_pixformat(Sensor.RGB565)
    Display.init(Display.ST7701, width=WIDTH, height=HEIGHT, to_ide=True)
    MediaManager.init()
    sensor.run()
    touch = TOUCH(0)
    finger = None
    n_frames, rate, since = 0, 0, time.ticks_ms()
    print("Touch the screen; Stop or Ctrl-C ends.")
    while True:
        os.exitpoint()
        frame = sensor.snapshot()
        for point in touch.read(1):
            finger = None if point.event == TOUCH.EVENT_UP else (point.x, point.y)
        if finger:
            frame.draw_circle(finger[0], finger[1], 34, color=GREEN, thickness=6)
            label = f"{finger[0]}, {finger[1]}"
        else:
            label = "touch me"
        frame.draw_string_advanced(24, 20, 32, label, color=WHITE)
        frame.draw_string_advanced(24, HEIGHT - 52, 24, f"{rate} frames/s", color=WHITE)
        Display.show_image(frame)
        n_frames += 1
        passed = time.ticks_diff(time.ticks_ms(), since)
        if passed >= 1000:
            n_frames, rate, since = 0, n_frames * 1000 // passed, time.ticks_ms()
            gc.collect()
finally:
    sensor.stop()
    Display.deinit()
    MediaManager.deinit()
