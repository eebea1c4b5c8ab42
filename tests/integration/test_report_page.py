"""Pages of runs and models, `snaploop models show`, and a refused model that somebody forces."""

from __future__ import annotations

import json
import re
import time

import pytest
from typer.testing import CliRunner

from fakes.board_client import jpeg
from fakes.host_folder import make_host, pair_client
from fakes.served_page import served
from snaploop_host.cli.main import app
from snaploop_host.errors import ConflictError
from snaploop_shared.sample_record import Box

CURVE = [
    {"threshold": step / 10, "precision": 0.5 + step / 20, "recall": 1 - step / 10, "f1": 0.6} for step in range(11)
]
RUNGS = [
    {
        "name": "uint8, 20 samples",
        "kmodel_bytes": 2000,
        "compile_seconds": 12.0,
        "simulate_seconds": 60.0,
        "scores": {"map50": 0.5, "map50_95": 0.3},
        "passed": False,
        "outcome": "failed",
        "images": 24,
        "lost": 0.5,
        "text": "uint8: it lost",
        "notes": ["3 layers equalised"],
        "operators_on_cpu": {"concat": 13},
        "cosines": [[0.99, 0.98]],
    },
    {
        "name": "uint8, Kld",
        "kmodel_bytes": 0,
        "compile_seconds": 0.0,
        "simulate_seconds": 0.0,
        "scores": {},
        "passed": False,
        "outcome": "no kmodel",
        "text": "uint8, Kld: it <crashed>",
    },
]
MORE = {
    "rungs": RUNGS,
    "rung": "uint8, 20 samples",
    "verdict": "refused",
    "available_images": 96,
    "loss": {"map50_95": {"value": 0.5, "low": 0.4, "high": 0.6, "text": "kmodel loses 50.0 points of mAP50-95"}},
    "classes": [
        {
            "name": "red",
            "train_examples": 7,
            "val_examples": 2,
            "evaluated_examples": 2,
            "float_scores": {"map50": 0.9},
            "kmodel_scores": {"map50": 0.4},
        }
    ],
    "pictures": ["val_00.jpg"],
    "worst": ["val_00.jpg"],
    "notes": ["class green has no validation photo"],
    "training": {"all_val": {"images": 24, "curve": CURVE, "best_threshold": 0.4}},
}


@pytest.fixture
def host(tmp_path):
    host = make_host(tmp_path)
    board = pair_client(host)
    for number in range(12):
        board.send_sample(f"b1-{number:06}", jpeg(number), [Box(("red", "yellow", "green")[number % 3], 1, 1, 20, 20)])
    yield host
    for run in host.store.runs():
        host.jobs.stop(run.id)
    host.close()


def refused(host):
    """A model that lost half, with a full report."""
    run = host.train.start(1, {"pretend": "refuse"})
    host.train.step()
    while host.jobs.is_running(run.id):
        time.sleep(0.02)
    path = host.jobs.artifact(run.id, "result.json")
    result = json.loads(path.read_text()) | MORE
    result["kmodel_score"]["confusion"] = [[5, 1, 0, 2], [0, 6, 0, 0], [0, 0, 7, 0], [1, 0, 0, 0]]
    path.write_text(json.dumps(result))
    path.with_name("val_00.jpg").write_bytes(jpeg(0))
    deadline = time.monotonic() + 180
    while host.store.run(run.id).is_active:
        assert time.monotonic() < deadline
        host.train.step()
        time.sleep(0.02)
    return host.store.models(1)[0]


