"""Run a deployment package on a K230 camera board, whatever its firmware: pictures or live video, any of the seven tasks.

For scripts that are copied to the card with a package (`snaploop package`), on boards without the snaploop app. Nothing needs editing:
the package is found beside the script, the panel by asking the board, everything else is in deploy_config.json (k230-platform §7.5).

    import snaploop_deploy
    snaploop_deploy.image("det", "/sdcard/photo.jpg")      # draws on a copy, prints what it found, returns it
    snaploop_deploy.video("det", seconds=20)               # without `seconds`: until the script is stopped

MicroPython 1.21 and newer; firmware 1.2 to 1.8. The kmodel is loaded once; every other buffer is made once, too.
"""

import gc
import math
import os
import time

from snaploop_package import (
    DeployError,
    find_display,
    find_package,
    find_picture,
    is_file,
    label_of,
    pictures_in,
    read_config,
    tint,
    with_room,
)

AI_SIZE = (640, 360)
STRIDES = [8, 16, 32]
COLOURS = (
    (230, 60, 60),
    (70, 200, 90),
    (60, 140, 240),
    (240, 190, 40),
    (190, 90, 220),
    (40, 200, 200),
    (240, 130, 40),
    (220, 220, 220),
)
TEXT_PX = 24
MOST_LEARNT = 50  # pictures of the metric-learning library


# -- the model --------------------------------------------------------------------------------------------------------


