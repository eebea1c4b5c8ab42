"""Bad input to `virtual-k230`, as a person meets it: one line that names the thing and the mend, exit code 2."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.board_client import jpeg
from fakes.desk import ROOT

HOST = ROOT / "host"
ONE_PICTURE = """
from media.sensor import *
from media.media import MediaManager
sensor = Sensor()
sensor.reset()
sensor.set_framesize(width=640, height=360)
sensor.set_pixformat(Sensor.RGB565)
MediaManager.init()
sensor.run()
for number in range(5):
    image = sensor.snapshot()
print("got", image.width(), image.height())
sensor.stop()
MediaManager.deinit()
"""


def virtual(*argv, cwd=None, **environ):
    return subprocess.run(
        [sys.executable, "-m", "virtual_k230", *map(str, argv)],
        env=os.environ | {"PYTHONPATH": str(HOST)} | environ,
        cwd=cwd, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def refused(done):
    """The one line that the command said."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("virtual-k230: ")
    return done.stderr.removeprefix("virtual-k230: ").rstrip("\n")


def test_camera_without_pictures(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    serve = ("serve", "--port", 0, "--camera")
    assert refused(virtual(*serve, empty)) == f"the camera folder {empty} has no pictures; put .jpg or .png files there"
    assert f"{empty}/no does not exist; give a folder, a picture, a video" in refused(virtual(*serve, empty / "no"))
    (empty / "a.jpg").write_bytes(b"\xff\xd8 not really")
    assert "give a JPEG or PNG file that opens in a viewer" in refused(virtual(*serve, empty / "a.jpg"))
    assert "there is no built-in scene 'zoo'; use scene:traffic_lights" in refused(virtual(*serve, "scene:zoo"))


def test_corrupt_jpeg_among_the_cameras_pictures_is_named_once_and_skipped(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(jpeg(1, 640, 360)[:-900])
    (pictures / "b.jpg").write_bytes(jpeg(2, 640, 360))
    script = tmp_path / "script.py"
    script.write_text(ONE_PICTURE)
    done = virtual("run", script, "--camera", pictures)
    assert done.returncode == 0, done.stderr
    assert "got 640 360" in done.stdout
    skipped = [line for line in done.stderr.splitlines() if "a.jpg" in line]
    assert len(skipped) == 1
    assert skipped[0].endswith(f"skipping {pictures}/a.jpg, it is not a readable picture; replace or remove it")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (None, "Node is missing: install Node 18 or newer and put `node` on the PATH"),
        ("echo v16.20.0", "is v16.20.0, too old: install Node 18 or newer"),
        ("exit 3", "does not run"),
    ],
)
def test_node_that_is_missing_too_old_or_broken(tmp_path, node, words):
    if node is not None:
        (tmp_path / "node").write_text(f"#!/bin/sh\n{node}\n")
        (tmp_path / "node").chmod(0o755)
    assert words in refused(virtual("serve", "--port", 0, PATH=str(tmp_path), VIRTUAL_K230_NODE=""))


@pytest.mark.parametrize("lacking", ["@micropython/micropython-webassembly-pyscript", "binaryen"])
def test_npm_package_that_is_not_installed(tmp_path, lacking):
    """A copy of the package beside a node_modules that lacks one thing."""
    shutil.copytree(HOST / "virtual_k230", tmp_path / "virtual_k230", ignore=shutil.ignore_patterns("__pycache__"))
    given = os.environ.get("VIRTUAL_K230_NODE_MODULES")
    modules = Path(given) if given else ROOT / "node_modules"
    for name in {"@micropython/micropython-webassembly-pyscript", "binaryen"} - {lacking}:
        target = tmp_path / "node_modules" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(modules / name)
    elsewhere = {"PYTHONPATH": str(tmp_path), "VIRTUAL_K230_NODE_MODULES": "", "XDG_CACHE_HOME": str(tmp_path)}
    line = refused(virtual("serve", "--port", 0, cwd=tmp_path, **elsewhere))
    assert line.startswith(f"npm package {lacking} is missing: run `make setup` (or `npm ci`) in the repository")


def test_port_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(virtual("serve", "--sd", tmp_path, "--port", port))
    assert line == (
        f"port {port} on 127.0.0.1 cannot be used (address already in use): "
        "choose another with --port, 0 for any free one"
    )


def test_card_folder_that_does_not_exist(tmp_path):
    assert f"{tmp_path}/nowhere" in refused(virtual("serve", "--port", 0, "--sd", tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "the following arguments are required: COMMAND (`virtual-k230 --help` shows what there is)"),
        (("run", "."), ". is a folder: name a script in it"),
        (("run", "/sdcard"), "/sdcard is a folder: name a script in it"),
        (("run", "x.py", "--profile", "E"), "argument --profile: invalid choice: 'E' (choose from "),
        (("run", "x.py", "--json", "none/out.json"), "--json none/out.json: make the folder none first"),
        (("run", "x.py", "--touch", "none.json"), "--touch none.json cannot be read (no such file or directory)"),
        (("serve", "--port", "0", "--listen", "none.invalid"), "--listen none.invalid is no address of this machine: use 127.0.0.1"),
    ],
)  # fmt: skip
def test_command_lines_that_cannot_be(tmp_path, arguments, says):
    assert says in refused(virtual(*arguments, cwd=tmp_path))


def test_script_that_is_not_utf_8_runs_as_on_the_board(tmp_path):
    script = tmp_path / "script.py"
    script.write_bytes("# \u6f14\u793a\nprint('ran')\n".encode("gbk"))
    done = virtual("run", script)
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr


def test_script_that_imports_what_the_board_lacks(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import functools\n")
    done = virtual("run", script)
    assert done.returncode == 1
    assert done.stdout.endswith("ImportError: no module named 'functools'\n")


def test_interpreter_that_fails_is_no_success(tmp_path):
    """A Node that ends by itself in the middle, as when its memory is broken."""
    (tmp_path / "node").write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exec node --version\necho the interpreter broke >&2\nexit 70\n'
    )
    (tmp_path / "node").chmod(0o755)
    script = tmp_path / "script.py"
    script.write_text("print(1)\n")
    done = virtual("run", script, "--json", "-", VIRTUAL_K230_NODE=str(tmp_path / "node"))
    assert done.returncode == 1
    assert "the interpreter broke" in done.stderr
    assert '"exception": "the interpreter failed; what it said is on standard error"' in done.stdout
