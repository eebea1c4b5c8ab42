"""The package of a model that a host offers, on a virtual board: its image script as it is, its kmodel in Canaan's simulator."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from snaploop_host.app import open_host
from snaploop_host.cli.main import app
from snaploop_host.config import Config
from virtual_k230 import VirtualK230

RUN_IT = """
try:
    exec(open("{path}").read(), {{"__name__": "__main__"}})
    print("all", "done")
except Exception as error:
    print("Traceback", type(error), error, "all", "done")
"""


def mark_with_package(
    host_data: Path,
    project: str,
    folder: Path,
    picture: np.ndarray | None = None,
    change: Callable[[Path], None] = lambda source: None,
) -> tuple[str, np.ndarray]:
    """What the script says of a picture, and where it painted on it: (H, W) bool.

    Args:
        host_data: the host's data folder.
        project: whose offered model is packed.
        folder: to work in.
        picture: H×W×3 uint8 RGB; without one the package's own is looked at.
        change: called with the unpacked mp_deployment_source before the script runs.
    """
    with contextlib.closing(open_host(Config(host_data))) as host:
        digest = host.store.offered_model(host.store.project_named(project).id).digest
    done = CliRunner().invoke(app, ["package", digest, "--out", str(folder / "out"), "--data", str(host_data)])
    assert done.exit_code == 0, done.output
    (archive,) = (folder / "out").glob("*.zip")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder / "sd" / "my models")
    (script,) = (folder / "sd" / "my models").glob("*/*_image_1_2_2.py")
    photo = script.parent / "mp_deployment_source" / "images" / "test.jpg"
    if picture is not None:
        Image.fromarray(picture).save(photo, quality=95)
    change(photo.parents[1])
    with contextlib.closing(VirtualK230(sd=folder / "sd", profile="D")) as board:
        board.start_source(RUN_IT.format(path="/sdcard/" + script.relative_to(folder / "sd").as_posix()))
        said = board.wait_for("all done", timeout=300)
    assert "Traceback" not in said, said
    with Image.open(photo.with_name("test_result.jpg")) as marked, Image.open(photo) as plain:
        if marked.size != plain.size:  # a line with its text below it: a picture of its own
            return said, np.ones((marked.height, marked.width), bool)
        difference = np.asarray(marked.convert("RGB"), int) - np.asarray(plain.convert("RGB"), int)
    return said, np.abs(difference).max(axis=2) > 40
