"""Runs on the (virtual) board: our app's live frames, its heap and a swap, with prepared KPU outputs. `bench/board.py` starts it.

Camera and KPU take no time here: their ports give ready arrays, so that only the app's own work is measured. Everything else is
the app as it ships: touch, wire, decoding, drawing, showing, collecting.
"""

import gc
import json
import math
import sys
import time

sys.path.insert(0, "/sdcard")

from ulab import numpy as np

from snaploop_device.app import App
from snaploop_device.board.k230 import K230Board
from snaploop_device.board.k230_kpu import K230Kpu
from snaploop_device.inference import BINS
from snaploop_shared.manifest import GFL_BINS, HEAD_GFL, STRIDES


def logit_of(percent):
    """What a sigmoid turns into this score."""
    return math.log(percent / (100 - percent))


def gfl_heads(boxes, classes, width, height):
    """Three outputs of head "gfl" that decode to these (class index, x, y, w, h, score in percent) boxes of input px."""
    outputs = []
    for stride in STRIDES:
        output = np.zeros((1, height // stride, width // stride, classes + 4 * GFL_BINS))
        output[0, :, :, :classes] = -8.0
        outputs.append(output)
    for index, x, y, w, h, percent in boxes:
        stride = STRIDES[1]
        column, row = (x + w // 2) // stride, (y + h // 2) // stride
        sides = (column * stride - x, row * stride - y, x + w - column * stride, y + h - row * stride)
        for side in range(4):
            low, part = sides[side] // stride, sides[side] % stride / stride
            first = classes + side * GFL_BINS + low
            outputs[1][0, row, column, first] = 30 + math.log(1 - part)
            outputs[1][0, row, column, first + 1] = 30 + math.log(max(part, 1e-9))
        outputs[1][0, row, column, index] = logit_of(percent)
    return outputs


def dfl6_heads(boxes, classes, width, height):
    """The six outputs of head "dfl6" that decode to these boxes."""
    outputs = []
    for stride in STRIDES:
        outputs.append(np.zeros((1, 4 * BINS, height // stride, width // stride)))
        logits = np.zeros((1, classes, height // stride, width // stride))
        logits[0, :, :, :] = -8.0
        outputs.append(logits)
    for index, x, y, w, h, percent in boxes:
        stride = STRIDES[1]
        column, row = (x + w // 2) // stride, (y + h // 2) // stride
        centre_x, centre_y = column * stride + stride / 2, row * stride + stride / 2
        sides = (centre_x - x, centre_y - y, x + w - centre_x, y + h - centre_y)
        for side in range(4):
            low = int(sides[side] // stride)
            part = sides[side] / stride - low
            outputs[2][0, side * BINS + low, row, column] = 30 + math.log(1 - part)
            outputs[2][0, side * BINS + low + 1, row, column] = 30 + math.log(max(part, 1e-9))
        outputs[3][0, index, row, column] = logit_of(percent)
    return outputs


class Network:
    """Answers at once, with the next of the prepared outputs."""

    def __init__(self, prepared, nothing):
        self.prepared = prepared
        self.nothing = nothing
        self.at = 0
        self.outputs = nothing

    def run(self, frame):
        self.at = (self.at + 1) % len(self.prepared)
        self.outputs = self.prepared[self.at]

    def run_input(self, data):
        self.outputs = self.nothing

    def output(self, index):
        return self.outputs[index]

    def release(self):
        pass


class Kpu:
    """Has room for two models."""

    def __init__(self, prepared, nothing):
        self.prepared = prepared
        self.nothing = nothing

    def version(self):
        return "2.11.0"

    def has_room(self, kmodel_bytes):
        return True

    def load(self, path, placement):
        return Network(self.prepared, self.nothing)

    gfl_boxes = K230Kpu.gfl_boxes  # the firmware's function, as the app calls it

    def close(self):
        pass


def heap_used():
    """Bytes in use after a collection."""
    gc.collect()
    gc.collect()
    return gc.mem_alloc()


with open("/data/bench.json") as file:
    plan = json.load(file)
plan["frames"] = plan[plan["scene"]]

heads = gfl_heads if plan["head"] == HEAD_GFL else dfl6_heads
prepared = [heads(boxes, plan["classes"], plan["width"], plan["height"]) for boxes in plan["frames"]]
board = K230Board()
board.kpu = Kpu(prepared, heads([], plan["classes"], plan["width"], plan["height"]))
frame = np.zeros((3, 360, 640), dtype=np.uint8)
board.camera.ai_frame = lambda: frame
app = App(board)
result = {}
try:
    app.start()
    board.clock.pause = lambda ms: None
    while not app.models.is_ready:
        app.step()
    app.apply(("open", "live"))
    for _ in range(plan["warm_up"]):
        app.step()
    drawn = len(app.state.detections)
    spent = []
    for _ in range(plan["batches"]):
        started = time.ticks_us()
        for _ in range(plan["batch"]):
            app.step()
        spent.append(time.ticks_diff(time.ticks_us(), started) / plan["batch"])
    result = {"frame_us": sorted(spent)[len(spent) // 2], "boxes": drawn}
    if plan["heap_frames"]:
        before = heap_used()
        for _ in range(plan["heap_frames"]):
            app.step()
        result["heap_growth"] = heap_used() - before
        shown, steps = app.state.inferences, 0
        app.apply(("choose_model", 1))
        old = app.models.active
        while app.models.active == old or app.models.is_trial:
            app.step()
            steps += 1
        result["swap_steps"] = steps
        result["swap_lost"] = steps - (app.state.inferences - shown)
        app.apply(("open", "capture"))
        shots = []
        for _ in range(plan["shots"]):  # what a finger waits for: frame, JPEG, two files, hint
            started = time.ticks_us()
            app.apply(("shoot",))
            shots.append(time.ticks_diff(time.ticks_us(), started))
            app.apply(("shutter_up",))
            app.step()
        result["shot_us"] = sorted(shots)[len(shots) // 2]
finally:
    app.close()
print("RESULT", json.dumps(result))
