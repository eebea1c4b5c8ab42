"""Parts of classify, multilabel and embed: stretching, batches, weights, folding, what outputs mean, and refused data."""

import json

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'snaploop[train]'")
pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")
pytest.importorskip("timm", reason="timm is not installed: pip install 'snaploop[train]'")

import cv2
import torch

from fakes.shape_photos import NAMES, SIZE, jpeg, photo
from snaploop_host.domain.classification_metrics import ClassProbabilities
from snaploop_host.domain.multilabel_metrics import LabelProbabilities
from snaploop_host.domain.training_parameters import MOBILENET, OWN_NETWORK
from snaploop_host.training.classify.task import TASK as CLASSIFY
from snaploop_host.training.detect.augment import Augmentation
from snaploop_host.training.embed.loss import NormalisedSoftmax
from snaploop_host.training.embed.task import TASK as EMBED
from snaploop_host.training.errors import BadDatasetError, BadJobError, TrainingError
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.multilabel.task import TASK as MULTILABEL
from snaploop_host.training.task import Folders, task_named
from snaploop_host.training.whole_photo import network as networks
from snaploop_host.training.whole_photo import train as train_module
from snaploop_host.training.whole_photo.pictures import VariedBatches, WholePhotos, balancing_odds, stretch, vary


def make_job(folder, task, train, val, classes=NAMES, **parameters):
    """A job with a photo per tuple of class names."""
    rng = np.random.default_rng(0)
    sides = {}
    for side, labels in (("train", train), ("val", val)):
        sides[side] = []
        for number, shown in enumerate(labels):
            file = folder / f"{side}{number}.jpg"
            file.write_bytes(jpeg(photo(rng, tuple(name for name in shown if name in NAMES))))
            boxes = [{"class": classes.index(name), "box_xywh_px": [0, 0, *SIZE]} for name in shown]
            sides[side].append({"image": str(file), "width": SIZE[0], "height": SIZE[1], "boxes": boxes})
    raw = {"run_id": "1", "task": task, "classes": list(classes), "dataset": sides}
    raw["parameters"] = {"imgsz": 96, "threads": 1} | parameters
    (folder / "job.json").write_text(json.dumps(raw))
    return read_job(folder / "job.json")


ONES = [(name,) for name in NAMES]


def test_each_is_a_task():
    for name, task in (("classify", CLASSIFY), ("multilabel", MULTILABEL), ("embed", EMBED)):
        assert task_named(name) is task
        assert task.name == name


def test_stretch_is_half_pixel_bilinear_without_smoothing():
    image = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    made = stretch(image, 4, 2)
    for y in range(2):
        for x in range(4):
            block = image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(float)
            assert np.abs(made[y, x] - block.mean(axis=(0, 1))).max() <= 1
    assert stretch(image, 8, 4) is image


def test_varied_pictures_are_the_picture_when_nothing_may_change():
    image = photo(np.random.default_rng(0), ("circle",))
    rules = Augmentation(scale=0, shift=0, mirror=0, hue=0, saturation=0, brightness=0)
    flat = [np.random.default_rng(seed) for seed in range(3)]
    made = [vary(image, 96, 96, rules, rng) for rng in flat]  # only the aspect may move a little
    plain = stretch(image, 96, 96).astype(int)
    assert all(np.abs(one - plain).mean() < 12 for one in made)


def test_batches_are_full_balanced_and_repeatable(tmp_path):
    labels = [("circle",)] * 16 + [("square",)] * 4 + [()]
    job = make_job(tmp_path, "multilabel", labels, ONES)
    photos = WholePhotos(job.train, 96, 96)
    held = [{box.cls for box in one.boxes} for one in job.train]
    batches = VariedBatches(photos, torch.arange(21), balancing_odds(held), 8, 3, Augmentation())
    assert len(batches) == 3
    first = list(batches.epoch(5))
    assert all(pixels.shape == (8, 3, 96, 96) and pixels.dtype == torch.uint8 for pixels, _ in first)
    resumed = list(batches.epoch(5, first=2))
    assert torch.equal(resumed[0][0], first[2][0]) and torch.equal(resumed[0][1], first[2][1])
    assert not torch.equal(next(batches.epoch(6))[0], first[0][0])
    counts = np.zeros(21)
    for number in range(200):
        counts += np.bincount(batches._order(number), minlength=21)
    share = counts / counts.sum()
    assert share[:16].sum() == pytest.approx(4 / 7, abs=0.01)  # sqrt(16) : sqrt(4) : sqrt(1)
    assert share[16:20].sum() == pytest.approx(2 / 7, abs=0.01)


