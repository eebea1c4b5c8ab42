"""The parts of the page that are computed: curve and next step."""

from __future__ import annotations

import pytest

from snaploop_host.domain.scores import METRICS as METRICS_OF_TASKS
from snaploop_host.web.curve import HEIGHT, WIDTH, curve
from snaploop_host.web.next_step import CAPTURE, LABEL, LABELLING, LIVE, SYNC, TRAIN, next_step


def point(epoch, map50=0.5, loss=1.0):
    return {"epoch": epoch, "loss": loss, "scores": {} if map50 is None else {"map50": map50}}


METRICS = ("map50", "map50_95")


def test_no_curve_before_the_first_epoch():
    assert curve([], METRICS, 10) is None


def test_curve_stays_in_its_frame_and_rises_with_the_score():
    drawn = curve([point(1, 0.0, 4.0), point(2, 0.5, 2.0), point(3, 2.0, 1.0)], METRICS, 10)
    pairs = [tuple(map(float, pair.split(","))) for pair in drawn.scores[0].points.split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in pairs)
    assert [x for x, _ in pairs] == sorted(x for x, _ in pairs)
    assert pairs[0][1] > pairs[1][1] > pairs[2][1]
    assert (drawn.scores[0].title, drawn.scores[0].last) == ("mAP50", 2.0)
    assert (drawn.scores[1].points, drawn.scores[1].last) == ("", None)
    assert drawn.most_loss == 4.0


@pytest.mark.parametrize("points", [[point(1)], [point(7, None, None)], [point(1, 0, 0)]])
def test_curve_of_little_is_no_crash(points):
    assert curve(points, METRICS, 0).epochs >= 2


def counts(photos=0, new=0, labelled=0, task="detect"):
    return {
        "name": "lights",
        "task": task,
        "photos": photos,
        "states": {"new": new, "labelled": labelled, "rejected": 0},
        "photos_to_train": max(0, 8 - labelled),
    }


BOARD = {"id": "a"}


def model(state, passed=True):
    return {"is_gate_passed": passed, "boards": [{"state": state}] if state else []}


def test_first_step_is_a_button_where_a_board_is_plugged_in():
    step = next_step(counts(), None, [], [], [{"port": "/dev/ttyACM0", "state": "open"}])
    assert (step.address, step.button) == ("/projects/lights/install?port=/dev/ttyACM0", "Install the app")
    assert not next_step(counts(), None, [], [], [{"port": "/dev/ttyACM0", "state": "waiting"}]).button


@pytest.mark.parametrize(
    ("given", "stage", "words"),
    [
        ((counts(), None, [], []), CAPTURE, "board"),
        ((counts(), None, [], [BOARD]), CAPTURE, "shutter"),
        ((counts(9, new=9), None, [], [BOARD]), LABEL, "labels"),
        *[((counts(9, new=9, task=task), None, [], [BOARD]), LABEL, LABELLING[task]) for task in METRICS_OF_TASKS],
        ((counts(3, labelled=3), None, [], [BOARD]), CAPTURE, "5 more"),
        ((counts(9, labelled=9), None, [], [BOARD]), TRAIN, "start"),
        ((counts(9, labelled=9), {"is_active": True, "state": "running"}, [], [BOARD]), TRAIN, "at work"),
        (
            (counts(9, labelled=9), {"is_active": False, "state": "refused"}, [model(None, False)], [BOARD]),
            TRAIN,
            "no model",
        ),
        ((counts(9, labelled=9), {"is_active": False, "state": "succeeded"}, [model(None)], [BOARD]), SYNC, "waits"),
        (
            (counts(9, labelled=9), {"is_active": False, "state": "succeeded"}, [model("confirmed")], [BOARD]),
            LIVE,
            "live",
        ),
        (
            (counts(9, labelled=9), {"is_active": False, "state": "succeeded"}, [model("rolled_back")], [BOARD]),
            LIVE,
            "reason",
        ),
    ],
)
def test_next_step(given, stage, words):
    step = next_step(*given)
    assert step.stage == stage
    assert words in step.text
