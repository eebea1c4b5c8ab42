"""Before a training: parameters, balance, estimate, limit and preview, on the command line, in the API and on the page."""

from __future__ import annotations

import json
import time

import pytest
from typer.testing import CliRunner

from fakes.board_client import jpeg
from fakes.host_folder import board_with_photos
from fakes.served_page import served
from integration.test_training_jobs import follow
from snaploop_host.cli.main import app
from snaploop_host.errors import BadInputError, CannotTrainError
from snaploop_shared.sample_record import Box

ESTIMATE = {"seconds": 2310.0, "text": "estimated 38 m 30 s: …", "refused": "estimated 38 m 30 s vs 20 m 0 s allowed"}


@pytest.fixture
def board(tmp_path):
    with board_with_photos(tmp_path) as board:
        yield board


@pytest.fixture
def host(board):
    return board.host


@pytest.fixture
def asked(host, monkeypatch):
    """What the workers are asked, who would take seconds; their real answers are tested beside training."""
    asked = []

    def answer(question, job):
        asked.append((question, job))
        return (
            ESTIMATE if question == "estimate" else {"picture": b"\x89PNG of " + job["parameters"]["preset"].encode()}
        )

    monkeypatch.setattr(host.jobs, "ask", answer)
    return asked


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"epoch": 3}, r"unknown parameter epoch \(did you mean epochs\?\): known are .*batch, .*epochs"),
        ({"lr0": 7}, "lr0=7: allowed are numbers from 1e-06 to 1"),
        ({"iterations": 0}, "epochs=0: allowed are whole numbers from 1 to 5000"),
        ({"dictionary": "abc"}, "parameter dictionary is of ocr_recognize, this project is of detect"),
    ],
)
def test_parameter_that_cannot_be_is_refused_before_anything_is_stored(host, parameters, words):
    with pytest.raises(BadInputError, match=words):
        host.train.start(1, parameters)
    assert host.store.runs() == []
    assert follow(host, host.train.start(1)).state == "succeeded"  # the next runs


def test_photo_with_more_labels_than_the_limit_is_named(host, board):
    board.send_sample("b77-000000", jpeg(77), [Box("red", 1, 1, 20, 20)] * 6)
    with pytest.raises(CannotTrainError, match="box_limit=5: 1 photos have more labels, b77-000000 has 6: allow 6"):
        host.train.start(1, {"box_limit": 5})
    assert host.train.start(1, {"box_limit": 6}).state == "queued"


def test_start_from_scratch_or_from_a_model_that_must_be_there(host):
    with pytest.raises(CannotTrainError, match="start=warm: lights has no model"):
        host.train.start(1, {"start": "warm"})
    assert follow(host, host.train.start(1)).state == "succeeded"
    for start, is_warm in (("scratch", False), ("pretrained", False), ("auto", True), ("warm", True)):
        run = host.train.start(1, {"start": start})
        job = json.loads((host.config.data_dir / "jobs" / str(run.id) / "job.json").read_text())
        assert (job["warm_start"] is not None, run.warm_start_run_id is not None) == (is_warm, is_warm), start
        host.train.cancel(run.id)


def test_no_start_from_a_model_of_another_network(host, monkeypatch):
    run = follow(host, host.train.start(1))
    result = host.config.data_dir / "jobs" / str(run.id) / "artifacts" / "result.json"
    held = json.loads(result.read_text())
    result.write_text(json.dumps(held | {"training": {"network": "db_mobilenet_v3_large"}}))
    with pytest.raises(
        CannotTrainError, match=r"start=warm: .* is of the network db_mobilenet_v3_large, not own: give"
    ):
        host.train.start(1, {"start": "warm"})
    assert host.train.start(1).warm_start_run_id is None


def test_cancelled_run_goes_on_with_the_photos_it_had(host, board):
    run = host.train.start(1, {"pretend": "wait"})
    follow(host, run, lambda run: run.epoch == 1)
    host.train.cancel(run.id)
    folder = host.config.data_dir / "jobs" / str(run.id)
    job = (folder / "job.json").read_bytes()
    board.send_sample("b99-000000", jpeg(99), [Box("red", 1, 1, 20, 20)])
    other = host.train.start(1, {"pretend": "wait"})
    with pytest.raises(CannotTrainError, match=f"run {other.id} of lights is queued already"):
        host.train.go_on(run.id)
    host.train.cancel(other.id)
    (folder / "go").touch()
    assert host.train.go_on(run.id).state == "queued"
    assert (folder / "job.json").read_bytes() == job
    assert follow(host, host.store.run(run.id)).state == "succeeded"
    with pytest.raises(CannotTrainError, match="is succeeded: only a cancelled or failed run goes on"):
        host.train.go_on(run.id)


