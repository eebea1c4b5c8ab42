"""The fifteen deploy scripts of firmware_scripts, as they are, on the virtual board: pictures and video, older and newer firmware.

What the models say is fixed (ONNX twins), so what must be printed and drawn is known. Real kmodels: tests of the tasks.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")

from fakes.constant_models import constant_model
from fakes.device_board import gfl_heads
from snaploop_host.domain.deploy_config import ROLES, deploy_config
from virtual_k230 import VirtualK230

SCRIPTS = Path(__file__).resolve().parents[2] / "firmware_scripts" / "deploy"
LABELS = ["red", "green", "blue"]
WORD = "k230"


def manifest(task, labels, input_wh, score=400):
    return {
        "task": task,
        "labels": labels,
        "input": list(input_wh),
        "score_permille": score,
        "iou_permille": 500,
        "nncase": "2.11.0",
    }


def seen(task):
    """(input size, labels, outputs) of a model that always says the same."""
    size = {"ocr_recognize": (256, 32), "detect": (320, 192)}.get(task, (96, 96))
    width, height = size
    if task == "detect":
        return size, LABELS, gfl_heads([(1, 100, 60, 64, 48)], *size, 3, 0.98)
    if task == "classify":
        return size, LABELS, [np.array([[0.0, 4.0, 0.0]])]
    if task == "multilabel":
        return size, LABELS, [np.array([[3.0, -3.0, 2.0]])]
    if task == "embed":
        return size, [], [np.array([[3.0, 4.0, 0.0, 0.0]])]
    if task == "segment":
        logits = np.zeros((1, height, width, 3))
        logits[..., 0] = 1
        logits[:, 24:72, 24:72, 2] = 5
        return size, ["background", "road", "sky"], [logits]
    if task == "ocr_detect":
        chance = np.zeros((1, height, width, 2))
        chance[:, 40:56, 16:80, 0] = 0.95
        return size, ["text"], [chance]
    characters = ["", *"0123k", ""]  # as training/ocr_recognize makes them: nothing, the characters, the blank
    steps = np.full((1, width // 4, len(characters)), -5.0)
    steps[..., -1] = 1  # the blank
    for place, letter in enumerate(WORD):
        steps[0, 4 + 5 * place : 6 + 5 * place, characters.index(letter)] = 6
    return size, characters, [steps]


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """A card with a package of each task and all scripts; and the twins of its models."""
    sd, twins = tmp_path_factory.mktemp("sd"), {}
    for path in SCRIPTS.glob("*.py"):
        shutil.copy(path, sd / path.name)
    rng = np.random.default_rng(0)
    for task, role in ROLES.items():
        size, labels, outputs = seen(task)
        folder = sd / f"{role.name}_mp_deployment_source"
        twins |= constant_model(folder, role.name, size, outputs)
        (folder / f"{role.name}.onnx").rename(sd.parent / f"{role.name}.onnx")
        twins = {digest: sd.parent / path.name for digest, path in twins.items()}
        config = deploy_config(manifest(task, labels, size), f"{role.name}.kmodel")
        (folder / "deploy_config.json").write_text(json.dumps(config))
        (folder / "images").mkdir()
        picture = rng.integers(0, 255, (180, 320, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / "images" / "test.jpg")
        if task == "embed":
            (folder / "library").mkdir()
            Image.fromarray(picture).save(folder / "library" / "cup_1.jpg")
        if task == "ocr_recognize":
            (folder / "dict.txt").write_text("\n".join(labels))
    return sd, twins


ALL_ROLES = """
def attempt(name, job):
    print("BEGIN", name)
    try:
        gave = job()
        print("gave", gave if type(gave) is int else sorted(gave))
    except Exception as error:
        print("Traceback", type(error), error)
    print("END", name)
import snaploop_deploy as s
for role in ("det", "cls", "seg", "ocrdet", "ocrrec", "ocr", "ml", "multl"):
    attempt(role + " image", __import__("deploy_" + role + "_image").main)
    if role != "ocrrec":
        __import__("deploy_" + role + "_video")
        attempt(role + " video", lambda: s.video(role, frames=4))
