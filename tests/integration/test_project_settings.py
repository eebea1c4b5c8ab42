"""A project's own parameters for every training: set on the command line, in the API and on the page; a board's Train button uses them."""

from __future__ import annotations

import asyncio
import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from fakes.host_folder import board_with_photos, make_host
from fakes.served_page import served
from snaploop_host.cli.main import app
from snaploop_host.domain.training_parameters import changed_settings, check_parameters, with_settings
from snaploop_host.errors import BadInputError
from snaploop_host.storage.database import upgrade
from snaploop_host.training.job_spec import read_job
from snaploop_shared import messages


@pytest.fixture
def board(tmp_path):
    with board_with_photos(tmp_path) as board:
        yield board


@pytest.fixture
def host(board):
    return board.host


@pytest.fixture
def plain(tmp_path):
    """A host without photos."""
    host = make_host(tmp_path)
    yield host
    host.close()


def snaploop(host, *arguments):
    return CliRunner().invoke(app, [*arguments, "--data", str(host.config.data_dir)])


def job(host, run_id):
    return read_job(host.config.data_dir / "jobs" / str(run_id) / "job.json")


def test_the_train_button_of_a_board_uses_them_and_a_run_may_say_otherwise(host, board):
    done = snaploop(
        host, "projects", "set", "lights", "gate=0.02", "imgsz=256", "iterations=7", "force=true", "gate_seconds=30"
    )
    assert (
        done.stdout == "every training of lights uses gate=0.02, imgsz=256, epochs=7, force=true, gate_seconds=30\n"
    ), done
    run_id = board.ask("POST", messages.TRAIN).arguments["run"]
    made = job(host, run_id)
    assert (made.parameters.imgsz, made.parameters.epochs) == (256, 7)
    assert (made.gate.limit_points, made.gate.force) == (0.02, True)
    host.train.cancel(run_id)
    made = job(host, host.train.start(1, {"gate": 0.05, "imgsz": None}).id)
    assert (made.gate.limit_points, made.parameters.imgsz, made.parameters.epochs) == (0.05, None, 7)


