"""What holds for the training of each of the seven tasks: the plan is what happens, and the next run starts from the last one's weights."""

from __future__ import annotations

import importlib.util
import json

import pytest

if (
    importlib.util.find_spec("ultralytics") is None
):  # importing it here would write its settings into the home directory
    pytest.skip("ultralytics is not installed: pip install 'snaploop[train]'", allow_module_level=True)

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")

import torch

from fakes.task_jobs import TASKS, write_job
from snaploop_host.domain.scores import METRICS, Score
from snaploop_host.training.errors import JobCancelled
from snaploop_host.training.estimate import estimate
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.machine import Measurements
from snaploop_host.training.ocr_recognize import task as reading
from snaploop_host.training.ocr_recognize import train as reading_train
from snaploop_host.training.stopping import why_ended
from snaploop_host.training.task import Folders, task_named


@pytest.fixture(scope="module", autouse=True)
def isolated(tmp_path_factory):
    from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

    isolate_ultralytics(tmp_path_factory.mktemp("settings"))


def changed(folder, place, warm_start=None, **parameters):
    """A prepared copy of the job in a folder of its own."""
    raw = json.loads((folder / "job.json").read_text())
    raw["parameters"] |= parameters
    raw["warm_start"] = warm_start and str(warm_start)
    place.mkdir()
    (place / "job.json").write_text(json.dumps(raw))
    job, folders = read_job(place / "job.json"), Folders(place)
    folders.artifacts.mkdir()
    task_named(job.task).prepare(job, folders)
    return job, folders


@pytest.mark.parametrize("name", TASKS)
def test_training_does_what_was_planned_and_starts_warm(name, tmp_path, monkeypatch):
    for module in (
        reading,
        reading_train,
    ):  # an epoch of reading has 256 lines, most of them drawn: too many for a test
        monkeypatch.setattr(module, "EPOCH_LINES", 32)
    folder, task = write_job(tmp_path / "job", name, 10, 8, {"device": "cpu", "threads": 1}), task_named(name)

    job, folders = changed(folder, tmp_path / "planned")
    planned = []

    def stop_at_first_epoch(kind, **fields):
        if kind == "epoch":
            planned.append(fields["epochs"])
            raise JobCancelled

    with pytest.raises(JobCancelled):
        task.train(job, folders, stop_at_first_epoch)
    assert planned == [task.effort(job).epochs]

    job, folders = changed(folder, tmp_path / "first", epochs=1)
    first = task.train(job, folders, lambda *_, **__: None)
    assert (first["start"], first["epochs"], first["epochs_planned"]) == ("scratch", 1, 1)
    assert sum(first["steps_with_threads"].values()) == task.effort(job).steps
    assert first["curve"][0]["seconds"] >= first["curve"][0]["validation_s"] > 0
    assert why_ended(first, job.parameters)[0] == "epochs"

    best = folders.artifacts / "best.pt"
    job, folders = changed(folder, tmp_path / "second", warm_start=best, stop_change=10, stop_epochs=2, epochs=9)
    second = task.train(job, folders, lambda *_, **__: None)
    assert (second["start"], second["epochs"], second["epochs_planned"]) == ("warm", 3, 9)
    assert why_ended(second, job.parameters)[0] == "stop rule"
    assert second["start_metrics"].keys() >= set(METRICS[name]) and first["start_metrics"] is None
    assert (folders.artifacts / "best.pt").stat().st_size > 10_000


def test_detection_keeps_the_model_it_started_from_when_no_epoch_comes_near_it(tmp_path, monkeypatch):
    from snaploop_host.training.detect import trainer

    folder, task = write_job(tmp_path / "job", "detect", 4, 4, {"device": "cpu", "threads": 1}), task_named("detect")
    job, folders = changed(folder, tmp_path / "first", epochs=1)
    task.train(job, folders, lambda *_, **__: None)
    scores = iter([0.8, 0.3, 0.78])
    monkeypatch.setattr(trainer, "score_raw_heads", lambda *_: Score(4, {"map50_95": next(scores), "map50": 0.9}))
    old, notes = folders.artifacts / "best.pt", []
    job, folders = changed(folder, tmp_path / "second", warm_start=old, epochs=2)
    second = task.train(job, folders, lambda kind, **fields: notes.append(fields.get("text")))
    assert (second["best_epoch"], second["val_map50_95"], second["epochs"]) == (0, 0.8, 2)
    assert "the model it starts from scores mAP50-95 0.800, mAP50 0.900 on these validation photos" in notes
    assert "no epoch came near the model it started from, which is kept" in why_ended(second, job.parameters)[1]
    was, now = weights_in(old), weights_in(folders.artifacts / "best.pt")
    assert all(torch.equal(was[name], now[name]) for name in was)


def weights_in(file):
    return torch.load(file, map_location="cpu", weights_only=False)["model"].state_dict()  # our own file


@pytest.mark.parametrize("name", ["detect", "ocr_detect"])
def test_probe_measures_the_real_trainer_and_leaves_nothing(name, tmp_path):
    folder, task = write_job(tmp_path / "job", name, 10, 8, {"device": "cpu", "batch": 2}), task_named(name)
    job, folders = changed(folder, tmp_path / "run", epochs=7)
    before = sorted(path.name for path in (tmp_path / "run").rglob("*"))
    found = estimate(task, job, folders, Measurements(tmp_path / "measured.json", "m"))
    assert found.effort == task.effort(job) and found.effort.epochs == 7 and found.effort.steps == 5
    assert 0 < found.seconds_per_epoch < found.probe_s  # five steps of it against sixteen and more
    assert found.source == "measured by a probe"
    after = sorted(path.name for path in (tmp_path / "run").rglob("*"))
    assert [name for name in after if name not in before] in ([], ["work"])
