"""Training from dataset version to offered model, with a worker process that only pretends to train: every end a run can have."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import time

import pytest

from fakes.board_client import jpeg
from fakes.host_folder import make_host, pair_client
from snaploop_host.app import Supervisor, sole_trainer
from snaploop_host.errors import CannotTrainError, ConflictError, MissingToolError
from snaploop_shared import messages
from snaploop_shared.sample_record import Box


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def host(folder):
    host = make_host(folder)
    board = pair_client(host)
    for number in range(12):
        board.send_sample(f"b1-{number:06}", jpeg(number), [Box(("red", "yellow", "green")[number % 3], 1, 1, 20, 20)])
    yield host
    for run in host.store.runs():
        host.jobs.stop(run.id)
    host.close()


def follow(host, run, until=lambda run: not run.is_active, seconds=120.0):
    deadline = time.monotonic() + seconds
    while not until(run):
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
        host.train.step()
        run = host.store.run(run.id)
    return run


def test_good_run_ends_with_an_offered_model_and_the_next_starts_from_it(host):
    run = follow(host, host.train.start(1))
    assert (run.state, run.epoch, run.epochs, run.scores["map50"]) == ("succeeded", 3, 3, 0.9)
    assert run.text.startswith("passed")
    model = host.store.offered_model(1)
    assert (model.run_id, model.serial, model.is_gate_passed) == (run.id, 1, True)
    assert host.blobs.has(model.digest)
    assert host.blobs.has(model.golden_digest)
    job = json.loads((host.config.data_dir / "jobs" / str(run.id) / "job.json").read_text())
    assert job["warm_start"] is None
    assert len(job["dataset"]["train"]) + len(job["dataset"]["val"]) == 12
    assert job["dataset"]["val"][0]["boxes"][0]["box_xywh_px"] == [1, 1, 20, 20]
    assert [(point["epoch"], point["loss"], point["scores"].get("map50")) for point in host.train.curve(run.id)] == [
        (1, 2.5, 0.2),
        (2, 1.5, 0.9),
        (3, 1.4, None),
    ]
    second = host.train.start(1)
    job = json.loads((host.config.data_dir / "jobs" / str(second.id) / "job.json").read_text())
    assert job["warm_start"] == str(host.jobs.artifact(run.id, "best.pt"))
    assert second.warm_start_run_id == run.id
    assert follow(host, second).state == "succeeded"
    assert host.store.offered_model(1).serial == 2


def test_kmodel_that_loses_too_much_is_refused_with_its_numbers(host):
    run = follow(host, host.train.start(1, {"pretend": "refuse"}))
    assert run.state == "refused"
    assert "-0.450 mAP50" in run.text
    assert host.store.models(1)[0].is_gate_passed is False
    assert host.store.offered_model(1) is None


def test_gate_that_refuses_within_the_job_is_no_failure(host):
    run = follow(host, host.train.start(1, {"pretend": "gate"}))
    assert (run.state, run.text) == ("refused", "the kmodel loses too much")


def test_error_of_the_job_is_told(host):
    run = follow(host, host.train.start(1, {"pretend": "error"}))
    assert (run.state, run.text) == ("failed", "no two photos alike: take more")


def test_crash_is_told_with_the_last_line_of_the_log(host):
    run = follow(host, host.train.start(1, {"pretend": "crash"}))
    assert run.state == "failed"
    assert "Segmentation fault" in run.text


@pytest.mark.parametrize("name", ["model.kmodel", "golden_input.bin", "result.json"])
def test_damaged_artifacts_are_not_published(host, name):
    run = host.train.start(1, {"pretend": "succeed"})
    host.train.step()
    while host.jobs.is_running(run.id):
        time.sleep(0.02)
    path = host.jobs.artifact(run.id, name)
    path.write_bytes(path.read_bytes()[:-10])
    run = follow(host, run)
    assert run.state == "failed"
    assert name in run.text
    assert host.store.models() == []


def test_result_without_its_fields_names_the_missing_one(host):
    run = host.train.start(1)
    host.train.step()
    while host.jobs.is_running(run.id):
        time.sleep(0.02)
    path = host.jobs.artifact(run.id, "result.json")
    result = json.loads(path.read_text())
    del result["thresholds"]
    path.write_text(json.dumps(result))
    assert "thresholds" in follow(host, run).text


def test_one_run_of_a_project_at_a_time_and_others_wait(host):
    host.store.add_project("other", "detect", ("red",), 0.0)
    first = host.train.start(1, {"pretend": "wait"})
    with pytest.raises(CannotTrainError, match="already"):
        host.train.start(1)
    board = pair_client(host, board_id="beef", project="other")
    for number in range(8):
        board.send_sample(f"b2-{number:06}", jpeg(100 + number), [Box("red", 1, 1, 20, 20)])
    second = host.train.start(2)
    follow(host, first, lambda run: run.state == "running")
    host.train.step()
    assert host.store.run(second.id).state == "queued"
    assert board.ask("GET", messages.STATUS).arguments["run"]["queue"] == 1
    (host.config.data_dir / "jobs" / str(first.id) / "go").touch()
    assert follow(host, first).state == "succeeded"
    assert follow(host, second).state == "succeeded"


def test_cancel_ends_the_process(host):
    run = host.train.start(1, {"pretend": "wait"})
    run = follow(host, run, lambda run: run.epoch == 1)
    assert host.jobs.is_running(run.id)
    assert host.train.cancel(run.id).state == "cancelled"
    assert not host.jobs.is_running(run.id)
    with pytest.raises(CannotTrainError, match="cancelled"):
        host.train.cancel(run.id)


def test_process_of_an_ended_run_is_stopped_by_the_next_daemon(host):
    run = follow(host, host.train.start(1, {"pretend": "wait"}), lambda run: run.epoch == 1)
    host.store.save_run(
        dataclasses.replace(run, state="cancelled")
    )  # as if the daemon had been killed while it cancelled
    host.train.resume()
    assert not host.jobs.is_running(run.id)


def test_queued_run_can_be_cancelled(host):
    run = host.train.start(1)
    assert host.train.cancel(run.id).state == "cancelled"
    host.train.step()
    assert host.store.run(run.id).state == "cancelled"


def test_next_daemon_adopts_a_running_job(host, folder):
    run = follow(host, host.train.start(1, {"pretend": "wait"}), lambda run: run.epoch == 1)
    host.close()
    host.jobs._children.clear()  # as if the daemon had been killed: the process is nobody's child that we know of
    again = make_host(folder)
    again.train.resume()
    assert again.store.run(run.id).attempts == 1
    (folder / "jobs" / str(run.id) / "go").touch()
    deadline = time.monotonic() + 60
    while again.jobs.is_running(run.id) and time.monotonic() < deadline:
        with_zombie_reaped()
        time.sleep(0.02)
    assert follow(again, run).state == "succeeded"
    again.close()


def with_zombie_reaped():
    """Of a killed daemon init would reap; here we are still the parent."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return


