"""A package of a stored model: what is in it, that its scripts are whole, and who gets none."""

from __future__ import annotations

import contextlib
import json
import zipfile
from hashlib import sha256

import pytest
from typer.testing import CliRunner

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")

from fakes.board_client import jpeg
from fakes.constant_models import constant_model
from fakes.device_board import gfl_heads
from fakes.host_folder import CLASSES, make_host, pair_client, write_artifacts
from snaploop_host.cli.main import app
from snaploop_host.errors import ConflictError
from snaploop_host.links.board_files import deploy_script
from snaploop_host.services.package_model import PackageModel
from snaploop_shared.sample_record import Box
from virtual_k230 import VirtualK230


@pytest.fixture
def stored(tmp_path):
    """A host with a model whose kmodel is `constant_model`'s, and its twins."""
    twins = constant_model(
        tmp_path / "made", "det", (320, 192), gfl_heads([(1, 100, 60, 64, 48)], 320, 192, len(CLASSES), 0.9)
    )
    kmodel = (tmp_path / "made" / "det.kmodel").read_bytes()

    def make(passed=True):
        host = make_host(tmp_path / "host")
        board = pair_client(host)
        for number in range(8):
            board.send_sample(f"b1-{number:06}", jpeg(number), [Box("red", 1, 1, 20, 20)])
        run = host.train.start(1)
        write_artifacts(host.jobs.artifact(run.id, "x").parent, passed=passed, kmodel=kmodel, head="gfl")
        return host, host.train.publisher.publish(run)

    return make, twins


def packer(host):
    return PackageModel(host.store, host.blobs, host.jobs, host.pictures, host.train.publisher.find, deploy_script)


def test_scripts_of_a_package_run_as_they_are(stored, tmp_path):
    make, twins = stored
    host, model = make()
    with contextlib.closing(host):
        archive = packer(host).write(model.short, tmp_path / "out")
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
        file.extractall(tmp_path / "unpacked")
    top = f"lights_{model.short}"
    assert {name.split("/", 1)[1] for name in names} >= {
        "README.md",
        "det_image_1_2_2.py",
        "det_video_1_2_2.py",
        "det_image_1_3.py",
        "det_video_1_3.py",
        f"mp_deployment_source/det_{model.short}.kmodel",
        "mp_deployment_source/deploy_config.json",
        "mp_deployment_source/images/test.jpg",
        f"snaploop_model/{model.short}/manifest.json",
    }
    folder = tmp_path / "unpacked" / top
    config = json.loads((folder / "mp_deployment_source" / "deploy_config.json").read_text())
    kmodel = (folder / "mp_deployment_source" / config["kmodel_path"]).read_bytes()
    assert sha256(kmodel).hexdigest() == model.digest
    assert (config["model_type"], config["img_size"], config["categories"]) == ("GFLDet", [320, 192], list(CLASSES))
    assert {"chip_type", "nncase_version", "confidence_threshold", "nms_threshold", "nms_option", "mean", "std"} <= set(
        config
    )
    assert f"{model.float_scores['map50']:.3f}" in (folder / "README.md").read_text()
    for name, last_words in (("det_image_1_2_2.py", "saved"), ("det_video_1_2_2.py", "frames/s")):
        with contextlib.closing(VirtualK230(sd=folder, profile="A", kpu="onnx", onnx_twins=twins)) as board:
            board.start_source((folder / name).read_bytes())
            log = board.wait_for(last_words, timeout=180)
            assert "yellow 0.9" in board.wait_for("yellow", timeout=180) and "Traceback" not in log
    assert (folder / "mp_deployment_source" / "images" / "test_result.jpg").exists()


def test_refused_model_is_packaged_only_by_force_and_says_so(stored, tmp_path):
    host, model = stored[0](passed=False)
    with contextlib.closing(host):
        package = packer(host)
        with pytest.raises(ConflictError, match="--force"):
            package.write(model.digest, tmp_path / "out")
        archive = package.write(model.digest, tmp_path / "out", force=True)
    assert "somebody forced it" in (archive.with_suffix("") / "README.md").read_text()


def test_command_names_what_is_not_there(tmp_path):
    make_host(tmp_path).close()
    done = CliRunner().invoke(app, ["package", "0123456789ab", "--data", str(tmp_path)])
    assert "no model 0123456789ab" in str(done.exception)


def test_two_classes_are_told_apart_at_one_half(tmp_path):
    with contextlib.closing(make_host(tmp_path / "host")) as host:
        host.store.add_project("pair", "classify", ("cup", "pot"), 1.0)
        board = pair_client(host, board_id="b0a4d001", project="pair")
        for number in range(8):
            board.send_sample(f"b1-{number:06}", jpeg(number), [Box(("cup", "pot")[number % 2], 0, 0, 64, 36)])
        run = host.train.start(host.store.project_named("pair").id)
        scores = {"images": 2, "values": {"top1": 1.0, "macro_f1": 1.0}}
        golden = bytes(3 * 96 * 96)
        write_artifacts(
            host.jobs.artifact(run.id, "x").parent, task="classify", head="logits", labels=["cup", "pot"], input=[96, 96],
            float_score=scores, kmodel_score=scores,
            golden={"input_sha256": sha256(golden).hexdigest(), "input_bytes": len(golden), "answer": {"scores_permille": [900, 100]}},
        )  # fmt: skip
        (host.jobs.artifact(run.id, "golden_input.bin")).write_bytes(golden)
        model = host.train.publisher.publish(run)
        archive = packer(host).write(model.short, tmp_path / "out")
    config = json.loads((archive.with_suffix("") / "mp_deployment_source" / "deploy_config.json").read_text())
    assert config["confidence_threshold"] == 0.5
