"""The `snaploop` command as a person runs it: real processes, real exit codes, one clear line for each mistake."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from fakes.board_client import jpeg
from fakes.cable import Cable
from fakes.host_folder import make_host, pair_client
from snaploop_shared.sample_record import Box

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("host", "shared", "device"))}
SNAPLOOP = [sys.executable, "-m", "snaploop_host"]


def snaploop(*argv, expect=0):
    done = subprocess.run(
        [*SNAPLOOP, *map(str, argv)], env=ENVIRON, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done


@contextlib.contextmanager
def serving(data, *more):
    process = subprocess.Popen(
        [*SNAPLOOP, "serve", "--data", str(data), "--listen", "127.0.0.1:0", "--no-find", "--json", *map(str, more)],
        env=ENVIRON,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield json.loads(line), process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(180) == 0, process.stderr.read()


def fetched(url):
    with urllib.request.urlopen(url, timeout=180) as answer:
        return json.loads(answer.read())


def test_help_of_every_command_is_there():
    text = snaploop("--help").stdout
    for command in (
        "serve",
        "projects",
        "import",
        "train",
        "cancel",
        "runs",
        "models",
        "boards",
        "board",
        "doctor",
        "demo",
        "bench",
    ):
        assert f" {command} " in text
    for words in (["serve"], ["projects", "add"], ["import"], ["train"], ["board", "install"], ["doctor"], ["demo"]):
        assert "--help" in snaploop(*words, "--help").stdout


def test_help_imports_nothing_heavy():
    heavy = ["torch", "nncase", "aiohttp", "sqlalchemy", "serial", "PIL", "numpy"]
    code = f"import sys; from snaploop_host.cli import main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRON, capture_output=True, text=True, timeout=180, check=True
    )
    assert done.stdout.strip() == "[]"


def test_lists_of_an_empty_host_tell_the_next_step(tmp_path):
    data = ("--data", tmp_path)
    assert "projects add" in snaploop("projects", "list", *data).stdout
    assert "board install" in snaploop("boards", *data).stdout
    assert "snaploop train" in snaploop("models", *data).stdout
    assert json.loads(snaploop("runs", "--json", *data).stdout) == []


def test_projects_are_made_listed_and_changed(tmp_path):
    data = ("--data", tmp_path)
    snaploop("projects", "add", "lights", "--classes", "red, yellow", *data)
    assert "already" in snaploop("projects", "add", "lights", "--classes", "red", *data, expect=5).stderr
    assert "letters" in snaploop("projects", "add", "a/b", "--classes", "red", *data, expect=4).stderr
    snaploop("projects", "classes", "lights", "--classes", "red,yellow,green", *data)
    [project] = json.loads(snaploop("projects", "list", "--json", *data).stdout)
    assert project["classes"] == ["red", "yellow", "green"]
    assert "lights" in snaploop("projects", "list", *data).stdout
    assert "projects add" in snaploop("train", "-p", "nope", *data, expect=3).stderr
    assert "8" in snaploop("train", "-p", "lights", *data, expect=5).stderr


def test_errors_are_one_line_without_a_traceback(tmp_path):
    done = snaploop("import", "-p", "x", "--voc", tmp_path / "nowhere", "--data", tmp_path / "d", expect=4)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("snaploop: ")
    done = snaploop("board", "install", "--port", "/dev/ttyACM99", "--data", tmp_path / "d", expect=7)
    assert "/dev/ttyACM99 is not there" in done.stderr
    (tmp_path / "file").write_text("x")
    assert "--data" in snaploop("boards", "--data", tmp_path / "file" / "d", expect=6).stderr


def test_serve_says_where_and_ends_cleanly(tmp_path):
    with serving(tmp_path) as (said, _):
        assert fetched(said["url"] + "/api/health")["ok"] is True
        assert said["token"] is None
        assert json.loads((tmp_path / "daemon.json").read_text())["url"] == said["url"]
    assert not (tmp_path / "daemon.json").exists()


def loaded(pid):
    """Which of the heavy libraries a process has in memory."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:  # it ended
        return set()
    return {name for name in ("libtorch", "libonnxruntime", "_nncase", "cv2.abi3", "libmkl") if name in maps}


