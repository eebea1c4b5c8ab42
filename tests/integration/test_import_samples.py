"""Importing Pascal VOC folders: good ones are kept, each bad one gets one line that names it and the mend."""

from __future__ import annotations

import pytest

from fakes.board_client import jpeg
from fakes.host_folder import make_host
from fakes.voc_files import voc_xml
from snaploop_host.errors import BadInputError, CannotTrainError
from snaploop_host.storage.class_folders import ClassFolders
from snaploop_host.storage.voc_folder import VocFolder


@pytest.fixture
def host(tmp_path):
    host = make_host(tmp_path / "data")
    yield host
    host.close()


@pytest.fixture
def voc(tmp_path):
    folder = tmp_path / "voc"
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    return folder


def add(voc, name, boxes=(("red", 5, 5, 20, 20),), data=None, size=(64, 36), xml=None):
    (voc / "JPEGImages" / f"{name}.jpg").write_bytes(jpeg(len(list(voc.rglob("*.jpg")))) if data is None else data)
    (voc / "Annotations" / f"{name}.xml").write_text(voc_xml(boxes, size) if xml is None else xml)


def problems(host, voc):
    return host.importer.run("lights", VocFolder(voc)).problems


def test_good_pictures_come_in_once(host, voc):
    add(voc, "a")
    add(voc, "b", boxes=())
    report = host.importer.run("lights", VocFolder(voc))
    assert (report.added, report.known, report.problems) == (2, 0, [])
    report = host.importer.run("lights", VocFolder(voc))
    assert (report.added, report.known) == (0, 2)
    first = host.store.samples(1)[0]
    assert (first.name, first.road, first.state) == ("a.jpg", "import", "labelled")
    assert [(box.class_name, box.x, box.y, box.w, box.h) for box in first.boxes] == [("red", 5, 5, 15, 15)]


def test_new_project_takes_the_classes_of_the_folder(host, voc):
    add(voc, "a", boxes=(("cat", 1, 1, 9, 9), ("ant", 1, 1, 9, 9)))
    host.importer.run("animals", VocFolder(voc))
    assert host.store.project_named("animals").classes == ("ant", "cat")


def test_empty_folder_and_no_folder(tmp_path):
    with pytest.raises(BadInputError, match="holds no pictures"):
        VocFolder(tmp_path)
    with pytest.raises(BadInputError, match="is no folder"):
        VocFolder(tmp_path / "nope")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"data": b"\xff\xd8\xff and then nothing"}, "replace the file"),
        ({"data": jpeg(9, 64, 36)[:-40]}, "replace the file"),
        ({"data": b""}, "replace the file"),
        ({"boxes": (("red", 50, 5, 90, 20),)}, "outside the 64x36 picture"),
        ({"boxes": (("red", -9, 5, 20, 20),)}, "outside the 64x36 picture"),
        ({"boxes": (("red", 20, 5, 20, 20),)}, "no area"),
        ({"boxes": (("blue", 5, 5, 20, 20),)}, "red, yellow, green"),
        ({"boxes": (("", 5, 5, 20, 20),)}, "no name"),
        ({"boxes": (("red", "wide", 5, 20, 20),)}, "no readable bndbox"),
        ({"size": (640, 360)}, "annotated as 640x360"),
        ({"xml": "<annotation><obj"}, "not well-formed"),
        ({"xml": '<?xml version="1.0" encoding="gb2312"?><annotation/>'}, "save it as UTF-8"),
        ({"xml": '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'}, "entities"),
    ],
)
def test_bad_picture_gets_one_line_and_the_good_one_is_kept(host, voc, bad, words):
    add(voc, "good")
    add(voc, "bad", **bad)
    report = host.importer.run("lights", VocFolder(voc))
    assert report.added == 1
    [line] = report.problems
    assert "bad" in line
    assert words in line
    assert "\n" not in line


