"""Bad input on the host, as a person meets it: real commands, one line that names the thing and the mend, the right exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial

from fakes.board_client import jpeg
from fakes.desk import ENVIRON, ROOT
from fakes.voc_files import voc_xml
from integration.test_commands import fetched, serving, snaploop
from integration.test_train_job import events, make_job

SNAPLOOP = [sys.executable, "-m", "snaploop_host"]
# A machine on which there is nothing to be found; what stays is this Python.
BARE = {
    "PATH": "/nowhere",
    "DOTNET_ROOT": "/nowhere",
    "SNAPLOOP_DOTNET": "/nowhere/dotnet",
    "SNAPLOOP_NODE_MODULES": "/nowhere/node_modules",
}


def run(*argv, **environ):
    return subprocess.run(
        [str(one) for one in argv], env=ENVIRON | environ, capture_output=True, text=True, timeout=180, check=False
    )


def refused(done, code):
    """The one line that the command said."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("snaploop: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    return lines[0]


def voc_picture(folder, name, data, box=(5, 5, 20, 20)):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jpg").write_bytes(data)
    (folder / f"{name}.xml").write_text(voc_xml([("red", *box)]))


def test_folder_without_pictures(tmp_path):
    empty, out = tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    data = ("--data", tmp_path / "data")
    line = refused(run(*SNAPLOOP, "import", "-p", "p", "--voc", empty, *data), 4)
    assert f"{empty} holds no pictures (.jpg, .jpeg, .png, .bmp, .webp, .tif, .tiff)" in line
    line = refused(run(*SNAPLOOP, "demo", "--out", out, "--camera", empty, "--labels", empty), 4)
    assert f"{empty} holds no pictures" in line
    line = refused(run(*SNAPLOOP, "demo", "--out", out, "--camera", tmp_path / "no", "--labels", empty), 4)
    assert "no is no folder: give the one that holds the pictures" in line
    voc_picture(tmp_path / "voc", "a", jpeg(1))
    line = refused(run(*SNAPLOOP, "demo", "--out", out, "--camera", tmp_path / "voc", "--labels", tmp_path / "no"), 4)
    assert "no is no folder: give the one that holds the XML files" in line
    line = refused(run(*SNAPLOOP, "demo", "--out", out, "--camera", tmp_path / "voc"), 4)
    assert "--camera and --labels go together" in line
    assert not out.exists()


def test_corrupt_jpeg_and_box_outside_get_a_line_each_and_the_rest_is_imported(tmp_path):
    voc = tmp_path / "voc"
    voc_picture(voc, "good", jpeg(1))
    voc_picture(voc, "cut", jpeg(2, 640, 360)[:-700])
    voc_picture(voc, "junk", b"\xff\xd8\xff and then nothing")
    voc_picture(voc, "outside", jpeg(3), box=(50, 5, 90, 20))
    done = snaploop("import", "-p", "p", "--voc", voc, "--data", tmp_path / "data")
    cut, junk, outside = done.stderr.splitlines()
    assert cut.startswith("cut.jpg: damaged picture")
    assert cut.endswith("replace the file and import again")
    assert junk.startswith("junk.jpg: ")
    assert outside.startswith("outside.jpg: box 1 (red, x 50 to 90, y 5 to 20) lies outside the 64x36 picture")
    assert "1 pictures added, 0 were here already, 3 problems" in done.stdout
    (voc / "good.jpg").unlink()
    snaploop("import", "-p", "q", "--voc", voc, "--data", tmp_path / "data", expect=4)  # nothing could be taken


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda data: data[: len(data) // 2], "is cut short"),
        (lambda _data: b"junk", "is no readable picture"),
    ],
)
def test_photo_that_rots_in_the_store_ends_the_job_before_it_trains(tmp_path, content, words):
    folder = make_job(tmp_path / "job", 2, {"epochs": 1, "imgsz": 96})
    photo = Path(json.loads((folder / "job.json").read_text())["dataset"]["train"][1]["image"])
    photo.write_bytes(content(photo.read_bytes()))
    done = run(sys.executable, "-m", "snaploop_host.training.job", folder)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"photo {photo.name} {words}: put the right file at {photo}")
    assert events(folder, "error")[0]["text"] == done.stderr.strip()
    assert not events(folder, "epoch")


def test_job_without_dotnet_or_without_a_package_says_so_before_it_trains(tmp_path):
    folder = make_job(tmp_path / "job", 2, {"epochs": 1, "imgsz": 96})
    job = "snaploop_host.training.job"
    done = run(sys.executable, "-m", job, folder, **BARE | {"HOME": str(tmp_path)})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("no .NET runtime (7 or newer) for nncase: run `make setup`")
    lacking = (
        "import sys\n"
        "class Lacking:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'ultralytics': raise ModuleNotFoundError('No module', name=name)\n"
        f"sys.meta_path.insert(0, Lacking)\nfrom {job} import main\nsys.exit(main())"
    )
    done = run(sys.executable, "-c", lacking, folder)
    assert (done.returncode, done.stderr) == (1, "ultralytics is not installed: pip install 'snaploop[train]'\n")
    assert not events(folder, "epoch")


