"""Segmentation on real parts: outlined photos, training, kmodel, simulator, publication, and a virtual board that draws the regions."""

from __future__ import annotations

import contextlib
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from fakes.desk import Desk, says, tap, wait
from fakes.host_folder import make_host, pair_client
from fakes.known_machine import REPEATABLE, has_trained
from fakes.packaged import mark_with_package
from fakes.shape_pictures import CLASSES, PHOTO, draw_scene, jpeg, paint, shape
from snaploop_shared import messages
from snaploop_shared.palette import colours
from snaploop_shared.sample_record import Box

pytest.importorskip("torch")

PHOTOS = 20
PARAMETERS = {
    "imgsz": 96,
    "epochs": 30,
    "batch": 6,
    "warmup_steps": 20,
    "ema_steps": 20,
    "gate": 0.15,
    **REPEATABLE,
}
THINGS = ((0, (170.0, 170.0), 90.0), (1, (450.0, 200.0), 110.0))  # class, centre, radius


def add_photos(desk: Desk) -> None:
    """Outlined photos in the host's project, as a board sends them."""
    rng = np.random.default_rng(1)
    with contextlib.closing(make_host(desk.host_data)) as host:
        host.store.add_project("shapes", "segment", CLASSES, 1000.0)
        board = pair_client(host, board_id="b0a4d000", project="shapes")
        for number in range(PHOTOS):
            image, outlines = draw_scene(rng)
            boxes = []
            for cls, corners in outlines:
                (x, y), (w, h) = corners.min(axis=0), np.ptp(corners, axis=0) + 1
                boxes.append(Box(CLASSES[cls], int(x), int(y), int(w), int(h), corners.tolist()))
            answer = board.send_sample(f"b1-{number:06}", jpeg(image), boxes, size=PHOTO)
            assert answer.status == messages.OK, answer.arguments


def drawn_regions(board) -> dict[str, np.ndarray]:
    """The regions on the screen: class name → (360, 640) bool."""
    regions = {}
    for name, colour in colours(CLASSES).items():
        mask = np.zeros((PHOTO[1], PHOTO[0]), bool)
        for call in board.drawn("OSD1"):
            if call[0] == "rectangle" and tuple(call[5])[1:] == colour and call[5][0] < 255:
                x, y, w, h = call[1:5]
                mask[y : y + h, x : x + w] = True
        regions[name] = mask
    return regions


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_outlines_to_regions_on_the_screen(tmp_path) -> None:
    desk = Desk(tmp_path)
    add_photos(desk)
    has_trained(desk.host_data / "jobs", "segment", (96, 64), PARAMETERS["batch"])
    desk.install(project="shapes")
    scene = np.full((PHOTO[1], PHOTO[0], 3), 120, np.uint8)
    truth = {}
    for cls, centre, radius in THINGS:
        corners = shape(cls, centre, radius)
        paint(scene, cls, corners)
        mask = np.zeros(scene.shape[:2], np.uint8)
        cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
        truth[CLASSES[cls]] = mask > 0
    views = tmp_path / "views"
    views.mkdir()
    Image.fromarray(scene).save(views / "0.png")

    with desk.board(camera=views) as board, desk.daemon("--usb", board.pty):
        run = desk.post("/api/projects/shapes/train", {"parameters": PARAMETERS})

        def ended():
            (now,) = desk.api("/api/runs?project=shapes")
            return now if now["state"] not in ("queued", "running") else None

        done = wait("the end of the training", ended, board, 1500)
        job = desk.host_data / "jobs" / str(run["id"])
        assert done["state"] == "succeeded", done["text"]
        report = json.loads((job / "artifacts" / "result.json").read_text())
        assert report["labels"] == ["background", *CLASSES]
        assert report["float_score"]["values"]["miou"] > 0.6
        assert report["kmodel_score"]["values"]["miou"] > report["float_score"]["values"]["miou"] - 0.16
        assert [row["name"] for row in report["classes"]] == list(CLASSES)
        assert all(row["kmodel_scores"]["iou"] > 0.4 for row in report["classes"] if row["evaluated_examples"])

        wait("the model is live", lambda: desk.deployment().get("state") in ("trial", "confirmed"), board, 400)
        tap(board, "capture", "tab:live", CLASSES)
        wait("regions of both classes", lambda: all(mask.any() for mask in drawn_regions(board).values()), board, 400)
        for name, mask in drawn_regions(board).items():
            iou = (mask & truth[name]).sum() / (mask | truth[name]).sum()
            assert iou > 0.6, (name, iou)
        says(board, "disc 1")  # the legend: some ten per cent of the picture
        wait("confirmed", lambda: desk.deployment().get("state") == "confirmed", board, 400)

    said, painted = mark_with_package(desk.host_data, "shapes", tmp_path / "packed", scene)
    things = np.logical_or.reduce(list(truth.values()))
    assert "regions of 640x360 pixels" in said
    assert (painted & things).sum() / (painted | things).sum() > 0.6
