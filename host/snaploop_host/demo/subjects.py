"""What the demo photographs: the virtual board's built-in scene, or a person's own pictures with Pascal VOC boxes."""

from __future__ import annotations

import json
from pathlib import Path

from ..services.voc_import import read_voc_folder
from .errors import DemoError
from .json_http import JsonHttp
from .live_check import LabelledBox

WINDOW_PX = (640, 360)  # photo, window and AI frame are one geometry: docs/decisions/0005-one-window.md


class Subjects:
    """Numbered pictures that can be brought before the camera, with the boxes that are really in them."""

    classes: list[str]
    camera: str  # what `virtual-k230 --camera` gets
    title: str
    count: int | None  # None: never ends

    def show(self, board: JsonHttp, number: int) -> list[LabelledBox]:
        """Bring picture `number` into view; its true boxes in window pixels."""
        raise NotImplementedError


class TrafficLights(Subjects):
    """The built-in scene: traffic lights, moved and lit differently over real photographs."""

    def __init__(self) -> None:
        """Nothing to load: the board's camera makes the pictures."""
        self.classes = ["red", "yellow", "green"]
        self.camera = "scene:traffic_lights"
        self.title = "traffic lights (built-in scene)"
        self.count = None

    def show(self, board: JsonHttp, number: int) -> list[LabelledBox]:
        """Bring scene `number` into view; its true boxes in window pixels."""
        board.post("/camera", {"show": number})
        truth = board.get("/camera")["truth"]
        assert isinstance(truth, list)
        width, height = WINDOW_PX
        return [LabelledBox(one["label"], one["x"] * width, one["y"] * height, one["w"] * width, one["h"] * height) for one in truth]


class AnnotatedPictures(Subjects):
    """A folder of pictures with Pascal VOC files; the finger draws their boxes."""

    def __init__(self, pictures: Path, annotations: Path, classes_at_most: int) -> None:
        """Read the annotations.

        Raises:
            DemoError: nothing usable there, or more classes than the label screen holds.
        """
        found = read_voc_folder(pictures, annotations)
        usable = [picture for picture in found.pictures if picture.boxes]
        if not usable:
            raise DemoError(f"no picture of {pictures} has boxes in {annotations}: give --camera the pictures and --labels their VOC files")
        self._pictures = usable
        self.classes = sorted({box.label for picture in usable for box in picture.boxes})
        if len(self.classes) > classes_at_most:
            raise DemoError(f"{annotations} has {len(self.classes)} classes, the label screen holds {classes_at_most}")
        self.camera = str(pictures)
        self.title = f"{len(usable)} annotated pictures of {pictures.name}"
        self.count = len(usable)
        self.problems = list(found.problems)

    def show(self, board: JsonHttp, number: int) -> list[LabelledBox]:
        """Bring picture `number` (modulo their count) into view; its true boxes in window pixels."""
        picture = self._pictures[number % len(self._pictures)]
        board.post("/camera", {"path": str(picture.path)})
        scale_x, scale_y = WINDOW_PX[0] / picture.width, WINDOW_PX[1] / picture.height
        return [LabelledBox(box.label, box.x * scale_x, box.y * scale_y, box.w * scale_x, box.h * scale_y) for box in picture.boxes]


def describe(truth: list[LabelledBox]) -> str:
    """The boxes as one line of JSON, for the log."""
    return json.dumps([[box.label, round(box.x), round(box.y), round(box.w), round(box.h)] for box in truth])