class Model:
    """A package's kmodel with ai2d in front, as its task wants its pictures."""

    def __init__(self, role: str, folder=None, threshold=None, kmodel=None) -> None:
        """Load it; arguments as for image().

        Raises:
            DeployError: no package, or a kmodel that this firmware cannot load.
        """
        import nncase_runtime as nn
        from ulab import numpy as np

        self._nn, self._np = nn, np
        self.role = role
        self.folder = find_package(role, folder, kmodel)
        self.config = config = read_config(self.folder)
        self.size = config["img_size"]
        self.labels = config.get("categories") or []
        self.mask_hw = None  # of what regions are drawn on; None: of the frame
        self.threshold = config.get("confidence_threshold", 0.5) if threshold is None else threshold
        path = self.folder + "/" + config["kmodel_path"]
        if not is_file(path):
            raise DeployError("{} is missing: copy the whole package to the card".format(path))
        self._kpu = nn.kpu()
        try:
            self._kpu.load_kmodel(path)
        except Exception as error:  # boundary: firmwares raise different things here
            runtime = nn.version() if hasattr(nn, "version") else "unknown"
            text = "{} was compiled with nncase {}, this firmware runs {}: {}"
            raise DeployError(text.format(path, config.get("nncase_version"), runtime, error))
        self._ai2d = self._builder = self._builder_size = None
        self._input = nn.from_numpy(np.ones((1, 3, self.size[1], self.size[0]), dtype=np.uint8))

    def run(self, frame) -> list:
        """The outputs for a picture, a (3, h, w) uint8 array."""
        nn = self._nn
        height, width = frame.shape[1], frame.shape[2]
        if self._builder_size != (width, height):
            self._build(width, height)
        self._builder.run(nn.from_numpy(frame.reshape((1, 3, height, width))), self._input)
        self._kpu.set_input_tensor(0, self._input)
        self._kpu.run()
        return [self._kpu.get_output_tensor(index).to_numpy() for index in range(self._kpu.outputs_size())]

    def _build(self, width: int, height: int) -> None:
        nn, np = self._nn, self._np
        ai2d = nn.ai2d()
        ai2d.set_dtype(nn.ai2d_format.NCHW_FMT, nn.ai2d_format.NCHW_FMT, np.uint8, np.uint8)
        if self.role in ("det", "ocrdet", "ocrrec"):
            pads = self._pads(width, height)
            value = 0 if self.role == "ocrrec" else 114
            ai2d.set_pad_param(True, [0, 0, 0, 0] + pads, 0, [value] * 3)
        ai2d.set_resize_param(True, nn.interp_method.tf_bilinear, nn.interp_mode.half_pixel)
        self._builder = ai2d.build([1, 3, height, width], [1, 3, self.size[1], self.size[0]])
        self._ai2d, self._builder_size = ai2d, (width, height)

    def _pads(self, width: int, height: int) -> list:
        """Top, bottom, left, right: centred for detection, all at the bottom right for text."""
        scale = min(self.size[0] / width, self.size[1] / height)
        across, down = self.size[0] - int(width * scale), self.size[1] - int(height * scale)
        if self.role == "det":
            return [down // 2, down - down // 2, across // 2, across - across // 2]
        return [0, down, 0, across]

    def close(self) -> None:
        """Give the memory back."""
        self._kpu = self._ai2d = self._builder = self._input = None
        gc.collect()
        if hasattr(self._nn, "shrink_memory_pool"):
            self._nn.shrink_memory_pool()


# -- answers ----------------------------------------------------------------------------------------------------------


def answer(model: Model, frame, library=None) -> dict:
    """What the model says of a picture, by its role: "boxes", "labels", "mask", "quads", "text" or "vector" with "labels".

    Args:
        model: the package.
        frame: (3, h, w) uint8.
        library: of metric learning: {name: vector}.
    """
    outputs = model.run(frame)
    return _READERS[model.role](model, outputs, frame, library)


def _read_boxes(model, outputs, frame, _library):
    import aicube

    size, frame_size = list(model.size), [frame.shape[2], frame.shape[1]]
    config, count = model.config, len(model.labels)
    overlap, is_agnostic = config.get("nms_threshold", 0.5), bool(config.get("nms_option"))
    kind = config["model_type"]
    heads = [outputs[0], outputs[1], outputs[2], size, frame_size, list(STRIDES), count, model.threshold, overlap]
    if kind == "AnchorBaseDet":
        anchors = [number for level in config["anchors"] for number in level]
        found = aicube.anchorbasedet_post_process(*(heads + [anchors, is_agnostic]))
    elif kind == "GFLDet":
        found = aicube.gfldet_post_process(*(heads + [is_agnostic]))
    else:
        found = aicube.anchorfreedet_post_process(*(heads + [is_agnostic]))
    boxes = []
    for index, score, x0, y0, x1, y1 in found or []:
        boxes.append((model.labels[int(index)], float(score), int(x0), int(y0), int(x1 - x0), int(y1 - y0)))
    return {"boxes": boxes}


def _scores(outputs) -> list:
    return [float(value) for value in outputs[0].reshape((-1,))]


def _read_class(model, outputs, _frame, _library):
    logits = _scores(outputs)
    if len(logits) == 1:  # two classes in the vendor's one-number form
        share = _sigmoid(logits[0])
        best, score = (1, share) if share >= model.threshold else (0, 1 - share)
        return {"labels": [(model.labels[best], score)]}
    most = max(logits)
    weights = [math.exp(value - most) for value in logits]
    best = logits.index(most)
    score = weights[best] / sum(weights)
    return {"labels": [(model.labels[best], score)] if score >= model.threshold else []}


def _read_labels(model, outputs, _frame, _library):
    shares = [_sigmoid(value) for value in _scores(outputs)]
    return {"labels": [(model.labels[at], share) for at, share in enumerate(shares) if share >= model.threshold]}


def _read_mask(model, outputs, frame, _library):
    import aicube

    size_hw = [model.size[1], model.size[0]]
    frame_hw = list(model.mask_hw or (frame.shape[1], frame.shape[2]))
    mask = aicube.seg_post_process(outputs[0], len(model.labels), size_hw, frame_hw)
    mask[:, :, 0] = (mask[:, :, 2] > 0) * 128  # the newest firmware darkens the background, too
    return {"mask": mask}


def _read_quads(model, outputs, frame, _library):
    import aicube
    from ulab import numpy as np

    height, width = frame.shape[1], frame.shape[2]
    pixels = np.zeros((height * width * 3,), dtype=np.uint8)
    for channel in range(3):
        pixels[channel::3] = frame[channel].reshape((-1,))
    chance = outputs[0].reshape((-1, outputs[0].shape[-1]))[:, 0].copy()
    limits = model.config.get("mask_threshold", 0.3), model.config.get("box_threshold", 0.5)
    found = aicube.ocr_post_process(chance, pixels, list(model.size), [width, height], limits[0], limits[1])
    quads = [([int(value) for value in quad], crop) for crop, quad in found or []]
    return {"quads": quads}


def _read_text(model, outputs, _frame, _library):
    from ulab import numpy as np

    steps = outputs[0].reshape((-1, outputs[0].shape[-1]))
    blank = steps.shape[1] - 1
    best, text, before = np.argmax(steps, axis=1), "", blank
    for value in best:
        value = int(value)
        if value not in (blank, before):
            text += model.dictionary[value]
        before = value
    return {"text": text}


def _read_vector(model, outputs, _frame, library):
    vector = _scores(outputs)
    length = math.sqrt(sum([value * value for value in vector])) or 1.0
    vector = [value / length for value in vector]
    labels = []
    for name in library or ():
        likeness = sum([a * b for a, b in zip(vector, library[name])])
        if likeness >= model.threshold:
            labels.append((name, likeness))
    labels.sort(key=lambda one: -one[1])
    return {"vector": vector, "labels": labels[:1]}


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))


