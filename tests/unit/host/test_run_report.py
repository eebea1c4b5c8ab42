"""result.json holds everything of a RunReport and gives it back; the gate is read off its numbers."""

import dataclasses
import json

import pytest

from snaploop_host.domain.run_report import ClassRow, Golden, RungTried, RunReport, Thresholds, report_from_json


def example():
    floats, kmodels = {"map50": 0.99, "map50_95": 0.9}, {"map50": 0.98, "map50_95": 0.89}
    return RunReport(
        run_id="7", task="detect", head="dfl6", digest="ab", kmodel_bytes=3, kmodel_version=7, nncase_version="2.11.0",
        simulator="nncase 2.11.0 k230", input=(320, 192), labels=("red",), thresholds=Thresholds(0.4, 0.5), evaluated_images=24,
        float_score={"images": 24, "values": floats}, kmodel_score={"images": 24, "values": kmodels}, gate_limit_points=0.03,
        classes=(ClassRow("red", 3, 2, 2, floats, {}),),
        rungs=(RungTried("uint8", 3, 1.0, 2.0, kmodels, True, "passed", 24, 0.01, notes=("3 layers equalised",), cosines=((0.99, 0.98),)),),
        golden=Golden("cd", 9, {"detections": [[0, 900, 1, 2, 3, 4]]}), pictures=("val_00.jpg",), training={"epochs": 3},
        timings_s={"train": 1.0},
    )  # fmt: skip


def test_round_trip():
    raw = json.loads(json.dumps(example().to_json()))
    assert raw["golden"]["answer"]["detections"] == [[0, 900, 1, 2, 3, 4]]
    assert report_from_json(raw) == example()


def test_scores_by_name_and_what_the_kmodel_gained():
    report = example()
    assert report.flat_scores() == {
        "float_map50_95": 0.9,
        "kmodel_map50_95": 0.89,
        "float_map50": 0.99,
        "kmodel_map50": 0.98,
    }
    assert report.gained() == pytest.approx({"map50_95": -0.01, "map50": -0.01})


@pytest.mark.parametrize(("kmodel", "passes"), [((0.97, 0.88), True), ((0.99, 0.86), False), ((0.95, 0.9), False)])
def test_either_judged_metric_alone_can_fail_the_gate(kmodel, passes):
    score = {"images": 24, "values": dict(zip(("map50", "map50_95"), kmodel, strict=True))}
    assert dataclasses.replace(example(), kmodel_score=score).is_gate_passed() is passes


@pytest.mark.parametrize(
    ("verdict", "kmodel", "passes"),
    [("undecided", 0.8, True), ("forced", 0.8, False), ("refused", 0.9, False), ("passed", 0.5, False)],
)
def test_the_last_word_counts_but_a_pass_is_checked(verdict, kmodel, passes):
    score = {"images": 24, "values": {"map50": kmodel, "map50_95": kmodel}}
    assert dataclasses.replace(example(), kmodel_score=score, verdict=verdict).is_gate_passed() is passes


def test_other_tasks_are_judged_by_their_strict_metric_alone():
    def score(top1, f1):
        return {"images": 24, "values": {"top1": top1, "macro_f1": f1}}

    report = dataclasses.replace(example(), task="classify", float_score=score(0.9, 0.9), kmodel_score=score(0.89, 0.5))
    assert report.is_gate_passed() and report.gained() == pytest.approx({"top1": -0.01})


@pytest.mark.parametrize(
    "change",
    [{"task": "guess"}, {"float_score": {"values": {"map50": 1.0}}}, {"input": [1]}, {"golden": {}}, {"extra": 1}],
)
def test_what_is_no_report_is_refused(change):
    with pytest.raises((KeyError, TypeError, ValueError)):
        report_from_json(example().to_json() | change)
