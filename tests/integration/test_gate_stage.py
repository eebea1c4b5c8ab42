"""The compile stage of a job with a compiler and simulator that do as told: more pictures when few cannot tell, the whole ladder, another
activation at its end, refusal, and force. What the real ones do is in test_ladder.py."""

import hashlib

import numpy as np
import pytest

from snaploop_host.compiling.errors import CompileFailedError
from snaploop_host.compiling.kmodel_compiler import Kmodel
from snaploop_host.domain.confidence import Tally
from snaploop_host.domain.preprocess import UNIT_RANGE
from snaploop_host.domain.run_report import FORCED, PASSED, REFUSED, UNDECIDED
from snaploop_host.domain.scores import Score
from snaploop_host.training import gate_stage
from snaploop_host.training.job import _compile
from snaploop_host.training.job_spec import Gate, Parameters, TrainingJob
from snaploop_host.training.task import Folders

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")

SIDE, PICTURES = 32, 120


class Colours:
    """The brightest of three channels: a task that a network without weights solves."""

    name, head, preprocess, iou_threshold = "classify", "logits", UNIT_RANGE, 0.0

    def examples(self, job, folders, side):
        return self

    def __len__(self):
        return PICTURES

    def pixels(self, index):
        picture = np.full((3, SIDE, SIDE), 60, np.uint8)
        picture[index % 3] = 200
        return picture

    def truth(self, index):
        return index % 3

    def classes(self, index):
        return {index % 3}

    def decode(self, job, outputs):
        return int(np.argmax(outputs[0]))

    def score(self, job, answers, truths):
        top1 = float(np.mean([one == other for one, other in zip(answers, truths, strict=True)]))
        return Score(len(truths), {"top1": top1, "macro_f1": top1})

    def tally(self, job, answers, truths):
        right = np.array([one == other for one, other in zip(answers, truths, strict=True)])

        def resample(counts):
            return dict.fromkeys(("top1", "macro_f1"), counts @ right / counts.sum(axis=1))

        top1 = float(right.mean())
        return Tally(len(right), {"top1": top1, "macro_f1": top1}, resample, {"top1": right})


class Softer(Colours):
    """The same with an activation to change."""

    def softening(self, job):
        return "ReLU instead of SiLU, trained on"

    def soften(self, job, folders, onnx_file, report):
        means_onnx(onnx_file, "softened")


def means_onnx(path, name="means"):
    node = onnx.helper.make_node("ReduceMean", ["images"], ["logits"], axes=[2, 3], keepdims=0)
    given = onnx.helper.make_tensor_value_info("images", 1, [1, 3, SIDE, SIDE])
    made = onnx.helper.make_tensor_value_info("logits", 1, [1, 3])
    graph = onnx.helper.make_graph([node], name, [given], [made])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), str(path))


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Runs the stage; `wrong` says of how many of the pictures a rung's kmodel is wrong, None that it does not compile."""
    folders = Folders(tmp_path)
    for folder in (folders.artifacts, folders.compile):
        folder.mkdir(parents=True)
    means_onnx(folders.artifacts / "model.onnx")
    wrongs, seen, notes = {}, [], []

    def compile_kmodel(onnx_file, samples, rung, target, scratch, preprocess):
        assert np.load(samples).shape == (60, 3, SIDE, SIDE)
        if (share := wrongs["of"](rung.name)) is None:
            raise CompileFailedError("it crashed")
        target.write_text(rung.name)
        digest = hashlib.sha256(rung.name.encode()).hexdigest()
        wrongs[digest[:12]] = share
        return Kmodel(target, digest, 1000, 2.0, 1, ("a note",))

    def simulate(kmodel, pixels, indices, results, scratch, progress):
        seen.append(len(indices))
        progress(len(indices))
        share, pictures = wrongs[results.name.removeprefix("simulated-")], np.load(pixels)
        rng = np.random.default_rng(0)
        is_wrong = set(rng.permutation(PICTURES)[: round(share * PICTURES)].tolist()) if share < 1 else set()
        is_wrong |= {indices[0]} if share == 1 else set()  # one picture, always among those seen
        logits = [pictures[index].mean(axis=(1, 2))[None] / 255 for index in indices]
        return [
            [np.roll(one, 1, axis=1) if index in is_wrong else one] for index, one in zip(indices, logits, strict=True)
        ]

    monkeypatch.setattr(gate_stage, "compile_kmodel", compile_kmodel)
    monkeypatch.setattr(gate_stage, "simulate", simulate)
    monkeypatch.setattr(gate_stage, "operators_on_cpu", lambda results: {"concat": 1})

    def run(wrong, task=None, **gate):
        wrongs["of"] = wrong
        job = TrainingJob(
            "1", "classify", "p", ("r", "g", "b"), (), (), Parameters(), None, Gate(**{"images": 12} | gate)
        )
        result = _compile(task or Colours(), job, folders, lambda kind, **fields: notes.append((kind, fields)))
        return result, seen, folders.artifacts

    return run


ONE = 1  # `wrong` of exactly one picture


def test_pictures_are_added_until_they_can_tell(compiled):
    result, seen, _ = compiled(lambda name: ONE)
    assert seen == [12, 24, 48, 96, 120]  # 1 of 120 is less than a point
    assert (result["verdict"], result["images"], result["rungs"][0]["images"]) == (PASSED, 120, 120)
    assert result["rungs"][0]["cosines"] and result["rungs"][0]["operators_on_cpu"] == {"concat": 1}
    assert "loses 0.8 points of top-1 accuracy" in result["rungs"][0]["text"]


def test_without_a_budget_the_ladder_is_climbed_and_one_picture_is_excused(compiled):
    result, seen, artifacts = compiled(lambda name: ONE, budget_s=0)
    assert seen == [12] * 6
    assert [rung["outcome"] for rung in result["rungs"]] == [UNDECIDED] * 6
    assert (result["verdict"], result["taken"]) == (UNDECIDED, 0)
    assert (artifacts / "model.kmodel").read_text() == "uint8, 20 samples"


def test_first_rung_within_the_limit_is_taken_and_a_crash_on_the_way_is_kept(compiled):
    wrong = {"uint8, 20 samples": 0.5, "uint8, 60 samples": None, "uint8, Kld": 0.0}
    result, _, artifacts = compiled(wrong.__getitem__)
    assert [rung["outcome"] for rung in result["rungs"]] == ["failed", "no kmodel", "passed"]
    assert result["rungs"][1]["text"] == "uint8, 60 samples: it crashed"
    assert (artifacts / "model.kmodel").read_text() == "uint8, Kld"


def test_activation_is_changed_when_nothing_else_helps(compiled):
    result, _, artifacts = compiled(lambda name: 0.0 if name.startswith("ReLU") else 0.5, Softer())
    assert result["verdict"] == PASSED and result["rungs"][-1]["name"].startswith("ReLU instead of SiLU")
    assert onnx.load(str(artifacts / "model.onnx")).graph.name == "softened"
    assert onnx.load(str(artifacts / "trained.onnx")).graph.name == "means"  # the float model of the comparison


@pytest.mark.parametrize(("force", "verdict"), [(False, REFUSED), (True, FORCED)])
def test_best_kmodel_is_kept_when_none_may_pass(compiled, force, verdict):
    wrong = {"int16 activations, uint8 weights": 0.2}
    result, _, artifacts = compiled(lambda name: wrong.get(name, 0.5), Softer(), force=force)
    assert (result["verdict"], len(result["rungs"])) == (verdict, 8)
    assert (artifacts / "model.kmodel").read_text() == "int16 activations, uint8 weights"
    assert not (artifacts / "trained.onnx").exists()
