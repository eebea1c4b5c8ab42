"""`snaploop models import`: every kind of vendor package becomes a model that the board's own decoder agrees with; bad ones get one line.

The simulator is an ONNX twin here, except in the test that says so.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")

import onnxruntime

from fakes.board_client import jpeg
from fakes.desk import Desk, says, tap, wait
from fakes.device_board import FakeKpu
from fakes.host_folder import make_host
from fakes.tiny_kmodel import CannotCompileError, compile_onnx
from fakes.twin_model import put_model_on_card
from fakes.vendor_packages import BOX, KINDS, LABELS, WORD, run_twin, write_package
from snaploop_device.inference import decoder_for, placement_for
from snaploop_host.cli.main import app
from snaploop_host.compiling.errors import NncaseMissingError, SimulatorFailedError
from snaploop_host.domain.deploy_config import deploy_config
from snaploop_host.domain.samples import AnnotatedPicture, Box
from snaploop_host.errors import BadInputError, ConflictError, NotFoundError
from snaploop_host.services.import_model import ImportModel
from snaploop_host.storage.vendor_package import read_vendor_package
from snaploop_host.training.prove_kmodel import prove
from snaploop_shared import manifest as manifests


@pytest.fixture
def host(tmp_path):
    host = make_host(tmp_path / "host")
    yield host
    host.close()


def bring(host, package, simulate, project="new", force=False):
    """Import the package at this path."""

    def tried(model, kmodel, photos, classes):
        return prove(model, kmodel, photos, classes, package_read.pictures, run=simulate)

    package_read = read_vendor_package(package)
    return ImportModel(host.store, host.blobs, tried, lambda: 1000.0).run(
        project, package_read.name, package_read.model, package_read.kmodel, force
    )


@pytest.mark.parametrize("name", KINDS)
def test_the_board_decodes_what_the_host_wrote_down(host, tmp_path, name):
    kind = KINDS[name]
    (twin,) = write_package(tmp_path / "p", kind).values()
    if kind.task == "embed":
        with pytest.raises(NotFoundError, match="projects add new --task embed"):
            bring(host, tmp_path / "p", run_twin(twin))
        host.store.add_project("new", "embed", ("thing",), 1.0)
    done = bring(host, tmp_path / "p", run_twin(twin))
    assert done.notes == ("not measured: the project has no labelled photos",)
    model, project = done.model, host.store.project_named("new")
    assert (project.task, model.is_gate_passed, model.is_imported) == (kind.task, True, True)
    assert model.gate_text == f"imported from p ({kind.model_type}), not measured"
    assert host.store.offered_model(project.id).digest == model.digest
    manifest = manifests.parse(model.manifest)
    assert [*manifest.labels] == kind.labels and manifest.has_golden
    golden = np.frombuffer(host.blobs.read(model.golden_digest), np.uint8).reshape(1, 3, *kind.size[::-1])
    outputs = onnxruntime.InferenceSession(str(twin)).run(None, {"images": golden.astype(np.float32) / 255})
    decoder = decoder_for(manifest, placement_for(manifest, 640, 360), FakeKpu())
    found = decoder.in_input(outputs.__getitem__)
    manifests.check_golden(manifest, found)
    if kind.task == "detect":
        assert found[0][0] == BOX[0] and np.abs(np.subtract(found[0][2:], BOX[1:])).max() <= 1
    if kind.task == "ocr_recognize":
        assert found[0] == WORD
    config = deploy_config(json.loads(model.manifest), "best.kmodel")
    theirs = json.loads((tmp_path / "p/mp_deployment_source/deploy_config.json").read_text())
    same = set(theirs) - {"mean", "std"} - ({"categories", "num_classes"} if kind.task == "ocr_recognize" else set())
    if kind.task == "segment":
        same -= {"num_classes"}
    assert {key: config[key] for key in same} == {key: theirs[key] for key in same}


class Photos:
    """Photos of 640x360 px with one thing each, of these classes in turn; a `ports.AnnotatedFolder`."""

    def __init__(self, task, classes, corners, text=""):
        self.task, self.classes, self.corners, self.text = task, classes, corners, text

    def class_names(self):
        return tuple(LABELS)

    def pictures(self):
        left, top, right, bottom = self.corners
        points = (
            () if self.task in ("detect", "classify") else ((left, top), (right, top), (right, bottom), (left, bottom))
        )
        for number, name in enumerate(self.classes):
            box = Box(name, left, top, right - left, bottom - top, points, self.text)
            yield AnnotatedPicture(f"{number}.jpg", jpeg(number, 640, 360), (box,), (640, 360))


MEASURED = {
    "AnchorBaseDet": ((200, 108, 328, 204), "map50", 0.05, 0.34),  # right boxes, all called green, a third are
    "DeepNet": ((160, 90, 480, 270), "miou", 0.49, 0.51),  # the right region, always called sky
    "OCR_RCNet": ((100, 100, 300, 140), "accuracy", 0.99, 1.01),
}


@pytest.mark.parametrize("name", MEASURED)
def test_each_kind_of_label_measures_it(host, tmp_path, name):
    kind, (corners, metric, low, high) = KINDS[name], MEASURED[name]
    (twin,) = write_package(tmp_path / "p", kind).values()
    names = {"segment": kind.labels[1:], "detect": kind.labels}.get(kind.task, ["text"])
    host.store.add_project("new", kind.task, tuple(names), 1.0)
    host.importer.run("new", Photos(kind.task, [*names] * (6 // len(names)), corners, WORD))
    done = bring(host, tmp_path / "p", run_twin(twin))
    assert done.notes == () and done.model.evaluated_images == 6
    value = done.model.kmodel_scores[metric]
    assert low < value < high, value


def test_it_is_measured_on_the_labelled_photos_of_its_project(host, tmp_path):
    (twin,) = write_package(tmp_path / "p", KINDS["can2"]).values()
    host.importer.run(
        "fruit",
        Photos("classify", ["green", "green", "red", "red", "blue", "blue", "green", "green"], (0, 0, 640, 360)),
    )
    done = bring(host, tmp_path / "p", run_twin(twin), "fruit")
    assert done.notes == ()
    assert done.model.kmodel_scores["top1"] == 0.5 and done.model.evaluated_images == 8  # green, whatever it sees
    assert "top-1 accuracy 0.500" in done.model.gate_text and "8 labelled photos" in done.model.gate_text
    run = host.store.run(done.model.run_id)
    assert (run.state, run.stage, run.is_active) == ("succeeded", "import", False)


def test_a_project_must_be_of_its_task_and_classes(host, tmp_path):
    (twin,) = write_package(tmp_path / "p", KINDS["can2"]).values()
    with pytest.raises(BadInputError, match="lights is of task detect, the package is of classify"):
        bring(host, tmp_path / "p", run_twin(twin), "lights")
    host.store.add_project("fruit", "classify", ("apple", "pear"), 1.0)
    with pytest.raises(BadInputError, match="knows red, green, blue, project fruit has apple, pear: name a new"):
        bring(host, tmp_path / "p", run_twin(twin), "fruit")
    bring(host, tmp_path / "p", run_twin(twin))
    with pytest.raises(ConflictError, match="here already, as model"):
        bring(host, tmp_path / "p", run_twin(twin))
    assert len(host.store.models()) == 1


def test_boards_of_another_nncase_are_named(host, tmp_path):
    (twin,) = write_package(tmp_path / "p", KINDS["GFLDet"], nncase="2.8.3").values()
    host.store.add_project("new", "detect", tuple(LABELS), 1.0)
    board, _ = host.pair.pair("a1b2c3d4", "desk", "new")
    host.store.note_health(board.id, {"nncase": "2.11.0"})
    with pytest.raises(ConflictError, match=r"compiled with nncase 2.8.3, but desk runs 2.11.0: .*--force"):
        bring(host, tmp_path / "p", run_twin(twin))
    assert "desk runs 2.11.0" in bring(host, tmp_path / "p", run_twin(twin), force=True).notes[0]


@pytest.mark.parametrize(
    ("nncase", "error", "words"),
    [
        ("2.11.0", NncaseMissingError("nncase is not installed: install it"), "not tried in the simulator"),
        ("2.8.0", SimulatorFailedError("it does not run"), "the board's trial on live frames decides"),
    ],
)
def test_without_a_simulator_that_runs_it_the_board_has_no_golden_answer(host, tmp_path, nncase, error, words):
    def broken(*_):
        raise error

    write_package(tmp_path / "p", KINDS["GFLDet"], nncase=nncase)
    done = bring(host, tmp_path / "p", broken)
    assert words in done.notes[0]
    manifest = manifests.parse(done.model.manifest)
    assert not manifest.has_golden and host.blobs.read(done.model.golden_digest) == b""
    assert done.model.simulator == "none"


def test_a_kmodel_that_does_not_run_in_its_own_simulator_is_refused(host, tmp_path):
    def broken(*_):
        raise SimulatorFailedError("the K230 simulator could not run package.kmodel: bad section")

    write_package(tmp_path / "p", KINDS["GFLDet"])
    with pytest.raises(BadInputError, match=r"best.kmodel cannot be run: .*bad section"):
        bring(host, tmp_path / "p", broken)
    assert host.store.models() == [] and [one.name for one in host.store.projects()] == ["lights"]


@pytest.mark.parametrize("name", ["AnchorBaseDet", "GFLDet", "can2", "DeepNet", "OCR_DNet", "OCR_RCNet", "multilabel"])
def test_a_kmodel_of_another_package_is_refused(host, tmp_path, name):
    write_package(tmp_path / "p", KINDS[name])
    (other,) = write_package(tmp_path / "q", KINDS["metric_learning"]).values()
    with pytest.raises(BadInputError, match=r"best.kmodel has outputs \(1, 4\), which is no"):
        bring(host, tmp_path / "p", run_twin(other))


BAD_KEYS = {
    "model_type missing": ({"model_type": None}, "model_type is missing"),
    "model_type unknown": ({"model_type": "Yolo99"}, "'Yolo99' is not known here"),
    "nothing decodes it": ({"model_type": "PatchDet"}, "finds anomalies, which no script on a board decodes"),
    "other chip": ({"chip_type": "v831"}, "chip_type is 'v831'"),
    "no nncase": ({"nncase_version": None}, "the key nncase_version is missing"),
    "odd nncase": ({"nncase_version": "newest"}, "no version such as 2.9.0"),
    "no kmodel_path": ({"kmodel_path": None}, "the key kmodel_path is missing"),
    "a path": ({"kmodel_path": "../best.kmodel"}, "the name of a file in the same folder"),
    "another name": ({"kmodel_path": "other.kmodel"}, r"which is not beside it \(kmodels there: best.kmodel\)"),
    "size": ({"img_size": [320]}, r"\[width, height\] in pixels"),
    "odd size": ({"img_size": [320, 200]}, "multiples of 32"),
    "no categories": ({"categories": None}, "the key categories is missing"),
    "twice": ({"categories": ["a", "a", "b"]}, "a list of different names"),
    "count": ({"num_classes": 5}, "num_classes is 5, categories has 3 names"),
    "no threshold": ({"confidence_threshold": None}, "the key confidence_threshold is missing"),
    "threshold": ({"confidence_threshold": "high"}, "a number from 0 to 1"),
    "no nms": ({"nms_threshold": None}, "the key nms_threshold is missing"),
    "no anchors": ({"anchors": None}, "the key anchors is missing"),
    "few anchors": ({"anchors": [[1, 2], [3, 4], [5, 6]]}, "3 lists of 6 numbers"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_bad_config_is_one_line(tmp_path, name):
    changes, words = BAD_KEYS[name]
    write_package(tmp_path / "p", KINDS["AnchorBaseDet"], **changes)
    with pytest.raises(BadInputError, match=words) as caught:
        read_vendor_package(tmp_path / "p")
    assert "\n" not in str(caught.value)


def test_odd_keys_are_taken_and_said(tmp_path):
    write_package(tmp_path / "p", KINDS["AnchorFreeDet"], model_type="FreeDet", nms_option=True, img_size=None)
    model = read_vendor_package(tmp_path / "p/mp_deployment_source/deploy_config.json").model
    assert (model.head, model.size) == ("anchorfree", (320, 192)) and "nms_option is true" in model.notes[0]
    write_package(tmp_path / "q", KINDS["multilabel"], model_type="can_new")
    assert read_vendor_package(tmp_path / "q", "multilabel").model.head == "multilogits"
    with pytest.raises(BadInputError, match="a FreeDet is a model of detect, not of classify"):
        read_vendor_package(tmp_path / "p", "classify")


def spoil(folder, what):
    """Damage a written package."""
    source = folder / "mp_deployment_source"
    kmodel, config = source / "best.kmodel", source / "deploy_config.json"
    if what == "no kmodel":
        kmodel.unlink()
    elif what == "two kmodels":
        shutil.copy(kmodel, source / "worse.kmodel")
    elif what == "cut short":
        kmodel.write_bytes(kmodel.read_bytes()[:-20])
    elif what == "no magic":
        kmodel.write_bytes(b"\0" * 200)
    elif what == "old":
        kmodel.write_bytes(b"LDMK\x05" + kmodel.read_bytes()[5:])
    elif what == "no config":
        config.unlink()
    elif what == "no JSON":
        config.write_text('{"img_size": [320,')
    elif what == "a list":
        config.write_text("[]")
    elif what == "two packages":
        shutil.copytree(source, folder / "second")
    elif what == "no dictionary":
        (source / "dict.txt").unlink()
    else:
        (source / "dict.txt").write_bytes(b"\xff\xfe\xff")


SPOILT = {
    "no kmodel": r"names best.kmodel, which is not beside it \(kmodels there: none\)",
    "two kmodels": r"holds 2 kmodels \(best.kmodel, worse.kmodel\): leave the right one only",
    "cut short": r"best.kmodel is cut short \(\d+ bytes\): download the package again",
    "no magic": r"best.kmodel is no kmodel \(it begins with b'",
    "old": "best.kmodel is a kmodel of version 5, boards of today run version 7",
    "no config": "holds no deploy_config.json: give mp_deployment_source",
    "no JSON": "deploy_config.json is not JSON",
    "a list": "deploy_config.json is no JSON object",
    "two packages": r"holds 2 packages \(mp_deployment_source, second\)",
    "no dictionary": "needs dict.txt beside it, which is missing",
    "odd dictionary": "dict.txt is not UTF-8",
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_package_is_one_line_from_folder_and_zip(tmp_path, what):
    write_package(tmp_path / "p", KINDS["OCR_RCNet"])
    spoil(tmp_path / "p", what)
    archive = shutil.make_archive(str(tmp_path / "z"), "zip", tmp_path / "p")
    for package in (tmp_path / "p", tmp_path / "z.zip"):
        with pytest.raises(BadInputError, match=SPOILT[what]) as caught:
            read_vendor_package(package)
        assert "\n" not in str(caught.value)
    assert archive.endswith("z.zip")


def test_zips_around_zips_and_what_does_not_belong_there(tmp_path):
    write_package(tmp_path / "p", KINDS["can2"])
    inner = shutil.make_archive(str(tmp_path / "mp_deployment_source"), "zip", tmp_path / "p/mp_deployment_source")
    with zipfile.ZipFile(tmp_path / "cloud.zip", "w") as archive:
        archive.write(inner, "cls/mp_deployment_source.zip")
        archive.writestr("__MACOSX/cls/deploy_config.json", "{}")
    assert read_vendor_package(tmp_path / "cloud.zip").model.task == "classify"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../deploy_config.json", "leads out of it"),
        ("/etc/deploy_config.json", "leads out of it"),
        ("a.txt", "holds no"),
    ],
)
def test_zip_entries_that_lead_out_are_not_opened(tmp_path, name, words):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, "{}")
    with pytest.raises(BadInputError, match=words):
        read_vendor_package(tmp_path / "bad.zip")


def test_damaged_and_missing_zips(tmp_path):
    write_package(tmp_path / "p", KINDS["can2"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted((tmp_path / "p/mp_deployment_source").iterdir()):
            archive.write(path, path.name)
    whole = packed.getvalue()
    at = whole.index(b"LDMK") + 60
    (tmp_path / "flipped.zip").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    for name, words in (("flipped", "is damaged"), ("half", "is no whole zip"), ("none", "is not there")):
        with pytest.raises(BadInputError, match=words):
            read_vendor_package(tmp_path / f"{name}.zip")


def test_the_command_with_a_real_kmodel_in_the_real_simulator(tmp_path):
    from onnx import TensorProto, helper, numpy_helper, save

    rng, size = np.random.default_rng(0), 64
    nodes, weights, outputs = [], [], []
    for stride in (8, 16, 32):
        weight = (rng.standard_normal((24, 3, stride, stride)) / stride).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{stride}"))
        nodes += [
            helper.make_node("Conv", ["images", f"w{stride}"], [f"c{stride}"], strides=[stride] * 2),
            helper.make_node("Sigmoid", [f"c{stride}"], [f"s{stride}"]),
            helper.make_node("Transpose", [f"s{stride}"], [f"o{stride}"], perm=[0, 2, 3, 1]),
        ]
        shape = [1, size // stride, size // stride, 24]
        outputs.append(helper.make_tensor_value_info(f"o{stride}", TensorProto.FLOAT, shape))
    pixels = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size, size])
    graph = helper.make_graph(nodes, "anchors", [pixels], outputs, weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(tmp_path / "a.onnx"))
    source = tmp_path / "p" / "mp_deployment_source"
    write_package(tmp_path / "p", KINDS["AnchorBaseDet"], img_size=[size, size], confidence_threshold=0.2)
    try:
        compile_onnx(tmp_path / "a.onnx", source / "best.kmodel", (1, 3, size, size))
    except CannotCompileError as error:
        pytest.skip(str(error))
    archive = shutil.make_archive(str(tmp_path / "cloud"), "zip", tmp_path / "p")
    run = CliRunner()
    said = run.invoke(
        app, ["models", "import", archive, "--project", "cloud", "--data", str(tmp_path / "host"), "--json"]
    )
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert (told["task"], told["head"], told["scores"]) == ("detect", "anchorbase", {})
    host = make_host(tmp_path / "host")
    (model,) = host.store.models()
    manifest = manifests.parse(model.manifest)
    assert model.simulator.startswith("nncase 2.") and manifest.has_golden and len(manifest.golden_detections) > 0
    host.close()
    listed = run.invoke(app, ["models", "--data", str(tmp_path / "host")])
    assert "imported" in listed.stdout and "not measured" in listed.stdout
    tried = run.invoke(
        app,
        [
            "test",
            "--model",
            model.short,
            str(tmp_path / "p/det_results/test_0.jpg"),
            "--data",
            str(tmp_path / "host"),
            "--out",
            str(tmp_path / "marked"),
        ],
    )
    assert "was imported as a kmodel, there is no float network" in str(tried.exception)
    packed = run.invoke(app, ["package", model.short, "--out", str(tmp_path / "out"), "--data", str(tmp_path / "host")])
    again = read_vendor_package(next((tmp_path / "out").glob("*.zip")))
    assert packed.exit_code == 0 and (again.model.head, again.model.anchors) == ("anchorbase", tuple(manifest.anchors))


@pytest.mark.parametrize("name", ["AnchorBaseDet", "DeepNet"])
def test_the_app_shows_in_live_what_such_a_model_finds(tmp_path, name):
    desk, kind = Desk(tmp_path / "desk"), KINDS[name]
    twins = write_package(tmp_path / "p", kind)
    with contextlib.closing(make_host(desk.host_data)) as host:
        model = bring(host, tmp_path / "p", run_twin(next(iter(twins.values())))).model
        kmodel, golden = host.blobs.read(model.digest), host.blobs.read(model.golden_digest)
    desk.install(project="new")
    key = bytes.fromhex(json.loads((desk.folder / "data/snaploop/config.json").read_text())["key"])
    put_model_on_card(desk.folder / "data" / "snaploop", key, model.manifest, kmodel, golden)
    with desk.board(kpu="onnx", onnx_twins=twins) as board:
        wait("the app", lambda: board.drawn("OSD2"), board)
        tap(board, "capture", "tab:live")

        def frames():
            return [call[1:5] for call in board.drawn("OSD1") if call[0] == "rectangle"]

        if kind.task == "detect":
            says(board, "green 90")
            assert any(np.abs(np.subtract(one, (200, 108, 128, 96))).max() <= 2 for one in frames()), frames()
        else:
            says(board, "sky")
            assert [160, 90, 320, 180] in [[*one] for one in frames()]