_READERS = {
    "det": _read_boxes,
    "cls": _read_class,
    "seg": _read_mask,
    "ocrdet": _read_quads,
    "ocrrec": _read_text,
    "ml": _read_vector,
    "multl": _read_labels,
}


# -- showing ----------------------------------------------------------------------------------------------------------


def draw(canvas, model: Model, found: dict, scale_x: float = 1, scale_y: float = 1) -> None:
    """Draw an answer on an image of the firmware; `scale_…` lead from the model's frame to the image."""
    opaque = canvas.format() == _argb8888()
    for label, score, x, y, w, h in found.get("boxes", ()):
        colour = _colour(model.labels.index(label), opaque)
        x, y, w, h = int(x * scale_x), int(y * scale_y), int(w * scale_x), int(h * scale_y)
        canvas.draw_rectangle(x, y, w, h, color=colour, thickness=4)
        text = "{} {:.2f}".format(label, score)
        canvas.draw_string_advanced(x, max(0, y - TEXT_PX - 4), TEXT_PX, text, color=colour)
    for line, (label, score) in enumerate(found.get("labels", ())):
        colour = _colour(model.labels.index(label) if label in model.labels else line, opaque)
        text = "{} {:.2f}".format(label, score)
        canvas.draw_string_advanced(10, 10 + line * (TEXT_PX + 8), TEXT_PX + 4, text, color=colour)
    texts = found.get("texts", ())
    for number, (quad, _) in enumerate(found.get("quads", ())):
        colour = _colour(number, opaque)
        if texts:
            x, y = int(min(quad[::2]) * scale_x), int(min(quad[1::2]) * scale_y)
            canvas.draw_string_advanced(max(0, x), max(0, y - TEXT_PX - 4), TEXT_PX, texts[number], color=colour)
        for corner in range(4):
            x0, y0 = quad[2 * corner], quad[2 * corner + 1]
            x1, y1 = quad[(2 * corner + 2) % 8], quad[(2 * corner + 3) % 8]
            ends = int(x0 * scale_x), int(y0 * scale_y), int(x1 * scale_x), int(y1 * scale_y)
            canvas.draw_line(*ends, color=colour, thickness=3)
    if texts and not found.get("quads"):  # of a picture that is one line: in the bar below it
        canvas.draw_string_advanced(10, canvas.height() - TEXT_PX - 8, TEXT_PX, texts[0], color=_colour(0, opaque))
    if found.get("mask") is not None:
        _draw_mask(canvas, found["mask"])


def _draw_mask(canvas, mask) -> None:
    """Lay (h, w, 4) A R G B over the image, which is as large: a layer takes it as it is, a photo is tinted."""
    import image

    if canvas.format() == _argb8888():
        image.Image(mask.shape[1], mask.shape[0], image.ARGB8888, alloc=image.ALLOC_REF, data=mask).copy_to(canvas)
    else:
        tint(canvas, mask[:, :, 1:])


def _argb8888():
    import image

    return image.ARGB8888


def _colour(index: int, opaque: bool) -> tuple:
    colour = COLOURS[index % len(COLOURS)]
    return (255,) + colour if opaque else colour


