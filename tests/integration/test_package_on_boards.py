"""Packages of all seven tasks, unzipped at different places of one card: their scripts run as they are and draw what the model says.

What the models say is fixed (ONNX twins), so is what must be drawn. The scripts for firmware with `libs` run on a stand-in of those, which
checks what they are given.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")

from fakes.board_client import jpeg
from fakes.constant_models import constant_model
from fakes.host_folder import make_host, pair_client, write_artifacts
from fakes.vendor_packages import BOX, KINDS, WORD
from snaploop_host.domain.deploy_config import ROLES
from snaploop_host.domain.scores import METRICS
from snaploop_host.links.board_files import deploy_script
from snaploop_host.services.package_model import PackageModel
from snaploop_shared.sample_record import Box
from virtual_k230 import VirtualK230

OURS = {kind.task: kind for kind in KINDS.values() if kind.model_type not in ("AnchorBaseDet", "AnchorFreeDet")}
OURS["classify"] = KINDS["can2"]
HEADS = {
    "detect": "gfl",
    "classify": "logits",
    "multilabel": "multilogits",
    "embed": "embedding",
    "segment": "segmap",
    "ocr_detect": "textmap",
    "ocr_recognize": "ctc",
}
GOLDEN = {
    "detect": {"detections": [[BOX[0], 900, *BOX[1:]]]},
    "classify": {"scores_permille": [18, 965, 17]},
    "multilabel": {"scores_permille": [953, 47, 881]},
    "embed": {"vector_milli": [600, 800, 0, 0]},
    "segment": {"shares_permille": [750, 0, 250]},
    "ocr_detect": {"quads_px": [[10, 36, 86, 36, 86, 60, 10, 60]]},
    "ocr_recognize": {"text": WORD, "score_permille": 990},
}
PLACES = ("", "lights", "my models/tried on monday", "a/b")  # of the card, where a package is unzipped
PHOTO = (640, 360)
LIBS = Path(__file__).resolve().parents[1] / "fakes" / "firmware_libs"


@dataclass(frozen=True)
class Packed:
    """An unzipped package: folder, role, kmodel's name, and the twin of it."""

    folder: Path
    role: str
    kmodel: str
    twins: dict[str, Path]


def pack(task: str, folder: Path) -> Packed:
    """Publish a model of the task that always says the same, pack it, unzip the package."""
    kind, role = OURS[task], ROLES[task].name
    outputs = kind.outputs()
    if task == "segment":
        outputs.append(outputs[0][:, ::4, ::4])
    twins = constant_model(folder / "made", role, kind.size, outputs)
    kmodel = (folder / "made" / f"{role}.kmodel").read_bytes()
    golden = bytes(3 * kind.size[0] * kind.size[1])
    classes = tuple(kind.labels[1:] if task == "segment" else kind.labels)
    if task in ("embed", "ocr_recognize"):
        classes = ("cup", "tea pot") if task == "embed" else ("text",)
    with contextlib.closing(make_host(folder / "host")) as host:
        project = host.store.add_project(f"p_{role}", task, classes, 1.0)
        board = pair_client(host, board_id="b0a4d000", project=project.name)
        for number in range(8):
            box = Box(classes[number % len(classes)], 0, 0, *PHOTO)
            if task in ("segment", "ocr_detect", "ocr_recognize"):
                box = Box(classes[0], 9, 9, 90, 60, [[9, 9], [98, 9], [98, 68], [9, 68]])
            board.send_sample(f"b1-{number:06}", jpeg(number, *PHOTO), [box], size=PHOTO)
        for sample in host.store.samples(project.id):
            host.store.set_boxes(
                sample.id,
                tuple(
                    type(box)(box.class_name, box.x, box.y, box.w, box.h, box.points, "A1" if "ocr" in task else "")
                    for box in sample.boxes
                ),
            )
        run = host.train.start(project.id)
        scores = {"images": 12, "values": dict.fromkeys(METRICS[task], 0.9)}
        artifacts = host.jobs.artifact(run.id, "x").parent
        write_artifacts(
            artifacts, kmodel=kmodel, task=task, head=HEADS[task], labels=kind.labels, input=list(kind.size),
            float_score=scores, kmodel_score=scores,
            golden={"input_sha256": sha256(golden).hexdigest(), "input_bytes": len(golden), "answer": GOLDEN[task]},
        )  # fmt: skip
        (artifacts / "golden_input.bin").write_bytes(golden)
        (artifacts / "val_00.jpg").write_bytes(jpeg(1))
        model = host.train.publisher.publish(run)
        packer = PackageModel(
            host.store, host.blobs, host.jobs, host.pictures, host.train.publisher.find, deploy_script
        )
        archive = packer.write(model.short, folder / "out")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder / "unpacked")
    unpacked = next((folder / "unpacked").iterdir())
    return Packed(unpacked, role, f"{role}_{model.short}.kmodel", twins)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Task → its unzipped package."""
    return {task: pack(task, tmp_path_factory.mktemp(task)) for task in OURS}


@pytest.fixture(scope="module")
def twins(packed):
    return {digest: path for one in packed.values() for digest, path in one.twins.items()}


def lay_out(packed, sd: Path) -> dict[str, str]:
    """Put every package somewhere else on the card; task → the folder on the board."""
    places = {}
    for number, (task, one) in enumerate(packed.items()):
        place = PLACES[number] if number < len(PLACES) else f"{PLACES[number % 3 + 1]}/{one.role}"
        target = sd / place
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(one.folder.rglob("*")):
            if path.is_file():
                copy = target / path.relative_to(one.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
        places[task] = f"/sdcard/{place}".rstrip("/")
    return places


def test_each_package_has_everything(packed):
    for task, one in packed.items():
        names = {path.relative_to(one.folder).as_posix() for path in one.folder.rglob("*") if path.is_file()}
        role, source = one.role, "mp_deployment_source"
        jobs = ("image",) if task == "ocr_recognize" else ("image", "video")
        scripts = {f"{role}_{job}_{version}.py" for job in jobs for version in ("1_2_2", "1_3")}
        wanted = scripts | {"README.md", f"{source}/{one.kmodel}", f"{source}/deploy_config.json"}
        assert names >= wanted | {f"{source}/images/test.jpg", f"{role}_results/test_0.jpg"}, task
        assert {name for name in names if name.endswith(".py")} == scripts
        config = json.loads((one.folder / source / "deploy_config.json").read_text())
        assert config["kmodel_path"] == one.kmodel
        assert (task == "ocr_recognize") == (f"{source}/dict.txt" in names)
    things = {path.name for path in (packed["embed"].folder / "mp_deployment_source/library").iterdir()}
    assert {"cup_1.jpg", "tea pot_1.jpg"} <= things
    source = packed["embed"].folder / "mp_deployment_source"
    shown = {path.read_bytes() for path in (source / "library").iterdir()}
    assert len(shown) < 3 or (source / "images" / "test.jpg").read_bytes() not in shown


SAYS = {
    "detect": r"green 0\.(8[5-9]|9)\d* at (199|200|201),10[789] size 1(2[6789]|3[01])x9[567]",
    "classify": r"green 0\.96",
    "multilabel": r"red 0\.95\s+blue 0\.88",
    "embed": r"(cup|tea pot) 1\.00\s+vector of 4 numbers: 0\.600, 0\.800",
    "segment": r"regions of 640x360 pixels",
    "ocr_detect": r"text area \[",
    "ocr_recognize": rf"text '{WORD}'",
}
PICTURES = """
def attempt(task, path):
    print("BEGIN", task)
    try:
        exec(open(path).read(), {"__name__": "__main__"})
    except Exception as error:
        print("Traceback", type(error), error)
    print("END", task)
