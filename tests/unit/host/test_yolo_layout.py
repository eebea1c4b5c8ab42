"""The data set on disk: links, labels, and one clear line for each kind of bad photo or box."""

import json

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'snaploop[train]'")
pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")

import cv2

from snaploop_host.training.detect.augment import Augmentation
from snaploop_host.training.detect.picture_dataset import PictureSplit, TrainingBatches
from snaploop_host.training.detect.yolo_layout import write_layout
from snaploop_host.training.errors import BadDatasetError
from snaploop_host.training.job_spec import read_job

BOX = (0, [1, 1, 9, 9])


def photo(tmp_path, name, boxes, size=(64, 48), content=None):
    path = tmp_path / name
    if content is None:
        cv2.imwrite(str(path), np.full((size[1], size[0], 3), 99, np.uint8))
    else:
        path.write_bytes(content)
    return {
        "image": str(path),
        "width": 64,
        "height": 48,
        "boxes": [{"class": cls, "box_xywh_px": box} for cls, box in boxes],
    }


def lay_out(tmp_path, train, val=None):
    raw = {
        "run_id": "1",
        "task": "detect",
        "project": "p",
        "classes": ["red", 'green: "x"'],
        "dataset": {"train": train, "val": val or train},
    }
    (tmp_path / "job.json").write_text(json.dumps(raw))
    return write_layout(read_job(tmp_path / "job.json"), tmp_path / "data")


def test_pictures_are_links_and_labels_are_normalised(tmp_path):
    notes = lay_out(
        tmp_path, [photo(tmp_path, "a.jpg", [(0, [16, 12, 32, 24])]), photo(tmp_path, "b.jpg", [(1, [0, 0, 64, 48])])]
    )
    assert notes == []
    image = tmp_path / "data" / "images" / "train" / "00000.jpg"
    assert image.is_symlink()
    assert (
        tmp_path / "data" / "labels" / "train" / "00000.txt"
    ).read_text() == "0 0.500000 0.500000 0.500000 0.500000\n"
    import yaml

    assert yaml.safe_load((tmp_path / "data" / "data.yaml").read_text())["names"] == {0: "red", 1: 'green: "x"'}


def test_border_rounding_is_cut_but_a_box_outside_is_refused(tmp_path):
    lay_out(tmp_path, [photo(tmp_path, "a.jpg", [(0, [-1, 0, 65.5, 48])])])
    assert (tmp_path / "data" / "labels" / "val" / "00000.txt").read_text() == "0 0.500000 0.500000 1.000000 1.000000\n"
    with pytest.raises(
        BadDatasetError, match=r"a\.jpg \(64x48\): box x=40 y=0 w=30 h=10 of class red lies outside the photo: correct"
    ):
        lay_out(tmp_path, [photo(tmp_path, "a.jpg", [(0, [40, 0, 30, 10])])])


@pytest.mark.parametrize(
    ("box", "words"),
    [((0, [1, 1, 0, 5]), "has no area"), ((2, [1, 1, 5, 5]), "malformed"), ((0, [1, 1, 5]), "malformed")],
)
def test_unusable_boxes(tmp_path, box, words):
    with pytest.raises(BadDatasetError, match=words):
        lay_out(tmp_path, [photo(tmp_path, "a.jpg", [box])])


def test_bad_photos(tmp_path):
    with pytest.raises(BadDatasetError, match="no readable picture"):
        lay_out(tmp_path, [photo(tmp_path, "a.jpg", [BOX], content=b"no picture")])
    cut = photo(tmp_path, "d.jpg", [BOX])
    (tmp_path / "d.jpg").write_bytes((tmp_path / "d.jpg").read_bytes()[:-60])
    with pytest.raises(BadDatasetError, match=r"d\.jpg is cut short: put the right file at .*d\.jpg"):
        lay_out(tmp_path, [cut])
    with pytest.raises(BadDatasetError, match="is 32x48, its record says 64x48"):
        lay_out(tmp_path, [photo(tmp_path, "b.jpg", [BOX], size=(32, 48))])
    gone = photo(tmp_path, "c.jpg", [BOX])
    (tmp_path / "c.jpg").unlink()
    with pytest.raises(BadDatasetError, match="is missing"):
        lay_out(tmp_path, [gone])


def test_split_without_any_box_is_refused(tmp_path):
    with pytest.raises(BadDatasetError, match="none of the 1 validation photos has a box: label more photos"):
        lay_out(tmp_path, [photo(tmp_path, "a.jpg", [BOX])], [photo(tmp_path, "b.jpg", [])])


def test_class_without_boxes_is_noted(tmp_path):
    notes = lay_out(tmp_path, [photo(tmp_path, "a.jpg", [(0, [1, 1, 9, 9])])])
    assert len(notes) == 2
    assert 'class green: "x" has no validation box' in notes[1]


def test_batches_repeat_for_a_seed_and_differ_between_epochs(tmp_path):
    lay_out(tmp_path, [photo(tmp_path, f"{index}.jpg", [(index % 2, [8, 8, 20, 20])]) for index in range(5)])
    split = PictureSplit(tmp_path / "data", "train", 64, 64)

    def epoch(number):
        batches = TrainingBatches(split, 2, 7, Augmentation(), 0.5)
        batches.start_epoch(number)
        return list(batches)

    first, again, other = epoch(0), epoch(0), epoch(1)
    assert len(first) == 3
    assert [len(batch["img"]) for batch in first] == [2, 2, 1]
    assert all((one["img"] == two["img"]).all() for one, two in zip(first, again, strict=True))
    assert any((one["img"] != two["img"]).any() for one, two in zip(first, other, strict=True))
    batch = first[0]
    assert batch["img"].shape == (2, 3, 64, 64)
    assert len(batch["cls"]) == len(batch["bboxes"]) == len(batch["batch_idx"])
    assert ((batch["bboxes"] >= 0) & (batch["bboxes"] <= 1)).all()
