"""Class folders in every layout, and tables of labels: CSV and JSON. What cannot be taken gets one line, the rest is kept."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fakes.host_folder import make_host
from fakes.small_pictures import SIZE, put
from snaploop_host.cli.main import app
from snaploop_host.errors import BadInputError
from snaploop_host.storage.class_folders import ClassFolders
from snaploop_host.storage.label_table import LabelTable


@pytest.fixture
def host(tmp_path_factory):
    host = make_host(tmp_path_factory.mktemp("host"))
    yield host
    host.close()


def boxes(host, project):
    """Picture → its boxes, (class, x, y, w, h)."""
    found = host.store.samples(host.store.project_named(project).id)
    return {one.name: [(box.class_name, box.x, box.y, box.w, box.h) for box in one.boxes] for one in found}


def classes(host, project):
    """Picture → the classes it shows."""
    return {name: [one[0] for one in found] for name, found in boxes(host, project).items()}


def test_class_folders_below_train_and_val_and_of_openmv(host, tmp_path):
    for number, name in enumerate(("train/pear", "train/apple.class", "valid/pear", "test/apple.class")):
        put(tmp_path / "set" / "fruit" / name / "a.jpg", number)
    (tmp_path / "set" / "fruit" / "train" / "pear" / "phone.HEIC").write_bytes(b"x")
    (tmp_path / "set" / "fruit" / "train" / "pear" / "._a.jpg").write_bytes(b"x")
    report = host.importer.run("fruit", ClassFolders(tmp_path / "set"), "embed")
    assert report.problems == [
        "pear/phone.HEIC: pictures of this kind are not read here: save it as JPEG and import again"
    ]
    assert host.store.project_named("fruit").task == "embed"
    assert classes(host, "fruit") == {
        "train-apple.class-a.jpg": ["apple"],
        "test-apple.class-a.jpg": ["apple"],
        "train-pear-a.jpg": ["pear"],
        "valid-pear-a.jpg": ["pear"],
    }


def test_a_class_may_be_called_test(host, tmp_path):
    for number, name in enumerate(("test", "other")):
        put(tmp_path / name / "a.jpg", number)
    host.importer.run("odd", ClassFolders(tmp_path))
    assert classes(host, "odd") == {"test-a.jpg": ["test"], "other-a.jpg": ["other"]}


@pytest.mark.parametrize(("suffix", "mode"), [("bmp", "RGB"), ("webp", "RGB"), ("tif", "RGB"), ("png", "I;16"), ("tif", "F")])  # fmt: skip
def test_pictures_of_other_kinds_become_what_the_store_keeps(host, tmp_path, suffix, mode):
    (tmp_path / "pear").mkdir()
    half = {"RGB": Image.new("RGB", SIZE, (128, 128, 128)), "F": Image.fromarray(np.full((48, 64), 0.5, np.float32))}
    deep = Image.fromarray(np.full((48, 64), 0x8000, np.uint16))
    half.get(mode, deep).save(tmp_path / "pear" / f"a.{suffix}")
    assert host.importer.run("fruit", ClassFolders(tmp_path)).problems == []
    (sample,) = host.store.samples(host.store.project_named("fruit").id)
    with Image.open(io.BytesIO(host.blobs.read(sample.photo))) as kept:
        assert kept.format in ("JPEG", "PNG") and kept.size == SIZE
        assert abs(np.asarray(kept.convert("RGB")).astype(int) - 127).max() <= 2


def test_one_photo_in_two_classes_is_told(host, tmp_path):
    for name in ("pear", "apple"):
        put(tmp_path / name / "a.jpg")
    report = host.importer.run("fruit", ClassFolders(tmp_path))
    assert (report.added, report.known) == (1, 1)
    assert report.problems == [
        "pear-a.jpg is the same photo as apple-a.jpg, which is apple here and pear in the folder: "
        "the labels here stay; correct the one that is wrong"
    ]


@pytest.mark.parametrize(
    ("name", "table", "task", "said"),
    [
        ("l.csv", "file_name,class_name\na.jpg,pear\nb.jpg,fig tree\n", "classify", (["pear"], ["fig tree"])),
        ("l.csv", "\ufeffImage;Label\r\na.jpg;pear\r\nsub/b.jpg;fig\r\n", "classify", (["pear"], ["fig"])),
        ("l.csv", "a.jpg,pear\nb.jpg,fig\n", "classify", (["pear"], ["fig"])),
        ("l.csv", "filename, pear, fig\na.jpg, 1, 1\nb.jpg, 0, 0\n", "multilabel", (["pear", "fig"], [])),
        ("l.csv", "file,labels\na.jpg,pear|fig tree\nb.jpg,\n", "multilabel", (["pear", "fig tree"], [])),
        ("l.csv", "image_name,tags\na,pear fig\nb,pear\n", "multilabel", (["pear", "fig"], ["pear"])),
        ("l.csv", "image,label\na.jpg,pear\na.jpg,fig\nb.jpg,fig\n", "multilabel", (["pear", "fig"], ["fig"])),
        ("l.json", '[{"img": "a.jpg", "labels": ["pear", "fig"]}, {"img": "b.jpg", "tags": ""}]', "multilabel", (["pear", "fig"], [])),
        ("l.json", '{"a.jpg": "pear", "b.jpg": "fig"}', "classify", (["pear"], ["fig"])),
        ("metadata.jsonl", '{"file_name": "a.jpg", "label": "pear"}\n{"file_name": "b.jpg", "label": 7}\n', "classify", (["pear"], ["7"])),
    ],
)  # fmt: skip
def test_table_of_labels(host, tmp_path, name, table, task, said):
    put(tmp_path / "a.jpg", 1)
    put(tmp_path / "sub" / "b.jpg", 2)
    (tmp_path / name).write_text(table, encoding="utf-8")
    assert host.importer.run("fruit", LabelTable(tmp_path)).problems == []
    assert host.store.project_named("fruit").task == task
    assert classes(host, "fruit") == {"a.jpg": said[0], "sub-b.jpg": said[1]}


def test_table_of_boxes_in_px_and_in_shares(host, tmp_path):
    put(tmp_path / "a.jpg", 1)
    put(tmp_path / "b.jpg", 2)
    rows = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,64,48,cat,8,4,28,34\na.jpg,64,48,dog,1,1,9,9\n"
    (tmp_path / "px.csv").write_text(rows)
    (tmp_path / "shares.csv").write_text("ImageID,LabelName,XMin,XMax,YMin,YMax\nb,cat,0.25,0.5,0.5,1\n")
    assert host.importer.run("pets", LabelTable(tmp_path)).problems == []
    assert host.store.project_named("pets").task == "detect"
    assert boxes(host, "pets") == {
        "a.jpg": [("cat", 8, 4, 20, 30), ("dog", 1, 1, 8, 8)],
        "b.jpg": [("cat", 16, 24, 16, 24)],
    }


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        ("l.csv", "what,label\na.jpg,pear\n", r"none of its columns \(what, label\) names the picture"),
        ("l.csv", "image,label\na.jpg\n", "line 2 has 1 columns, the first line 2"),
        ("l.csv", "image,weight\na.jpg,12\n", "weight is '12': a column of labels is called class_name"),
        ("l.csv", "image,label\n../a.jpg,pear\n", "names no picture below the table"),
        ("l.csv", "image,label,xmin,ymin,xmax,ymax\na.jpg,pear,1,2,x,4\n", "are not numbers"),
        ("l.csv", "", "holds no table of labels"),
        ("l.json", "[1]", "entry 1 is no object"),
        ("l.json", '[{"label": "pear"}]', "entry 1 names no picture"),
        ("l.json", "{", "cannot be read as JSON"),
        ("l.json", '{"images": [], "annotations": [], "categories": []}', "is a COCO file: import it with --coco"),
    ],
)
def test_table_that_cannot_be_read(tmp_path, name, table, words):
    (tmp_path / name).write_text(table)
    with pytest.raises(BadInputError, match=words):
        LabelTable(tmp_path / name)


def test_picture_of_a_table_that_is_not_there_gets_one_line(host, tmp_path):
    put(tmp_path / "a.jpg", 1)
    (tmp_path / "l.csv").write_text("image,label\na.jpg,pear\ngone.jpg,fig\n")
    report = host.importer.run("fruit", LabelTable(tmp_path / "l.csv"))
    assert report.added == 1
    assert report.problems == [f"gone.jpg is in the table and not below {tmp_path.name}: put the picture there"]


def test_task_of_a_new_project_and_of_one_that_is_there(tmp_path):
    put(tmp_path / "set" / "pear" / "a.jpg", 1)
    asked = ["import", "-p", "things", "--folders", str(tmp_path / "set"), "--data", str(tmp_path / "host"), "--task"]
    assert CliRunner().invoke(app, [*asked, "embed"]).exit_code == 0
    refused = CliRunner().invoke(app, [*asked, "classify"])
    assert isinstance(refused.exception, BadInputError)
    assert str(refused.exception) == "project things is of embed, not classify: import into another project"


def test_a_table_that_csv_cannot_read_is_one_line(tmp_path):
    (tmp_path / "labels.csv").write_text("file_name,class_name\na.jpg," + "x" * 200_000 + "\n")
    with pytest.raises(BadInputError, match=r"labels\.csv cannot be read as CSV \(field larger than"):
        LabelTable(tmp_path)
