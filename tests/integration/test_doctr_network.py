"""doctr's networks for finding and reading text: weights from files, our heads on them, what is refused. Downloads nothing."""

import dataclasses
import itertools

import numpy as np
import pytest

pytest.importorskip("doctr", reason="doctr is not installed: pip install 'snaploop[train]'")

import onnx
import onnxruntime
import torch

from fakes.task_jobs import write_job
from snaploop_host.domain.training_parameters import DOCTR_CRNN, DOCTR_DB, OWN_NETWORK, check_parameters
from snaploop_host.errors import BadInputError
from snaploop_host.training import pretrained as chosen
from snaploop_host.training.download import DownloadError
from snaploop_host.training.errors import BadJobError, TrainingError
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.ocr_recognize import task as reading
from snaploop_host.training.ocr_recognize import train as reading_train
from snaploop_host.training.task import Folders, task_named
from snaploop_host.training.write_onnx import write_onnx

WIDTH, HEIGHT = 96, 64
CHARACTERS = "A-7ж"  # the library's network knows all but the last


def library_network(name):
    """The library's own network with other weights than it begins with."""
    from doctr import models

    torch.manual_seed(3)
    module = models.detection if name == DOCTR_DB else models.recognition
    network = getattr(module, name)(pretrained=False, pretrained_backbone=False, exportable=True)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.normal_(0, 0.2)
                layer.running_var.uniform_(0.5, 2)
                layer.running_mean.normal_(0, 0.2)
    return network.eval()


@pytest.fixture(scope="module")
def library():
    return {name: library_network(name) for name in (DOCTR_DB, DOCTR_CRNN)}


@pytest.fixture(scope="module")
def checkpoints(library, tmp_path_factory):
    """Files as doctr publishes them."""
    files = {name: tmp_path_factory.mktemp("weights") / f"{name}-of-the-test.pt" for name in library}
    for name, file in files.items():
        torch.save(library[name].state_dict(), file)
    return files


@pytest.fixture(scope="module")
def finder(checkpoints):
    """Our network for finding text, and how many of how many tensors are the file's."""
    from snaploop_host.training.ocr_detect.doctr_network import take_over
    from snaploop_host.training.ocr_detect.networks import build_network

    network = build_network(DOCTR_DB)
    return network, take_over(network, checkpoints[DOCTR_DB])


@pytest.fixture(scope="module")
def reader(checkpoints):
    """The same for reading."""
    from snaploop_host.training.ocr_recognize.doctr_network import take_over
    from snaploop_host.training.ocr_recognize.networks import build_network

    network = build_network(DOCTR_CRNN, CHARACTERS)
    return network, take_over(network, checkpoints[DOCTR_CRNN], CHARACTERS)


def random_pixels(height):
    return np.random.default_rng(1).random((1, 3, height, WIDTH), np.float32)


