"""The job process on real pictures: a whole small run, a kill in the middle, cancelling, and bad input."""

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fakes.known_machine import has_trained
from snaploop_host.domain.run_report import report_from_json
from snaploop_host.training.bench_pictures import CLASSES, write_pictures
from snaploop_host.training.errors import TrainingError
from snaploop_host.training.evaluate import evaluate, open_run
from snaploop_host.training.job import CANCELLED, DONE, FAILED
from snaploop_host.training.try_pictures import FloatModel, counts, try_picture
from snaploop_shared.letterbox import input_size

if (
    importlib.util.find_spec("ultralytics") is None
):  # importing it here would write its settings into the home directory
    pytest.skip("ultralytics is not installed: pip install 'snaploop[train]'", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]


def make_job(folder, photos, parameters, **changes):
    folder.mkdir(exist_ok=True)
    dataset = {
        "train": write_pictures(folder / "t", photos, 1, (320, 180)),
        "val": write_pictures(folder / "v", max(4, photos // 4), 2, (320, 180)),
    }
    raw = {
        "run_id": "1",
        "task": "detect",
        "project": "p",
        "classes": list(CLASSES),
        "dataset": dataset,
        "parameters": parameters,
        "warm_start": None,
    } | changes
    (folder / "job.json").write_text(json.dumps(raw))
    imgsz = parameters.get("imgsz", 320)
    has_trained(folder.parent, "detect", input_size(320, 180, imgsz), parameters.get("batch", 8))
    return folder


@pytest.fixture
def start():
    """Starts job processes, and ends those that a failed test leaves behind."""
    started = []

    def start_job(folder):
        paths = os.pathsep.join([str(ROOT / "host"), str(ROOT / "shared")])
        environ = {**os.environ, "PYTHONPATH": paths, "HOME": str(folder / "home")}
        environ.setdefault("SNAPLOOP_DOTNET", str(Path.home() / ".cache" / "snaploop" / "dotnet"))
        command = [sys.executable, "-m", "snaploop_host.training.job", str(folder)]
        started.append(subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start_job
    for process in started:
        process.kill()
        process.wait()


def events(folder, kind=None):
    path = folder / "events.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    read = [json.loads(line) for line in lines]
    return [event for event in read if kind in (None, event["kind"])]


def wait_for_epoch(folder, process, number, limit_s=900):
    ends = time.monotonic() + limit_s
    while not any(event["epoch"] >= number for event in events(folder, "epoch")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < ends, (folder / "log.txt").read_text()
        time.sleep(0.2)


def wait_for_checkpoint(folder, process, limit_s=900):
    """Checkpoints are written every CHECKPOINT_INTERVAL_S of training, so a quick machine has trained several epochs by then."""
    ends = time.monotonic() + limit_s
    while not (folder / "work/train/weights/last.pt").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < ends, (folder / "log.txt").read_text()
        time.sleep(0.2)


def test_box_outside_its_photo_ends_the_job_with_one_line(tmp_path, start):
    folder = make_job(tmp_path / "job", 2, {})
    raw = json.loads((folder / "job.json").read_text())
    raw["dataset"]["train"][1]["boxes"] = [{"class": 0, "box_xywh_px": [300, 10, 60, 20]}]
    (folder / "job.json").write_text(json.dumps(raw))
    process = start(folder)
    assert process.wait(180) == FAILED
    said = process.stderr.read().strip()
    assert "0001.jpg (320x180): box x=300 y=10 w=60 h=20 of class red lies outside the photo" in said
    assert "\n" not in said
    assert events(folder, "error")[0]["text"] == said


@pytest.mark.slow
@pytest.mark.timeout(1200)  # ten seconds on a quiet machine
def test_cancelled_training_goes_on_where_it_was(tmp_path, start):
    folder = make_job(tmp_path / "job", 12, {"epochs": 200, "imgsz": 96, "batch": 4, "patience": 200})
    process = start(folder)
    wait_for_epoch(folder, process, 2)
    wait_for_checkpoint(folder, process)
    process.terminate()
    assert process.wait(180) == CANCELLED
    assert events(folder)[-1]["kind"] == "cancelled"
    reached = events(folder, "epoch")[-1]["epoch"]
    again = start(folder)
    wait_for_epoch(folder, again, reached + 1)
    again.send_signal(signal.SIGKILL)
    again.wait(180)
    skipped = [event["stage"] for event in events(folder, "stage") if event["state"] == "skipped"]
    assert skipped == ["prepare", "estimate"]
    assert [event["epoch"] for event in events(folder, "epoch")].count(1) == 1  # a cancelled run does not begin again
    assert not (folder / "home").exists()  # nothing of the libraries' goes to the home directory


def test_untrained_model_is_refused_before_it_is_compiled(tmp_path, start):
    folder = make_job(tmp_path / "job", 4, {"epochs": 1, "imgsz": 96})
    process = start(folder)
    assert process.wait(900) == FAILED
    assert "finds next to nothing" in process.stderr.read()
    assert (folder / "artifacts" / "model.onnx").exists()
    assert not any(event["stage"] == "report" for event in events(folder, "stage"))
    raw = json.loads((folder / "job.json").read_text())  # what is forced goes on from the trained model
    (folder / "job.json").write_text(json.dumps(raw | {"gate": {"force": True, "images": 4}}))
    process = start(folder)
    assert process.wait(900) == DONE, process.stderr.read()
    assert any("finds next to nothing" in event["text"] for event in events(folder, "note"))
    result = report_from_json(json.loads((folder / "artifacts" / "result.json").read_text()))
    assert result.verdict == "forced" and (folder / "artifacts" / "model.kmodel").stat().st_size == result.kmodel_bytes


@pytest.mark.slow
def test_training_killed_after_its_last_epoch_is_not_trained_again(tmp_path):
    from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

    isolate_ultralytics(tmp_path / "settings")
    from snaploop_host.training.detect.train import train
    from snaploop_host.training.detect.yolo_layout import write_layout
    from snaploop_host.training.job_spec import read_job

    job = read_job(make_job(tmp_path / "job", 4, {"epochs": 2, "imgsz": 96}) / "job.json")
    write_layout(job, tmp_path / "data")
    reported = []

    def run():
        reported.clear()
        return train(job, (96, 64), tmp_path / "data", tmp_path / "train", lambda kind, **_: reported.append(kind))

    first = run()
    assert reported.count("epoch") == 2
    with (tmp_path / "train" / "curve.jsonl").open("a") as file:
        file.write('{"epoch": 3, "los')  # a kill in the middle of a line
    second = run()
    assert reported.count("epoch") == 0
    assert second["curve"] == first["curve"]
    assert (tmp_path / "train" / second["weights"]).stat().st_size > 1_000_000


def test_want_of_memory_halves_the_batch_and_says_so(tmp_path):
    from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

    isolate_ultralytics(tmp_path / "settings")
    from snaploop_host.training.detect.train import train
    from snaploop_host.training.detect.trainer import QuickDetectionTrainer
    from snaploop_host.training.detect.yolo_layout import write_layout
    from snaploop_host.training.job_spec import read_job

    most = 2

    class SmallMemory(QuickDetectionTrainer):
        def preprocess_batch(self, batch):
            if len(batch["img"]) > most:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return super().preprocess_batch(batch)

    parameters = {"epochs": 1, "imgsz": 96, "batch": 8, "device": "cpu", "bf16": False}
    job = read_job(make_job(tmp_path / "job", 8, parameters) / "job.json")
    write_layout(job, tmp_path / "data")
    notes = []

    def run():
        notes.clear()
        return train(
            job,
            (96, 64),
            tmp_path / "data",
            tmp_path / "train",
            lambda kind, **fields: notes.append(fields["text"]) if kind == "note" else None,
            SmallMemory,
        )

    result = run()
    assert notes == [
        f"training on cpu ({len(os.sched_getaffinity(0))} cores), float32",
        "not enough memory: training goes on with a batch of 4",
        "not enough memory: training goes on with a batch of 2",
    ]
    assert (result["batch"], result["epochs"], result["device"], result["bf16"]) == (2, 1, "cpu", False)
    most = 0
    shutil.rmtree(tmp_path / "train")
    with pytest.raises(TrainingError, match="no memory to train with a single photo: use a smaller imgsz"):
        run()


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a minute on a quiet machine; ten were not enough at load 25
def test_whole_small_run_with_a_kill_between(tmp_path, start):
    folder = make_job(
        tmp_path / "job",
        40,
        {"epochs": 80, "imgsz": 160, "patience": 80, "threads": 1},
        gate={"limit_points": 0.05, "images": 6, "budget_s": 0},
    )
    process = start(folder)
    wait_for_epoch(folder, process, 80, limit_s=1000)
    while not any(
        "simulated 1 of 6" in event.get("text", "") or "simulated 2 of 6" in event.get("text", "")
        for event in events(folder)
    ):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.2)
    process.kill()
    process.wait()
    process = start(folder)
    assert process.wait(900) == DONE, process.stderr.read()
    skipped = [event["stage"] for event in events(folder, "stage") if event["state"] == "skipped"]
    assert skipped == ["prepare", "estimate", "train", "export"]

    result = report_from_json(json.loads((folder / "artifacts" / "result.json").read_text()))
    kmodel = (folder / "artifacts" / "model.kmodel").read_bytes()
    golden = (folder / "artifacts" / "golden_input.bin").read_bytes()
    assert result.digest == hashlib.sha256(kmodel).hexdigest()
    assert result.golden.input_sha256 == hashlib.sha256(golden).hexdigest()
    assert len(golden) == result.golden.input_bytes == 3 * 160 * 96
    assert result.input == (160, 96)
    assert result.golden.answer["detections"]
    assert result.evaluated_images == 6
    assert result.gained()["map50"] >= -0.05
    assert result.scores("float")["map50"] > 0.3  # 400 steps on tiny pictures: it learned, no more is asked
    assert all((folder / "artifacts" / name).stat().st_size > 1000 for name in result.pictures)
    assert len(result.training["curve"]) == 80
    assert not list((folder / "work").glob("compile"))
    check_that_the_library_reads_it_too(folder / "artifacts", tmp_path / "settings")

    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    figures = evaluate(open_run(folder), 4, tmp_path / "looked")
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before  # looking changes nothing
    assert (figures["pictures"], figures["available"]) == (4, 10)
    assert {"float", "kmodel"} <= set(figures) and "mAP50-95" in figures["loss"]["map50_95"]["text"]
    assert len(figures["cosines"]) == 3 and min(one["mean"] for one in figures["cosines"]) > 0.98
    assert all(Path(name).stat().st_size > 1000 for name in figures["best"] + figures["worst"])
    photo = Path(json.loads((folder / "job.json").read_text())["dataset"]["val"][0]["image"])
    found = try_picture(FloatModel(open_run(folder)), photo, 0.05, tmp_path / "looked" / "marked.jpg")
    assert found and {one.label for one in found} <= set(CLASSES)
    assert (tmp_path / "looked" / "marked.jpg").stat().st_size > 1000
    assert sum(counts(found).values()) == len(found) and found[0].score >= found[-1].score >= 0.05
    assert (
        figures["loss"]["map50_95"]["low"]
        <= figures["loss"]["map50_95"]["value"]
        <= figures["loss"]["map50_95"]["high"]
    )


def corners_xyxy(answer):
    """The boxes in what the library's model says: (4 + nc, N), centre x, y, w, h first."""
    return np.concatenate([answer[:2] - answer[2:4] / 2, answer[:2] + answer[2:4] / 2]).T


def check_that_the_library_reads_it_too(artifacts, settings):
    """Its clearest cell draws the box that the board's decoder draws: model.onnx has the same weights."""
    import onnxruntime
    import torch

    from snaploop_host.domain.detection_decode import decode_heads
    from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

    isolate_ultralytics(settings)
    from ultralytics.nn.tasks import load_checkpoint

    onnx_file = artifacts / "model.onnx"
    golden = np.frombuffer((artifacts / "golden_input.bin").read_bytes(), np.uint8)
    pixels = golden.reshape(1, 3, 96, 160).astype(np.float32) / 255
    outputs = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"]).run(
        None, {"images": pixels}
    )
    clearest = decode_heads(outputs, 0.001).boxes_xyxy[0]
    with torch.inference_mode():
        answer = load_checkpoint(str(artifacts / "best.pt"))[0].float().eval()(torch.from_numpy(pixels))[0][0].numpy()
    box = corners_xyxy(answer)[answer[4:].max(0).argmax()].clip(0, [160, 96, 160, 96])
    assert np.abs(box - clearest).max() < 0.5  # px; half a cell is 4 and more


def test_heads_of_the_onnx_file_decode_to_what_the_network_itself_says(tmp_path):
    """Export against the library's own branches and decode, before any quantisation."""
    import onnxruntime
    import torch

    from snaploop_host.domain.detection_decode import decode_heads
    from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

    isolate_ultralytics(tmp_path / "settings")
    from ultralytics.nn.tasks import DetectionModel

    from snaploop_host.training.detect.export_onnx import OUTPUT_NAMES, export_raw_heads
    from snaploop_host.training.detect.gfl_head import distances_from_centres, model_description

    torch.manual_seed(0)
    model = DetectionModel(model_description(), nc=3, verbose=False)
    for head in model.model[-1].cv3:
        torch.nn.init.normal_(head[-1].weight, std=5.0)  # else every class score of an untrained net is alike
        torch.nn.init.zeros_(head[-1].bias)
    model.model[-1].dfl = distances_from_centres()
    model.names = dict(enumerate(CLASSES))
    model.args = {}
    torch.save({"model": model.eval()}, tmp_path / "best.pt")
    assert export_raw_heads(tmp_path / "best.pt", tmp_path / "m.onnx", 160, 96) == list(CLASSES)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == list(OUTPUT_NAMES)
    assert [output.shape for output in session.get_outputs()] == [[1, 12, 20, 71], [1, 6, 10, 71], [1, 3, 5, 71]]
    pixels = np.random.default_rng(0).random((1, 3, 96, 160), dtype=np.float32)
    ours = decode_heads(session.run(None, {"images": pixels}), 0.5, iou_limit=1.0)
    with torch.inference_mode():
        theirs = model(torch.from_numpy(pixels))[0][0].numpy()  # (4 + nc, N): centre x, y, w, h, scores
    order = np.argsort(-theirs[4:].max(0), kind="stable")[: len(ours.scores)]
    assert len(ours.scores) > 20
    assert ours.scores == pytest.approx(theirs[4:].max(0)[order], abs=2e-3)
    corners = corners_xyxy(theirs).clip(0, [160, 96, 160, 96])
    distance = np.abs(ours.boxes_xyxy[:, None] - corners[None]).sum(2).min(1)
    assert distance.max() < 0.05
