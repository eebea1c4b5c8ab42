"""Transition tables and error tables."""

from __future__ import annotations

import dataclasses

import pytest

from snaploop_host import errors
from snaploop_host.domain import boards, runs
from snaploop_host.domain.projects import check_classes, check_project_name


def run(state):
    return runs.Run(1, 1, 1, state, 0.0)


@pytest.mark.parametrize(("before", "after"), [(a, b) for a, many in runs.MOVES.items() for b in many])
def test_legal_moves_of_a_run(before, after):
    assert runs.check_move(run(before), after) == after


@pytest.mark.parametrize("before", [runs.SUCCEEDED, runs.REFUSED])
def test_an_ended_run_goes_nowhere(before):
    for after in runs.MOVES:
        with pytest.raises(errors.IllegalMoveError, match=before):
            runs.check_move(run(before), after)


def test_every_state_is_in_its_table():
    assert set(runs.MOVES) == {after for many in runs.MOVES.values() for after in many} | {runs.QUEUED}
    assert set(boards.DEPLOYMENT_MOVES) == {*boards.DEPLOYMENT_STATES, boards.OFFERED}


def test_deployment_moves():
    boards.check_deployment_move(boards.TRIAL, boards.ROLLED_BACK)
    with pytest.raises(errors.BadInputError):
        boards.check_deployment_move(boards.ROLLED_BACK, boards.CONFIRMED)
    with pytest.raises(errors.BadInputError, match="none of"):
        boards.check_deployment_move(boards.TRIAL, "exploded")


def test_a_board_never_shows_its_key():
    board = boards.Board("id", "desk", b"\x42" * 32, 1, 0, 0.0)
    assert "42" not in repr(board)
    assert "B" * 8 not in repr(board)
    assert dataclasses.replace(board, name="x").key == board.key


def test_errors_have_status_and_exit_code_of_their_nearest_class():
    assert errors.http_status(errors.CannotTrainError("x")) == 409
    assert errors.http_status(errors.StorageFullError("x")) == 507
    assert errors.http_status(errors.HostError("x")) == 500
    assert errors.exit_code(errors.StorageFullError("x")) == errors.exit_code(errors.StorageError("x")) == 6
    assert errors.exit_code(errors.PortBusyError("x")) == 7
    assert errors.exit_code(errors.HostError("x")) == 1


@pytest.mark.parametrize("name", ["", "a/b", "../x", "-x", "x" * 41, "a b", "é\n"])
def test_project_names_that_cannot_be_in_an_address(name):
    with pytest.raises(errors.BadInputError, match="project name"):
        check_project_name(name)


@pytest.mark.parametrize(
    "classes", [(), ("",), ("a", "a"), ("a,b",), ("a\x00",), ("x" * 41,), tuple(map(str, range(81)))]
)
def test_classes_that_break_a_rule(classes):
    with pytest.raises(errors.BadInputError, match="class"):
        check_classes(classes)


def test_class_names_are_stripped():
    assert check_classes((" red ", "grün")) == ("red", "grün")
