"""Weights in the form that ultralytics publishes them, fetched from a web server of the test's: both of its networks begin with them."""

import hashlib
import http.server
import json
import threading
from functools import partial

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")

import torch

from fakes.task_jobs import write_job
from snaploop_host.training import pretrained
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.task import Folders, task_named
from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

NEARLY_STANDING_STILL = {"epochs": 1, "lr0": 1e-6, "weight_decay": 0.0, "threads": 1, "bf16": False}


@pytest.fixture
def site(tmp_path):
    """A folder, and the address it is served under."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("task_name", "layout"), [("detect", "yolov8n.yaml"), ("segment", "yolo26n.yaml")])
def test_first_layers_are_the_published_ones(task_name, layout, site, tmp_path, monkeypatch):
    isolate_ultralytics(tmp_path / "settings")
    from ultralytics import YOLO

    folder, address = site
    torch.manual_seed(5)
    library = YOLO(layout)  # 80 classes, as published
    network = pretrained.ONE_NETWORK[task_name]
    library.save(folder / f"{network}.pt")
    digest = hashlib.sha256((folder / f"{network}.pt").read_bytes()).hexdigest()
    monkeypatch.setitem(pretrained._ULTRALYTICS, network, pretrained.Published(f"{address}/{network}.pt", digest))
    monkeypatch.delenv("SNAPLOOP_OFFLINE")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("SNAPLOOP_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)

    job = read_job(write_job(tmp_path / "job", task_name, 8, 4, NEARLY_STANDING_STILL) / "job.json")
    task, folders, notes = task_named(task_name), Folders(tmp_path / "job"), []
    folders.artifacts.mkdir(parents=True)
    prepared = task.prepare(job, folders)
    assert f"{network} starts from {tmp_path}/weights/{network}.pt, fetched from its library" in prepared
    result = task.train(job, folders, lambda kind, **fields: notes.append(fields.get("text", "")))
    assert result["start"] == "pretrained"
    json.dumps(result)
    held = torch.load(folders.artifacts / "best.pt", map_location="cpu", weights_only=False)
    learnt = held["weights"] if "weights" in held else (held["ema"] or held["model"]).float().state_dict()
    published = library.model.float().state_dict()
    convolutions = [name for name in published if name.endswith("conv.weight") and int(name.split(".")[1]) < 10]
    assert len(convolutions) > 20
    for name in convolutions:
        ours = next(value for key, value in learnt.items() if key in (name, f"model.{name}"))
        assert torch.allclose(ours.float(), published[name], atol=2e-3), name
