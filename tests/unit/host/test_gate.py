"""The ladder: first rung that passes wins, strict metric included, and a refusal carries every rung's numbers."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'snaploop[train]'")
pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")

from snaploop_host.compiling.errors import CompileFailedError
from snaploop_host.compiling.kmodel_compiler import Kmodel
from snaploop_host.compiling.ladder import LADDER
from snaploop_host.domain.detection_decode import Detections
from snaploop_host.domain.scores import Score
from snaploop_host.training.detect.task import TASK, golden_rows
from snaploop_host.training.errors import GateRefusedError, TrainingError
from snaploop_host.training.gate_stage import climb
from snaploop_host.training.job_spec import Gate


def score(map50, map50_95):
    return Score(24, {"map50": map50, "map50_95": map50_95}, best_threshold=0.3)


def climbing(scores, limit=0.03):
    attempts, notes = [], []

    def attempt(number, rung):
        attempts.append(rung.name)
        if scores[number] is None:
            raise CompileFailedError("it crashed")
        return Kmodel(Path("k"), f"{number}", 1, 1.0, 1), scores[number], 2.0

    def report(kind, **fields):
        notes.append((kind, fields))

    return climb("detect", LADDER[:3], score(0.99, 0.90), Gate(limit, 24), attempt, report), attempts, notes


def test_first_rung_that_passes_wins():
    (kmodel, tried), attempts, notes = climbing([score(0.98, 0.88)])
    assert kmodel.digest == "0"
    assert [rung.passed for rung in tried] == [True]
    assert len(attempts) == len(notes) == 1


def test_strict_metric_alone_is_reason_enough_to_climb():
    (kmodel, tried), attempts, _ = climbing([score(0.99, 0.46), score(0.99, 0.80), score(0.99, 0.89)])
    assert attempts == [rung.name for rung in LADDER[:3]]
    assert kmodel.digest == "2"
    assert [rung.passed for rung in tried] == [False, False, True]


def test_rung_that_does_not_compile_is_said_and_passed_over():
    (kmodel, tried), _, notes = climbing([score(0.99, 0.46), None, score(0.99, 0.89)])
    assert kmodel.digest == "2"
    assert [rung.name for rung in tried] == [LADDER[0].name, LADDER[2].name]
    assert notes[1][1]["text"] == f"{LADDER[1].name}: it crashed"


def test_network_that_does_not_compile_at_all_is_the_compilers_error():
    with pytest.raises(CompileFailedError):
        climbing([None])


def test_refusal_has_the_numbers_and_the_mend():
    with pytest.raises(
        GateRefusedError,
        match=r"mAP50-95 0\.460 of 0\.900, mAP50 0\.990 of 0\.990 \(not within 0\.03\).*Label more varied photos",
    ):
        climbing([score(0.99, 0.46)] * 3)


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
