"""The training loop on a toy: it learns, stops early, goes on after a kill exactly where it was, and says what went wrong."""

import os

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")

import torch
from torch import nn

from snaploop_host.domain.preprocess import UNIT_RANGE
from snaploop_host.training import torch_loop
from snaploop_host.training.device import FLOAT16, Device
from snaploop_host.training.epoch_curve import EpochCurve
from snaploop_host.training.errors import BadJobError, JobCancelled, TrainingError
from snaploop_host.training.job_spec import Parameters
from snaploop_host.training.torch_loop import Judged, Plan, fit

BATCH, PER_EPOCH = 4, 3


class Toy:
    """Bright pictures are of class 1, dark ones of class 0."""

    batch_size = BATCH

    def __init__(self):
        self.shown = []

    def __len__(self):
        return PER_EPOCH

    def epoch(self, number, first=0):
        for place in range(first, PER_EPOCH):
            self.shown.append((number, place))
            rng = np.random.default_rng([number, place])
            classes = torch.from_numpy(rng.integers(0, 2, BATCH))
            noise = torch.from_numpy(rng.integers(0, 100, (BATCH, 3, 8, 8)))
            yield (noise + 150 * classes.view(-1, 1, 1, 1)).to(torch.uint8), classes


class Killed(Toy):
    """Ends as a job that is cancelled does, before this batch of this epoch is trained."""

    def __init__(self, number, place=0):
        super().__init__()
        self.at = (number, place)

    def epoch(self, number, first=0):
        for place, batch in enumerate(super().epoch(number, first), first):
            if (number, place) == self.at:
                raise JobCancelled
            yield batch


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


def loss(answer, classes):
    return {"cross_entropy": nn.functional.cross_entropy(answer, classes)}


def judge(model, arithmetic):
    pixels, classes = next(Toy().epoch(1000))
    with torch.inference_mode(), arithmetic():
        right = float((model(pixels.float() / 255).argmax(1) == classes).float().mean())
    return Judged({"top1": right}, (right,))


def run(folder, toy=None, judge=judge, plan=None, loss=loss, notes=None, **parameters):
    given = Parameters(**{"warmup_steps": 2, "ema_steps": 2, "threads": 1, "bf16": False} | parameters)
    report = (lambda *_, **fields: notes.append(fields.get("text"))) if notes is not None else (lambda *_, **__: None)
    plan = plan or Plan(8, 100, 0.005)
    curve = EpochCurve(folder / "curve.jsonl", plan.epochs, report)
    return fit(network(), loss, toy or Toy(), judge, UNIT_RANGE, given, plan, folder, curve, report), curve


def test_it_learns(tmp_path):
    fitted, curve = run(tmp_path)
    rows = curve.rows()
    assert (
        rows[-1]["metrics"]["top1"] == 1.0 and rows[-1]["losses"]["cross_entropy"] < rows[0]["losses"]["cross_entropy"]
    )
    assert fitted.epochs == 8 and not fitted.bf16
    model = network()
    model.load_state_dict(fitted.weights)
    assert judge(model.eval(), lambda: torch.autocast("cpu", enabled=False)).metrics["top1"] == 1.0


def test_it_stops_when_nothing_is_gained(tmp_path):
    fitted, curve = run(tmp_path, plan=Plan(50, 3, 0.02), judge=lambda *_: Judged({"top1": 0.5}, (0.5,)))
    assert (fitted.epochs, fitted.best_epoch) == (4, 1)
    assert len(curve.rows()) == 4


def scripted(*scores):
    """A judge that gives these scores, one a call."""
    left = iter(scores)

    def judge(*_):
        score = next(left)
        return Judged({"top1": score}, (score, 0.0))

    return judge


def test_model_it_started_from_is_kept_when_no_epoch_comes_near_it(tmp_path):
    start, notes = network().state_dict(), []
    fitted, curve = run(
        tmp_path, judge=scripted(0.8, 0.5, 0.6, 0.78), plan=Plan(3, 100, 0.005, is_warm=True), notes=notes
    )
    assert fitted.best_epoch == 0 and curve.metrics_of(0) == curve.start_metrics == {"top1": 0.8}
    assert all(torch.equal(fitted.weights[name], value) for name, value in start.items())
    assert "the model it starts from scores top-1 accuracy 0.800 on these validation photos" in notes


def test_what_learnt_from_the_new_photos_is_preferred_within_a_point(tmp_path):
    fitted, curve = run(tmp_path, judge=scripted(0.8, 0.5, 0.795, 0.791), plan=Plan(3, 100, 0.005, is_warm=True))
    assert (fitted.best_epoch, curve.metrics_of(2)) == (2, {"top1": 0.795})