"""


@pytest.mark.parametrize("profile", ["A", "D"])
def test_image_scripts_find_their_own_package_and_mark_its_picture(packed, twins, tmp_path, profile):
    places = lay_out(packed, tmp_path / "sd")
    calls = [f'attempt("{task}", "{places[task]}/{packed[task].role}_image_1_2_2.py")' for task in packed]
    with contextlib.closing(VirtualK230(sd=tmp_path / "sd", profile=profile, kpu="onnx", onnx_twins=twins)) as board:
        board.start_source(PICTURES + "\n".join(calls) + '\nprint("all", "done")\n')
        said = dict(re.findall(r"BEGIN (\w+)([\s\S]*?)END \1", board.wait_for("all done", timeout=180)))
        assert board.ide.last_shown.startswith(b"\xff\xd8")  # the marked picture is seen in the IDE too
    for task in packed:
        assert "Traceback" not in said[task] and re.search(SAYS[task], said[task]), said[task]
        folder = tmp_path / "sd" / places[task].removeprefix("/sdcard").lstrip("/") / "mp_deployment_source" / "images"
        with Image.open(folder / "test_result.jpg") as marked, Image.open(folder / "test.jpg") as plain:
            shown = np.asarray(marked.convert("RGB"), int)
            if task == "ocr_recognize":  # the word stands below the line, in a bar of its own
                assert shown.shape[0] > plain.height and (shown[plain.height :].max(2) > 150).any()
                continue
            changed = np.abs(shown - np.asarray(plain.convert("RGB"), int)).max(2) > 40
        rows, columns = np.nonzero(changed)
        left, top, right, bottom = columns.min(), rows.min(), columns.max(), rows.max()
        if task == "detect":
            assert 190 < left < 210 and 320 < right < 340 and top > 70 and bottom < 215
        elif task == "segment":
            middle = changed[95:265, 165:475].mean()
            assert middle > 0.95 > 0.02 > changed[:85].mean(), middle
        elif task == "ocr_detect":
            assert right < 620 and top > 100
        else:
            assert left >= 8 and top >= 8 and bottom < 120  # words in the corner


VIDEO = {"detect": "A", "classify": "B", "segment": "C", "ocr_detect": "D", "embed": "B", "multilabel": "C"}


@pytest.mark.parametrize("task", VIDEO)
def test_video_scripts_run_as_they_are_until_they_are_stopped(packed, twins, tmp_path, task):
    place = lay_out({task: packed[task]}, tmp_path / "data" / "x y")[task].removeprefix("/sdcard")
    script = (tmp_path / "data" / "x y" / place.lstrip("/") / f"{packed[task].role}_video_1_2_2.py").read_bytes()
    with contextlib.closing(
        VirtualK230(data=tmp_path / "data", profile=VIDEO[task], kpu="onnx", onnx_twins=twins)
    ) as board:
        board.start_source(script)
        log = board.wait_for("frames/s", timeout=180)
        assert "Traceback" not in log
        check_marks(task, board)


def check_marks(task, board):
    """What is on the layer over the video, 800x480 px."""
    calls = board.drawn("OSD3")
    words = [call[4] for call in calls if call[0] == "string"]
    if task == "detect":
        (box,) = [call[1:5] for call in calls if call[0] == "rectangle"]
        assert np.abs(np.subtract(box, (250, 144, 160, 128))).max() <= 3, box
        assert words[0].startswith("green 0.")
    elif task == "segment":
        layer = np.asarray(board.layer("OSD3"))
        inside, outside = layer[130:350, 210:590], layer[:110]
        assert (inside[..., 3] > 60).all() and not outside[..., 3].any()
    elif task == "ocr_detect":
        assert len([call for call in calls if call[0] == "line"]) == 4
    else:
        wanted = {"classify": ["green 0.96"], "embed": words, "multilabel": ["red 0.95", "blue 0.88"]}[task]
        assert words == wanted and len(words) >= 1
    if task == "embed":
        assert words[0] in ("cup 1.00", "tea pot 1.00")


APPS = {
    "detect": "DetectionApp",
    "classify": "ClassificationApp",
    "segment": "SegmentationApp",
    "ocr_detect": "OCRDetectionApp",
    "ocr_recognize": "OCRRecognitionApp",
    "embed": "MetricLearningApp",
    "multilabel": "MultiLabelClassificationApp",
}
VIDEOS = """
def watch(task, path, role, folder):
    print("BEGIN", task, "video")
    names = {"__name__": "package"}
    exec(open(path).read(), names)
    names["video"](role, folder=folder, frames=2, debug_mode=1)
    print("END", task, "video")