async def test_page_of_a_model_shows_everything_of_its_report(host):
    model = refused(host)
    async with served(host) as client:
        page = await (await client.get(f"/projects/lights/models/{model.short}")).text()
        for told in (
            "refused: on 24 validation photos",
            "kmodel loses 50.0 points of mAP50-95",
            "24 of 96",
            "3 layers equalised",
            "uint8, Kld: it &lt;crashed&gt;",
            "concat 13",
            "0.9900",
            "class green has no validation photo",
            "recommended <b>0.4</b>",
            "Offer it to the boards all the same",
        ):
            assert told in page, told
        assert 'class="n right s7">5<' in page and 'class="n wrong s3">2<' in page  # shares of a row in tenths
        picture = re.search(r'src="(/runs/1/pictures/val_00.jpg)"', page).group(1)
        answer = await client.get(picture)
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
        assert (await client.get("/runs/1/pictures/val_07.jpg")).status == 404
        page = await (await client.get("/projects/lights/runs/1")).text()
        assert f"/projects/lights/models/{model.short}" in page and "3 layers equalised" in page
        told = await (await client.get(f"/api/models/{model.short}")).json()
        assert told["manifest"]["digest"] == model.digest
        assert [rung["outcome"] for rung in told["report"]["rungs"]] == ["failed", "no kmodel"]
        assert (await client.get("/api/models/0123456789ab")).status == 404


async def test_page_of_a_run_that_made_no_model(host):
    run = host.train.start(1, {"pretend": "error"})
    deadline = time.monotonic() + 180
    while host.store.run(run.id).is_active:
        assert time.monotonic() < deadline
        host.train.step()
        time.sleep(0.02)
    async with served(host) as client:
        page = await (await client.get(f"/projects/lights/runs/{run.id}")).text()
        assert "no two photos alike: take more" in page and "Quantisation" not in page
        assert (await client.get("/projects/lights/runs/99")).status == 404


async def test_refused_model_is_offered_only_by_force_and_says_so(host):
    model = refused(host)
    with pytest.raises(ConflictError, match="--force"):
        host.train.publisher.offer_again(model.short)
    assert host.store.offered_model(1) is None
    async with served(host) as client:
        answer = await client.post(f"/projects/lights/models/{model.short}/force")
        page = await answer.text()
        assert answer.status == 200 and "forced: refused" in page and "Offer it to the boards" not in page
    offered = host.store.offered_model(1)
    assert offered.is_forced and offered.serial > model.serial
    assert json.loads(offered.manifest)["forced"] is True
    assert host.store.models(1)[0].gate_text.startswith("forced: refused: on 24 validation photos")


@pytest.mark.parametrize("is_blind", [False, True])
def test_forced_by_the_run_itself(host, is_blind):
    run = host.train.start(1, {"pretend": "refuse", "force": True})
    job = json.loads((host.config.data_dir / "jobs" / str(run.id) / "job.json").read_text())
    assert job["gate"]["force"] is True and "force" not in job["parameters"]
    host.train.step()
    while host.jobs.is_running(run.id):
        time.sleep(0.02)
    path = host.jobs.artifact(run.id, "result.json")
    result = json.loads(path.read_text()) | {"verdict": "forced"}
    if is_blind:
        result["float_score"]["values"] = dict.fromkeys(result["float_score"]["values"], 0.0)
    path.write_text(json.dumps(result))
    deadline = time.monotonic() + 180
    while (run := host.store.run(run.id)).is_active:
        assert time.monotonic() < deadline
        host.train.step()
        time.sleep(0.02)
    assert run.state == "succeeded" and run.text.startswith("forced: ")
    assert ("finds next to nothing before quantising already" in run.text) == is_blind
    assert host.store.offered_model(1).is_forced


def test_models_show_and_train_task(host):
    model = refused(host)
    data = str(host.config.data_dir)
    shown = CliRunner().invoke(app, ["models", "show", model.short, "--data", data], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    for told in (
        "refused: on 24",
        "* uint8, 20 samples",
        "no kmodel",
        "loses 50.0 points",
        "concat 13",
        "class green has no",
    ):
        assert told in shown.output, told
    as_json = json.loads(CliRunner().invoke(app, ["models", "show", model.digest, "--json", "--data", data]).output)
    assert (as_json["short"], as_json["report"]["rung"]) == (model.short, "uint8, 20 samples")
    wrong = CliRunner().invoke(app, ["train", "--project", "lights", "--task", "classify", "--data", data])
    assert "project lights is of detect, and stays so" in str(wrong.exception)
    offered = CliRunner().invoke(app, ["offer", model.short, "--force", "--data", data])
    assert f"model {model.short} is offered, with serial 2: forced: refused" in offered.output
