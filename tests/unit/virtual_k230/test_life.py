"""What follows boot.py and main.py: the prompt, a fresh prompt after Ctrl-C, the IDE, or the scripts again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from virtual_k230.life import LifeOps


def board_with(is_attached: bool, was_interrupted: bool, has_version_2: bool = False) -> Any:
    ide = SimpleNamespace(attached=is_attached, script=None, has_version_2=has_version_2)
    return SimpleNamespace(ide=ide, was_interrupted=was_interrupted, next_life=None, say=lambda text: None)


def test_scripts_that_end_by_themselves_are_followed_by_the_prompt() -> None:
    board = board_with(is_attached=False, was_interrupted=False)
    assert not LifeOps(board).after_scripts()
    assert board.next_life is None


def test_ctrl_c_is_followed_by_a_fresh_prompt() -> None:
    board = board_with(is_attached=False, was_interrupted=True)
    assert LifeOps(board).after_scripts()
    assert LifeOps(board).life(board.next_life[1]) == "repl"


@pytest.mark.parametrize(("has_version_2", "life"), [(False, "ide"), (True, "repl")])
def test_an_ide_that_stopped_them_gets_the_board(has_version_2: bool, life: str) -> None:
    board = board_with(is_attached=True, was_interrupted=False, has_version_2=has_version_2)
    assert LifeOps(board).after_scripts()
    assert LifeOps(board).life(board.next_life[1]) == life


def test_an_ide_that_leaves_before_the_interpreter_is_there_again_leaves_a_board_that_starts() -> None:
    board = board_with(is_attached=True, was_interrupted=False)
    assert LifeOps(board).after_scripts()
    board.ide.attached = False
    assert LifeOps(board).life(board.next_life[1]) == "boot"
