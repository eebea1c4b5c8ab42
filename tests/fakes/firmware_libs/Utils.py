"""A stand-in for the firmware's libs.Utils, for scripts of ours that use it: the documented calls, nothing else (k230-platform §7.2)."""

import json

import image as _image


def read_json(path):
    with open(path) as file:
        return json.load(file)


def read_image(path):
    """(CHW array, RGB888 image) of a picture file."""
    picture = _image.Image(path).to_rgb888()
    rows = picture.to_numpy_ref()
    return hwc2chw(rows), picture


def hwc2chw(array):
    height, width, channels = array.shape
    return array.reshape((height * width, channels)).transpose().copy().reshape((channels, height, width))