def job_processes(folder):
    """Ids of the processes that were started for this job folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed: pip install 'snaploop[train]'"
)
def test_what_trains_is_never_loaded_into_the_daemon(tmp_path):
    with contextlib.closing(make_host(tmp_path)) as host:
        board = pair_client(host)
        for number in range(12):
            label = ("red", "yellow", "green")[number % 3]
            board.send_sample(f"b1-{number:06}", jpeg(number), [Box(label, 1, 1, 20, 20)])
    with serving(tmp_path, "--end-jobs") as (said, daemon):
        body = json.dumps({"parameters": {"epochs": 200, "imgsz": 96}}).encode()
        request = urllib.request.Request(
            said["url"] + "/api/projects/lights/train", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=180) as answer:
            folder = tmp_path / "jobs" / str(json.loads(answer.read())["id"])
        ends = time.monotonic() + 600
        while not any("libtorch" in loaded(pid) for pid in job_processes(folder)):  # a process of the run's own has it
            assert time.monotonic() < ends, (folder / "log.txt").read_text()
            time.sleep(0.2)
        fetched(said["url"] + "/api/runs")
        assert loaded(daemon.pid) == set()


def test_taken_port_is_named_with_the_mend(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = snaploop("serve", "--no-find", "--listen", f"127.0.0.1:{port}", "--data", tmp_path, expect=9)
    assert f"port {port}" in done.stderr
    assert f"--listen 127.0.0.1:{port + 1}" in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("snaploop: ")]) == 1


def test_second_daemon_on_the_folder_names_the_first(tmp_path):
    with serving(tmp_path) as (said, _):
        done = snaploop("serve", "--no-find", "--listen", "127.0.0.1:0", "--data", tmp_path, expect=5)
    assert said["url"] in done.stderr


def test_beyond_loopback_asks_for_the_token_that_it_prints(tmp_path):
    with serving(tmp_path, "--listen", "0.0.0.0:0") as (said, _):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetched(said["url"] + "/api/health")
        request = urllib.request.Request(
            said["url"] + "/api/health", headers={"Authorization": f"Bearer {said['token']}"}
        )
        with urllib.request.urlopen(request, timeout=180) as answer:
            assert answer.status == 200
        assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
        snaploop("projects", "add", "lights", "--classes", "red", "--data", tmp_path)
        assert (
            "8" in snaploop("train", "-p", "lights", "--data", tmp_path, expect=5).stderr
        )  # the command has the token by itself


def test_board_on_usb_syncs_through_the_daemon_while_commands_look(tmp_path):
    host = make_host(tmp_path / "data")
    cable = Cable(tmp_path / "ttyACM0")
    board = pair_client(host)
    board.carry = cable.ask
    with serving(tmp_path / "data", "--usb", cable.port) as (said, _):
        for number in range(3):
            board.send_sample(f"b1-{number:06}", jpeg(number), [Box("red", 1, 1, 20, 20)])
        [project] = fetched(said["url"] + "/api/projects")
        assert project["roads"]["usb"] == 3
        [usb] = fetched(said["url"] + "/api/health")["usb"]
        assert (usb["port"], usb["state"]) == (str(cable.port), "open")
        [row] = json.loads(snaploop("boards", "--json", "--data", tmp_path / "data").stdout)
        assert row["is_online"] is True
    host.close()


def test_killed_daemon_loses_nothing(tmp_path):
    host = make_host(tmp_path)
    with serving(tmp_path) as (_, process):
        process.kill()
        process.wait()
        process.send_signal = lambda _sign: None
        process.wait = lambda _timeout: 0
    with serving(tmp_path) as (said, _):
        assert fetched(said["url"] + "/api/projects")[0]["name"] == "lights"
    host.close()


def test_doctor_says_what_is_missing(tmp_path):
    checks = subprocess.run(
        [*SNAPLOOP, "doctor", "--json", "--data", str(tmp_path)],
        env=ENVIRON,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    by_name = {check["name"]: check for check in json.loads(checks.stdout)}
    assert by_name["Python"]["state"] == "ok"
    assert checks.returncode == (1 if any(check["state"] == "missing" for check in by_name.values()) else 0)
    bare = ENVIRON | {
        "PATH": "/nonexistent",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "SNAPLOOP_NODE_MODULES": str(tmp_path),
    }
    bare.pop("DOTNET_ROOT", None)
    done = subprocess.run(
        [*SNAPLOOP, "doctor", "--data", str(tmp_path)],
        env=bare,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 1
    assert "apt-get install nodejs" in done.stdout
    assert "missing  Node" in done.stdout
