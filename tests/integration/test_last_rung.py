"""The ladder's last rung in a whole job, from photos to page, with a compiler and simulator that do as told and a network without weights.

What the real ones do with a network whose activation was changed is in test_softening.py and test_ladder.py.
"""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from fakes.board_client import jpeg
from fakes.host_folder import make_host, pair_client
from fakes.served_page import served
from integration.test_gate_stage import Softer, means_onnx
from snaploop_host.cli.main import app
from snaploop_host.compiling.kmodel_compiler import Kmodel
from snaploop_host.training import evaluate as evaluation
from snaploop_host.training import gate_stage
from snaploop_host.training import job as job_module
from snaploop_host.training.job_events import EventWriter
from snaploop_shared.sample_record import Box

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")

CLASSES = ("r", "g", "b")
WHAT = "ReLU instead of SiLU, trained on"
WEAK = 10  # every so many pictures is a dark one, which the changed network takes for red
BIAS = 0.2


class Trained(Softer):
    """A whole task: it trains nothing, and changing its activation costs it some of the dark pictures."""

    def input_wh(self, job):
        return 32, 32

    def pixels(self, index):
        picture = super().pixels(index)
        return np.where(picture == 200, 80, picture).astype(np.uint8) if index % WEAK == 1 else picture

    def prepare(self, job, folders):
        return []

    def train(self, job, folders, report):
        (folders.artifacts / "best.pt").write_bytes(b"weights")
        row = {"epoch": 1, "seconds": 1.0, "metrics": {"top1": 1.0, "macro_f1": 1.0}}
        return {"epochs": 1, "epochs_planned": 1, "best_epoch": 1, "seconds": 1.0, "start": "scratch", "curve": [row]}

    def export(self, job, folders):
        means_onnx(folders.artifacts / "model.onnx")

    def soften(self, job, folders, onnx_file, report):
        means_onnx(onnx_file, "softened")
        model = onnx.load(str(onnx_file))
        model.graph.node[0].output[0] = "means"
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([[BIAS, 0, 0]], np.float32), "bias"))
        model.graph.node.append(onnx.helper.make_node("Add", ["means", "bias"], ["logits"]))
        onnx.save(model, str(onnx_file))

    def qualities(self, job, answers, truths, threshold):
        return np.array([float(one == other) for one, other in zip(answers, truths, strict=True)])

    def golden(self, job, answers, threshold):
        return 0, {"scores_permille": [900, 50, 50]}

    def draw(self, job, pixels, truth, answer, threshold, file):
        file.write_bytes(jpeg(truth))


def compile_kmodel(onnx_file, samples, rung, target, scratch, preprocess):
    """Says which network it is of, and in which way."""
    target.write_bytes(b"LDMK\x07\x00\x00\x00" + f"{onnx.load(str(onnx_file)).graph.name} {rung.name}".encode())
    return Kmodel(target, hashlib.sha256(target.read_bytes()).hexdigest(), target.stat().st_size, 2.0, 1, ())


