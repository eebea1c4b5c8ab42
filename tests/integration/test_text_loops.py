"""Finding and reading text on real parts: marked photos, training, kmodel, simulator, publication, and a virtual board that shows it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fakes.desk import Desk, says, tap, wait
from fakes.host_folder import make_host, pair_client
from fakes.known_machine import REPEATABLE, has_trained
from fakes.packaged import mark_with_package
from fakes.text_photos import draw_photo
from snaploop_shared.palette import colours
from snaploop_shared.sample_record import Box

pytest.importorskip("torch")

SIZE = (640, 360)
LETTERS = "14578"
CLASSES = ("text",)


def add_photos(desk: Desk, task: str, count: int, heights_px: tuple[int, int], lengths: tuple[int, int]) -> None:
    """Marked photos in the host's project "signs", as a board sends them."""
    rng = np.random.default_rng(1)
    with contextlib.closing(make_host(desk.host_data)) as host:
        host.store.add_project("signs", task, CLASSES, 1000.0)
        board = pair_client(host, board_id="b0a4d000", project="signs")
        for number in range(count):
            image, found = draw_photo(rng, SIZE, 3, LETTERS, lengths, heights_px)
            data = io.BytesIO()
            image.save(data, "JPEG", quality=92)
            boxes = []
            for quad, text in found:
                points = np.rint(quad).clip(0, np.array(SIZE) - 1).astype(int)
                (x, y), (w, h) = points.min(axis=0), np.ptp(points, axis=0) + 1
                boxes.append(Box("text", int(x), int(y), int(w), int(h), points.tolist(), text))
            board.send_sample(f"b1-{number:06}", data.getvalue(), boxes, size=SIZE)


def trained(desk: Desk, board, parameters: dict) -> dict:
    """The report of a run that succeeded, once its model is live on the board."""
    run = desk.post("/api/projects/signs/train", {"parameters": parameters | REPEATABLE})

    def ended():
        (now,) = desk.api("/api/runs?project=signs")
        return now if now["state"] not in ("queued", "running") else None

    done = wait("the end of the training", ended, board, 1500)
    assert done["state"] == "succeeded", done["text"]
    report = desk.host_data / "jobs" / str(run["id"]) / "artifacts" / "result.json"
    wait("the model is live", lambda: desk.deployment().get("state") in ("trial", "confirmed"), board, 400)
    tap(board, "capture", "tab:live", CLASSES)
    return json.loads(report.read_text())


def show(folder: Path, image: Image.Image) -> Path:
    """A folder whose picture the virtual board's camera sees."""
    folder.mkdir()
    image.save(folder / "0.png")
    return folder


def drawn_quads(board) -> list[np.ndarray]:
    """Corners of the quads on the screen, (4, 2) each: four lines that follow each other."""
    colour = colours(["text"])["text"]
    calls = [call for call in board.drawn("OSD1") if call[0] == "line" and tuple(call[5])[-3:] == colour]
    lines = [call[1:5] for call in calls]
    return [np.array([line[:2] for line in lines[at : at + 4]], float) for at in range(0, len(lines) - 3, 4)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_marked_texts_to_quads_on_the_screen(tmp_path) -> None:
    desk = Desk(tmp_path)
    add_photos(desk, "ocr_detect", 20, (44, 70), (3, 6))
    has_trained(desk.host_data / "jobs", "ocr_detect", (160, 96), 8)
    desk.install(project="signs")
    scene, truth = draw_photo(np.random.default_rng(77), SIZE, 2, LETTERS, (4, 6), (50, 66))
    with desk.board(camera=show(tmp_path / "views", scene)) as board, desk.daemon("--usb", board.pty):
        report = trained(desk, board, {"imgsz": 160, "epochs": 50, "warmup_steps": 15, "ema_steps": 15, "gate": 0.15})
        assert report["head"] == "textmap" and report["golden"]["answer"]["quads_px"]
        assert report["float_score"]["values"]["hmean"] > 0.8
        assert report["kmodel_score"]["values"]["hmean"] > report["float_score"]["values"]["hmean"] - 0.16

        wait("both texts are framed", lambda: len(drawn_quads(board)) == len(truth), board, 400)
        for quad, text in truth:
            nearest = min(drawn_quads(board), key=lambda drawn: np.abs(drawn - quad).max())
            assert np.abs(nearest - quad).max() < 24, (text, quad, nearest)
        wait("confirmed", lambda: desk.deployment().get("state") == "confirmed", board, 400)

    said, painted = mark_with_package(desk.host_data, "signs", tmp_path / "packed", np.asarray(scene))
    assert said.count("text area [") == len(truth) and painted.any()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_typed_texts_to_a_reading_on_the_screen(tmp_path) -> None:
    desk = Desk(tmp_path)
    add_photos(desk, "ocr_recognize", 16, (44, 70), (3, 4))
    has_trained(desk.host_data / "jobs", "ocr_recognize", (128, 32), 8)
    desk.install(project="signs")
    scene = Image.new("RGB", SIZE, (120, 130, 140))
    ImageDraw.Draw(scene).rectangle((100, 124, 540, 236), fill=(240, 240, 235))
    font = ImageFont.load_default(110)
    left, top, right, bottom = font.getbbox("7415")
    where = (320 - (left + right) / 2, 180 - (top + bottom) / 2)
    ImageDraw.Draw(scene).text(where, "7415", fill=(20, 20, 40), font=font)
    with desk.board(camera=show(tmp_path / "views", scene)) as board, desk.daemon("--usb", board.pty):
        report = trained(desk, board, {"epochs": 8, "imgsz": 128, "gate": 0.15})
        assert report["head"] == "ctc" and report["labels"] == ["", *LETTERS, ""]
        assert report["training"]["drawn_share"] > 0.5
        assert report["float_score"]["values"]["character_accuracy"] > 0.85
        assert report["kmodel_score"]["values"]["accuracy"] > report["float_score"]["values"]["accuracy"] - 0.16

        says(board, "7415")
        wait("confirmed", lambda: desk.deployment().get("state") == "confirmed", board, 400)

    said, _ = mark_with_package(desk.host_data, "signs", tmp_path / "packed")  # of the line in its golden input
    assert f"text '{report['golden']['answer']['text']}'" in said