def test_picture_without_its_xml(host, voc):
    add(voc, "good")
    (voc / "JPEGImages" / "lonely.jpg").write_bytes(jpeg(5))
    assert problems(host, voc) == ["lonely.jpg: no lonely.xml beside it: annotate it, or move it away"]


def test_a_pixel_of_rounding_is_cut_off(host, voc):
    add(voc, "a", boxes=(("red", -1, 5, 65, 37),))
    assert problems(host, voc) == []
    [box] = host.store.samples(1)[0].boxes
    assert (box.x, box.y, box.w, box.h) == (0, 5, 64, 31)


def test_flat_folder(host, tmp_path):
    flat = tmp_path / "flat"
    (flat / "JPEGImages").mkdir(parents=True)
    (flat / "Annotations").mkdir()
    add(flat, "a")
    for path in [*flat.rglob("*.jpg"), *flat.rglob("*.xml")]:
        path.rename(flat / path.name)
    (flat / "JPEGImages").rmdir()
    (flat / "Annotations").rmdir()
    assert host.importer.run("lights", VocFolder(flat)).added == 1


def test_folders_of_a_split_as_roboflow_exports_them(host, tmp_path, voc):
    add(voc, "a")
    add(voc, "b", data=jpeg(5))
    for side, name in (("train", "a"), ("valid", "b")):
        (tmp_path / "set" / side).mkdir(parents=True)
        for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml")):
            (voc / folder / f"{name}.{suffix}").rename(tmp_path / "set" / side / f"same.{suffix}")
    folder = VocFolder(tmp_path / "set")
    assert host.importer.run("lights", folder).problems == []
    assert [one.name for one in host.store.samples(1)] == ["train-same.jpg", "valid-same.jpg"]
    assert folder.path_of("valid-same.jpg") == tmp_path / "set" / "valid" / "same.jpg"


def test_folder_per_class_makes_a_project_of_classify(host, tmp_path):
    for number, name in enumerate(("pear", "apple", "apple")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / f"{number % 2}.jpg").write_bytes(jpeg(number))
    (tmp_path / "pear" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("left alone")
    report = host.importer.run("fruit", ClassFolders(tmp_path))
    assert report.added == 3
    assert report.problems == ["pear/broken.jpg: no readable picture: replace the file and import again"]
    project = host.store.project_named("fruit")
    assert (project.task, project.classes) == ("classify", ("apple", "pear"))
    names = {
        sample.name: [(box.class_name, box.w, box.h) for box in sample.boxes]
        for sample in host.store.samples(project.id)
    }
    assert names == {
        "apple-0.jpg": [("apple", 64, 36)],
        "apple-1.jpg": [("apple", 64, 36)],
        "pear-0.jpg": [("pear", 64, 36)],
    }


def test_no_class_folders_are_said(tmp_path):
    with pytest.raises(BadInputError, match=r"no folder in .* holds pictures"):
        ClassFolders(tmp_path)
    with pytest.raises(BadInputError, match="is no folder: give the one that holds a folder of pictures per class"):
        ClassFolders(tmp_path / "nope")


@pytest.mark.parametrize("task", ["classify", "embed"])
def test_training_of_what_cannot_be_learnt_is_refused(host, tmp_path, task):
    for number in range(8):
        folder = tmp_path / ("apple" if number else "pear")
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    project = host.store.add_project("fruit", task, ("apple", "pear"), 1.0)
    host.importer.run("fruit", ClassFolders(tmp_path))
    with pytest.raises(CannotTrainError, match="class pear has one photo only, training needs 2"):
        host.train.start(project.id)


def test_training_without_any_class_is_refused(host, voc):
    project = host.store.add_project("fruit", "multilabel", ("apple",), 1.0)
    for number in range(8):
        add(voc, str(number), boxes=())
    host.importer.run("fruit", VocFolder(voc))
    with pytest.raises(
        CannotTrainError, match="no photo of fruit has a class: tap one for each photo on the Label screen"
    ):
        host.train.start(project.id)
