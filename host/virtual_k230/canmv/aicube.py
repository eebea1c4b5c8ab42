"""aicube on the virtual board: the detection decoders; see virtual_k230/postprocess.py."""

from _hal import call as _call


def _det(kind, outputs, model_size, frame_size, strides, num_class, conf, nms, anchors, nms_option):
    for argument in (model_size, frame_size, strides):
        if type(argument) is not list:
            raise TypeError("sizes and strides must be lists")
    handles = [output._h for output in outputs]
    return _call(
        "aicube.det", kind, handles, model_size, frame_size, strides, num_class, conf, nms, anchors, bool(nms_option)
    )


def anchorbasedet_post_process(
    out0, out1, out2, model_size, frame_size, strides, num_class, conf, nms, anchors, nms_option
):
    if len(anchors) < 18:
        raise ValueError("anchors must have 18 numbers")
    anchors = list(anchors)[:18]
    return _det(
        "anchorbasedet", (out0, out1, out2), model_size, frame_size, strides, num_class, conf, nms, anchors, nms_option
    )


def anchorfreedet_post_process(out0, out1, out2, model_size, frame_size, strides, num_class, conf, nms, nms_option):
    return _det(
        "anchorfreedet", (out0, out1, out2), model_size, frame_size, strides, num_class, conf, nms, None, nms_option
    )


def gfldet_post_process(out0, out1, out2, model_size, frame_size, strides, num_class, conf, nms, nms_option):
    return _det("gfldet", (out0, out1, out2), model_size, frame_size, strides, num_class, conf, nms, None, nms_option)
