"""doctr's network for finding text: weights from files and from the web, our head on it, what is refused. Downloads nothing."""

import dataclasses
import itertools

import numpy as np
import pytest

pytest.importorskip("doctr", reason="doctr is not installed: pip install 'snaploop[train]'")

import torch

from fakes.task_jobs import write_job
from snaploop_host.domain.training_parameters import DOCTR_DB, OWN_NETWORK, check_parameters
from snaploop_host.errors import BadInputError
from snaploop_host.training.download import DownloadError
from snaploop_host.training.errors import BadJobError, TrainingError
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.ocr_detect import weights as chosen
from snaploop_host.training.task import Folders, task_named

WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module")
def library():
    """The library's own network with other weights than it begins with, as a file of doctr's holds them."""
    from doctr.models.detection import db_mobilenet_v3_large

    torch.manual_seed(3)
    network = db_mobilenet_v3_large(pretrained=False, pretrained_backbone=False, exportable=True)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.normal_(0, 0.2)
                layer.running_var.uniform_(0.5, 2)
                layer.running_mean.normal_(0, 0.2)
    return network.eval()


@pytest.fixture(scope="module")
def checkpoint(library, tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / f"{DOCTR_DB}-of-the-test.pt"
    torch.save(library.state_dict(), file)
    return file


@pytest.fixture(scope="module")
def network(checkpoint):
    from snaploop_host.training.ocr_detect.doctr_network import take_over
    from snaploop_host.training.ocr_detect.networks import build_network

    built = build_network(DOCTR_DB)
    built.taken = take_over(built, checkpoint)
    return built.eval()


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(1).random((1, 3, HEIGHT, WIDTH), np.float32)


def test_both_maps_begin_as_the_librarys_map_of_pictures_in_its_own_range(library, network, pixels):
    taken, tensors = network.taken
    assert taken == tensors == len(network.state_dict())
    mean, std = (np.array(library.cfg[name], np.float32).reshape(3, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        expected = library(torch.from_numpy((pixels - mean) / std))["logits"].numpy()
        found = network(torch.from_numpy(pixels)).numpy()
    assert expected.std() > 0.01  # the test's weights say something
    for channel in (0, 1):
        np.testing.assert_allclose(found[:, channel], expected[:, 0], atol=1e-3 * np.abs(expected).max())


def test_exported_network_has_the_head_that_boards_decode(network, pixels, tmp_path):
    import onnxruntime

    from snaploop_host.training.ocr_detect.network import VendorForm
    from snaploop_host.training.write_onnx import write_onnx

    write_onnx(VendorForm(network), tmp_path / "model.onnx", WIDTH, HEIGHT, ["text_map"])
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    (chances,) = session.run(None, {"images": pixels})
    assert chances.shape == (1, HEIGHT, WIDTH, 2)
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.from_numpy(pixels))).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(chances, expected, atol=1e-4)


def test_what_does_not_fit_begins_anew_and_what_is_nothing_is_refused(network, checkpoint, tmp_path):
    from snaploop_host.training.ocr_detect.doctr_network import take_over

    held = torch.load(checkpoint, weights_only=True)
    of_three_kinds = {**held, "prob_head.6.weight": torch.ones(64, 3, 2, 2), "prob_head.6.bias": torch.ones(3)}
    torch.save(of_three_kinds, tmp_path / "kinds.pt")
    taken, tensors = take_over(network, tmp_path / "kinds.pt")
    assert taken == tensors - 2
    torch.save({"network": network.state_dict(), "epoch": 3}, tmp_path / "ours.pt")  # another project's best.pt
    assert take_over(network, tmp_path / "ours.pt") == (tensors, tensors)
    torch.save({"other.weight": torch.ones(1)}, tmp_path / "other.pt")
    with pytest.raises(BadJobError, match=r"nothing in .*other\.pt fits db_mobilenet_v3_large"):
        take_over(network, tmp_path / "other.pt")
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    with pytest.raises(BadJobError, match=r"weights .*broken\.pt cannot be read"):
        take_over(network, tmp_path / "broken.pt")


@pytest.fixture
def run_in(tmp_path, monkeypatch):
    """A prepared job of ten photos in a folder of its own, in a working directory where `weights/` may lie; offline."""
    monkeypatch.chdir(tmp_path)
    numbers = itertools.count()

    def refuse(address, folder):
        raise DownloadError("w-12345678.pt", "the site cannot be reached (no network)")

    monkeypatch.setattr(chosen, "download", refuse)

    def run(train=True, warm_start=None, **parameters):
        given = {"device": "cpu", "threads": 1, "epochs": 1, "batch": 2, "network": DOCTR_DB, **parameters}
        folder = write_job(tmp_path / f"job{next(numbers)}", "ocr_detect", 2, 1, given)
        job, folders, task = read_job(folder / "job.json"), Folders(folder), task_named("ocr_detect")
        job = dataclasses.replace(job, warm_start=warm_start)
        folders.artifacts.mkdir()
        notes = task.prepare(job, folders)

        def report(kind, **fields):
            if kind == "note":
                notes.append(fields["text"])

        return (task.train(job, folders, report) if train else {}), notes, folders.artifacts / "best.pt"

    return run


def test_run_starts_from_a_file_in_the_folder_and_the_next_one_warm(run_in, checkpoint, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / checkpoint.name).write_bytes(checkpoint.read_bytes())
    trained, notes, best = run_in()
    assert (trained["start"], trained["network"]) == ("pretrained", DOCTR_DB)
    assert f"{DOCTR_DB} starts from weights/{checkpoint.name}" in notes
    assert any(f"tensors are from weights/{checkpoint.name}" in note for note in notes)
    assert run_in(warm_start=best)[0]["start"] == "warm"
    with pytest.raises(TrainingError, match=r"are of the network db_mobilenet_v3_large, not own: train with network="):
        run_in(warm_start=best, network=OWN_NETWORK)


def test_without_a_network_a_run_says_that_it_starts_from_scratch(run_in):
    trained, notes, _ = run_in()
    assert trained["start"] == "scratch"
    said = "starts from scratch (the site cannot be reached (no network); put w-12345678.pt into weights/): it wants"
    assert any(said in note for note in notes)
    _, notes, _ = run_in(train=False, start="scratch")
    assert notes == [f"{DOCTR_DB} starts from scratch: {chosen.WANTS_PHOTOS}"]
    assert run_in(train=False, network=OWN_NETWORK)[1] == []
    assert "nobody has weights for it" in run_in(train=False, network=OWN_NETWORK, start="pretrained")[1][0]


def test_choice_is_of_finding_text_alone():
    assert check_parameters("ocr_detect", {"network": "DB_MobileNet_v3_large"}) == {"network": DOCTR_DB}
    with pytest.raises(BadInputError, match="network=resnet: allowed are own, db_mobilenet_v3_large"):
        check_parameters("ocr_detect", {"network": "resnet"})
    with pytest.raises(BadInputError, match="parameter network is of ocr_detect, this project is of detect"):
        check_parameters("detect", {"network": DOCTR_DB})