def test_failed_run_goes_on_too_unless_its_files_are_gone(host):
    run = follow(host, host.train.start(1, {"pretend": "crash"}))
    assert run.state == "failed"
    assert follow(host, host.train.go_on(run.id)).state == "failed"  # it crashes again
    (host.config.data_dir / "jobs" / str(run.id) / "job.json").unlink()
    with pytest.raises(CannotTrainError, match=f"the files of run {run.id} are gone"):
        host.train.go_on(run.id)


async def test_page_says_how_long_it_takes_and_what_is_missing_before_it_starts(host, asked):
    async with served(host) as client:
        page = await (await client.get("/projects/lights")).text()
        assert "class green has none in validation" in page
        assert 'name="lr0"' in page and 'name="dictionary"' not in page and "augment.png?preset=strong" in page
        answer = await client.post("/projects/lights/estimate", data={"epochs": "75", "lr0": "", "max_minutes": "20"})
        page = await answer.text()
        assert answer.status == 200 and ESTIMATE["refused"] in page
        assert 'value="75"' in page  # what was typed stays
        assert asked[-1][1]["parameters"] == {"epochs": 75, "max_minutes": 20.0}
        answer = await client.post("/projects/lights/estimate", data={"epochs": "many"})
        assert answer.status == 400 and "epochs=many: allowed are whole numbers" in await answer.text()
        picture = await client.get("/projects/lights/augment.png?preset=strong&hue=")
        assert (picture.content_type, await picture.read()) == ("image/png", b"\x89PNG of strong")
        answer = await client.post(
            "/projects/lights/train", data={"epochs": "9", "preset": "gentle"}, allow_redirects=False
        )
        assert answer.status == 303
    job = json.loads((host.config.data_dir / "jobs" / "1" / "job.json").read_text())
    assert job["parameters"] == {"epochs": 9, "preset": "gentle"}


async def test_api(host, asked):
    async with served(host) as client:
        rules = await (await client.get("/api/parameters?task=ocr_recognize")).json()
        assert {"dictionary", "lrf"} <= {rule["name"] for rule in rules} and "mosaic" not in {
            one["name"] for one in rules
        }
        said = await (await client.get("/api/projects/lights/balance")).json()
        assert {one["name"]: one["train"] + one["val"] for one in said["classes"]} == {
            "red": 6,
            "yellow": 5,
            "green": 1,
        }
        found = await (await client.post("/api/projects/lights/estimate", json={"parameters": {"batch": 4}})).json()
        assert found == ESTIMATE
        assert (await client.post("/api/projects/lights/estimate", json={"parameters": {"batch": 0}})).status == 400
        run = host.train.start(1, {"pretend": "wait"})
        host.train.cancel(run.id)
        assert (await (await client.post(f"/api/runs/{run.id}/resume")).json())["state"] == "queued"
        assert (await client.post(f"/api/runs/{run.id}/resume")).status == 409


def test_command_line(host, asked, monkeypatch, tmp_path):
    monkeypatch.setattr("snaploop_host.app.open_host", lambda *_: host)
    monkeypatch.setattr(type(host), "close", lambda _: None)
    run = CliRunner().invoke
    said = run(app, ["train", "-p", "lights", "--estimate", "--max-minutes", "20", "--data", str(tmp_path)])
    assert said.exit_code == 1 and "38 m 30 s vs 20 m 0 s" in said.output and "class green has none" in said.output
    assert "training/validation: red " in said.output
    assert asked[-1][1]["parameters"] == {"max_minutes": 20.0}
    out = run(app, ["augment", "-p", "lights", "--preset", "strong", "--out", str(tmp_path), "--data", str(tmp_path)])
    assert out.exit_code == 0 and (tmp_path / "augment_lights_strong.png").read_bytes() == b"\x89PNG of strong"
    listed = run(app, ["parameters", "--task", "classify", "--json"])
    assert "patience" in {rule["name"] for rule in json.loads(listed.output)}
    monkeypatch.undo()


def test_real_workers_answer_for_bad_photos_with_one_line(host):
    """The processes themselves: started, asked, and what they refuse comes back as our error."""
    with pytest.raises(CannotTrainError, match=r"none of the 1 training photos has a box: label more photos"):
        host.jobs.ask("estimate", host.train._would_be(1, {}) | {"dataset": {"train": [_ghost()], "val": [_ghost()]}})
    ends = time.monotonic() + 180
    while list((host.config.data_dir / "jobs").glob("estimate-*")):
        assert time.monotonic() < ends


def _ghost():
    return {"image": "/nowhere.jpg", "name": "ghost", "width": 9, "height": 9, "boxes": []}