def simulate(kmodel, pixels, indices, results, scratch, progress):
    """The changed network's kmodel answers as its float model does; the others see every second picture turned."""
    pictures, is_softened = np.load(pixels), b"softened" in kmodel.read_bytes()
    means = {index: pictures[index].mean(axis=(1, 2))[None] / 255 for index in indices}
    if is_softened:
        return [[one + np.array([[BIAS, 0, 0]])] for one in means.values()]
    return [[np.roll(one, index % 2, axis=1)] for index, one in means.items()]


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with labelled photos of a project of three classes, and a compiler and simulator as above."""
    for module in (gate_stage, evaluation):
        monkeypatch.setattr(module, "simulate", simulate)
        monkeypatch.setattr(module, "operators_on_cpu", lambda results: {})
    monkeypatch.setattr(gate_stage, "compile_kmodel", compile_kmodel)
    for module in (job_module, evaluation):
        monkeypatch.setattr(module, "task_named", lambda name: Trained())
    monkeypatch.setattr(job_module, "ensure_runtime", lambda: None)
    estimated = {"seconds": 1.0, "seconds_per_epoch": 1.0, "yardstick_s": 1.0, "text": ""}
    monkeypatch.setattr(job_module, "_estimate", lambda *_: estimated)  # what a run takes is tested elsewhere
    monkeypatch.setattr(job_module, "learn", lambda *_: None)
    host = make_host(tmp_path)
    host.store.add_project("colours", "classify", CLASSES, 1.0)
    board = pair_client(host, project="colours")
    for number in range(12):
        board.send_sample(f"b{number}-000000", jpeg(number), [Box(CLASSES[number % 3], 0, 0, 64, 36)])
    yield host
    host.close()


def done(host, **parameters):
    """A run whose job has done its work in this process; its folder."""
    run = host.train.start(host.store.project_named("colours").id, {"gate_images": 120, **parameters})
    folder = host.config.data_dir / "jobs" / str(run.id)
    report = EventWriter(folder / "events.jsonl")
    job_module.run_job(folder, report)
    report.close()
    return run, folder


async def test_run_report_manifest_command_and_page_tell_of_the_changed_network(host):
    run, folder = done(host, gate=0.15)
    notes = [event["text"] for event in host.jobs.events(run.id) if event["kind"] == "note"]
    assert f"no way of quantising kept within the limit: the network is changed to {WHAT}" in notes
    (told,) = (note for note in notes if note.startswith(f"{WHAT}: top-1"))
    assert "before quantising" in told and "1.000 without that change; took" in told

    model = host.train.publisher.publish(host.store.run(run.id))
    result = json.loads((folder / "artifacts" / "result.json").read_text())
    names = [rung["name"] for rung in result["rungs"]]
    assert (len(names), names[-1], result["rung"]) == (7, f"{WHAT}: uint8, 60 samples", f"{WHAT}: uint8, 60 samples")
    softened = result["softened"]
    assert (softened["what"], softened["is_taken"], result["verdict"]) == (WHAT, True, "passed")
    assert result["float_score"]["values"]["top1"] == 1.0  # of the network before: what the change costs is loss
    assert softened["scores"]["top1"] == result["kmodel_score"]["values"]["top1"] == round(112 / 120, 4)
    assert model.is_gate_passed and model.gate_text.endswith(f"by way 7 of quantising: {WHAT}: uint8, 60 samples")
    assert json.loads(model.manifest)["quantised"] == f"{WHAT}: uint8, 60 samples"

    shown = CliRunner().invoke(app, ["models", "show", model.short, "--data", str(host.config.data_dir)]).stdout
    assert f"the kmodel is of the network with {WHAT} for 0 s: top-1 accuracy 0.933" in shown
    assert f"* {WHAT}: uint8, 60 samples: passed" in shown and "trained.onnx: " in shown
    async with served(host) as client:
        for address in (f"models/{model.short}", f"runs/{run.id}"):
            page = " ".join((await (await client.get(f"/projects/colours/{address}")).text()).split())
            assert f"So it got {WHAT} for 0 s: top-1 accuracy 0.933" in page
            assert "in the simulator, training on 0 s." in page and f"<dd>{WHAT}: uint8, 60 samples</dd>" in page
            assert "The kmodel is of that network; the float model in the table is the one before" in page


@pytest.mark.parametrize(
    ("verdict", "begin", "end"),
    [
        (
            "undecided",
            "passed, undecided: on",
            f"quantising: {WHAT}: uint8, 60 samples; that rests on one photo, label more",
        ),
        ("forced", "forced: on", f"by way 7 of quantising: {WHAT}: uint8, 60 samples"),
    ],
)
def test_every_verdict_that_lets_a_kmodel_through_names_the_way(host, verdict, begin, end):
    run, folder = done(host, gate=0.15)
    file = folder / "artifacts" / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"verdict": verdict}))
    model = host.train.publisher.publish(host.store.run(run.id))
    assert model.gate_text.startswith(begin) and end in model.gate_text


def test_another_look_at_the_model_holds_it_against_the_network_before_as_the_gate_did(host, tmp_path):
    _, folder = done(host, gate=0.15)
    again = evaluation.evaluate(evaluation.open_run(folder), 120, tmp_path / "out")
    assert (again["float"]["values"]["top1"], again["kmodel"]["values"]["top1"]) == (1.0, round(112 / 120, 4))
    assert min(one["mean"] for one in again["cosines"]) > 0.999  # with the network that was compiled


async def test_change_that_does_not_help_is_told_and_not_taken(host, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "BIAS", 0.7)  # more than bright pictures differ by: most become red
    run, folder = done(host, gate=0.15)
    result = json.loads((folder / "artifacts" / "result.json").read_text())
    assert (len(result["rungs"]), result["softened"]["is_taken"], result["verdict"]) == (8, False, "refused")
    assert not (folder / "artifacts" / "trained.onnx").exists()
    model = host.train.publisher.publish(host.store.run(run.id))
    assert model.gate_text.startswith("refused: ") and "the best of 8 ways to quantise" in model.gate_text
    shown = CliRunner().invoke(app, ["models", "show", model.short, "--data", str(host.config.data_dir)]).stdout
    assert f"no better was the network with {WHAT} for 0 s: top-1 accuracy 0.333" in shown
    async with served(host) as client:
        page = await (await client.get(f"/projects/colours/runs/{run.id}")).text()
        assert "That was no better, and the kmodel is of the network before." in page
