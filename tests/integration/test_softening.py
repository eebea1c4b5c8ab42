"""The ladder's last resort for real: a trained network goes on with ReLU for SiLU, and its ONNX file says so; best.pt stays."""

from __future__ import annotations

import hashlib
import importlib

import pytest

from fakes.task_jobs import write_job

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")
onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")


def operators(file):
    """Names of the operators in an ONNX file."""
    return {node.op_type for node in onnx.load(str(file)).graph.node}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["detect", "segment"])
def test_network_goes_on_with_another_activation(tmp_path, name):
    from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

    isolate_ultralytics(tmp_path / "settings")
    from snaploop_host.training.job_spec import read_job
    from snaploop_host.training.task import CanSoften, Folders, task_named

    folder = write_job(tmp_path / "job", name, 4, 2, {"epochs": 1, "batch": 2, "threads": 1})
    job, task, folders = read_job(folder / "job.json"), task_named(name), Folders(folder)
    assert isinstance(task, CanSoften)
    for needed in (folders.artifacts, folders.compile):
        needed.mkdir(parents=True)
    told = []

    def report(kind, **fields):
        told.append((kind, fields.get("text", "")))

    task.prepare(job, folders)
    task.train(job, folders, report)
    task.export(job, folders)
    before = hashlib.sha256((folders.artifacts / "best.pt").read_bytes()).digest()
    told.clear()
    softened = folders.compile / "softened.onnx"
    task.soften(job, folders, softened, report)
    assert "Sigmoid" in operators(folders.artifacts / "model.onnx")  # SiLU is x times its sigmoid
    assert "Relu" in operators(softened) and "Sigmoid" not in operators(softened)
    assert ("stage", "training on with ReLU: epoch 1 of 1") in told
    assert "epoch" not in [kind for kind, _ in told]  # the run's own curve is finished
    assert hashlib.sha256((folders.artifacts / "best.pt").read_bytes()).digest() == before
    examples = task.examples(job, folders, "val")
    gate_stage = importlib.import_module("snaploop_host.training.gate_stage")
    evaluation = gate_stage.prepare_evaluation(examples, job.gate, folders.compile, 0)
    assert len(gate_stage.run_float(task, job, softened, evaluation)) == 2  # the same inputs and outputs as before
