"""A job of any of the seven tasks, on made-up photos: for tests that go through all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fakes import shape_photos, shape_pictures
from fakes.text_photos import write_text_photos
from snaploop_host.training.bench_pictures import CLASSES as LIGHTS
from snaploop_host.training.bench_pictures import write_pictures

TASKS = ("detect", "classify", "multilabel", "embed", "segment", "ocr_detect", "ocr_recognize")
WHOLE = ("classify", "multilabel", "embed")
SMALL: dict[str, dict[str, Any]] = {task: {"imgsz": 96} for task in TASKS} | {"ocr_recognize": {}}


def write_job(folder: Path, task: str, train: int, val: int, parameters: dict[str, Any] | None = None) -> Path:
    """A folder with job.json and the photos of both sides; small inputs unless `parameters` say otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    sides, classes = {}, ("text",)
    for side, count, seed in (("train", train, 1), ("val", val, 2)):
        place = folder / side
        if task == "detect":
            sides[side], classes = write_pictures(place, count, seed, (320, 180)), LIGHTS
        elif task in WHOLE:
            sides[side], classes = _whole_photos(place, count, seed, task), shape_photos.NAMES
        elif task == "segment":
            sides[side], classes = _outlined(place, count, seed), shape_pictures.CLASSES
        else:
            sides[side] = write_text_photos(place, count, seed)
    raw = {
        "run_id": "1",
        "task": task,
        "project": "p",
        "classes": list(classes),
        "dataset": sides,
        "parameters": SMALL[task] | (parameters or {}),
        "warm_start": None,
    }
    (folder / "job.json").write_text(json.dumps(raw))
    return folder


def _whole_photos(place: Path, count: int, seed: int, task: str) -> list[dict[str, Any]]:
    rng, names = np.random.default_rng(seed), shape_photos.NAMES
    place.mkdir(exist_ok=True)
    found = []
    for number in range(count):
        shown = (names[number % len(names)],)
        if task == "multilabel" and number % 4 == 3:
            shown = names[:2]
        file = place / f"{number:03}.jpg"
        file.write_bytes(shape_photos.jpeg(shape_photos.photo(rng, shown)))
        boxes = [{"class": names.index(name), "box_xywh_px": [0, 0, *shape_photos.SIZE]} for name in shown]
        found.append(
            {"image": str(file), "width": shape_photos.SIZE[0], "height": shape_photos.SIZE[1], "boxes": boxes}
        )
    return found


def _outlined(place: Path, count: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    place.mkdir(exist_ok=True)
    found = []
    for number in range(count):
        image, outlines = shape_pictures.draw_scene(rng)
        file = place / f"{number:03}.jpg"
        file.write_bytes(shape_pictures.jpeg(image))
        boxes = [
            {
                "class": cls,
                "box_xywh_px": [*corners.min(axis=0).tolist(), *np.ptp(corners, axis=0).tolist()],
                "points_px": corners.tolist(),
            }
            for cls, corners in outlines
        ]
        height, width = image.shape[:2]
        found.append({"image": str(file), "width": width, "height": height, "boxes": boxes})
    return found
