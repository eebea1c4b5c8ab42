"""Classify, multilabel and embed for real: photos into a project, training, kmodel, simulator, gate, manifest, and the app on a virtual
board that says with the kmodel what its camera sees; and the script of its package, which says the same of a picture.

One to three minutes each on two cores; how many rungs of the ladder embed climbs decides.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shutil
import time

import numpy as np
import onnxruntime
import pytest
from PIL import Image

if not all(importlib.util.find_spec(name) for name in ("torch", "timm", "nncase", "onnxruntime")):
    pytest.skip(
        "torch, timm, nncase or onnxruntime is not installed: pip install 'snaploop[train]'", allow_module_level=True
    )

from fakes.desk import Desk, says, tap, wait
from fakes.packaged import mark_with_package
from fakes.shape_photos import NAMES, SIZE, jpeg, photo
from fakes.twin_model import put_model_on_card
from snaploop_host.app import open_host
from snaploop_host.config import Config
from snaploop_host.domain.run_report import report_from_json
from snaploop_host.domain.samples import AnnotatedPicture, Box
from snaploop_host.storage.class_folders import ClassFolders
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.task import task_named
from snaploop_host.training.whole_photo.pictures import stretch
from snaploop_shared import manifest as manifests

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PHOTOS = 48
PARAMETERS = {"imgsz": 96}
EPOCHS = {
    "classify": 24,
    "embed": 32,
    "multilabel": 40,
}  # several things in a picture take longer to tell apart than one
CAMERA = (640, 360)
TWO_PHOTOS = 0.17  # of the twelve validation photos: that much may differ after so short a training


class LabelledPhotos:
    """Photos with any number of labels; a `ports.AnnotatedFolder`."""

    task = "multilabel"

    def __init__(self, rng):
        self.rng = rng

    def class_names(self):
        return NAMES

    def pictures(self):
        for number in range(PHOTOS):
            shown = tuple(name for bit, name in enumerate(NAMES) if (number + 1) >> bit & 1)
            boxes = tuple(Box(name, 0, 0, *SIZE) for name in shown)
            yield AnnotatedPicture(f"p{number:03}.jpg", jpeg(photo(self.rng, shown)), boxes, SIZE)


def import_photos(host, task, folder):
    rng = np.random.default_rng(1)
    if task == "multilabel":
        source = LabelledPhotos(rng)
    else:
        for number in range(PHOTOS):
            name = NAMES[number % 3]
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / f"{number:03}.jpg").write_bytes(jpeg(photo(rng, (name,))))
        source = ClassFolders(folder)
    if task == "embed":  # a new project of class folders is one of classify
        host.store.add_project("shapes", task, NAMES, 1.0)
    report = host.importer.run("shapes", source)
    assert (report.added, report.problems) == (PHOTOS, [])


def trained(folder, task, limit):
    """The host's offered model after one run, with its report; all of it the real thing."""
    with contextlib.closing(open_host(Config(folder / "host"))) as host:
        import_photos(host, task, folder / "photos")
        epochs = EPOCHS[task]
        parameters = PARAMETERS | {"epochs": epochs, "patience": epochs, "gate": limit}
        run = host.train.start(host.store.project_named("shapes").id, parameters)
        try:
            ends = time.monotonic() + 1500
            while run.is_active:
                assert time.monotonic() < ends, host.jobs.events(run.id)[-1]
                time.sleep(0.2)
                host.train.step()
                run = host.store.run(run.id)
        finally:
            if run.is_active:
                host.jobs.stop(run.id)
        assert run.state == "succeeded", run.text
        model = host.store.offered_model(run.project_id)
        report = report_from_json(json.loads(host.jobs.artifact(run.id, "result.json").read_text()))
        assert all(host.jobs.artifact(run.id, name).stat().st_size > 1000 for name in report.pictures)
        folder = host.config.data_dir / "jobs" / str(run.id)
        return model, report, host.blobs.read(model.digest), host.blobs.read(model.golden_digest), folder