@pytest.mark.parametrize(
    ("task", "labels", "words"),
    [
        (CLASSIFY, [("circle", "square"), *ONES, *ONES], "is both circle and square"),
        (CLASSIFY, [("circle",), ("square",)], "class circle has one photo only"),
        (EMBED, [*ONES, *ONES], "no validation photo has a class"),
        (MULTILABEL, [NAMES, NAMES], "all photos have the same labels"),
    ],
)
def test_labels_that_cannot_teach_are_refused(tmp_path, task, labels, words):
    job = make_job(tmp_path, task.name, labels, [()] if task is not MULTILABEL else [NAMES])
    with pytest.raises(BadDatasetError, match=words):
        task.prepare(job, Folders(tmp_path))


def test_nothing_to_find_again_is_refused(tmp_path):
    job = make_job(tmp_path, "embed", ONES, ONES)
    with pytest.raises(BadDatasetError, match="nothing has two validation photos"):
        EMBED.prepare(job, Folders(tmp_path))


def test_notes_tell_what_is_left_out_and_not_measured(tmp_path):
    job = make_job(tmp_path, "classify", [*ONES, *ONES, ()], ONES[:2])
    *notes, start = CLASSIFY.prepare(job, Folders(tmp_path))
    assert notes == [
        "1 photos without a class are left out",
        "class triangle has no validation photo: its score is not measured; take some more, at another time",
    ]
    assert start.startswith(
        "our own network learns from scratch (no weights: SNAPLOOP_OFFLINE is set; put mobilenetv2_100_"
    )
    assert len(CLASSIFY.examples(job, Folders(tmp_path), "train")) == 6


def test_gate_of_many_things_holds_pairs(tmp_path):
    from snaploop_host.compiling.calibration import choose_stratified

    classes = tuple(f"c{number}" for number in range(20))
    labels = [(name,) for name in classes for _ in range(2)]
    job = make_job(tmp_path, "embed", labels, labels, classes)
    examples = EMBED.examples(job, Folders(tmp_path), "val")
    chosen = choose_stratified([examples.classes(index) for index in range(len(examples))], job.gate.images, 0)
    things = [examples.truth(index).index for index in chosen]
    assert sum(things.count(thing) > 1 for thing in set(things)) >= 8


def test_two_logits_become_one_with_the_same_meaning(tmp_path):
    torch.manual_seed(0)
    network = networks.build_network(OWN_NETWORK, 2).eval()
    torch.nn.init.normal_(network.classifier.weight, std=0.5)
    pixels = torch.rand(2, 3, 96, 96)
    with torch.inference_mode():
        two = network(pixels).double().numpy()
        one = networks.with_one_output(network)(pixels).double().numpy()
    assert one.shape == (2, 1)
    for pair, single in zip(two, one, strict=True):
        np.testing.assert_allclose(CLASSIFY.answer(None, pair).values, CLASSIFY.answer(None, single).values, atol=1e-6)


def test_vectors_leave_the_network_with_their_middle_at_zero(tmp_path):
    """An untrained network answers all photos nearly alike; from the middle of them, they lie in all directions."""
    job = make_job(tmp_path, "embed", ONES * 4, ONES * 2)
    network = networks.build_network(OWN_NETWORK, EMBED.outputs(job)).eval()
    with torch.no_grad():
        getattr(network, networks.HEAD).bias.fill_(1.0)
    photos = EMBED.photos(job, "train")
    pixels = torch.from_numpy(EMBED.preprocess.apply(np.stack([photos.stretched(index) for index in range(12)])))
    with torch.inference_mode():
        before, after = network(pixels), EMBED.folded(network, job)(pixels)
    assert torch.allclose(after, before - before.mean(dim=0), atol=1e-4)
    assert torch.nn.functional.cosine_similarity(before[0], before[1], dim=0) > 0.9
    assert after.mean(dim=0).abs().max() < 1e-4


@pytest.mark.parametrize("name", [OWN_NETWORK, MOBILENET])
def test_weights_come_back_and_what_fits_is_taken_over(tmp_path, name):
    network = networks.build_network(name, 3)
    networks.save_weights(tmp_path / "best.pt", "classify", name, NAMES, network.state_dict())
    assert networks.name_in(tmp_path / "best.pt") == name
    again = networks.load_weights(tmp_path / "best.pt")
    assert all(torch.equal(one, again.state_dict()[key]) for key, one in network.state_dict().items())
    wider = networks.build_network(name, 5)
    taken = networks.start_from(wider, name, tmp_path / "best.pt")
    assert taken == len(network.state_dict()) - 2  # all but the last layer's weight and bias
    first = next(iter(network.state_dict()))
    assert torch.equal(wider.state_dict()[first], network.state_dict()[first])


