"""The portable checks of the board app under CPython; tests/portable/test_on_micropython.py runs the same file on MicroPython."""

import pytest

from portable import check_device


@pytest.mark.parametrize("check", check_device.CHECKS, ids=lambda check: check.__name__)
def test_device(check):
    check()