def lines(found: dict) -> "list[str]":
    """An answer in words, one thing per line."""
    said = ["{} {:.2f} at {},{} size {}x{}".format(*box) for box in found.get("boxes", ())]
    said += ["{} {:.2f}".format(label, score) for label, score in found.get("labels", ())]
    said += ["text area {}".format(quad) for quad, _ in found.get("quads", ())]
    said += ["text '{}'".format(text) for text in found.get("texts", ())]
    if "vector" in found:
        first = ", ".join(["{:.3f}".format(value) for value in found["vector"][:4]])
        said.append("vector of {} numbers: {}, ...".format(len(found["vector"]), first))
    if found.get("mask") is not None:
        said.append("regions of {}x{} pixels".format(found["mask"].shape[1], found["mask"].shape[0]))
    return said or ["nothing found"]


class Screen:
    """Camera and panel: live video below, a transparent image for marks above."""

    def __init__(self, display=None) -> None:
        """Start both.

        Args:
            display: "lcd" or "hdmi"; None: the panel that answers, an LCD with touch before HDMI.
        """
        import image
        from media.display import Display
        from media.media import MediaManager
        from media.sensor import Sensor

        self._display, self._media = Display, MediaManager
        kind = display or find_display()
        self.width, self.height = (1920, 1080) if kind == "hdmi" else (800, 480)
        self._sensor = sensor = Sensor()
        sensor.reset()
        sensor.set_framesize(width=self.width, height=self.height, chn=0)
        sensor.set_pixformat(Sensor.YUV420SP, chn=0)
        sensor.set_framesize(width=AI_SIZE[0], height=AI_SIZE[1], chn=2)
        sensor.set_pixformat(Sensor.RGBP888, chn=2)
        Display.bind_layer(layer=Display.LAYER_VIDEO1, **sensor.bind_info(x=0, y=0, chn=0))
        driver = Display.LT9611 if kind == "hdmi" else Display.ST7701
        Display.init(driver, width=self.width, height=self.height, osd_num=1, to_ide=True)
        MediaManager.init()
        sensor.run()
        self.marks = image.Image(self.width, self.height, image.ARGB8888)
        self.marks.clear()

    def frame(self):
        """The newest picture for the model, (3, 360, 640) uint8."""
        self._picture = self._sensor.snapshot(chn=2)  # kept: the array lies in its memory
        return self._picture.to_numpy_ref()

    def show(self, model, found: dict) -> None:
        """Put the marks of an answer over the video."""
        self.marks.clear()
        draw(self.marks, model, found, self.width / AI_SIZE[0], self.height / AI_SIZE[1])
        self._display.show_image(self.marks, 0, 0, self._display.LAYER_OSD3)

    def close(self) -> None:
        """Stop camera and panel."""
        self._sensor.stop()
        self._display.deinit()
        time.sleep_ms(50)
        self._media.deinit()


# -- the two jobs ------------------------------------------------------------------------------------------------------


def read_picture(path: str):
    """(3, h, w) uint8 array and RGB888 image of a file.

    Raises:
        DeployError: no picture that this firmware can decode.
    """
    import image

    try:
        picture = image.Image(path).to_rgb888()
    except Exception as error:  # boundary: each firmware has its own error for a broken picture
        raise DeployError("{} is no picture that this board can read ({}): use a JPEG".format(path, error))
    rows = picture.to_numpy_ref()
    height, width = rows.shape[0], rows.shape[1]
    planes = rows.reshape((height * width, 3)).transpose().copy().reshape((3, height, width))
    return planes, picture


def image(role: str, path=None, folder=None, threshold=None, save=True, kmodel=None, debug_mode=0) -> dict:
    """Look at one picture: print what is found, save a marked copy beside it (…_result.jpg), return the answer.

    Args:
        role: a key of ROLES, or "ocr" for both text models.
        path: the picture; None: the first one in the package.
        folder: the package; None: found by itself.
        threshold: least score; None: the package's.
        save: write the marked copy.
        kmodel: file name of the package's kmodel, where packages of several models may lie on the card; None: any.
        debug_mode: 1 also says how long each part takes.
    """
    reader = Reader(role, folder, threshold, kmodel, debug_mode)
    path = find_picture(path, reader.folder)
    planes, picture = read_picture(path)
    started = time.ticks_ms()
    found = reader.read(planes)
    spent = time.ticks_diff(time.ticks_ms(), started)
    print("{}: {} ms".format(path, spent))
    for line in lines(found):
        print(" ", line)
    if save:
        if role == "ocrrec":
            picture = with_room(picture, TEXT_PX + 16)
        draw(picture, reader.model, found)
        result = path[: path.rfind(".")] + "_result.jpg"
        picture.to_rgb565().save(result, quality=90)
        picture.compress_for_ide()  # so that the IDE shows it
        print("saved", result)
    reader.close()
    return found


