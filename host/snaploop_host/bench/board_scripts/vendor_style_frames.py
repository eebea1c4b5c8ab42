"""Runs on the (virtual) board: live detection as the vendor's PipeLine and YOLOv8 do it, for comparison. `bench/board.py` starts it.

Written anew, with the calls of those classes (firmware v1.6) in their order: transpose and copy the output, post-process in C,
clear the overlay of display size, round the four numbers of each box, draw it and its name 32 px high, show, collect garbage.
Camera and KPU take no time here either: the raw outputs are ready. Left out besides: the line that the vendor's example prints with
each frame. Their timing blocks, switched off, are there.
"""

import gc
import json
import time

import aidemo
import image
from media.display import Display
from media.media import MediaManager
from media.sensor import Sensor
from ulab import numpy as np

COLOURS = ((255, 220, 20, 60), (255, 119, 11, 32), (255, 0, 0, 142))
LABELS = ("red", "yellow", "green")
FRAME_HW, DISPLAY_HW = (360, 640), (480, 800)


class Timing:
    """A timing block that is switched off."""

    def __init__(self, info, is_on):
        self.info = info
        self.is_on = is_on

    def __enter__(self):
        if self.is_on:
            self.started = time.time_ns()
        return self

    def __exit__(self, kind, error, traceback):
        if self.is_on:
            print(self.info, time.time_ns() - self.started)


class Detector:
    """What a frame costs after the KPU and before the panel."""

    def __init__(self, size_hw):
        self.frame_hw, self.size_hw, self.display_hw = list(FRAME_HW), list(size_hw), list(DISPLAY_HW)
        self.is_timed = False

    def postprocess(self, results):
        """[boxes, class indexes, scores], or []."""
        with Timing("postprocess", self.is_timed):
            turned = results[0][0].transpose()
            return aidemo.yolov8_det_postprocess(
                turned.copy(),
                [self.frame_hw[0], self.frame_hw[1]],
                [self.size_hw[0], self.size_hw[1]],
                [self.display_hw[0], self.display_hw[1]],
                len(LABELS),
                0.4,
                0.5,
                50,
            )

    def draw(self, found, picture):
        """Boxes and names; how many."""
        with Timing("draw", self.is_timed):
            picture.clear()
            if not found:
                return 0
            for at in range(len(found[0])):
                x, y, w, h = map(lambda number: int(round(number, 0)), found[0][at])
                picture.draw_rectangle(x, y, w, h, color=COLOURS[found[1][at]], thickness=4)
                text = " " + LABELS[found[1][at]] + " {0:.3f}".format(found[2][at])
                picture.draw_string_advanced(x, y - 50, 32, text, color=COLOURS[found[1][at]])
            return len(found[0])


def head(boxes, classes, anchors):
    """The raw output [1, 4 + classes, anchors] that decodes to these (class index, x, y, w, h, score in percent) boxes of input px."""
    output = np.zeros((1, 4 + classes, anchors))
    for anchor in range(len(boxes)):
        index, x, y, w, h, percent = boxes[anchor]
        output[0, 0, anchor] = x + w / 2
        output[0, 1, anchor] = y + h / 2
        output[0, 2, anchor] = w
        output[0, 3, anchor] = h
        output[0, 4 + index, anchor] = percent / 100
    return output


def show(picture):
    """As PipeLine.show_image."""
    with Timing("show", False):
        Display.show_image(picture, 0, 0, Display.LAYER_OSD3)


with open("/data/bench.json") as file:
    plan = json.load(file)
plan["frames"] = plan[plan["scene"]]

anchors = sum([(plan["width"] // stride) * (plan["height"] // stride) for stride in (8, 16, 32)])
prepared = [[head(boxes, plan["classes"], anchors)] for boxes in plan["frames"]]
sensor = Sensor(width=1920, height=1080, fps=30)
sensor.reset()
sensor.set_framesize(width=800, height=480, chn=0)
sensor.set_pixformat(Sensor.YUV420SP, chn=0)
sensor.set_framesize(width=640, height=360, chn=2)
sensor.set_pixformat(Sensor.RGBP888, chn=2)
Display.bind_layer(layer=Display.LAYER_VIDEO1, **sensor.bind_info(x=0, y=0, chn=0))
Display.init(Display.ST7701, width=800, height=480, osd_num=1, to_ide=True)
MediaManager.init()
sensor.run()
osd_img = image.Image(800, 480, image.ARGB8888)
detector = Detector((plan["height"], plan["width"]))


def frames(first, count):
    """Do so many frames; boxes in the last one."""
    for number in range(first, first + count):
        found = detector.postprocess(prepared[number % len(prepared)])
        drawn = detector.draw(found, osd_img)
        show(osd_img)
        gc.collect()
    return drawn


try:
    drawn = frames(0, plan["warm_up"])
    spent = []
    for batch in range(plan["batches"]):
        started = time.ticks_us()
        frames(plan["warm_up"] + batch * plan["batch"], plan["batch"])
        spent.append(time.ticks_diff(time.ticks_us(), started) / plan["batch"])
    result = {"frame_us": sorted(spent)[len(spent) // 2], "boxes": drawn}
finally:
    sensor.stop()
    Display.deinit()
    MediaManager.deinit()
print("RESULT", json.dumps(result))
