"""The estimate of a run: what it is made of, what it learns, and what it advises above a limit. Nothing is trained here."""

from __future__ import annotations

import dataclasses
import time
from types import SimpleNamespace

import pytest

from snaploop_host.domain.durations import duration_text
from snaploop_host.training import estimate as module
from snaploop_host.training.errors import TooLongError
from snaploop_host.training.estimate import Estimate, check_limit, estimate, learn
from snaploop_host.training.job_spec import Gate, Parameters, Photo, TrainingJob
from snaploop_host.training.machine import Measurements, RestRate, TrainingRate
from snaploop_host.training.task import Effort, Folders

EFFORT = Effort(epochs=50, steps=8, validated=20, all_validated=20)
FOUND = Estimate(2310.0, EFFORT, 40.0, 10.0, 300.0, 0.0, "measured by a probe", "")
PHOTO = Photo("a", "a.jpg", 320, 180, ())


def job(**parameters):
    return TrainingJob("1", "detect", "p", ("a",), (PHOTO,), (PHOTO,), Parameters(**parameters), None, Gate(images=12))


TASK = SimpleNamespace(name="detect", input_wh=lambda job: (320, 192), effort=lambda job: EFFORT)


@pytest.fixture(autouse=True)
def yardstick(monkeypatch):
    """How free the machine is said to be."""
    said = [0.5]
    monkeypatch.setattr(module, "yardstick_s", lambda: said[0])
    return said


@pytest.fixture
def measured(tmp_path):
    return Measurements(tmp_path / "measured.json", "this machine")


def test_limit_has_both_durations_and_what_would_fit():
    words = r"estimated 38 m 30 s vs 20 m 0 s allowed \(max_minutes=20\): train with epochs=22 or imgsz=224, or allow max_minutes=39"
    with pytest.raises(TooLongError, match=words):
        check_limit(FOUND, job(max_minutes=20.0), (320, 192))
    fitting = dataclasses.replace(FOUND, effort=dataclasses.replace(EFFORT, epochs=22), seconds=10 + 22 * 40 + 300)
    check_limit(fitting, job(max_minutes=20.0), (320, 192))  # what was advised fits
    check_limit(FOUND, job(max_minutes=39.0), (320, 192))
    check_limit(FOUND, job(), (320, 192))


def test_nothing_shorter_is_advised_when_nothing_fits():
    with pytest.raises(TooLongError, match=r"0 m|6 s allowed.*nothing shorter fits: allow max_minutes=39"):
        check_limit(FOUND, job(max_minutes=0.1), (96, 96))


def test_parts_add_up_and_measured_ones_are_not_measured_again(measured, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_probe", lambda *_: pytest.fail("there is a run to learn from"))
    measured.keep("detect", (320, 192), 8, TrainingRate(step_s=0.5, picture_s=0.1, fixed_s=7.0))
    measured.keep("detect", (320, 192), 0, RestRate(compile_s=20.0, simulate_s=3.0, other_s=5.0, rungs=2, looks=1.5))
    found = estimate(TASK, job(), Folders(tmp_path), Measurements(measured.path, "this machine"))
    assert found.seconds_per_epoch == pytest.approx(8 * 0.5 + 20 * 0.1)
    assert found.rest_s == pytest.approx(2 * 20 + 1.5 * 12 * 3 + 5)
    assert found.seconds == pytest.approx(7 + 50 * 6 + found.rest_s, abs=0.5)
    assert found.source == found.rest_source == "learnt from the last run"
    assert found.for_epochs(50) == pytest.approx(found.seconds)
    assert found.text.startswith("estimated 6 m 46 s: 5 m 7 s to train 50 epochs")


def test_probe_counts_for_a_while_and_scales_what_was_never_measured(measured, tmp_path, monkeypatch):
    probed = []
    monkeypatch.setattr(module, "_probe", lambda *_: probed.append(1) or TrainingRate(0.3, 0.05, 1.0))
    first = estimate(TASK, job(), Folders(tmp_path), measured)
    assert first.source == "measured by a probe" and first.rest_source == "scaled from a known machine"
    estimate(TASK, job(), Folders(tmp_path), measured)
    assert len(probed) == 1
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    estimate(TASK, job(), Folders(tmp_path), measured)
    assert len(probed) == 2  # by now the machine may be freer, or not
    estimate(TASK, job(batch=4), Folders(tmp_path), measured)
    assert len(probed) == 3


def test_what_was_never_measured_is_scaled_by_how_free_the_machine_is(measured, tmp_path, yardstick, monkeypatch):
    monkeypatch.setattr(module, "_probe", lambda *_: TrainingRate(0.3, 0.05, 1.0))
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: {0, 1})
    known = module.REFERENCE["detect"]
    yardstick[0] = 2 * module.REFERENCE_YARDSTICK_S
    found = estimate(TASK, job(), Folders(tmp_path), measured)
    assert found.rest_s == pytest.approx(2 * (known.compile_s + 12 * known.simulate_s + module.OTHER_S))
    assert found.another_rung_s == pytest.approx(2 * (known.compile_s + 12 * known.simulate_s))
    assert f"each further way of quantising: {duration_text(found.another_rung_s)} more" in found.text
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(8)))
    quicker = estimate(TASK, job(), Folders(tmp_path), measured)
    assert quicker.another_rung_s == pytest.approx(2 * (known.compile_s + 12 * known.simulate_s / 4))


def test_a_run_foretells_the_next(measured, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_probe", lambda *_: pytest.fail("there is a run to learn from"))
    curve = [{"seconds": 9.0 if epoch == 0 else 2.0, "validation_s": 0.4} for epoch in range(50)]
    rungs = [{"compile_seconds": 15.0, "simulate_seconds": 30.0, "images": 12}] * 2
    stages = {"prepare": 1.0, "estimate": 4.0, "train": 112.0, "export": 1.0, "compile": 95.0, "report": 3.0}
    learn(TASK, job(), {"curve": curve}, stages, rungs, measured)
    found = estimate(TASK, job(), Folders(tmp_path), measured)
    assert found.seconds == pytest.approx(sum(stages.values()) - stages["estimate"], abs=0.5)
    assert Measurements(measured.path, "another machine").training("detect", (320, 192), 8) is None


@pytest.mark.parametrize(("now", "share"), [(0.5, 1.0), (0.55, 1.0), (1.5, 3.0), (0.25, 0.5)])
def test_what_was_learnt_on_a_busy_machine_is_told_for_one_as_free_as_now(measured, tmp_path, yardstick, now, share):
    measured.keep("detect", (320, 192), 8, TrainingRate(0.5, 0.1, 7.0, yardstick_s=0.5))
    measured.keep("detect", (320, 192), 0, RestRate(20.0, 3.0, 5.0, yardstick_s=0.5))
    yardstick[0] = now
    found = estimate(TASK, job(), Folders(tmp_path), measured)
    assert found.seconds == pytest.approx(share * (7 + 50 * 6 + 20 + 12 * 3 + 5), abs=0.5)


def test_damaged_file_counts_as_empty(tmp_path):
    (tmp_path / "measured.json").write_text('{"train detect')
    measured = Measurements(tmp_path / "measured.json", "m")
    assert measured.training("detect", (320, 192), 8) is None
    measured.keep("detect", (320, 192), 8, TrainingRate(1, 1, 1))
    assert Measurements(tmp_path / "measured.json", "m").training("detect", (320, 192), 8) == TrainingRate(1, 1, 1)
