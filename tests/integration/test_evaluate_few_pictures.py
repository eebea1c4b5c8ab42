"""Looking at a finished run with very few pictures: for things to be found again, two pictures of one must be among them."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")

from fakes import shape_photos
from fakes.task_jobs import write_job
from snaploop_host.training import evaluate as looking


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of embed whose models both say a different vector of each picture."""
    folder = write_job(tmp_path / "job", "embed", 10, 4 * len(shape_photos.NAMES), {})
    (folder / "artifacts").mkdir(exist_ok=True)
    (folder / "artifacts" / "result.json").write_text(json.dumps({"labels": ["a", "b"], "thresholds": {"score": 0.5}}))

    def answers(count):
        return [[np.eye(256, dtype=np.float32)[index][None]] for index in range(count)]

    monkeypatch.setattr(looking, "float_outputs", lambda task, onnx, evaluation, indices: answers(len(indices)))
    monkeypatch.setattr(looking, "_simulated", lambda run, evaluation, *_: answers(len(evaluation.gate_indices)))
    monkeypatch.setattr(looking, "operators_on_cpu", lambda folder: {})
    return looking.open_run(folder)


def test_three_pictures_hold_two_of_one_thing_however_many_the_gate_saw(run, tmp_path):
    assert len(shape_photos.NAMES) >= 3 and run.job.gate.images > 3
    figures = looking.evaluate(run, 3, tmp_path / "looked")
    assert figures["pictures"] == 3 and sum(one["examples"] for one in figures["float"]["classes"]) == 2


def test_one_picture_is_too_few(run, tmp_path):
    with pytest.raises(ValueError, match="none can be found again"):
        looking.evaluate(run, 1, tmp_path / "looked")
