"""Import annotated pictures into a project: what is good is kept, what is not gets one line that names it and the mend."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from snaploop_shared.sample_record import LABELLED, MAX_BOXES, MAX_NAME_CHARS

from ..domain.projects import Project, check_classes, check_project_name
from ..domain.samples import AnnotatedPicture, Box, Polygon, Sample
from ..domain.scores import SEGMENT
from ..errors import BadInputError, NotFoundError
from ..ports import AnnotatedFolder, Blobs, Pictures, Store

logger = logging.getLogger(__name__)

SOURCE = "import"
MAX_OUTSIDE_PX = 1  # annotation tools round outward by a pixel; more than that is a mistake


@dataclass(slots=True)
class ImportReport:
    """How many pictures were added and how many were here already; a line for each problem.

    `with_void`: those of both that brought void areas.
    """

    added: int = 0
    known: int = 0
    with_void: int = 0
    problems: list[str] = field(default_factory=list)


class ImportSamples:
    """Bring pictures with boxes from a folder into a project."""

    def __init__(self, store: Store, blobs: Blobs, pictures: Pictures, clock: Callable[[], float] = time.time) -> None:
        """Wire it up."""
        self._store = store
        self._blobs = blobs
        self._pictures = pictures
        self._clock = clock

    def run(self, project_name: str, folder: AnnotatedFolder, task: str | None = None) -> ImportReport:
        """What became of the pictures. A project that does not exist is made, with the classes that the folder names.

        Args:
            project_name: where to.
            folder: what.
            task: of a project that is made; None: the folder's own.

        Raises:
            BadInputError: the folder holds no pictures.
            StorageFullError: no room; what was added before stays.
        """
        project = self._project(project_name, folder, task or folder.task)
        report = ImportReport()
        here = {sample.photo: sample for sample in self._store.samples(project.id)}
        for picture in folder.pictures():
            try:
                if isinstance(picture, str):
                    raise BadInputError(picture)
                self._add(project, picture, report, here)
            except BadInputError as error:
                report.problems.append(str(error))
        logger.info(
            "import into %s: %d added, %d known, %d problems",
            project.name,
            report.added,
            report.known,
            len(report.problems),
        )
        return report

    def _project(self, name: str, folder: AnnotatedFolder, task: str) -> Project:
        try:
            return self._store.project_named(name)
        except NotFoundError:
            classes = folder.class_names()
            if not classes:
                raise
            return self._store.add_project(check_project_name(name), task, check_classes(classes, task), self._clock())

    def _add(self, project: Project, picture: AnnotatedPicture, report: ImportReport, here: dict[str, Sample]) -> None:
        """Take one picture; `here`: the project's samples by their photo; what is added now has no id yet."""
        try:
            width, height = self._pictures.check_photo(picture.data)
        except BadInputError as error:
            raise BadInputError(f"{picture.name}: {error}: replace the file and import again") from error
        if picture.stated_size_px not in (None, (width, height)):
            stated_w, stated_h = picture.stated_size_px or (0, 0)
            raise BadInputError(
                f"{picture.name}: annotated as {stated_w}x{stated_h} px, the picture has {width}x{height}: annotate this very file again"
            )
        if len(picture.boxes) > MAX_BOXES:
            raise BadInputError(f"{picture.name}: {len(picture.boxes)} boxes, at most {MAX_BOXES} are taken")
        boxes = tuple(
            _checked(box, number, picture.name, project, width, height) for number, box in enumerate(picture.boxes, 1)
        )
        void = _cut(picture.void, width, height) if project.task == SEGMENT else ()
        digest = self._blobs.add(picture.data)
        report.with_void += bool(void)
        if (known := here.get(digest)) is not None:
            report.known += 1
            if void and known.id:  # older versions took them for background; the labels of a photo that is here stay
                self._store.set_void(known.id, void)
            if _said(boxes) != _said(known.boxes):
                report.problems.append(
                    f"{picture.name} is the same photo as {known.name}, which is {_said(known.boxes)} here and {_said(boxes)} "
                    "in the folder: the labels here stay; correct the one that is wrong"
                )
            return
        now_s = self._clock()
        self._store.add_photo(digest, len(picture.data), SOURCE, None, now_s)
        name = picture.name[-MAX_NAME_CHARS:]
        size = len(picture.data)
        sample = Sample(
            0, project.id, name, digest, size, width, height, 1, LABELLED, boxes, SOURCE, SOURCE, now_s, void
        )
        self._store.put_sample(sample)
        here[digest] = sample
        report.added += 1


def _said(boxes: Sequence[Box]) -> str:
    """What a photo's labels say it shows: its classes, and what is written there."""
    kinds = sorted({box.class_name for box in boxes})
    texts = sorted(box.text for box in boxes if box.text)
    return " and ".join(kinds + [repr(text) for text in texts]) or "without labels"


def _checked(box: Box, number: int, picture: str, project: Project, width: int, height: int) -> Box:
    """The box, cut to the picture where it sticks out by a rounding error.

    Raises:
        BadInputError: another class, or not inside the picture.
    """
    if box.class_name not in project.classes:
        raise BadInputError(
            f"{picture}: box {number} is a {box.class_name!r}, {project.name} has {', '.join(project.classes)}: "
            f"correct it, or add the class with `snaploop projects classes {project.name}`"
        )
    out_px = max(-box.x, -box.y, box.x + box.w - width, box.y + box.h - height)
    left, top = max(0, box.x), max(0, box.y)
    right, bottom = min(width, box.x + box.w), min(height, box.y + box.h)
    if out_px > MAX_OUTSIDE_PX:
        where = f"x {box.x} to {box.x + box.w}, y {box.y} to {box.y + box.h}"
        raise BadInputError(
            f"{picture}: box {number} ({box.class_name}, {where}) lies outside the {width}x{height} picture: correct it"
        )
    if right - left < 1 or bottom - top < 1:
        raise BadInputError(f"{picture}: box {number} ({box.class_name}) has no area: correct or remove it")
    points = tuple((min(max(x, left), right), min(max(y, top), bottom)) for x, y in box.points)
    return Box(box.class_name, left, top, right - left, bottom - top, points, box.text)


def _cut(areas: Sequence[Polygon], width: int, height: int) -> tuple[Polygon, ...]:
    return tuple(tuple((min(max(x, 0), width), min(max(y, 0), height)) for x, y in area) for area in areas)