class FloatModel:
    """The run's float network, asked as the board asks its kmodel; it picks new pictures whose answer nothing can tip.

    How good a model a few dozen photos make differs between processors; that the board says what the network says must not.
    """

    def __init__(self, job_folder, manifest):
        self.job = read_job(job_folder / "job.json")
        self.task = task_named(self.job.task)
        self.session = onnxruntime.InferenceSession(str(job_folder / "artifacts" / "model.onnx"))
        self.size = (manifest.input_w, manifest.input_h)
        self.threshold = manifest.score_permille / 1000

    def answer(self, picture):
        pixels = stretch(picture, *self.size).transpose(2, 0, 1)[None]
        return self.task.decode(self.job, self.session.run(None, {"images": self.task.preprocess.apply(pixels)}))

    def says(self, picture):
        """(names that the board will show, how far its numbers are from showing others, as a logarithm of odds)."""
        values = np.clip(self.answer(picture).values.astype(float), 1e-6, 1 - 1e-6)
        if self.job.task == "classify":
            second, best = np.sort(values)[-2:]
            names, margin = {NAMES[int(values.argmax())]}, np.log(best / max(second, self.threshold))
        else:
            names = {name for name, value in zip(NAMES, values, strict=True) if value > self.threshold}
            odds, limit = (np.log(one / (1 - one)) for one in (values, self.threshold))
            margin = np.abs(odds - limit).min()
        return names, margin if names else -1.0  # a board that shows nothing yet would look right

    def clearest(self, shown, seed):
        """Of 60 new pictures of these shapes the surest one, right ones first, and the names it gives.

        The first will do that nothing can tip.
        """
        surest, picture, names = (False, -1.0), None, set()
        for again in range(60):
            seen = photo(np.random.default_rng([seed, again]), shown, CAMERA)
            found, margin = self.says(seen)
            if (sure := (found == set(shown) and margin > 0.3, margin)) > surest:
                surest, picture, names = sure, seen, found
            if surest[0] and margin > 3:  # twenty to one: eight bits do not turn that round
                break
        assert surest[1] > 0, f"of 60 pictures of {shown} the model names nothing in any"
        return picture, names

    def same_and_other(self):
        """A square, another that is like it, and a circle that is not, by the cosine of their vectors."""

        def direction(picture):
            vector = self.answer(picture).vector
            return vector / np.linalg.norm(vector)

        squares, circles = (
            [photo(np.random.default_rng([place, again]), (name,), CAMERA) for again in range(30)]
            for place, name in enumerate(("square", "circle"))
        )
        known = direction(squares[0])
        like = max(squares[1:], key=lambda picture: float(direction(picture) @ known))
        unlike = min(circles, key=lambda picture: float(direction(picture) @ known))
        assert direction(unlike) @ known < self.threshold < direction(like) @ known
        return squares[0], like, unlike


@contextlib.contextmanager
def board_with(folder, model, kmodel, golden, views):
    """The app on a board whose card has this model, in Live, its camera in front of these pictures."""
    desk = Desk(folder / "desk")
    desk.install()
    key = bytes.fromhex(json.loads((desk.folder / "data/snaploop/config.json").read_text())["key"])
    put_model_on_card(desk.folder / "data" / "snaploop", key, model.manifest, kmodel, golden)
    camera = folder / "views"
    camera.mkdir()
    for number, picture in enumerate(views):
        Image.fromarray(picture).save(camera / f"{number}.png")
    with desk.board(camera=camera) as board:
        wait("the app", lambda: board.drawn("OSD2"), board)
        tap(board, "capture", "tab:live")
        yield board


@pytest.mark.parametrize("task", ["classify", "multilabel", "embed"])
def test_from_photos_to_a_board_that_knows(tmp_path, task):
    model, report, kmodel, golden, job_folder = trained(tmp_path, task, TWO_PHOTOS)
    strict = {"classify": "top1", "multilabel": "mean_ap", "embed": "recall_at_1"}[task]
    assert report.scores("float")[strict] > 0.6  # a third is chance
    assert report.gained()[strict] >= -report.gate_limit_points
    assert report.training["start"] == "scratch"
    parsed = manifests.parse(model.manifest)
    assert (parsed.task, parsed.input_w, parsed.input_h) == (task, 96, 96)
    assert list(parsed.labels) == list(NAMES)

    network = FloatModel(job_folder, parsed)
    if task == "embed":
        said, _ = mark_with_package(tmp_path / "host", "shapes", tmp_path / "packed", change=know_one_photo_and_see_it)
        assert re.search(r"circle (1\.00|0\.99)\d*\s+vector of 256 numbers", said), said
        square, like, unlike = network.same_and_other()
        with board_with(tmp_path, model, kmodel, golden, [square, unlike, like]) as board:
            says(board, "tap Teach")
            tap(board, "live", "keep")
            says(board, "thing 1 ")
            board.camera.show(1)
            says(board, "tap Teach")  # a circle is something else
            board.camera.show(2)  # another square
            says(board, "thing 1 ")
        return
    shown = [("square",), ("circle",), ("triangle",), ("square",)]
    if task == "multilabel":
        shown[1] = ("circle", "triangle")
    views = [network.clearest(one, number) for number, one in enumerate(shown)]
    said, painted = mark_with_package(tmp_path / "host", "shapes", tmp_path / "packed", views[2][0])
    assert {name for name in NAMES if re.search(rf"{name} [01]\.\d\d", said)} == views[2][1], said
    assert painted[:120, :300].sum() > 200 > painted[120:].sum()  # words in the corner; JPEG differs a little at edges
    read = (lambda board: {verdict(board)}) if task == "classify" else labels
    with board_with(tmp_path, model, kmodel, golden, [picture for picture, _ in views]) as board:
        for number, (_, names) in enumerate(views):
            board.camera.show(number)
            wait("what the float model says", lambda names=names: read(board) == names, board)


def know_one_photo_and_see_it(package):
    """A library of one photo, which is also the picture to try: alike whatever the network has learnt."""
    for file in (package / "library").iterdir():
        if file.name != "circle_1.jpg":
            file.unlink()
    shutil.copy(package / "library" / "circle_1.jpg", package / "images" / "test.jpg")


def verdict(board):
    """The class that Live shows large."""
    big = [call for call in board.drawn("OSD1") if call[0] == "string"]
    return big[0][4] if len(big) == 2 and big[1][4].endswith("%") else ""


def labels(board):
    """The labels that Live lists."""
    return {call[4].split("  ")[0] for call in board.drawn("OSD1") if call[0] == "string" and call[4].endswith("%")}
