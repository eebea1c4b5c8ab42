"""A job of classify as a process: killed in the middle it goes on, and a signal ends it with its word."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

if not all(importlib.util.find_spec(name) for name in ("torch", "timm", "nncase")):
    pytest.skip("torch, timm or nncase is not installed: pip install 'snaploop[train]'", allow_module_level=True)

from fakes.known_machine import has_trained
from fakes.shape_photos import NAMES, SIZE, jpeg, photo
from snaploop_host.training.job import CANCELLED

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 400  # far more than the test waits for


def make_job(folder):
    rng = np.random.default_rng(0)
    records = []
    for number in range(9):
        name = NAMES[number % 3]
        file = folder / f"{number}.jpg"
        file.write_bytes(jpeg(photo(rng, (name,))))
        box = {"class": number % 3, "box_xywh_px": [0, 0, *SIZE]}
        records.append({"image": str(file), "width": SIZE[0], "height": SIZE[1], "boxes": [box]})
    raw = {"run_id": "1", "task": "classify", "classes": list(NAMES), "dataset": {"train": records, "val": records[:3]}}
    raw["parameters"] = {"imgsz": 96, "epochs": EPOCHS, "patience": EPOCHS}
    (folder / "job.json").write_text(json.dumps(raw))


def start(folder):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("host", "shared"))}
    environ.setdefault("SNAPLOOP_DOTNET", str(Path.home() / ".cache" / "snaploop" / "dotnet"))
    return subprocess.Popen([sys.executable, "-m", "snaploop_host.training.job", str(folder)], env=environ)


def events(folder, kind):
    lines = (folder / "events.jsonl").read_text().splitlines() if (folder / "events.jsonl").exists() else []
    return [event for event in map(json.loads, lines) if event["kind"] == kind]


def wait(what, is_so, process):
    ends = time.monotonic() + 400
    while not is_so():
        assert process.poll() is None, what
        assert time.monotonic() < ends, what
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_training_goes_on_and_a_signal_ends_it(tmp_path):
    has_trained(tmp_path.parent, "classify", (96, 96), 8)
    make_job(tmp_path)
    process = start(tmp_path)
    try:
        wait("a checkpoint", (tmp_path / "work" / "train" / "last.pt").exists, process)
        process.kill()
        process.wait()
        before = len(events(tmp_path, "epoch"))
        assert before > 0
        process = start(tmp_path)
        wait("another epoch", lambda: len(events(tmp_path, "epoch")) > before, process)
        notes = [event["text"] for event in events(tmp_path, "note")]
        [note] = [text for text in notes if text.startswith("training continues after epoch ")]
        assert events(tmp_path, "epoch")[before]["epoch"] == int(note.split()[-1]) + 1 > 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(180) == CANCELLED
        assert events(tmp_path, "cancelled")
    finally:
        process.kill()
        process.wait()