def test_patience_counts_from_the_model_it_started_from(tmp_path):
    fitted, _ = run(tmp_path, judge=scripted(0.8, 0.5, 0.6, 0.7), plan=Plan(9, 3, 0.005, is_warm=True))
    assert (fitted.best_epoch, fitted.epochs) == (0, 3)


def test_resumed_training_still_knows_what_it_started_from(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_loop, "CHECKPOINT_INTERVAL_S", 0.0)
    start, plan = network().state_dict(), Plan(3, 100, 0.005, is_warm=True)

    with pytest.raises(JobCancelled):
        run(tmp_path, Killed(1), judge=scripted(0.8, 0.5), plan=plan)
    fitted, curve = run(tmp_path, judge=scripted(0.6, 0.7), plan=plan)
    assert (fitted.best_epoch, fitted.epochs, curve.start_metrics) == (0, 3, {"top1": 0.8})
    assert all(torch.equal(fitted.weights[name], value) for name, value in start.items())


def test_stop_rule_ends_it_and_a_restart_does_not_go_on(tmp_path):
    fitted, curve = run(tmp_path, plan=Plan(50, 50, 0.005), stop_change=10.0, stop_epochs=4)
    assert fitted.epochs == len(curve.rows()) == 5
    toy = Toy()
    again, _ = run(tmp_path, toy, plan=Plan(50, 50, 0.005), stop_change=10.0, stop_epochs=4)
    assert not toy.shown and again.epochs == 5


@pytest.mark.parametrize("killed_at", [(2, 1), (3, 0)])
def test_killed_and_started_again_ends_as_if_never_killed(tmp_path, monkeypatch, killed_at):
    monkeypatch.setattr(torch_loop, "CHECKPOINT_INTERVAL_S", 0.0)
    whole, _ = run(tmp_path / "whole")

    with pytest.raises(JobCancelled):
        run(tmp_path / "cut", Killed(*killed_at))
    again, notes = Toy(), []
    resumed, curve = run(tmp_path / "cut", again, notes=notes)
    assert again.shown[0] == killed_at
    assert notes[0] == f"training on cpu ({len(os.sched_getaffinity(0))} cores), float32"
    assert notes[1] == f"training continues after epoch {killed_at[0]}"
    assert [row["epoch"] for row in curve.rows()] == list(range(1, 9))
    assert all(
        torch.equal(one, other) for one, other in zip(whole.weights.values(), resumed.weights.values(), strict=True)
    )


def test_in_float16_gradients_are_scaled_and_a_resumed_run_keeps_the_scale(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_loop, "chosen_device", lambda *_: Device("cpu", FLOAT16, "an older GPU's precision"))
    monkeypatch.setattr(torch_loop, "CHECKPOINT_INTERVAL_S", 0.0)
    scales = []

    class Watched(torch.amp.GradScaler):
        def step(self, *arguments):
            scales.append(self.get_scale())
            return super().step(*arguments)

    monkeypatch.setattr(
        torch.amp, "GradScaler", lambda kind, enabled: Watched(kind, 2.0**10, 2.0, enabled=enabled, growth_interval=4)
    )
    fitted, curve = run(tmp_path / "whole")
    assert curve.rows()[-1]["metrics"]["top1"] == 1.0 and not fitted.bf16
    assert scales[0] == 2.0**10 < scales[-1]
    whole = scales[:]
    scales.clear()

    with pytest.raises(JobCancelled):
        run(tmp_path / "cut", Killed(4))
    run(tmp_path / "cut")
    assert scales == whole


def test_finished_training_is_not_trained_again(tmp_path):
    first, _ = run(tmp_path)
    toy = Toy()
    second, _ = run(tmp_path, toy)
    assert not toy.shown and second.best_epoch == first.best_epoch


def test_loss_that_is_no_number_is_said(tmp_path):
    with pytest.raises(TrainingError, match=r"not a number any more in epoch 1: train with a smaller lr0 than 0\.005"):
        run(tmp_path, loss=lambda answer, _: {"broken": answer.sum() * float("nan")})


def test_unknown_optimizer_is_refused(tmp_path):
    with pytest.raises(BadJobError, match="optimizer Lion is not known here: use AdamW, Adam or SGD"):
        run(tmp_path, optimizer="Lion")


@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_other_optimizers_work(tmp_path, name):
    assert run(tmp_path, plan=Plan(1, 9, 0.01), optimizer=name)[0].epochs == 1
