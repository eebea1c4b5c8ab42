"""A dataset version as a folder in YOLO's layout, so that our trainer and the plain `yolo` command read the same data.

`images/{train,val}/NNNNN.ext` are links to the stored photos (never copies), `labels/…/NNNNN.txt` their boxes, `data.yaml` names both.
Called by the prepare stage.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import BadDatasetError
from ..job_spec import Box, Photo, TrainingJob
from ..photo_check import check_photo

BORDER_SLACK_PX = (
    1.5  # rounding on the way from finger to file may push a border out by this much; it is cut, not refused
)


def write_layout(job: TrainingJob, root: Path) -> list[str]:
    """Write the layout under `root` (replacing an unfinished one) and return notes worth showing.

    Raises:
        BadDatasetError: a split has no box, a photo is missing, undecodable or not of the stated size, or a box is unusable.
    """
    for split, photos in (("training", job.train), ("validation", job.val)):
        if not any(photo.boxes for photo in photos):
            raise BadDatasetError(f"none of the {len(photos)} {split} photos has a box: label more photos")
    shutil.rmtree(root, ignore_errors=True)
    for split, photos in (("train", job.train), ("val", job.val)):
        (root / "images" / split).mkdir(parents=True)
        (root / "labels" / split).mkdir(parents=True)
        for index, photo in enumerate(photos):
            check_photo(photo)
            rows = [_row(box, photo, job.classes) for box in photo.boxes]
            name = f"{index:05d}"
            os.symlink(photo.image.resolve(), root / "images" / split / f"{name}{photo.image.suffix.lower() or '.jpg'}")
            (root / "labels" / split / f"{name}.txt").write_text("".join(row + "\n" for row in rows))
    names = "".join(f"  {index}: {json.dumps(name)}\n" for index, name in enumerate(job.classes))
    (root / "data.yaml").write_text(
        f"path: {json.dumps(str(root.resolve()))}\ntrain: images/train\nval: images/val\nnames:\n{names}"
    )
    return split_notes(job)


def split_notes(job: TrainingJob) -> list[str]:
    """Sentences about classes that one of the splits lacks."""
    notes = []
    for index, name in enumerate(job.classes):
        counts = [_count(photos, index) for photos in (job.train, job.val)]
        if counts[0] == 0:
            notes.append(f"class {name} has no training box: the model cannot learn it; label some")
        if counts[1] == 0:
            notes.append(f"class {name} has no validation box: its score is not measured; label it in more photos")
    return notes


def _count(photos: Sequence[Photo], cls: int) -> int:
    return sum(box.cls == cls for photo in photos for box in photo.boxes)


def _row(box: Box, photo: Photo, classes: Sequence[str]) -> str:
    """One YOLO label line: class, centre x, centre y, w, h in 0…1."""
    where = f"photo {photo.name} ({photo.width}x{photo.height})"
    if len(box.box_xywh_px) != 4 or not 0 <= box.cls < len(classes):
        raise BadDatasetError(
            f"{where}: box {list(box.box_xywh_px)} of class {box.cls} is malformed: delete it and label again"
        )
    x, y, width, height = box.box_xywh_px
    outside = max(-x, -y, x + width - photo.width, y + height - photo.height)
    if width <= 0 or height <= 0 or outside > BORDER_SLACK_PX:
        raise BadDatasetError(
            f"{where}: box x={x:g} y={y:g} w={width:g} h={height:g} of class {classes[box.cls]} "
            + ("has no area" if width <= 0 or height <= 0 else "lies outside the photo")
            + ": correct or delete it on the board or in the dashboard"
        )
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + width, photo.width), min(y + height, photo.height)
    values = (
        (left + right) / 2 / photo.width,
        (top + bottom) / 2 / photo.height,
        (right - left) / photo.width,
        (bottom - top) / photo.height,
    )
    return f"{box.cls} " + " ".join(f"{value:.6f}" for value in values)
