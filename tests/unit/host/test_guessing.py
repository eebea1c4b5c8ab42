"""A model that only guesses is told of, although its kmodel loses nothing."""

from __future__ import annotations

import pytest

from snaploop_host.domain.scores import guessing_text


@pytest.mark.parametrize(
    ("task", "values", "classes", "is_told"),
    [
        ("classify", {"top1": 0.1}, 12, True),
        ("classify", {"top1": 0.25}, 12, False),
        ("classify", {"top1": 0.5}, 2, True),
        ("classify", {"top1": 0.92, "macro_f1": 0.48}, 2, True),
        ("classify", {"top1": 0.92, "macro_f1": 0.7}, 2, False),
        ("embed", {"recall_at_1": 0.1}, 10, True),
        ("embed", {"recall_at_1": 0.8}, 10, False),
        ("ocr_recognize", {"accuracy": 0.0}, 1, True),
        ("ocr_recognize", {"accuracy": 0.1}, 1, False),
        ("detect", {"map50_95": 0.05}, 1, False),
    ],
)
def test_guessing_is_told(task, values, classes, is_told):
    assert ("hardly better than guessing" in guessing_text(task, values, classes)) is is_told
