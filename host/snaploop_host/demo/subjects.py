"""What the demo photographs: the virtual board's built-in scene, or a person's own pictures with Pascal VOC boxes."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..domain.samples import AnnotatedPicture
from ..errors import BadInputError
from ..storage.voc_folder import VocFolder
from .json_http import JsonHttp
from .live_check import LabelledBox

logger = logging.getLogger(__name__)

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
        return [
            LabelledBox(one["label"], one["x"] * width, one["y"] * height, one["w"] * width, one["h"] * height)
            for one in truth
        ]


class AnnotatedPictures(Subjects):
    """A folder of pictures with Pascal VOC files; the finger draws their boxes."""

    def __init__(self, pictures: Path, annotations: Path, classes_at_most: int) -> None:
        """Read the annotations; what cannot be used is logged, one line each.

        Raises:
            BadInputError: no folder, no picture with a box in it, or more classes than the label screen has colours.
        """
        folder = VocFolder(pictures, annotations)
        self._pictures: list[tuple[Path, list[LabelledBox]]] = []
        for found in folder.pictures():
            if isinstance(found, str):
                logger.warning("%s", found)
                continue
            boxes = _in_window(found)
            if boxes:
                self._pictures.append((folder.path_of(found.name), boxes))
        if not self._pictures:
            raise BadInputError(
                f"no picture of {pictures} has boxes in {annotations}: --camera wants pictures, --labels their VOC files"
            )
        self.classes = sorted({box.label for _, boxes in self._pictures for box in boxes})
        if len(self.classes) > classes_at_most:
            raise BadInputError(
                f"{annotations} has {len(self.classes)} classes, the board's palette {classes_at_most}: label fewer"
            )
        self.camera = str(self._pictures[0][0].parent)
        self.title = f"{len(self._pictures)} annotated pictures of {pictures}"
        self.count = len(self._pictures)

    def show(self, board: JsonHttp, number: int) -> list[LabelledBox]:
        """Bring picture `number` (modulo their count) into view; its true boxes in window pixels."""
        path, boxes = self._pictures[number % len(self._pictures)]
        board.post("/camera", {"path": str(path.resolve())})
        return list(boxes)


def _in_window(picture: AnnotatedPicture) -> list[LabelledBox]:
    """The boxes as the board's camera shows them: the sensor squeezes every picture into its field of view."""
    try:
        with Image.open(io.BytesIO(picture.data)) as image:
            width, height = image.size
            image.load()
    except (UnidentifiedImageError, OSError):
        logger.warning("%s is no readable picture: left out", picture.name)
        return []
    boxes = []
    for box in picture.boxes:
        if box.x < 0 or box.y < 0 or box.w < 1 or box.h < 1 or box.x + box.w > width + 1 or box.y + box.h > height + 1:
            logger.warning(
                "%s: box of %s lies outside the %sx%s picture: left out", picture.name, box.class_name, width, height
            )
            continue
        scale_x, scale_y = WINDOW_PX[0] / width, WINDOW_PX[1] / height
        boxes.append(LabelledBox(box.class_name, box.x * scale_x, box.y * scale_y, box.w * scale_x, box.h * scale_y))
    return boxes