def published_answer(network, pixels):
    """What the library's network says to pictures in the range that it was published for."""
    mean, std = (np.array(network.cfg[name], np.float32).reshape(3, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        answer = network(torch.from_numpy((pixels - mean) / std))["logits"].numpy()
    assert answer.std() > 0.01  # the test's weights say something
    return answer


def answer_of(network, pixels):
    with torch.inference_mode():
        return network.eval()(torch.from_numpy(pixels)).numpy()


def onnx_answer(network, pixels, file):
    write_onnx(network, file, WIDTH, pixels.shape[2], ["answer"])
    (answer,) = onnxruntime.InferenceSession(str(file)).run(None, {"images": pixels})
    return answer


def test_both_maps_begin_as_the_librarys_and_leave_as_boards_decode_them(library, finder, tmp_path):
    from snaploop_host.training.ocr_detect.network import VendorForm

    network, (taken, tensors) = finder
    assert taken == tensors == len(network.state_dict())
    pixels = random_pixels(HEIGHT)
    expected = published_answer(library[DOCTR_DB], pixels)
    found = answer_of(network, pixels)
    for channel in (0, 1):
        np.testing.assert_allclose(found[:, channel], expected[:, 0], atol=1e-3 * np.abs(expected).max())
    chances = onnx_answer(VendorForm(network), pixels, tmp_path / "model.onnx")
    assert chances.shape == (1, HEIGHT, WIDTH, 2)
    np.testing.assert_allclose(chances, 1 / (1 + np.exp(-found.transpose(0, 2, 3, 1))), atol=1e-4)


def test_reader_keeps_the_characters_that_the_library_knows(library, reader, tmp_path):
    network, (taken, tensors, unknown) = reader
    assert taken == tensors == len(network.state_dict())
    assert unknown == "ж"
    pixels = random_pixels(32)
    expected = published_answer(library[DOCTR_CRNN], pixels)
    found = answer_of(network, pixels)
    assert found.shape == (1, WIDTH // 4, len(CHARACTERS) + 2)
    vocabulary = library[DOCTR_CRNN].vocab
    for label, row in (*((one, vocabulary.index(one)) for one in "A-7"), ("blank", len(vocabulary))):
        ours = -1 if label == "blank" else 1 + CHARACTERS.index(label)
        np.testing.assert_allclose(found[0, :, ours], expected[0, :, row], atol=1e-3, err_msg=label)
    np.testing.assert_allclose(onnx_answer(network, pixels, tmp_path / "model.onnx"), found, atol=1e-3)


def test_what_does_not_fit_begins_anew_and_what_is_nothing_is_refused(finder, reader, checkpoints, tmp_path):
    from snaploop_host.training.ocr_detect.doctr_network import take_over
    from snaploop_host.training.ocr_recognize.doctr_network import take_over as take_over_reader

    network, (_, tensors) = finder
    held = torch.load(checkpoints[DOCTR_DB], weights_only=True)
    of_three_kinds = {**held, "prob_head.6.weight": torch.ones(64, 3, 2, 2), "prob_head.6.bias": torch.ones(3)}
    torch.save(of_three_kinds, tmp_path / "kinds.pt")
    assert take_over(network, tmp_path / "kinds.pt") == (tensors - 2, tensors)
    torch.save({"network": network.state_dict(), "epoch": 3}, tmp_path / "ours.pt")  # another project's best.pt
    assert take_over(network, tmp_path / "ours.pt") == (tensors, tensors)
    torch.save({"other.weight": torch.ones(1)}, tmp_path / "other.pt")
    with pytest.raises(BadJobError, match=r"nothing in .*other\.pt fits db_mobilenet_v3_large: remove the file"):
        take_over(network, tmp_path / "other.pt")
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    with pytest.raises(BadJobError, match=r"weights .*broken\.pt cannot be read"):
        take_over(network, tmp_path / "broken.pt")

    network, (_, tensors, _) = reader
    held = torch.load(checkpoints[DOCTR_CRNN], weights_only=True)
    torch.save({**held, "linear.weight": torch.ones(9, 256), "linear.bias": torch.ones(9)}, tmp_path / "words.pt")
    assert take_over_reader(network, tmp_path / "words.pt", CHARACTERS) == (tensors - 2, tensors, CHARACTERS)
    torch.save({"network": network.state_dict(), "characters": CHARACTERS}, tmp_path / "read.pt")
    assert take_over_reader(network, tmp_path / "read.pt", CHARACTERS) == (tensors, tensors, "")


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A prepared job of two photos in a folder of its own, in a working directory where `weights/` may lie; offline."""
    for module in (reading, reading_train):  # an epoch of reading has 256 lines: too many for a test
        monkeypatch.setattr(module, "EPOCH_LINES", 4)
    monkeypatch.chdir(tmp_path)
    numbers = itertools.count()

    def refuse(address, folder, sha256):
        raise DownloadError(address.rpartition("/")[-1], "the site cannot be reached (no network)")

    monkeypatch.setattr(chosen, "download", refuse)

    def prepare(task_name, network, warm_start=None, **parameters):
        given = {"device": "cpu", "threads": 1, "epochs": 1, "batch": 2, "network": network, **parameters}
        folder = write_job(tmp_path / f"job{next(numbers)}", task_name, 2, 1, given)
        job = dataclasses.replace(read_job(folder / "job.json"), warm_start=warm_start)
        folders, task = Folders(folder), task_named(task_name)
        folders.artifacts.mkdir()
        return task, job, folders, task.prepare(job, folders)

    return prepare


def train(task, job, folders, notes):
    """What a training says of itself; its notes are added to `notes`."""

    def report(kind, **fields):
        if kind == "note":
            notes.append(fields["text"])

    return task.train(job, folders, report)


@pytest.mark.parametrize(("task_name", "network"), [("ocr_detect", DOCTR_DB), ("ocr_recognize", DOCTR_CRNN)])
def test_run_starts_from_a_file_in_the_folder_and_the_next_one_warm(
    task_name, network, prepared, checkpoints, tmp_path
):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / checkpoints[network].name).write_bytes(checkpoints[network].read_bytes())
    task, job, folders, notes = prepared(task_name, network)
    assert f"{network} starts from weights/{checkpoints[network].name}" in notes
    trained = train(task, job, folders, notes)
    assert (trained["start"], trained["network"]) == ("pretrained", network)
    assert any(f"tensors are from weights/{checkpoints[network].name}" in note for note in notes)
    task.export(job, folders)
    session = onnxruntime.InferenceSession(str(folders.artifacts / "model.onnx"))
    width, height = task.input_wh(job)
    (answer,) = session.run(None, {"images": np.zeros((1, 3, height, width), np.float32)})
    assert np.isfinite(answer).all()

    best = folders.artifacts / "best.pt"
    if task_name == "ocr_detect":  # where the ladder ends, it goes on with another activation
        before = best.read_bytes()
        folders.compile.mkdir()
        assert task.softening(job) == "ReLU instead of Hardswish, trained on"
        task.soften(job, folders, folders.compile / "softened.onnx", lambda *_, **__: None)
        files = (folders.artifacts / "model.onnx", folders.compile / "softened.onnx")
        hard, left = ([node.op_type for node in onnx.load(str(file)).graph.node].count("HardSigmoid") for file in files)
        assert hard > left == 8  # those of its squeeze-and-excitation blocks
        assert best.read_bytes() == before

    task, job, folders, notes = prepared(task_name, network, warm_start=best)
    assert train(task, job, folders, notes)["start"] == "warm"
    task, job, folders, notes = prepared(task_name, OWN_NETWORK, warm_start=best)
    with pytest.raises(TrainingError, match=f"are of the network {network}, not own: train with network={network}"):
        train(task, job, folders, notes)


def test_without_a_network_a_run_says_that_it_starts_from_scratch(prepared):
    task, job, folders, notes = prepared("ocr_detect", DOCTR_DB)
    said = "starts from scratch (no weights: the site cannot be reached (no network); put db_mobilenet_v3_large-"
    assert any(said in note and chosen.WANTS_PHOTOS in note for note in notes)
    assert train(task, job, folders, notes)["start"] == "scratch"
    assert prepared("ocr_detect", DOCTR_DB, start="scratch")[3] == [
        f"{DOCTR_DB} starts from scratch: {chosen.WANTS_PHOTOS}"
    ]
    task, job, _, notes = prepared("ocr_detect", OWN_NETWORK)
    assert notes == [] and task.softening(job) == ""  # it has ReLU everywhere
    assert "nobody has weights for it" in prepared("ocr_detect", OWN_NETWORK, start="pretrained")[3][0]


def test_choice_is_of_the_text_tasks():
    assert check_parameters("ocr_detect", {"network": "DB_MobileNet_v3_large"}) == {"network": DOCTR_DB}
    assert check_parameters("ocr_recognize", {"network": DOCTR_CRNN}) == {"network": DOCTR_CRNN}
    with pytest.raises(BadInputError, match="network=crnn_mobilenet_v3_small: allowed are own, db_mobilenet_v3_large"):
        check_parameters("ocr_detect", {"network": DOCTR_CRNN})
    with pytest.raises(
        BadInputError, match=r"parameter network is of .*ocr_detect, ocr_recognize.*, this project is of"
    ):
        check_parameters("detect", {"network": DOCTR_DB})
