"""Run a deployment package with the firmware's own task classes (`libs.PlatTasks`, firmware 1.3 and newer): pictures or live video.

The same two calls as snaploop_deploy.py, which needs no libs; this one shows that the package is what the vendor's classes expect, and
draws as they do. Nothing needs editing: the package is found beside the script, the panel by asking the board.
"""

import gc
import os
import time

from snaploop_package import (
    DeployError,
    find_display,
    find_package,
    find_picture,
    label_of,
    pictures_in,
    tint,
    with_room,
)

try:
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
except ImportError as error:
    raise DeployError("{}: this needs firmware 1.3 or newer, run the script ending in _1_2_2.py instead".format(error))

FRAME_SIZE = [640, 360]
DICTIONARY_CHARACTERS = 100000  # what the vendor's scripts read of dict.txt


def make_app(role: str, mode: str, folder: str, frame_size: list, display_size: list, debug_mode=0):
    """The vendor's class for a role with the package's model in it.

    Args:
        role: det, cls, seg, ocrdet, ocrrec, ml or multl.
        mode: "video" or "image".
        folder: of the package.
        frame_size: of the pictures, [w, h].
        display_size: of what is drawn on, [w, h].
        debug_mode: 1 prints how long each part takes.
    """
    folder = folder.rstrip("/") + "/"
    config = read_json(folder + "deploy_config.json")
    kmodel, size, sizes = folder + config["kmodel_path"], config["img_size"], (frame_size, display_size, debug_mode)
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
    place = folder + "/library/"
    for name in pictures_in(place):
        app.load_image(place + name, label_of(name))


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


def _draw(role: str, app, words, canvas, found, mode: str) -> None:
    if words is not None:
        words.draw_result(canvas, found["boxes"], found["texts"])
    elif role == "ocrrec":
        canvas.draw_string_advanced(10, canvas.height() - 32, 24, found["text"], color=(255, 255, 255))
    elif role == "seg" and mode == "image":  # the class only draws on the video's layer
        tint(canvas, found["mask"].to_numpy_ref())
    else:
        app.draw_result(canvas, found)


def _apps(role: str, mode: str, folder, frame_size: list, display_size: list, kmodel, debug_mode):
    """The class of the role, of "ocr" also the one that reads, and the names of the package's classes."""
    first = "ocrdet" if role == "ocr" else role
    folders = (folder, None) if folder is None or isinstance(folder, str) else folder
    place = find_package(first, folders[0], kmodel)
    app = make_app(first, mode, place, frame_size, display_size, debug_mode)
    words = None
    if role == "ocr":
        words = make_app("ocrrec", mode, find_package("ocrrec", folders[1]), frame_size, display_size, debug_mode)
    if first != "ocrrec":
        app.config_preprocess()
    if role == "ml":
        _learn(app, place)
    return app, words, read_json(place + "/deploy_config.json").get("categories")


def video(role: str, folder=None, display=None, seconds=None, frames=None, kmodel=None, debug_mode=0) -> int:
    """Live video with the vendor's marks, until the script is stopped; the number of frames.

    Args:
        role: a key of ROLES, or "ocr" for both text models.
        folder: of the package (of "ocr" a pair); None: found by itself.
        display: "lcd", "hdmi" or None for what is found.
        seconds, frames: stop by itself after so much.
        kmodel: file name of the package's kmodel, where packages of several models may lie on the card; None: any.
        debug_mode: 1 prints how long each part takes.
    """
    pipeline = PipeLine(rgb888p_size=FRAME_SIZE, display_mode=display or find_display())
    pipeline.create()
    app, words, labels = _apps(role, "video", folder, FRAME_SIZE, pipeline.get_display_size(), kmodel, debug_mode)
    done, started = 0, time.ticks_ms()
    try:
        while (frames is None or done < frames) and (
            seconds is None or time.ticks_diff(time.ticks_ms(), started) < 1000 * seconds
        ):
            os.exitpoint()
            found = _run(role, app, words, pipeline.get_frame())
            _draw(role, app, words, pipeline.osd_img, found, "video")
            pipeline.show_image()
            done += 1
            if done % 30 == 1:
                fps = 1000 * done / max(1, time.ticks_diff(time.ticks_ms(), started))
                print("{:.1f} frames/s: {}".format(fps, ", ".join(lines(found, labels)[:3])))
            gc.collect()
    finally:
        for one in (app, words):
            if one is not None:
                one.deinit()
        pipeline.destroy()
    return done


def image(role: str, path=None, folder=None, kmodel=None, debug_mode=0):
    """Look at one picture and save a marked copy beside it (…_result.jpg); the class's own answer. Arguments as for video()."""
    first = folder if folder is None or isinstance(folder, str) else folder[0]
    place = find_package("ocrdet" if role == "ocr" else role, first, kmodel)
    path = find_picture(path, place)
    frame, picture = read_image(path)
    size = [frame.shape[2], frame.shape[1]]
    app, words, labels = _apps(role, "image", folder, size, size, kmodel, debug_mode)
    found = _run(role, app, words, frame)
    if role == "ocrrec":
        picture = with_room(picture, 40)
    _draw(role, app, words, picture, found, "image")
    print(path)
    for line in lines(found, labels):
        print(" ", line)
    result = path[: path.rfind(".")] + "_result.jpg"
    picture.to_rgb565().save(result)
    picture.compress_for_ide()  # so that the IDE shows it
    print("saved", result)
    for one in (app, words):
        if one is not None:
            one.deinit()
    return found


def lines(found: dict, labels: list) -> "list[str]":
    """An answer of the vendor's classes in words, one thing per line and as snaploop_deploy says it; DetectionApp knows numbers only."""
    said = []
    for index, score, box in zip(found.get("idx", ()), found.get("scores", ()), found.get("boxes", ())):
        x0, y0, x1, y1 = [int(value) for value in box]
        place = "at {},{} size {}x{}".format(x0, y0, x1 - x0, y1 - y0)
        said.append("{} {:.2f} {}".format(labels[int(index)], float(score), place))
    if found.get("label"):
        said.append("{} {:.2f}".format(found["label"], float(found["score"])))
    said += ["{} {:.2f}".format(*one) for one in zip(found.get("labels", ()), found.get("scores", ()))]
    if "crop_images" in found:
        said += ["text area {}".format([int(value) for value in quad]) for quad in found["boxes"]]
    texts = found.get("texts", ()) or ([found["text"]] if "text" in found else ())
    said += ["text '{}'".format(text) for text in texts]
    if found.get("mask") is not None:
        said.append("regions of {}x{} pixels".format(found["mask"].width(), found["mask"].height()))
    return said or ["nothing found"]