def test_broken_weights_are_said(tmp_path):
    bad = tmp_path / "mobilenetv2_100.pth"
    bad.write_bytes(b"not weights")
    network = networks.build_network(MOBILENET, 3)
    with pytest.raises(BadJobError, match=r"mobilenetv2_100\.pth cannot be read"):
        networks.start_from(network, MOBILENET, bad)
    torch.save({"other": torch.zeros(3)}, bad)
    with pytest.raises(BadJobError, match=r"nothing in .* fits mobilenetv2_100"):
        networks.start_from(network, MOBILENET, bad)
    own = networks.build_network(OWN_NETWORK, 3)
    networks.save_weights(tmp_path / "best.pt", "classify", OWN_NETWORK, NAMES, own.state_dict())
    with pytest.raises(BadJobError, match="are of network=own, not mobilenetv2_100: train from scratch"):
        networks.start_from(network, MOBILENET, tmp_path / "best.pt")
    torch.save({"backbone": MOBILENET}, tmp_path / "best.pt")
    with pytest.raises(BadJobError, match=r"best\.pt cannot be read"):
        networks.start_from(network, MOBILENET, tmp_path / "best.pt")


def test_batch_is_halved_when_memory_is_short(tmp_path, monkeypatch):
    job = make_job(tmp_path, "classify", ONES * 2, ONES)
    tried, notes = [], []

    def short_of_memory(task, job, parameters, *_):
        tried.append(parameters.batch)
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(train_module, "_fit", short_of_memory)
    with pytest.raises(TrainingError, match="no memory to train with a single photo: use a smaller imgsz"):
        train_module.train(CLASSIFY, job, Folders(tmp_path), lambda kind, text="", **_: notes.append(text))
    assert tried == [8, 4, 2, 1]
    assert notes[0] == "not enough memory: training goes on with a batch of 4"


def test_directions_are_what_metric_learning_learns():
    torch.manual_seed(0)
    loss = NormalisedSoftmax(2, 4)
    right = loss.directions.detach()[[0, 1]]
    loss.requires_grad_(False)
    fitting = float(loss(7 * right, torch.tensor([0, 1]))["normalised_softmax"])
    assert fitting == pytest.approx(float(loss(right, torch.tensor([0, 1]))["normalised_softmax"]))  # length is nothing
    assert float(loss(-right, torch.tensor([0, 1]))["normalised_softmax"]) > fitting


class Job:
    classes = NAMES
    parameters = None


def test_golden_pictures_are_clear_ones():
    answers = [ClassProbabilities(np.array(values)) for values in ([0.4, 0.3, 0.3], [0.05, 0.9, 0.05], [0.6, 0.4, 0])]
    assert CLASSIFY.golden(Job, answers, 0.5) == (1, {"scores_permille": [50, 900, 50]})
    with pytest.raises(TrainingError, match="prefers no class"):
        CLASSIFY.golden(Job, [ClassProbabilities(np.full(3, 1 / 3))], 0.5)
    labels = [LabelProbabilities(np.array(values)) for values in ([0.1, 0.1, 0.1], [0.9, 0.52, 0.1], [0.9, 0.2, 0.1])]
    assert MULTILABEL.golden(Job, labels, 0.5) == (2, {"scores_permille": [900, 200, 100]})
    with pytest.raises(TrainingError, match="finds no label"):
        MULTILABEL.golden(Job, labels[:1], 0.5)
    vectors = [EMBED.answer(Job, np.array(values)) for values in ([0.1, 0.0], [3.0, 4.0])]
    assert EMBED.golden(Job, vectors, 0.5) == (1, {"vector_milli": [600, 800]})
    with pytest.raises(TrainingError, match="zero or not finite"):
        EMBED.golden(Job, [EMBED.answer(Job, np.zeros(2))], 0.5)


def test_pictures_for_people_are_written(tmp_path):
    pixels = stretch(photo(np.random.default_rng(0), ("circle",)), 96, 96).transpose(2, 0, 1)
    shown = [
        (CLASSIFY, CLASSIFY.truth(Job, {0}), ClassProbabilities(np.array([0.2, 0.7, 0.1]))),
        (MULTILABEL, MULTILABEL.truth(Job, {0, 2}), LabelProbabilities(np.array([0.9, 0.1, 0.8]))),
        (EMBED, EMBED.truth(Job, {1}), EMBED.answer(Job, np.random.default_rng(0).normal(size=256))),
    ]
    for task, truth, answer in shown:
        file = tmp_path / f"{task.name}.jpg"
        task.draw(Job, pixels, truth, answer, 0.5, file)
        image = cv2.imread(str(file))
        assert image.shape[1] >= 320 and image.shape[0] > image.shape[1]
