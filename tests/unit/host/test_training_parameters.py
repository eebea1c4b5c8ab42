"""Parameters: every one is read in its range or refused by its name; presets; the stop rule; balance; durations."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaploop_host.domain.class_balance import balance_warnings, class_counts
from snaploop_host.domain.durations import duration_text
from snaploop_host.domain.gate import SETTINGS
from snaploop_host.domain.projects import TASKS
from snaploop_host.domain.training_parameters import (
    ALIASES,
    CHOICE,
    NUMBER,
    PRESET_TEXTS,
    PRESETS,
    RULES,
    WHOLE,
    check_parameters,
    rules_of,
    with_preset,
)
from snaploop_host.errors import BadInputError
from snaploop_host.training.job_spec import Parameters
from snaploop_host.training.stopping import is_stable, why_ended


def test_table_and_job_know_the_same_parameters():
    assert {rule.name for rule in RULES} - set(SETTINGS) == {field.name for field in dataclasses.fields(Parameters)}
    for rule in RULES:  # what is a default must be allowed
        default = getattr(Parameters(), rule.name, None)
        assert default is None or rule.read(default) == default


@pytest.mark.parametrize("task", TASKS)
def test_every_parameter_of_every_task_takes_its_range_and_names_itself_outside(task):
    for rule in rules_of(task):
        good: list[object] = {WHOLE: [rule.low, rule.high], NUMBER: [rule.low, rule.high], CHOICE: rule.choices}.get(
            rule.kind, ["true"]
        )
        for value in good:
            assert rule.name in check_parameters(task, {rule.name: value})
            assert rule.name in check_parameters(task, {rule.name: str(value)})  # a form's
        bad = {
            WHOLE: [rule.low - 1, rule.high + 1, 1.5, "x", True, float("nan")],
            NUMBER: [rule.high * 2 + 1, "x", float("inf")],
        }
        for value in bad.get(rule.kind, [[]]):
            with pytest.raises(BadInputError) as refused:
                check_parameters(task, {rule.name: value})
            assert str(refused.value).startswith(f"{rule.name}={value}: allowed are ") and "\n" not in str(
                refused.value
            )


def test_names_of_other_platforms():
    assert check_parameters("detect", {"iterations": 200, "learning_rate": 0.001}) == {"epochs": 200, "lr0": 0.001}
    with pytest.raises(BadInputError, match="iterations and epochs are the same parameter"):
        check_parameters("detect", {"epochs": 1, "iterations": 2})
    assert set(ALIASES.values()) <= {rule.name for rule in RULES}


@given(st.text(max_size=12).filter(lambda name: name not in {rule.name for rule in RULES} | set(ALIASES)))
def test_unknown_names_get_the_list(name):
    with pytest.raises(BadInputError, match=r"known are .*batch.*epochs"):
        check_parameters("detect", {name: 1})


def test_presets_set_what_is_not_given_itself():
    assert set(PRESETS) == set(PRESET_TEXTS) == {"none", "gentle", "normal", "strong"}
    normal = Parameters(**with_preset({}))
    assert normal == Parameters()  # "normal" is the default of every parameter
    strong = Parameters(**with_preset({"preset": "strong", "hue": 0.0}))
    assert (strong.scale, strong.hue) == (PRESETS["strong"]["scale"], 0.0)
    for name in PRESETS["none"]:
        assert PRESETS["none"][name] <= PRESETS["gentle"][name] <= PRESETS["normal"][name] <= PRESETS["strong"][name]


def stop(change=0.05, epochs=3):
    return Parameters(**with_preset(check_parameters("detect", {"stop_change": change, "stop_epochs": epochs})))


def test_stop_rule_wants_so_many_small_changes_in_a_row():
    assert check_parameters("detect", {"stop_epochs": 30}) == {"stop_epochs": 30, "stop_change": 0.05}
    falling = [5.0, 4.0, 3.99, 3.98]
    assert not is_stable(falling, stop())
    assert is_stable([*falling, 3.97], stop())
    assert not is_stable([*falling, 3.97, 3.5], stop())  # a jump begins the count anew
    assert is_stable([3.0, 3.04, 3.0, 3.04], stop())  # up and down, but little
    assert not is_stable([1.0] * 99, Parameters())  # only when it is asked for


@pytest.mark.parametrize(
    ("epochs", "losses", "rule", "words"),
    [
        (9, [1.0] * 9, "epochs", "after all 9 epochs; the best was epoch 2"),
        (
            5,
            [9.0, 1.0, 1.0, 1.0, 1.0],
            "stop rule",
            r"after epoch 5 of 9 by the stop rule: .* less than 0\.05 for 3 epochs",
        ),
        (5, [9.0, 7.0, 5.0, 3.0, 1.0], "patience", r"after epoch 5 of 9: nothing better since epoch 2 \(patience 3\)"),
    ],
)
def test_a_run_says_why_it_ended(epochs, losses, rule, words):
    import re

    curve = [{"losses": {"one": loss}} for loss in losses]
    ended, text = why_ended({"epochs": epochs, "epochs_planned": 9, "best_epoch": 2, "curve": curve}, stop())
    assert ended == rule and re.search(words, text)


def test_balance_names_what_is_missing_and_what_is_rare():
    counts = class_counts(("cup", "pen", "key", "jar"), ["cup"] * 40 + ["pen"] * 4 + ["jar"] * 5, ["cup", "pen", "key"])
    assert [(one.train, one.val) for one in counts] == [(40, 1), (4, 1), (0, 1), (5, 0)]
    said = balance_warnings(counts)
    assert [line.split(":")[0] for line in said] == [
        "class pen is rare",
        "class key has no training example",
        "class jar has none in validation",
    ]
    assert "4 examples to learn from, cup has 40" in said[0]
    assert balance_warnings(class_counts(("a", "b"), "aab", "ab")) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.6, "1 m 0 s"), (2310, "38 m 30 s"), (1200, "20 m 0 s"), (3905, "1 h 5 m 5 s")]
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


def test_number_of_more_digits_than_fit_is_refused():
    for value in (10**400, "9" * 400, f"-{'9' * 400}"):
        with pytest.raises(BadInputError, match=r"^epochs=.*allowed are whole numbers from 1 to 5000$"):
            check_parameters("detect", {"epochs": value})