def test_set_show_list_and_take_back(host):
    assert "every training uses the defaults" in snaploop(host, "projects", "show", "lights").stdout
    snaploop(host, "projects", "set", "lights", "gate=0.02", "preset=Strong")
    done = snaploop(host, "projects", "set", "lights", "gate=", "batch=4", "--json")
    assert json.loads(done.stdout) == {"name": "lights", "settings": {"preset": "strong", "batch": 4}}
    shown = snaploop(host, "projects", "show", "lights").stdout
    assert "project lights (detect: boxes around things)\nclasses: red 6, yellow 5, green 1 labelled\n" in shown
    assert "photos: 12 (12 labelled)\nevery training uses preset=strong, batch=4: change it with" in shown
    assert json.loads(snaploop(host, "projects", "show", "lights", "--json").stdout)["settings"]["batch"] == 4
    assert "preset=strong" in snaploop(host, "projects", "list").stdout
    done = snaploop(host, "projects", "set", "lights", "preset=", "batch=")
    assert done.stdout == "every training of lights uses the defaults\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["imgsz=250"], "imgsz=250: allowed are whole numbers from 96 to 1280, a multiple of 32"),
        (["gate=2"], "gate=2: allowed are numbers from 0 to 0.99"),
        (["gates=0.02"], r"unknown parameter gates (did you mean gate?): known are"),
        (["gates="], r"unknown parameter gates (did you mean gate?): known are"),
        (["gate"], "gate: give a name and a value, such as lr0=0.001"),
        (["dictionary=abc"], "parameter dictionary is of ocr_recognize, this project is of detect"),
        ([], "say what every training of lights shall use, such as `snaploop projects set lights gate=0.02`"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_kept(plain, settings, words):
    done = (
        snaploop(plain, "projects", "set", "lights", "batch=4", *settings)
        if settings
        else snaploop(plain, "projects", "set", "lights")
    )
    assert isinstance(done.exception, BadInputError) and words in str(done.exception)
    assert "\n" not in str(done.exception)
    assert plain.store.project(1).settings == {}


def test_what_a_run_gives_lies_over_what_the_project_has():
    project = {"preset": "gentle", "scale": 0.1, "epochs": 9, "stop_epochs": 30, "stop_change": 0.05}

    def run(given):
        return with_settings("detect", project, given)

    assert run({}) == project
    assert run({"iterations": 3})["epochs"] == 3
    assert "scale" not in run({"preset": "strong"}) and run({"preset": "strong", "scale": 0.3})["scale"] == 0.3
    assert run({"preset": None})["scale"] == 0.1 and "preset" not in run({"preset": None})
    assert not {"stop_epochs", "stop_change"} & set(run({"stop_change": None}))
    with pytest.raises(BadInputError, match="lr0=7"):
        run({"lr0": 7})
    assert changed_settings("detect", project, {"image_size": 96, "iterations": None}) == {
        name: value for name, value in project.items() if name != "epochs"
    } | {"imgsz": 96}
    assert changed_settings("detect", {}, {"stop_epochs": 9}) == check_parameters("detect", {"stop_epochs": 9})


def test_the_command_says_what_a_run_takes_from_the_project(plain):
    plain.store.set_settings(1, {"gate": 0.02, "epochs": 7})
    assert plain.train.settings_used(1, {"epochs": 9}) == {"gate": 0.02}


def test_api_and_page(host):
    async def walk():
        async with served(host) as client:
            url = "/api/projects/lights/settings"
            answer = await client.put(url, json={"parameters": {"gate": 0.02, "imgsz": 256}})
            assert answer.status == 200 and (await answer.json())["settings"] == {"gate": 0.02, "imgsz": 256}
            answer = await client.put(url, json={"parameters": {"imgsz": None, "bf16": False}})
            assert (await answer.json())["settings"] == {"gate": 0.02, "bf16": False}
            answer = await client.put(url, json={"parameters": {"imgsz": 100}})
            assert answer.status == 400 and "imgsz=100: allowed are" in (await answer.json())["error"]
            answer = await client.put(url, json={"gate": 0.5})
            assert answer.status == 400 and "parameters must be an object" in (await answer.json())["error"]
            page = await (await client.get("/projects/lights")).text()
            assert "Every training of this project uses gate=0.02, bf16=false." in page
            assert 'name="gate" value="0.02"' in page and "<option selected>false</option>" in page
            assert (
                '<select name="bf16"><option value="">true (default)</option><option selected>false</option></select>'
                in page
            )
            form = {"gate": "0.03", "imgsz": "320", "bf16": "", "lr0": ""}
            answer = await client.post("/projects/lights/settings", data=form, allow_redirects=False)
            assert answer.status == 303 and host.store.project(1).settings == {"gate": 0.03, "imgsz": 320}
            answer = await client.post("/projects/lights/settings", data={"gate": "7"})
            assert answer.status == 400 and "gate=7: allowed are" in await answer.text()
            # The form was filled with both; one is emptied and one is changed for this run.
            await client.post("/projects/lights/train", data={"gate": "", "imgsz": "96"}, allow_redirects=False)
            (run,) = host.store.runs()
            made = job(host, run.id)
            assert (made.gate.limit_points, made.parameters.imgsz) == (0.01, 96)
            host.train.cancel(run.id)
            await client.post("/projects/lights/train", allow_redirects=False)  # the plain button has no fields
            assert job(host, host.store.runs()[0].id).parameters.imgsz == 320

    asyncio.run(walk())


def test_database_of_before_has_projects_without_settings(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'snaploop.db'}")
    upgrade(engine, "0002")
    with engine.begin() as db:
        db.exec_driver_sql(
            "INSERT INTO projects (id, name, task, classes, created_at_s) VALUES (1, 'p', 'detect', '[\"red\"]', 1)"
        )
    engine.dispose()
    host = make_host(tmp_path)
    assert host.store.project_named("p").settings == {}
    host.store.set_settings(1, {"gate": 0.02})
    assert host.store.projects()[0].settings == {"gate": 0.02}
    host.close()
