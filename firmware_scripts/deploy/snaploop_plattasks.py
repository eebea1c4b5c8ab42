"""Run a deployment package with the firmware's own task classes (`libs.PlatTasks`, firmware 1.3 and newer): pictures or live video.

The same two calls as snaploop_deploy.py, which needs no libs; this one shows that the package is what the vendor's classes expect, and
draws as they do. Nothing needs editing: the package is found beside the script, the panel by asking the board.
"""

import gc
import os
import time

from libs.PipeLine import PipeLine
from libs.PlatTasks import (
    ClassificationApp,
    DetectionApp,
    MetricLearningApp,
    MultiLabelClassificationApp,
    OCRDetectionApp,
    OCRRecognitionApp,
    SegmentationApp,
)
from libs.Utils import hwc2chw, read_image, read_json

FRAME_SIZE = [640, 360]
PLACES = ("/sdcard", "/data")
DICTIONARY_CHARACTERS = 100000  # what the vendor's scripts read of dict.txt


def find_package(role: str, folder=None) -> str:
    """The folder of deploy_config.json: the one given, beside this script, or one of the usual places; ends in a slash."""
    path = globals().get("__file__") or ""
    here = path[: path.rfind("/")] if "/" in path else os.getcwd()
    wanted = (role + "_mp_deployment_source", "mp_deployment_source")
    places = [folder] if folder else [root + "/" + name for root in (here,) + PLACES for name in wanted] + [here]
    for place in places:
        try:
            os.stat(place.rstrip("/") + "/deploy_config.json")
            return place.rstrip("/") + "/"
        except OSError:
            continue
    raise OSError(
        "no package found (looked in {}): copy mp_deployment_source beside this script".format(", ".join(places))
    )


def find_display() -> str:
    """ "lcd" where a touch panel answers, else "hdmi"."""
    try:
        from machine import TOUCH

        TOUCH(0)
    except Exception:  # boundary: firmwares differ in what they raise without a touch panel
        return "hdmi"
    return "lcd"


def make_app(role: str, mode: str, folder: str, frame_size: list, display_size: list):
    """The vendor's class for a role with the package's model in it.

    Args:
        role: det, cls, seg, ocrdet, ocrrec, ml or multl.
        mode: "video" or "image".
        folder: of the package, with a slash at its end.
        frame_size: of the pictures, [w, h].
        display_size: of what is drawn on, [w, h].
    """
    config = read_json(folder + "deploy_config.json")
    kmodel, size, sizes = folder + config["kmodel_path"], config["img_size"], (frame_size, display_size)
    labels, threshold = config.get("categories"), config.get("confidence_threshold")
    if role == "det":
        anchors = [number for level in config.get("anchors", ()) for number in level]
        limits = (config["model_type"], threshold, config["nms_threshold"])
        return DetectionApp(mode, kmodel, labels, size, anchors, *(limits + sizes))
    if role == "seg":
        return SegmentationApp(mode, kmodel, labels, size, *sizes)
    if role == "ocrdet":
        return OCRDetectionApp(mode, kmodel, size, config["mask_threshold"], config["box_threshold"], *sizes)
    if role == "ocrrec":
        with open(folder + "dict.txt") as file:
            characters = file.read(DICTIONARY_CHARACTERS).split("\n")
        return OCRRecognitionApp(mode, kmodel, size, dict(enumerate(characters)), *sizes)
    if role == "ml":
        return MetricLearningApp(mode, kmodel, size, threshold, *sizes)
    kind = ClassificationApp if role == "cls" else MultiLabelClassificationApp
    return kind(mode, kmodel, labels, size, threshold, *sizes)


def _learn(app, folder: str) -> None:
    """Metric learning: take every picture of the package's library folder, named after what it shows."""
    for name in sorted(os.listdir(folder + "library")):
        if name.lower().endswith((".jpg", ".png", ".bmp")):
            app.load_image(folder + "library/" + name, name[: name.rfind(".")].split("_")[0])


def _run(role: str, app, words, frame):
    """One picture through the model; with `words`, the text of each area too."""
    if role == "ocrrec":
        app.config_preprocess(input_image_size=[frame.shape[2], frame.shape[1]])
    found = app.run(frame)
    if words is not None:
        found["texts"] = []
        for crop in found["crop_images"]:
            planes = hwc2chw(crop[0])
            words.config_preprocess(input_image_size=[planes.shape[2], planes.shape[1]])
            found["texts"].append(words.run(planes)["text"])
    return found


def _draw(role: str, app, words, canvas, found) -> None:
    if words is not None:
        words.draw_result(canvas, found["boxes"], found["texts"])
    elif role == "ocrrec":
        canvas.draw_string_advanced(10, 10, 24, found["text"], color=(255, 0, 0))
    else:
        app.draw_result(canvas, found)


def _apps(role: str, mode: str, folder, frame_size: list, display_size: list):
    first = "ocrdet" if role == "ocr" else role
    place = find_package(first, None if role == "ocr" else folder)
    app = make_app(first, mode, place, frame_size, display_size)
    words = make_app("ocrrec", mode, find_package("ocrrec"), frame_size, display_size) if role == "ocr" else None
    if first != "ocrrec":
        app.config_preprocess()
    if role == "ml":
        _learn(app, place)
    return app, words, place


def video(role: str, folder=None, display=None, seconds=None, frames=None) -> int:
    """Live video with the vendor's marks, until the script is stopped; the number of frames."""
    pipeline = PipeLine(rgb888p_size=FRAME_SIZE, display_mode=display or find_display())
    pipeline.create()
    app, words, _ = _apps(role, "video", folder, FRAME_SIZE, pipeline.get_display_size())
    done, started = 0, time.ticks_ms()
    try:
        while (frames is None or done < frames) and (
            seconds is None or time.ticks_diff(time.ticks_ms(), started) < 1000 * seconds
        ):
            os.exitpoint()
            found = _run(role, app, words, pipeline.get_frame())
            _draw(role, app, words, pipeline.osd_img, found)
            pipeline.show_image()
            done += 1
            gc.collect()
    finally:
        for one in (app, words):
            if one is not None:
                one.deinit()
        pipeline.destroy()
    return done


def image(role: str, path=None, folder=None):
    """Look at one picture and save a marked copy beside it (…_result.jpg); the class's own answer."""
    place = find_package("ocrdet" if role == "ocr" else role, None if role == "ocr" else folder)
    path = path or place + "images/" + sorted(os.listdir(place + "images"))[0]
    frame, picture = read_image(path)
    size = [frame.shape[2], frame.shape[1]]
    app, words, _ = _apps(role, "image", folder, size, size)
    found = _run(role, app, words, frame)
    _draw(role, app, words, picture, found)
    print(path, {key: found[key] for key in found if key not in ("crop_images", "mask")})
    result = path[: path.rfind(".")] + "_result.jpg"
    picture.to_rgb565().save(result)
    print("saved", result)
    for one in (app, words):
        if one is not None:
            one.deinit()
    return found
