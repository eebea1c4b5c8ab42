"""The gate: what pictures can and cannot say of a kmodel, which rung is taken, and that every rung's numbers are kept."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'snaploop[train]'")
pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")

from snaploop_host.compiling.errors import CompileFailedError
from snaploop_host.compiling.kmodel_compiler import Kmodel
from snaploop_host.compiling.ladder import LADDER
from snaploop_host.domain.confidence import Tally, tally_of
from snaploop_host.domain.detection_decode import Detections
from snaploop_host.domain.gate import FAILED, NO_KMODEL, choose, judge, split_settings
from snaploop_host.domain.run_report import FORCED, PASSED, REFUSED, UNDECIDED, RungTried
from snaploop_host.domain.scores import Score
from snaploop_host.training.detect.task import TASK, golden_rows
from snaploop_host.training.errors import TrainingError
from snaploop_host.training.gate_stage import Attempt, climb


def right(*answers):
    """A tally of pictures that are right or wrong, as of top-1."""
    share = np.array(answers, bool)
    return Tally(
        len(share),
        {"top1": float(share.mean())},
        lambda counts: {"top1": counts @ share / counts.sum(axis=1)},
        {"top1": share},
    )


def graded(*values, task_metrics=("map50_95", "map50")):
    """A tally of pictures that each have a value, the score their mean: any metric that is no share."""
    marks = np.array(values, float)

    def score(indices):
        return Score(len(indices), dict.fromkeys(task_metrics, float(marks[indices].mean())))

    return tally_of(score, len(marks))


ALL = [True] * 12


def test_within_the_limit_has_passed():
    assert judge("classify", right(*ALL), right(*ALL), 0.01).outcome == PASSED
    assert judge("classify", right(*ALL[1:], False), right(*ALL), 0.01).lost == pytest.approx(-1 / 12)
    assert judge("classify", right(*ALL), right(*ALL[1:], False), 0.09).outcome == PASSED


def test_one_of_twelve_is_undecided_and_rests_on_one():
    verdict = judge("classify", right(*ALL), right(*ALL[1:], False), 0.01)
    assert (verdict.outcome, verdict.rests_on_one) == (UNDECIDED, True)
    assert verdict.losses["top1"].low < 0.01 < verdict.losses["top1"].high


def test_two_of_twelve_do_not_rest_on_one():
    verdict = judge("classify", right(*ALL), right(*ALL[2:], False, False), 0.01)
    assert (verdict.outcome, verdict.rests_on_one) == (UNDECIDED, False)


def test_half_of_them_is_certain():
    assert judge("classify", right(*ALL), right(*ALL[:6], *[False] * 6), 0.01).outcome == FAILED


def test_one_of_two_hundred_is_half_a_point():
    assert judge("classify", right(*[True] * 200), right(*[True] * 199, False), 0.01).outcome == PASSED


def test_a_single_picture_tells_nothing():
    verdict = judge("classify", right(True), right(False), 0.01)
    assert (verdict.outcome, verdict.rests_on_one) == (UNDECIDED, True)


def test_metrics_that_are_no_share_by_leaving_each_picture_out():
    one_ruined = judge("detect", graded(*[0.9] * 8), graded(*[0.9] * 7, 0.5), 0.01)
    assert (one_ruined.outcome, one_ruined.rests_on_one) == (UNDECIDED, True)
    all_a_little = judge("detect", graded(*[0.9] * 8), graded(*[0.87] * 8), 0.01)
    assert (all_a_little.outcome, all_a_little.rests_on_one) == (FAILED, False)


def rung(name, outcome, lost=0.0, rests_on_one=False):
    return RungTried(name, 1, 1.0, 1.0, {}, outcome == PASSED, outcome, 12, lost, rests_on_one)


@pytest.mark.parametrize(
    ("rungs", "force", "expected"),
    [
        ([rung("a", PASSED)], False, (0, PASSED)),
        ([rung("a", FAILED, 0.5), rung("b", NO_KMODEL), rung("c", PASSED, 0.001)], False, (2, PASSED)),
        ([rung("a", UNDECIDED, 0.08, True), rung("b", PASSED)], False, (1, PASSED)),
        ([rung("a", UNDECIDED, 0.09, True), rung("b", UNDECIDED, 0.08, True)], False, (1, UNDECIDED)),
        ([rung("a", UNDECIDED, 0.08, True), rung("b", FAILED, 0.05)], False, (0, UNDECIDED)),
        ([rung("a", UNDECIDED, 0.2, False), rung("b", FAILED, 0.5)], False, (0, REFUSED)),
        ([rung("a", FAILED, 0.5), rung("b", NO_KMODEL), rung("c", FAILED, 0.2)], True, (2, FORCED)),
    ],
)
def test_which_rung_is_taken(rungs, force, expected):
    assert choose(rungs, force) == expected


def climbing(outcomes):
    """What `climb` did with rungs of these outcomes; None for one that does not compile."""
    notes, tried, attempts, left = [], [], {}, list(outcomes)

    def attempt(one):
        outcome = left.pop(0)
        if outcome is None:
            raise CompileFailedError("it crashed")
        return Attempt(Path("m.onnx"), Kmodel(Path("k"), one.name, 1, 1.0, 1), rung(one.name, outcome))

    is_good = climb(LADDER[:3], attempt, lambda kind, **fields: notes.append(fields), tried, attempts)
    return is_good, tried, attempts, notes


def test_first_rung_that_passes_ends_the_climb():
    is_good, tried, attempts, notes = climbing([FAILED, PASSED])
    assert is_good and [one.passed for one in tried] == [False, True]
    assert attempts[1].kmodel.digest == LADDER[1].name
    assert [note["rung"]["outcome"] for note in notes] == [FAILED, PASSED]


def test_rung_that_does_not_compile_is_kept_and_passed_over():
    is_good, tried, attempts, notes = climbing([FAILED, None, UNDECIDED])
    assert not is_good and list(attempts) == [0, 2]
    assert (tried[1].outcome, tried[1].kmodel_bytes) == (NO_KMODEL, 0)
    assert notes[1]["text"] == f"{LADDER[1].name}: it crashed"


def test_network_that_does_not_compile_at_all_is_the_compilers_error():
    with pytest.raises(CompileFailedError):
        climbing([None])


def test_settings_of_the_gate_are_told_from_those_of_the_training():
    training, gate = split_settings({"epochs": 3, "gate": 0.02, "gate_images": 40, "gate_seconds": 9.0, "force": True})
    assert training == {"epochs": 3}
    assert gate == {"limit_points": 0.02, "images": 40, "budget_s": 9.0, "force": True}


def found(*scores):
    return Detections(
        np.tile(np.array([[10, 20, 30, 40]], np.float32), (len(scores), 1)),
        np.array(scores, np.float32),
        np.zeros(len(scores), int),
    )


def test_golden_picture_has_a_clear_answer():
    position, answer = TASK.golden(None, [found(), found(0.9, 0.45), found(0.9), found(0.95, 0.92)], 0.4)
    assert (position, len(answer["detections"])) == (3, 2)
    with pytest.raises(TrainingError, match="finds nothing"):
        TASK.golden(None, [found(), found(0.2)], 0.4)


def test_golden_rows_are_in_whole_numbers():
    assert golden_rows(found(0.9123)) == [[0, 912, 10, 20, 20, 20]]
