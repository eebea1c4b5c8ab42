"""aidemo on the virtual board: the detection decoders; see virtual_k230/postprocess.py."""

from _hal import call as _call
from ulab import numpy as _np


def yolov8_det_postprocess(output, frame_size, input_size, display_size, num_class, conf, nms, max_boxes):
    reply = _call(
        "aidemo.yolov8_det",
        output._h,
        list(frame_size),
        list(input_size),
        list(display_size),
        num_class,
        conf,
        nms,
        max_boxes,
    )
    return list(_np._wrap(reply)) if reply else []