def video(
    role: str, folder=None, threshold=None, display=None, seconds=None, frames=None, kmodel=None, debug_mode=0
) -> int:
    """Live video with the model's answers over it, until the script is stopped; the number of frames.

    Args:
        role, folder, threshold, kmodel, debug_mode: as for image().
        display: "lcd", "hdmi" or None for what is found.
        seconds, frames: stop by itself after so much.
    """
    reader = Reader(role, folder, threshold, kmodel, debug_mode)
    screen = Screen(display)
    reader.model.mask_hw = (screen.height, screen.width)
    done, started = 0, time.ticks_ms()
    try:
        while (frames is None or done < frames) and (
            seconds is None or time.ticks_diff(time.ticks_ms(), started) < 1000 * seconds
        ):
            if hasattr(os, "exitpoint"):
                os.exitpoint()
            found = reader.read(screen.frame())
            screen.show(reader.model, found)
            done += 1
            if done % 30 == 1:
                fps = 1000 * done / max(1, time.ticks_diff(time.ticks_ms(), started))
                print("{:.1f} frames/s: {}".format(fps, ", ".join(lines(found)[:3])))
            gc.collect()
    finally:
        screen.close()
        reader.close()
    return done


class Reader:
    """One model, or the two of "ocr": areas first, then the text of each."""

    def __init__(self, role: str, folder=None, threshold=None, kmodel=None, debug_mode=0) -> None:
        """Load what the role needs; of "ocr" `folder` may be a pair, for finding and for reading."""
        self.role = role
        self._debug = debug_mode
        folders = (folder, None) if folder is None or isinstance(folder, str) else folder
        first = "ocrdet" if role == "ocr" else role
        self.model = Model(first, folders[0], threshold, kmodel)
        self.folder = self.model.folder
        self._words = Model("ocrrec", folders[1]) if role == "ocr" else None
        for model in (self.model, self._words):
            if model is not None and model.role == "ocrrec":
                model.dictionary = _read_dictionary(model.folder)
        self._library = _read_library(self.model) if role == "ml" else None

    def read(self, planes) -> dict:
        """The answer for a (3, h, w) picture."""
        started = time.ticks_ms()
        found = answer(self.model, planes, self._library)
        if self.role == "ocr":
            found["texts"] = [answer(self._words, _planes(crop))["text"] for _, crop in found["quads"]]
        elif self.role == "ocrrec":
            found = {"texts": [found["text"]]}
        if self._debug > 0:
            print("ai2d, KPU and decoding: {} ms".format(time.ticks_diff(time.ticks_ms(), started)))
        return found

    def close(self) -> None:
        """Give the memory back."""
        for model in (self.model, self._words):
            if model is not None:
                model.close()


def _planes(crop):
    """(3, h, w) of a (1, h, w, 3) crop."""
    height, width = crop.shape[1], crop.shape[2]
    return crop.reshape((height * width, 3)).transpose().copy().reshape((3, height, width))


def _read_dictionary(folder: str) -> "list[str]":
    """The characters of dict.txt, one per line, in the model's order."""
    with open(folder + "/dict.txt") as file:
        return [line.rstrip("\r\n") for line in file]


def _read_library(model: Model) -> dict:
    """Name → unit vector of what the pictures in the package's `library` folder show (cup_1.jpg and cup_2.jpg are one thing)."""
    library, place = {}, model.folder + "/library"
    names = pictures_in(place)
    if not names:
        print("no pictures in {}: put some of each thing there (cup_1.jpg, cup_2.jpg) to have it named".format(place))
    for name in names[:MOST_LEARNT]:
        planes, _ = read_picture(place + "/" + name)
        vector = answer(model, planes)["vector"]
        label = label_of(name)
        known = library.get(label)
        library[label] = vector if known is None else [a + b for a, b in zip(known, vector)]
    for label, total in library.items():
        length = math.sqrt(sum([value * value for value in total])) or 1.0
        library[label] = [value / length for value in total]
    return library