def test_job_that_died_with_the_machine_is_started_again(host, folder):
    run = follow(host, host.train.start(1, {"pretend": "wait"}), lambda run: run.epoch == 1)
    pid = json.loads((folder / "jobs" / str(run.id) / "process.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    host.jobs._children.clear()
    (folder / "jobs" / str(run.id) / "go").touch()
    again = make_host(folder)
    again.train.resume()
    run = follow(again, run)
    assert (run.state, run.attempts) == ("succeeded", 2)
    again.close()


def test_reused_pid_is_not_taken_for_the_job(host, folder):
    run = host.train.start(1)
    (folder / "jobs" / str(run.id) / "process.json").write_text(
        json.dumps({"pid": os.getpid(), "started": "another boot/1"})
    )
    assert not host.jobs.is_running(run.id)


def test_half_written_event_is_left_for_later(host, folder):
    run = host.train.start(1)
    path = folder / "jobs" / str(run.id) / "events.jsonl"
    path.write_text('{"kind": "stage", "stage": "train"}\n{"kind": "epo')
    assert host.jobs.events(run.id) == [{"kind": "stage", "stage": "train"}]


def test_supervisor_works_alone_and_only_once_per_folder(host):
    with sole_trainer(host.config):
        with pytest.raises(ConflictError, match="another snaploop"), sole_trainer(host.config):
            pass
        supervisor = Supervisor(host.train)
        run = host.train.start(1)
        deadline = time.monotonic() + 60
        while host.store.run(run.id).is_active and time.monotonic() < deadline:
            time.sleep(0.1)
        supervisor.close()
    assert host.store.run(run.id).state == "succeeded"


def test_training_needs_boxes_and_known_classes(tmp_path):
    host = make_host(tmp_path / "empty")
    board = pair_client(host)
    with pytest.raises(CannotTrainError, match="0 labelled photos"):
        host.train.start(1)
    for number in range(8):
        board.send_sample(f"b1-{number:06}", jpeg(number), [])
    with pytest.raises(CannotTrainError, match="no photo of lights has a box"):
        host.train.start(1)
    board.send_sample("b1-000000", jpeg(0), [Box("blue", 1, 1, 20, 20)], rev=2)
    with pytest.raises(CannotTrainError, match="blue"):
        host.train.start(1)
    host.close()


def test_run_whose_command_was_closed_is_told_of_by_the_next_one(host, folder):
    from typer.testing import CliRunner

    from snaploop_host.cli.main import app

    run = host.train.start(1)
    host.train.step()  # the process begins; from here on nobody looks after it
    deadline = time.monotonic() + 60
    while host.jobs.is_running(run.id):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert host.store.run(run.id).state == "running"
    with sole_trainer(host.config):  # who holds this will tell
        said = CliRunner().invoke(app, ["runs", "--json", "--data", str(folder)])
        assert json.loads(said.output)[0]["state"] == "running"
    said = CliRunner().invoke(app, ["runs", "--json", "--data", str(folder)])
    assert json.loads(said.output)[0]["state"] == "succeeded"
    assert host.store.offered_model(1).run_id == run.id
    said = CliRunner().invoke(app, ["runs", "--data", str(folder)])
    assert f"\nrun {run.id}: passed: on " in said.output


def test_job_that_the_system_kills_says_so_and_the_next_one_runs(host):
    run = host.train.start(1, {"pretend": "wait"})
    follow(host, run, lambda now: now.epoch >= 1)
    os.killpg(
        json.loads((host.config.data_dir / "jobs" / str(run.id) / "process.json").read_text())["pid"], signal.SIGKILL
    )
    run = follow(host, run)
    assert run.state == "failed"
    assert "the system killed it, most likely for want of memory: close other programs" in run.text
    assert follow(host, host.train.start(1)).state == "succeeded"


def test_job_that_a_full_disk_ends_says_so(host, monkeypatch):
    run = host.train.start(1, {"pretend": "wait"})
    follow(host, run, lambda now: now.epoch >= 1)
    os.killpg(
        json.loads((host.config.data_dir / "jobs" / str(run.id) / "process.json").read_text())["pid"], signal.SIGKILL
    )
    monkeypatch.setattr("snaploop_host.jobs.job_processes.is_full", lambda folder: True)
    run = follow(host, run)
    assert run.state == "failed" and f"jobs/{run.id} is full: free some, then let the run go on" in run.text


def test_question_that_cannot_be_asked_is_one_line(host, monkeypatch):
    monkeypatch.setattr("subprocess.run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("nice")))
    with pytest.raises(MissingToolError, match="the estimate failed: nice"):
        host.train.estimate(1)


def test_killed_job_that_is_seen_dead_before_it_is_waited_for(host, monkeypatch):
    run = host.train.start(1, {"pretend": "wait"})
    follow(host, run, lambda now: now.epoch >= 1)
    child = host.jobs._children[run.id]
    os.killpg(child.pid, signal.SIGKILL)
    child.wait(60)
    monkeypatch.setattr(child, "poll", lambda: None)  # as for a moment, while the kernel takes a large process down
    assert "the system killed it" in follow(host, run).text


def test_questions_of_killed_processes_are_cleared_away(host, monkeypatch):
    jobs = host.config.data_dir / "jobs"
    for name in ("estimate-99999999-1", f"preview-{os.getpid()}-1"):
        (jobs / name / "work").mkdir(parents=True)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("nice")))
    with pytest.raises(MissingToolError):
        host.train.estimate(1)
    assert [path.name for path in jobs.iterdir() if "-" in path.name] == [f"preview-{os.getpid()}-1"]


def test_last_model_whose_report_is_gone_is_named(host):
    run = follow(host, host.train.start(1))
    artifacts = host.config.data_dir / "jobs" / str(run.id) / "artifacts"
    (artifacts / "best.pt").write_bytes(b"weights")
    (artifacts / "result.json").write_bytes(b'{"tra')
    with pytest.raises(CannotTrainError, match=f"the files of run {run.id}, .* are damaged .*: give start=scratch"):
        host.train.start(1)
    assert follow(host, host.train.start(1, {"start": "scratch"})).state == "succeeded"
