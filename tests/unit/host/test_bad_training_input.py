"""Bad input for each of the seven tasks: one line that names the thing and the mend, and the next training works."""

from __future__ import annotations

import importlib
import importlib.util
import json

import numpy as np
import pytest

if (
    importlib.util.find_spec("ultralytics") is None
):  # importing it here would write its settings into the home directory
    pytest.skip("ultralytics is not installed: pip install 'snaploop[train]'", allow_module_level=True)
pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")
pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'snaploop[train]'")

from fakes.task_jobs import TASKS, WHOLE, write_job
from snaploop_host.training.errors import BadDatasetError, TrainingError
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.task import Folders, task_named

PLACED = [task for task in TASKS if task not in WHOLE]


@pytest.fixture(scope="module", autouse=True)
def isolated(tmp_path_factory):
    """Detection and segmentation import ultralytics, which would write into the home directory."""
    from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

    isolate_ultralytics(tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folders with a good job of each task, written when first asked for."""
    made = {}

    def folder(task):
        if task not in made:
            made[task] = write_job(tmp_path_factory.mktemp(task) / "job", task, 8, 8)
        return made[task]

    return folder


@pytest.fixture
def prepared(written, tmp_path):
    """Prepares a job of a task after `spoil` changed its job.json."""

    def prepare(task, spoil=lambda raw: None):
        raw = json.loads((written(task) / "job.json").read_text())
        spoil(raw)
        (tmp_path / "job.json").write_text(json.dumps(raw))
        job, folders = read_job(tmp_path / "job.json"), Folders(tmp_path)
        folders.artifacts.mkdir(exist_ok=True)
        return job, folders, task_named(task).prepare(job, folders)

    return prepare


def refused(prepared, task, spoil, words):
    with pytest.raises(BadDatasetError, match=words) as error:
        prepared(task, spoil)
    assert "\n" not in str(error.value) and ":" in str(error.value)
    prepared(task)  # the next one, in the same folder


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("side", ["train", "val"])
def test_no_label_on_one_side(prepared, task, side):
    def spoil(raw):
        for photo in raw["dataset"][side]:
            photo["boxes"] = []

    if task == "multilabel":  # a photo may show nothing there, but then its labels are on one side only
        _, _, notes = prepared(task, spoil)
        name = {"train": "training", "val": "validation"}[side]
        assert sum(f"has no {name} photo" in note for note in notes) == 3
        return
    refused(prepared, task, spoil, r"label|outline|mark|text|training photo")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no readable picture: put the right file at"),
        (b"\xff\xd8\xff\xe0 and no more", "is cut short"),
        (None, "is missing"),
    ],
)
def test_photo_that_cannot_be_read(prepared, task, content, words, tmp_path):
    def spoil(raw):
        raw["dataset"]["train"][1] |= {"image": str(tmp_path / "rotten.jpg"), "name": "b1-000007"}
        if content is not None:
            (tmp_path / "rotten.jpg").write_bytes(content)

    refused(prepared, task, spoil, f"photo b1-000007 {words}")


@pytest.mark.parametrize("task", TASKS)
def test_photo_of_another_size_than_its_labels_were_drawn_on(prepared, task):
    def spoil(raw):
        photo = raw["dataset"]["val"][0]
        photo["name"], photo["width"], photo["height"] = "b1-000008", 2 * photo["width"], 2 * photo["height"]

    refused(prepared, task, spoil, "photo b1-000008 is .*, its record says .*: import it again")


@pytest.mark.parametrize("task", PLACED)
def test_label_outside_its_photo(prepared, task):
    """Masks too: an outline that was drawn on a larger picture reaches outside this one."""

    def spoil(raw):
        photo = raw["dataset"]["train"][2]
        photo["name"] = "b1-000009"
        box = photo["boxes"][0]
        box["box_xywh_px"] = [5000, 10, 60, 40]
        if "points_px" in box:
            box["points_px"] = [[5000, 10], [5060, 10], [5060, 50], [5000, 50]]

    refused(prepared, task, spoil, "b1-000009.*(outside|reaches)")


@pytest.mark.parametrize("task", TASKS)
def test_class_that_the_project_does_not_have(prepared, task):
    def spoil(raw):
        raw["dataset"]["train"][0]["name"] = "b1-000010"
        raw["dataset"]["train"][0]["boxes"][0]["class"] = 9

    if task.startswith("ocr_"):  # text has one class; what it is called does not matter
        prepared(task, spoil)
    else:
        refused(prepared, task, spoil, "b1-000010.*(class 9|of class 9|label it again)")


@pytest.mark.parametrize("task", ["detect", *WHOLE, "segment"])
def test_class_with_none_in_validation_is_said(prepared, task):
    def spoil(raw):
        for photo in raw["dataset"]["val"]:
            photo["boxes"] = [box for box in photo["boxes"] if box["class"] != 0]

    job, _, notes = prepared(task, spoil)
    assert any(f"class {job.classes[0]} has no" in note and "validation" in note for note in notes), notes


def test_character_outside_the_dictionary_names_photo_and_character(prepared):
    def spoil(raw):
        raw["parameters"]["dictionary"] = "0123456789"
        raw["dataset"]["val"][0]["name"] = "b1-000011"
        raw["dataset"]["val"][0]["boxes"][0]["text"] = "12Ω"

    refused(prepared, "ocr_recognize", spoil, "photo b1-000011.*Ω.*(dictionary)")


@pytest.mark.parametrize(
    ("task", "loop"),
    [
        ("classify", "whole_photo.train"),
        ("segment", "segment.train"),
        ("ocr_detect", "ocr.teach"),
        ("ocr_recognize", "ocr.teach"),
    ],
)
def test_want_of_memory_halves_the_batch_and_says_so(prepared, task, loop, monkeypatch):
    """Of detection: integration/test_train_job. Injected where torch would fail, in the loop."""
    module = importlib.import_module(f"snaploop_host.training.{loop}")
    tried = []

    def fit(network, loss, batches, *_):
        tried.append(batches.batch_size)
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(module, "fit", fit)
    job, folders, _ = prepared(task, lambda raw: raw["parameters"].update(batch=4, threads=1))
    notes = []
    with pytest.raises(TrainingError, match="no memory to train with a single photo: use a smaller imgsz"):
        task_named(task).train(job, folders, lambda kind, **fields: notes.append(fields.get("text", "")))
    assert tried == [4, 2, 1]
    assert [note[-1] for note in notes if "memory" in note] == ["2", "1"]


def test_detection_whose_loss_is_no_number_ends_with_what_to_do(prepared):
    from snaploop_host.training.detect.task import TASK
    from snaploop_host.training.detect.train import train
    from snaploop_host.training.detect.trainer import QuickDetectionTrainer

    class Poisoned(QuickDetectionTrainer):
        def preprocess_batch(self, batch):
            batch = super().preprocess_batch(batch)
            batch["img"] = batch["img"] * np.nan
            return batch

    job, folders, _ = prepared("detect", lambda raw: raw["parameters"].update(epochs=2, batch=4, device="cpu", lr0=0.5))
    with pytest.raises(TrainingError, match=r"not a number any more in epoch 1: train with a smaller lr0 than 0\.5"):
        train(job, TASK.input_wh(job), folders.data, folders.run, lambda *_, **__: None, Poisoned)
