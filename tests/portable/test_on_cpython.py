"""Runs the portable checks under CPython; test_on_micropython.py runs the same files under the real interpreter."""

from collections.abc import Callable

import pytest

from portable import check_link, check_shared


@pytest.mark.parametrize("check", check_shared.CHECKS, ids=lambda check: check.__name__)
def test_shared(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("check", check_link.CHECKS, ids=lambda check: check.__name__)
def test_link(check: Callable[[], None]) -> None:
    check()