"""


def test_scripts_for_firmware_with_libs_hand_over_what_its_classes_want(packed, twins, tmp_path):
    places = lay_out(packed, tmp_path / "sd")
    shutil.copytree(LIBS, tmp_path / "sd" / "libs")
    calls = []
    for task, one in packed.items():
        calls.append(f'attempt("{task}", "{places[task]}/{one.role}_image_1_3.py")')
        if task in VIDEO:
            source = f"{places[task]}/mp_deployment_source"
            calls.append(f'watch("{task}", "{places[task]}/{one.role}_video_1_3.py", "{one.role}", "{source}")')
    pair = tuple(f"{places[task]}/mp_deployment_source" for task in ("ocr_detect", "ocr_recognize"))
    calls.append(f'watch("chain", "{places["detect"]}/det_video_1_3.py", "ocr", {pair})')
    with contextlib.closing(VirtualK230(sd=tmp_path / "sd", profile="C", kpu="onnx", onnx_twins=twins)) as board:
        board.start_source(PICTURES + VIDEOS + "\n".join(calls) + '\nprint("all", "done")\n')
        log = board.wait_for("all done", timeout=180)
    said = {name.strip(): text for name, text in re.findall(r"BEGIN ([^\n\r]+)([\s\S]*?)END \1", log)}
    for task, app in APPS.items():
        where = f"{app} image {places[task]}/mp_deployment_source/{packed[task].kmodel}"
        assert "Traceback" not in said[task] and where in said[task] and "saved" in said[task], said[task]
        if task in VIDEO:
            assert f"{app} video" in said[f"{task} video"] and f"deinit {app}" in said[f"{task} video"]
        words = {"detect": r"green 0\.90 at 1,2 size 30x42\s+red 0\.50", "ocr_recognize": "text 'k230'"}.get(
            task, "0.90|text area|regions"
        )
        assert re.search("cup|tea pot" if task == "embed" else words, said[task]), said[task]
    assert "frames/s: green 0.90 at 1,2 size 30x42, red 0.50" in said["detect video"]
    assert "text 'k230'" in said["chain video"]
    tinted = next((tmp_path / "sd").glob(f"{places['segment'].removeprefix('/sdcard/')}/*/images/test_result.jpg"))
    with Image.open(tinted) as marked, Image.open(tinted.with_name("test.jpg")) as plain:
        more_green = (np.asarray(marked, int) - np.asarray(plain, int))[..., 1] > 40
    assert more_green[10:170].all() and not more_green[190:].any()


def test_without_libs_the_other_script_is_named(packed, tmp_path):
    places = lay_out({"classify": packed["classify"]}, tmp_path / "sd")
    call = f'attempt("classify", "{places["classify"]}/cls_image_1_3.py")'
    with contextlib.closing(VirtualK230(sd=tmp_path / "sd", profile="A")) as board:
        board.start_source(PICTURES + call + '\nprint("all", "done")\n')
        assert "run the script ending in _1_2_2.py instead" in board.wait_for("all done", timeout=180)
