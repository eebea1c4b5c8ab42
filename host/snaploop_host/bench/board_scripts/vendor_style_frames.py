"""Runs on the (virtual) board: live detection as vendor examples do it, for comparison. `bench/board.py` starts it.

The usual order of a PipeLine + YOLO loop, written anew: post-process in C, clear the overlay of display size, draw every box with its
name, show it, collect garbage. Camera and KPU take no time here either: the raw outputs are ready.
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

COLOURS = ((255, 230, 57, 70), (255, 255, 200, 40), (255, 60, 200, 90))
LABELS = ("red", "yellow", "green")


def head(boxes, classes, anchors):
    """The raw output [1, 4 + classes, anchors] that decodes to these (class index, x, y, w, h) boxes of input px."""
    output = np.zeros((1, 4 + classes, anchors))
    for anchor in range(len(boxes)):
        index, x, y, w, h = boxes[anchor]
        output[0, 0, anchor] = x + w / 2
        output[0, 1, anchor] = y + h / 2
        output[0, 2, anchor] = w
        output[0, 3, anchor] = h
        output[0, 4 + index, anchor] = 0.92
    return output


with open("/data/bench.json") as file:
    plan = json.load(file)
plan["frames"] = plan[plan["scene"]]

anchors = sum([(plan["width"] // stride) * (plan["height"] // stride) for stride in (8, 16, 32)])
prepared = [head(boxes, plan["classes"], anchors) for boxes in plan["frames"]]
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
drawn = 0
try:
    for number in range(plan["warm_up"] + plan["timed"]):
        if number == plan["warm_up"]:
            started = time.ticks_us()
        output = prepared[number % len(prepared)]
        found = aidemo.yolov8_det_postprocess(
            output[0].transpose().copy(),
            [360, 640],
            [plan["height"], plan["width"]],
            [480, 800],
            plan["classes"],
            0.4,
            0.5,
            50,
        )
        osd_img.clear()
        drawn = 0
        if found:
            for box, index, score in zip(found[0], found[1], found[2]):
                x, y, w, h = int(box[0]), int(box[1]), int(box[2]), int(box[3])
                colour = COLOURS[int(index)]
                osd_img.draw_rectangle(x, y, w, h, color=colour, thickness=4)
                text = "{} {:.2f}".format(LABELS[int(index)], score)
                osd_img.draw_string_advanced(x, max(0, y - 40), 32, text, color=colour)
                drawn += 1
        Display.show_image(osd_img, 0, 0, Display.LAYER_OSD3)
        gc.collect()
    result = {"frame_us": time.ticks_diff(time.ticks_us(), started) / plan["timed"], "boxes": drawn}
finally:
    sensor.stop()
    Display.deinit()
    MediaManager.deinit()
print("RESULT", json.dumps(result))