def test_nothing_to_make_a_dotnet_runtime_from(tmp_path):
    done = run(sys.executable, "-m", "snaploop_host.compiling.dotnet", **BARE | {"HOME": str(tmp_path)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "no .NET runtime (7 or newer) for nncase: run `make setup`, "
        "or install dotnet-runtime-8.0 and set DOTNET_ROOT to it\n"
    )


def test_doctor_and_demo_name_what_is_missing_and_an_earlier_report_stays(tmp_path):
    bare = BARE | {"HOME": str(tmp_path)}
    checks = run(*SNAPLOOP, "doctor", "--json", "--data", tmp_path / "d", **bare)
    assert checks.returncode == 1
    found = {one["name"]: one for one in json.loads(checks.stdout)}
    assert (found["Node"]["state"], found["Node"]["mend"]) == ("missing", "sudo apt-get install nodejs npm")
    assert found[".NET runtime"]["state"] == "missing"
    assert "snaploop_host.compiling.dotnet" in found[".NET runtime"]["mend"]
    out = tmp_path / "out"
    (out / "card" / "sdcard").mkdir(parents=True)  # what an earlier demo left
    (out / "report.json").write_text("{}")
    line = refused(run(*SNAPLOOP, "demo", "--out", out, **bare), 8)
    assert "Node: not on PATH: sudo apt-get install nodejs npm" in line
    assert ".NET runtime: none found: npm ci" in line
    assert (out / "report.json").exists()
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v16.20.0\n")
    old.chmod(0o755)
    line = refused(run(*SNAPLOOP, "demo", "--out", out, VIRTUAL_K230_NODE=str(old)), 8)
    assert "Node: v16.20.0, 18 or newer is needed: sudo npm install -g n" in line


def test_npm_package_that_is_not_installed(tmp_path):
    for name in ("host", "shared", "device"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    elsewhere = {"PYTHONPATH": os.pathsep.join(str(tmp_path / name) for name in ("host", "shared", "device"))}
    done = subprocess.run(
        [*SNAPLOOP, "demo", "--out", str(tmp_path / "out")],
        env=ENVIRON | elsewhere | {"VIRTUAL_K230_NODE_MODULES": "/nowhere"},
        cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert "MicroPython: npm package not installed: npm ci" in refused(done, 8)


def test_demo_leaves_folders_alone_that_no_demo_made(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(jpeg(1))
    line = refused(run(*SNAPLOOP, "demo", "--out", tmp_path), 4)
    assert f"{tmp_path} holds things that no demo made: choose an empty or new folder with --out" in line
    assert (tmp_path / "photos" / "holiday.jpg").exists()
    line = refused(run(*SNAPLOOP, "demo", "--out", tmp_path / "photos" / "holiday.jpg" / "out"), 4)
    assert "cannot be made (Not a directory): choose another folder with --out" in line


def test_usb_port_that_does_not_exist_or_is_held(tmp_path):
    master, slave = os.openpty()
    held, missing = os.ttyname(slave), tmp_path / "ttyACM9"
    data = ("--data", tmp_path / "data")
    snaploop("projects", "add", "lights", "--classes", "red", *data)
    with serial.Serial(held, exclusive=True):
        line = refused(run(*SNAPLOOP, "board", "install", "--port", held, *data), 7)
        assert f"{held} is held by " in line
        assert f"({os.getpid()}): close it and try again" in line
        line = refused(run(*SNAPLOOP, "board", "install", "--port", missing, *data), 7)
        assert f"{missing} is not there: plug the board in, or see `snaploop doctor`" in line
        with serving(tmp_path / "data", "--usb", held, "--usb", missing) as (said, process):
            for _ in range(100):
                states = {one["port"]: one["state"] for one in fetched(said["url"] + "/api/health")["usb"]}
                if "busy" in states.values():
                    break
                time.sleep(0.05)
            assert states == {held: "busy", str(missing): "waiting"}
            process.send_signal(signal.SIGTERM)
            log = process.communicate(timeout=180)[1]
    assert log.count(f"{held} is held by another program: close it") == 1
    assert log.count(f"{missing} is not there (no such port): waiting for it") == 1
    os.close(master)
    os.close(slave)


def test_full_disk_of_the_host_is_one_line_and_loses_nothing(tmp_path):
    """A real file system of 1 MiB; needs the right to mount one in a name space of one's own."""
    disk, voc = tmp_path / "disk", tmp_path / "voc"
    disk.mkdir()
    allowed = run("unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", disk)
    if allowed.returncode:
        pytest.skip(f"this machine lets nobody mount: {allowed.stderr.strip()}")
    for number in range(24):
        noise = jpeg(number) + os.urandom(60_000)  # what follows the end marker of a JPEG is not looked at
        voc_picture(voc, f"p{number:02}", noise)
    command = " ".join([*SNAPLOOP, "import", "-p", "p", "--json", "--voc", str(voc), "--data", str(disk / "data")])
    script = tmp_path / "full.sh"
    script.write_text(
        f"mount -t tmpfs -o size=1m tmpfs {disk}\n{command}\necho $?\n"
        f"mount -o remount,size=9m {disk}\n{command}\necho $?\n"
    )
    done = run("unshare", "-Urm", "sh", script)
    first, report = done.stdout.split("\n", 1)
    assert first == "6", (done.stdout, done.stderr)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("snaploop: ")]
    assert line.startswith("snaploop: no room ")
    assert line.endswith("nothing was lost")
    assert "Traceback" not in done.stderr
    again = json.loads(report.rsplit("0\n", 1)[0])
    assert again["known"] > 3
    assert again["known"] + again["added"] == 24
    assert again["problems"] == []
