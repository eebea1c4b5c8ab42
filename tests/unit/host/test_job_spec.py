"""job.json: defaults, input size, and one clear line for what cannot be used."""

import json

import pytest

from snaploop_host.training.detect.task import TASK
from snaploop_host.training.errors import BadJobError
from snaploop_host.training.job_spec import Gate, Parameters, Photo, TrainingJob, chosen_epochs, model_input, read_job


def job(tmp_path, **changes):
    photo = {"image": "/p.jpg", "width": 640, "height": 360, "boxes": [{"class": 0, "box_xywh_px": [1, 2, 3, 4]}]}
    raw = {
        "run_id": "7",
        "task": "detect",
        "project": "p",
        "classes": ["a"],
        "dataset": {"train": [photo], "val": [photo]},
        "warm_start": None,
    } | changes
    path = tmp_path / "job.json"
    path.write_text(json.dumps(raw))
    return path


def test_defaults(tmp_path):
    read = read_job(job(tmp_path))
    assert read.parameters == Parameters()
    assert (read.gate.limit_points, read.gate.images) == (0.01, 20)
    assert read.train[0].boxes[0].box_xywh_px == (1.0, 2.0, 3.0, 4.0)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 360), (320, 192)), ((640, 480), (320, 256)), ((360, 640), (192, 320)), ((500, 500), (320, 320))],
)
def test_input_follows_the_photos(tmp_path, size, expected):
    photo = {"image": "/p.jpg", "width": size[0], "height": size[1], "boxes": []}
    odd = {"image": "/q.jpg", "width": 100, "height": 100, "boxes": []}
    assert TASK.input_wh(read_job(job(tmp_path, dataset={"train": [photo, photo, odd], "val": [photo]}))) == expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": {"epoch": 3}}, r"unknown parameter epoch \(did you mean epochs\?\): known are"),
        ({"parameters": {"imgsz": 300}}, "imgsz=300: allowed are whole numbers from 96 to 1280, a multiple of 32"),
        ({"parameters": {"batch": 0}}, "batch=0: allowed are whole numbers from 1 to 256"),
        ({"classes": []}, "no class"),
        ({"dataset": {"train": [], "val": []}}, "label more photos"),
        ({"dataset": {"train": [{"image": "x"}], "val": []}}, "KeyError 'boxes'"),
        ({"gate": {"limit": 1}}, "unknown gate limit"),
    ],
)
def test_what_cannot_be_used(tmp_path, changes, words):
    with pytest.raises(BadJobError, match=words):
        read_job(job(tmp_path, **changes))


def test_missing_and_broken_file(tmp_path):
    with pytest.raises(BadJobError, match="cannot be read"):
        read_job(tmp_path / "job.json")
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(BadJobError, match="is not JSON"):
        read_job(tmp_path / "job.json")


def test_epochs_follow_the_number_of_photos():
    scratch = [chosen_epochs(Parameters(), photos, warm=False) for photos in (20, 100, 500)]
    assert scratch == sorted(scratch, reverse=True)
    assert chosen_epochs(Parameters(), 100, warm=True) * 3 <= chosen_epochs(Parameters(), 100, warm=False)
    assert chosen_epochs(Parameters(epochs=5), 100, warm=False) == 5


@pytest.mark.parametrize(
    ("sizes", "square", "wanted"),
    [
        ([(1000, 733), (801, 599), (640, 480), (1280, 720), (733, 1000), (733, 1000)], False, (320, 256)),
        ([(733, 1000)] * 3 + [(640, 480)], False, (256, 320)),
        ([(640, 360)] * 4, False, (320, 192)),
        ([(640, 360)] * 4, True, (320, 320)),
    ],
)
def test_input_has_the_shape_of_the_middle_photo(tmp_path, sizes, square, wanted):
    photos = tuple(Photo("a", tmp_path / "a.jpg", width, height, ()) for width, height in sizes)
    job = TrainingJob("1", "detect", "p", ("a",), photos, (), Parameters(square=square), None, Gate())
    assert model_input(job, 320) == wanted