attempt("lost", lambda: s.image("det", folder="/sdcard/nothing"))
attempt("strange", lambda: s.image("det", folder="/sdcard/cls_mp_deployment_source"))
attempt("no picture", lambda: s.image("cls", "/sdcard/no.jpg"))
print("all", "done")
"""


@pytest.fixture(scope="module", params=["A", "D"])
def said(request, card):
    """Name of an attempt → what it printed, on an old and a new firmware."""
    sd, twins = card
    with contextlib.closing(VirtualK230(sd=sd, profile=request.param, kpu="onnx", onnx_twins=twins)) as board:
        board.start_source(ALL_ROLES)
        log = board.wait_for("all done", timeout=400)
    yield dict(re.findall(r"BEGIN ([^\n\r]+)([\s\S]*?)END \1", log))
    for path in sd.glob("*/images/*_result.jpg"):
        path.unlink()


SAYS = {
    "det": r"green 0\.9\d at (99|100|101),5[34] size 6[345]x4[789]",
    "cls": r"green 0\.96",
    "seg": r"regions of 320x180 pixels",
    "ocrdet": r"text area \[",
    "ocrrec": r"text 'k230'",
    "ocr": r"text area \[[\s\S]*text 'k230'",
    "ml": r"cup 1\.00",
    "multl": r"red 0\.95\s+blue 0\.88",
}


@pytest.mark.parametrize("role", SAYS)
def test_picture(said, card, role):
    log = said[f"{role} image"]
    assert "Traceback" not in log and re.search(SAYS[role], log), log
    folder = card[0] / f"{'ocrdet' if role == 'ocr' else role}_mp_deployment_source" / "images"
    with Image.open(folder / "test_result.jpg") as marked, Image.open(folder / "test.jpg") as plain:
        assert plain.size == (320, 180) and marked.size == (320, 180 + 40 * (role == "ocrrec"))
        below = np.asarray(marked)[180:]  # a line of text is not written over: what it says stands below
        changed = np.abs(np.asarray(marked, int)[:180] - np.asarray(plain, int)).max(axis=2) > 60
    if role == "ocrrec":
        assert changed.mean() < 0.02 and (below.max(axis=2) > 150).mean() > 0.01
        return
    assert changed.mean() > 0.002


@pytest.mark.parametrize("role", [role for role in SAYS if role != "ocrrec"])
def test_video(said, role):
    log = said[f"{role} video"]
    assert "Traceback" not in log and "gave 4" in log and "frames/s" in log, log
    words = {
        "det": "green",
        "cls": "green",
        "seg": "regions",
        "ocrdet": "text area",
        "ocr": "text area",
        "multl": "red 0.95",
    }
    assert words.get(role, "cup") in log


SHAPES = {"wide": (320, 180), "square": (240, 240), "tall": (180, 320)}
LOOK = """
import snaploop_deploy as s
for shape in ("wide", "square", "tall"):
    for role in ("det", "ocrdet"):
        found = s.image(role, "/sdcard/" + shape + ".jpg", save=False)
        print("FOUND", role, shape, [list(box[2:]) for box in found.get("boxes", ())] or found["quads"][0][0], "END")
print("all", "done")
"""


def test_square_models_mark_the_right_place_of_pictures_of_any_shape(tmp_path):
    """What `square=true` trains: the input's bands lie on both sides of a picture for boxes, at its end for text."""
    for path in SCRIPTS.glob("snaploop_*.py"):
        shutil.copy(path, tmp_path / path.name)
    chance = np.zeros((1, 96, 96, 2))
    chance[:, 10:26, 8:40, 0] = 0.95
    answers = {"det": gfl_heads([(1, 90, 60, 40, 48)], 192, 192, 3, 0.98), "ocrdet": [chance]}
    twins = {}
    for task, role, side in (("detect", "det", 192), ("ocr_detect", "ocrdet", 96)):
        folder = tmp_path / f"{role}_mp_deployment_source"
        twins |= constant_model(folder, role, (side, side), answers[role])
        config = deploy_config(manifest(task, LABELS if role == "det" else ["text"], (side, side)), f"{role}.kmodel")
        (folder / "deploy_config.json").write_text(json.dumps(config))
    for shape, size in SHAPES.items():
        Image.new("RGB", size, "grey").save(tmp_path / f"{shape}.jpg")
    with contextlib.closing(VirtualK230(sd=tmp_path, profile="A", kpu="onnx", onnx_twins=twins)) as board:
        board.start_source(LOOK)
        log = board.wait_for("all done", timeout=150)
    found = {(role, shape): json.loads(said) for role, shape, said in re.findall(r"FOUND (\w+) (\w+) (.*?) END", log)}
    for shape, (width, height) in SHAPES.items():
        scale = 192 / max(width, height)
        left, top = (192 - width * scale) / 2, (192 - height * scale) / 2
        wanted = np.array([90 - left, 60 - top, 40, 48]) / scale
        (box,) = found["det", shape]
        assert np.abs(box - wanted).max() <= 3, (shape, box, wanted)
        middle = np.reshape(found["ocrdet", shape], (4, 2)).mean(axis=0)
        assert np.abs(middle - np.array([24, 18]) * max(width, height) / 96).max() <= 3, (shape, middle)


def test_what_is_missing_is_named(said):
    assert "looked for /sdcard/nothing/deploy_config.json" in said["lost"]
    assert "no package for det: /sdcard/cls_mp_deployment_source is a can2" in said["strange"]
    assert "no picture /sdcard/no.jpg" in said["no picture"]


AS_FROM_THE_IDE = """
import sys
places = list(sys.path)
for name in NAMES:
    with open("/sdcard/deploy/" + name) as file:
        source = file.read()
    try:
        exec(source, {"__name__": "__main__"})
    except Exception as error:
        print("SAID", name, type(error).__name__, error, "END")
    sys.path[:] = places
    for part in ("snaploop_deploy", "snaploop_package"):
        sys.modules.pop(part, None)
print("all", "done")
"""


def test_folder_copied_whole_finds_its_parts(tmp_path):
    shutil.copytree(SCRIPTS, tmp_path / "deploy")
    names = sorted(path.name for path in SCRIPTS.glob("deploy_*.py"))
    with contextlib.closing(VirtualK230(sd=tmp_path, profile="A")) as board:
        board.start_source(f"NAMES = {names}\n{AS_FROM_THE_IDE}")
        log = board.wait_for("all done", timeout=150)
    said = dict(re.findall(r"SAID (\S+) (.*?) END", log))
    assert len(names) == 15 and set(said) == set(names)
    assert all(text.startswith("DeployError no package found") for text in said.values()), said
