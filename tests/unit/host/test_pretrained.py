"""Which weights a run starts from: the last model's, a file in the weights folder, the library's; or none, and it says so."""

import hashlib
import re
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")
pytest.importorskip("timm", reason="timm is not installed: pip install 'snaploop[train]'")

import torch

from fakes.shape_photos import NAMES
from fakes.task_jobs import write_job
from snaploop_host.domain.training_parameters import MOBILENET, OWN_NETWORK
from snaploop_host.training import pretrained
from snaploop_host.training.download import DownloadError
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.whole_photo import network as networks
from snaploop_host.training.whole_photo.base import planned_epochs


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One small job of each task that is tried here."""
    folder = tmp_path_factory.mktemp("jobs")
    return {
        task: read_job(write_job(folder / task, task, 4, 4) / "job.json") for task in ("classify", "detect", "segment")
    }


@pytest.fixture
def job(written):
    def made(task="classify", warm_start=None, **parameters):
        one = written[task]
        return replace(one, parameters=replace(one.parameters, **parameters), warm_start=warm_start)

    return made


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    """The weights folder, not there yet; and a current folder without one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNAPLOOP_WEIGHTS", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def no_network(monkeypatch):
    """Every download fails; the addresses that were asked for."""
    asked = []

    def nothing(address, folder, sha256=""):
        asked.append(address)
        raise DownloadError(address.rpartition("/")[-1].split("&")[0], "no network")

    monkeypatch.setattr(pretrained, "download", nothing)
    return asked


def test_weights_lie_where_the_host_was_started_else_in_the_data_folder(tmp_path, weights):
    assert pretrained.weights_folder() == weights
    (tmp_path / "weights").mkdir()
    assert pretrained.weights_folder().resolve() == tmp_path / "weights"


def test_pretrained_weights_are_found_by_the_networks_name(tmp_path):
    plain = tmp_path / "mobilenetv2_100_ra.pth"
    network = networks.build_network(MOBILENET, 3)
    torch.save(network.state_dict(), plain)
    assert pretrained.pretrained_file(tmp_path, MOBILENET) == plain
    assert networks.start_from(networks.build_network(MOBILENET, 3), MOBILENET, plain) == len(network.state_dict())


def test_network_is_the_last_models_else_timms_where_its_weights_are_else_our_own(tmp_path, weights, no_network, job):
    assert pretrained.network_of(job()) == OWN_NETWORK and pretrained.weights_to_start_from(job()) is None
    assert planned_epochs(job(batch=1)) > planned_epochs(job(batch=1, network=MOBILENET))
    weights.mkdir()
    file = weights / "mobilenetv2_100_ra-00000000.pth"
    file.write_bytes(b"weights")
    assert pretrained.network_of(job()) == MOBILENET and pretrained.weights_to_start_from(job()) == file
    assert pretrained.provide_weights(job()) == [f"mobilenetv2_100 starts from {file}"]
    assert pretrained.network_of(job(start="scratch")) == OWN_NETWORK
    best = tmp_path / "best.pt"
    own = networks.build_network(OWN_NETWORK, 3)
    networks.save_weights(best, "classify", OWN_NETWORK, NAMES, own.state_dict())
    warm = job(warm_start=best)
    assert pretrained.network_of(warm) == OWN_NETWORK and pretrained.weights_to_start_from(warm) == best
    assert pretrained.provide_weights(warm) == []
    assert not no_network


@pytest.mark.parametrize(
    ("task", "file"),
    [("classify", r"mobilenetv2_100_\w+-[0-9a-f]{8}\.pth"), ("detect", r"yolov8n\.pt"), ("segment", r"yolo26n\.pt")],
)
def test_without_a_network_it_learns_from_scratch_and_says_how_to_mend_that(task, file, no_network, weights, job):
    (note,) = pretrained.provide_weights(job(task))
    assert re.search(rf"from scratch \(no weights: no network; put {file} into {weights}/ for a better start\)", note)
    assert re.search(rf"/{file}", no_network[0]) and pretrained.weights_to_start_from(job(task)) is None
    assert pretrained.network_of(job(task)) in (OWN_NETWORK, "yolov8n", "yolo26n")


def test_a_start_from_scratch_that_was_asked_for_fetches_nothing(no_network, job):
    assert pretrained.provide_weights(job("detect", start="scratch")) == ["yolov8n starts from scratch"]
    assert pretrained.provide_weights(job(start="scratch")) == ["own starts from scratch"]
    assert "wants hundreds of photos" in pretrained.provide_weights(job(start="scratch", network=MOBILENET))[0]
    assert not no_network


def test_a_network_that_was_asked_for_learns_without_weights_too(no_network, job):
    (note,) = pretrained.provide_weights(job(start="pretrained"))
    assert note.startswith("mobilenetv2_100 starts from scratch (no weights: no network;") and "network=own" in note
    assert pretrained.network_of(job(start="pretrained")) == MOBILENET


def test_weights_are_fetched_where_there_is_a_network(monkeypatch, weights, job):
    def fetch(address, folder, sha256=""):
        folder.mkdir(exist_ok=True)
        file = folder / address.rpartition("/")[-1]
        file.write_bytes(b"weights")
        digits = re.search(r"-([0-9a-f]{8})\.", file.name)
        assert digits or len(bytes.fromhex(sha256)) == hashlib.sha256().digest_size
        return file

    monkeypatch.setattr(pretrained, "download", fetch)
    (note,) = pretrained.provide_weights(job("detect"))
    assert note == f"yolov8n starts from {weights}/yolov8n.pt, fetched from its library"
    assert pretrained.weights_to_start_from(job("detect")) == weights / "yolov8n.pt"
    assert pretrained.provide_weights(job("detect")) == [f"yolov8n starts from {weights}/yolov8n.pt"]
    (note,) = pretrained.provide_weights(job())
    assert note.startswith("mobilenetv2_100 starts from") and pretrained.network_of(job()) == MOBILENET


def test_weights_that_come_or_go_do_not_change_a_run_that_is_taken_up_again(weights, no_network, job):
    before = pretrained.settle(job())
    weights.mkdir()
    file = weights / "mobilenetv2_100_ra-00000000.pth"
    file.write_bytes(b"weights")
    again = pretrained.settled(job(), before)
    assert pretrained.network_of(again) == OWN_NETWORK and pretrained.weights_to_start_from(again) is None
    began = pretrained.settle(job())
    file.unlink()
    assert pretrained.network_of(pretrained.settled(job(), began)) == MOBILENET
    assert pretrained.settled(job(), {"train": 4}) == job()  # prepared by an older version
