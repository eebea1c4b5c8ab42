"""A contact sheet of what training sees: each row a photo as it is, then as augmentation changes it, with its labels drawn.

Called by the daemon and the command line as a process of its own: `python -m snaploop_host.training.preview JOB_DIR` writes
JOB_DIR/preview.png and prints {"picture": its path}, or {"error": line}.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..domain.photo_labels import WHOLE_PHOTO_TASKS
from ..domain.training_parameters import SCRATCH, rules_of
from ..parent_process import end_with_parent
from .errors import TrainingError
from .job_spec import Photo, TrainingJob, read_job
from .task import Folders, Pixels, Task, task_named

ROWS, VARIANTS = 4, 5
PARTNERS = 12  # photos that mosaics are made of
CELL_PX = 230
GAP_PX, HEAD_PX = 8, 58
INK, QUIET, GROUND = (235, 240, 238), (150, 165, 160), (24, 28, 27)
SHOWN = ("scale", "shift", "mirror", "mosaic", "hue", "saturation", "brightness", "distort")


def contact_sheet(task: Task, job: TrainingJob, folders: Folders) -> Image.Image:
    """The sheet of a job; only the photos that it shows are read.

    Raises:
        TrainingError: a photo or a label cannot be used.
    """
    chosen = _photos(job)
    parameters = dataclasses.replace(job.parameters, start=SCRATCH)  # pictures need no weights
    small = dataclasses.replace(job, train=chosen, val=chosen, parameters=parameters)
    folders.artifacts.mkdir(parents=True, exist_ok=True)
    if task.name in WHOLE_PHOTO_TASKS:
        from .photo_check import check_photo

        for photo in chosen:
            check_photo(photo)
    else:
        task.prepare(small, folders)
    rows = task.varied(small, folders, min(ROWS, len(chosen)), VARIANTS)
    return _sheet(rows, _title(job))


def _photos(job: TrainingJob) -> tuple[Photo, ...]:
    """Photos with labels, so chosen that the first few show as many classes as they can."""
    left = sorted((photo for photo in job.train if photo.boxes), key=lambda photo: photo.name)
    chosen: list[Photo] = []
    seen: set[int] = set()
    while left and len(chosen) < PARTNERS:
        best = max(left, key=lambda photo: len({box.cls for box in photo.boxes} - seen))
        left.remove(best)
        chosen.append(best)
        seen |= {box.cls for box in best.boxes}
        if len(chosen) < ROWS and len(seen) == len(job.classes):
            seen.clear()
    return tuple(chosen)


def _title(job: TrainingJob) -> tuple[str, str]:
    known = {rule.name for rule in rules_of(job.task)}
    values = dataclasses.asdict(job.parameters)
    figures = ", ".join(f"{name} {values[name]:g}" for name in SHOWN if name in known)
    return f"{job.project or job.task}: augmentation {job.parameters.preset}", figures


def _sheet(rows: Sequence[Sequence[Pixels]], title: tuple[str, str]) -> Image.Image:
    cells = [[_fitted(picture) for picture in row] for row in rows]
    height = max(cell.height for row in cells for cell in row)
    columns = max(len(row) for row in cells)
    width = GAP_PX + columns * (CELL_PX + GAP_PX)
    sheet = Image.new("RGB", (width, HEAD_PX + 24 + len(cells) * (height + GAP_PX)), GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP_PX, 8), title[0], INK, ImageFont.load_default(size=17))
    draw.text((GAP_PX, 32), title[1], QUIET, ImageFont.load_default(size=13))
    for column in range(columns):
        name = "as it is" if column == 0 else "as training sees it" if column == 1 else ""
        draw.text((GAP_PX + column * (CELL_PX + GAP_PX), HEAD_PX), name, QUIET, ImageFont.load_default(size=13))
    for number, row in enumerate(cells):
        for column, cell in enumerate(row):
            sheet.paste(cell, (GAP_PX + column * (CELL_PX + GAP_PX), HEAD_PX + 24 + number * (height + GAP_PX)))
    return sheet


def _fitted(picture: Pixels) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    factor = CELL_PX / image.width
    if image.height * factor > CELL_PX * 1.4:  # upright photos
        factor = CELL_PX * 1.4 / image.height
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BILINEAR)


def main(arguments: list[str] | None = None) -> int:
    """Write the sheet of the job whose folder is named."""
    folder = Path((sys.argv[1:] if arguments is None else arguments)[0]).resolve()
    visible = os.dup(1)
    os.dup2(2, 1)  # libraries print what they like
    answer: dict[str, Any] = {"picture": str(folder / "preview.png")}
    try:
        job = read_job(folder / "job.json")
        contact_sheet(task_named(job.task), job, Folders(folder)).save(folder / "preview.png")
    except TrainingError as error:
        answer = {"error": str(error)}
    except ModuleNotFoundError as error:
        answer = {"error": f"{error.name} is not installed: pip install 'snaploop[train]'"}
    os.write(visible, (json.dumps(answer) + "\n").encode())
    return 0


if __name__ == "__main__":
    end_with_parent()  # who asked is gone: nobody wants the answer
    sys.exit(main())
