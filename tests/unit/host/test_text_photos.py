"""From marked photos to what the text networks see: placing, cutting, changing, and what is refused."""

import json

import numpy as np
import pytest

from fakes.text_photos import write_text_photos
from snaploop_host.training.errors import BadDatasetError
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.ocr.quads import read_rgb
from snaploop_host.training.ocr_detect.pictures import changed
from snaploop_host.training.ocr_detect.task import TASK as FIND
from snaploop_host.training.ocr_detect.text_map import decode_map, draw_maps
from snaploop_host.training.ocr_recognize.lines import cut, read_lines
from snaploop_host.training.ocr_recognize.task import TASK as READ
from snaploop_host.training.task import Folders


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    return {"train": write_text_photos(folder / "t", 2, 1), "val": write_text_photos(folder / "v", 1, 2)}


@pytest.fixture
def made(photos, tmp_path):
    """A function that makes the job of a task, after `spoil` changed its photos."""

    def make(task, parameters=None, spoil=lambda dataset: None):
        dataset = json.loads(json.dumps(photos))
        spoil(dataset)
        raw = {"run_id": "1", "task": task, "classes": ["text"], "dataset": dataset, "parameters": parameters or {}}
        (tmp_path / "job.json").write_text(json.dumps(raw))
        return read_job(tmp_path / "job.json"), Folders(tmp_path)

    return make


def test_photos_lie_in_the_corner_of_the_input(made):
    job, folders = made("ocr_detect")
    assert FIND.input_wh(job) == (320, 192)
    assert FIND.prepare(job, folders) == []
    examples = FIND.examples(job, folders, "train")
    pixels = examples.pixels(0)
    assert len(examples) == 2 and pixels.shape == (3, 192, 320) and (pixels[:, 180:] == 114).all()
    truth = examples.truth(0)
    box = job.train[0].boxes[0]
    assert np.abs(truth.polygons[0] - np.array(box.points_px)).max() < 1e-3
    assert examples.classes(0) == {0}


def test_changed_photo_takes_its_quads_along(made):
    job, folders = made("ocr_detect")
    FIND.prepare(job, folders)
    photo = FIND.examples(job, folders, "train").photos[0]
    rng = np.random.default_rng(0)
    image = np.full((180, 320, 3), 50, np.uint8)
    for quad in photo.quads:
        (left, top), (right, bottom) = quad.min(axis=0).astype(int), quad.max(axis=0).astype(int)
        image[top:bottom, left:right] = 250
    for _ in range(10):
        seen, quads = changed(image, photo.quads, (320, 192), 0.3, 0.05, rng)
        assert seen.shape == (192, 320, 3)
        for quad in quads:
            x, y = quad.mean(axis=0).astype(int)
            if 0 <= x < 320 and 0 <= y < 192:
                assert seen[y, x].max() > 120  # the bright place is where the quad went
        maps = draw_maps(quads, [True] * len(quads), 320, 192)
        assert len(decode_map(maps[0].astype(np.float32)).polygons) <= len(quads)


def test_small_text_is_told(made):
    job, folders = made("ocr_detect", {"imgsz": 96})

    def low(dataset):
        dataset["train"][0]["boxes"][0] |= {"box_xywh_px": [10, 10, 60, 12], "points_px": []}

    job, folders = made("ocr_detect", {"imgsz": 96}, low)
    (note,) = FIND.prepare(job, folders)
    assert note.startswith("1 of 6 texts are lower than 5 px in the model's input of 96x64")


def test_lines_are_cut_as_the_firmware_cuts_them(made):
    job, folders = made("ocr_recognize")
    (note,) = READ.prepare(job, folders)
    assert note.startswith("the dictionary has ")
    lines = read_lines(folders.data, "train")
    assert [line.text for line in lines] == [box.text for photo in job.train for box in photo.boxes]
    picture = cut(read_rgb(lines[0].file), lines[0])
    assert picture.shape[:2] == lines[0].size_wh[::-1]
    examples = READ.examples(job, folders, "train")
    width = READ.input_wh(job)[0]
    pixels = examples.pixels(0)
    assert pixels.shape == (3, 32, width)
    filled = round(32 * lines[0].size_wh[0] / lines[0].size_wh[1])
    assert pixels[:, :, : filled - 2].any(axis=(0, 1)).all() and not pixels[:, :, filled + 2 :].any()
    labels = READ.labels(job)
    assert examples.classes(0) == {labels.index(one) for one in lines[0].text}


def without_boxes(dataset):
    dataset["val"][0]["boxes"] = []


def without_texts(dataset):
    for box in dataset["train"][0]["boxes"] + dataset["train"][1]["boxes"]:
        box["text"] = ""


def unreadable(dataset):
    for box in dataset["val"][0]["boxes"]:
        box["text"] = "###"


@pytest.mark.parametrize(
    ("task", "spoil", "said"),
    [
        (FIND, without_boxes, "none of the 1 validation photos has a text marked"),
        (FIND, unreadable, "none of the 1 validation photos has a text marked"),
        (READ, without_texts, "none of the 2 training photos says what is written in it"),
        (READ, unreadable, "none of the 1 validation photos says what is written in it"),
    ],
)
def test_sides_without_text_are_refused(made, task, spoil, said):
    job, folders = made(task.name, spoil=spoil)
    with pytest.raises(BadDatasetError) as refused:
        task.prepare(job, folders)
    assert said in str(refused.value)


def test_boxes_without_a_text_are_left_out(made):
    def one_silent(dataset):
        dataset["train"][0]["boxes"][0]["text"] = ""

    job, folders = made("ocr_recognize", spoil=one_silent)
    assert "1 boxes without a text are left out" in READ.prepare(job, folders)[0]
