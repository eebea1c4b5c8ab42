"""A job's diary after a kill or a full disk: no later line is lost, and a damaged state.json costs time but no run."""

from __future__ import annotations

import json
import logging

import pytest

from snaploop_host.training.job_events import EventWriter, FinishedStages


def test_line_that_was_cut_off_takes_no_later_one_with_it(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"kind": "stage", "stage": "prepare"}\n{"kind": "epo')
    report = EventWriter(file)
    report("stage", stage="train", text="ü")
    report.close()
    first, torn, last = file.read_text().splitlines()
    assert json.loads(first)["stage"] == "prepare" and torn == '{"kind": "epo'
    assert json.loads(last)["stage"] == "train" and json.loads(last)["text"] == "ü"


def test_whole_lines_are_only_added_to(tmp_path):
    file = tmp_path / "events.jsonl"
    for number in range(2):
        report = EventWriter(file)
        report("note", number=number)
        report.close()
    assert [json.loads(line)["number"] for line in file.read_text().splitlines()] == [0, 1]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"[]", b'{"train": 3}', b'{"train": {}}', b'{"train": {"result": {}}}', b'{"tra']
)
def test_damaged_state_counts_as_nothing_done(tmp_path, content, caplog):
    file = tmp_path / "state.json"
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        stages = FinishedStages(file)
    assert stages.get("train") is None and stages.timings_s() == {}
    assert "state.json is damaged" in caplog.text and "done again" in caplog.text
    stages.finish("prepare", {"train": 3}, 1.5)
    assert FinishedStages(file).get("prepare") == {"train": 3}
