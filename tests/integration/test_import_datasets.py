"""Data sets of other tools: YOLO, COCO and masks. What is good is kept, what is not gets one line that names it and the mend."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fakes.board_client import jpeg
from fakes.host_folder import make_host
from fakes.small_pictures import put
from snaploop_host.cli.main import app
from snaploop_host.errors import BadInputError
from snaploop_host.storage.class_folders import ClassFolders
from snaploop_host.storage.coco_folder import CocoFolder
from snaploop_host.storage.mask_folder import MaskFolder
from snaploop_host.storage.yolo_folder import YoloFolder
from snaploop_host.storage.zip_folder import opened_folder
from snaploop_host.training.job_spec import Box, Photo
from snaploop_host.training.segment.masks import rasterise


@pytest.fixture
def host(tmp_path):
    host = make_host(tmp_path / "host")
    yield host
    host.close()


def boxes(host, project):
    """Picture → its boxes, (class, x, y, w, h, outline points)."""
    found = host.store.samples(host.store.project_named(project).id)
    return {one.name: [(b.class_name, b.x, b.y, b.w, b.h, len(b.points)) for b in one.boxes] for one in found}


# -- YOLO ---------------------------------------------------------------------------------------------------------------


def yolo(folder, rows, layout="images/train", names="names: [cat, dog]\n"):
    """A data set of one picture with these rows."""
    labels = layout.replace("images", "labels")
    put(folder / layout / "a.jpg")
    (folder / labels).mkdir(parents=True, exist_ok=True)
    (folder / labels / "a.txt").write_text(rows)
    (folder / "data.yaml").write_text(names)
    return folder


@pytest.mark.parametrize("layout", ["images/train", "train/images", "images", "."])
def test_yolo_in_every_layout(host, tmp_path, layout):
    folder = yolo(tmp_path / "set", "1 0.5 0.5 0.25 0.5\r\n", layout, "names: {0: cat, 1: dog}\n")
    put(folder / layout / "empty.jpg", 1)
    (folder / layout.replace("images", "labels") / "empty.txt").write_text("")
    put(folder / layout / "lonely.jpg", 2)
    report = host.importer.run("pets", YoloFolder(folder))
    assert report.added == 2 and report.problems == ["lonely.jpg: no lonely.txt for it: label it, or move it away"]
    assert host.store.project_named("pets").classes == ("cat", "dog")
    assert sorted(boxes(host, "pets").values()) == [[], [("dog", 24, 12, 16, 24, 0)]]


def test_yolo_outlines_make_a_project_of_segment_and_a_zip_may_wrap_it(host, tmp_path):
    yolo(tmp_path / "set" / "pets", "0 0.25 0.25 0.75 0.25 0.75 0.75\n")
    shutil.make_archive(str(tmp_path / "pets"), "zip", tmp_path / "set")
    done = CliRunner().invoke(
        app, ["import", "-p", "outlined", "--yolo", str(tmp_path / "pets.zip"), "--data", str(tmp_path / "host")]
    )
    assert "1 pictures added" in done.stdout, done
    assert host.store.project_named("outlined").task == "segment"
    assert boxes(host, "outlined") == {"images-train-a.jpg": [("cat", 16, 12, 32, 24, 3)]}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("7 0.5 0.5 0.2 0.2", "a.txt: line 1 is of class 7, there are 2 names"),
        ("0 0.5 0.5 0.2", "has 4 columns"),
        ("0 one 0.5 0.2 0.2", "is not numbers"),
        ("0 320 240 20 20", "reaches outside 0 to 1"),
        ("0 0.5 0.5 0.2 0.2 0.4 0.4 0.3", "has 8 columns"),
        ("0 0.5 0.5 0 0", "no area"),
    ],
)
def test_bad_yolo_row_gets_one_line_and_the_good_picture_is_kept(host, tmp_path, row, words):
    folder = yolo(tmp_path / "set", row)
    put(folder / "images/train/good.jpg", 5)
    (folder / "labels/train/good.txt").write_text("0 0.5 0.5 0.2 0.2")
    report = host.importer.run("pets", YoloFolder(folder))
    assert report.added == 1 and len(report.problems) == 1 and words in report.problems[0]
    assert "\n" not in report.problems[0]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("nc: 2\n", "has no list `names`"),
        ("names: [", "is not YAML"),
        ("names: {1: cat}\n", "must be 0, 1, 2"),
        ("names: []\n", "names no classes"),
    ],
)
def test_yolo_without_readable_names(tmp_path, names, words):
    with pytest.raises(BadInputError, match=words):
        YoloFolder(yolo(tmp_path / "set", "", names=names))
    (tmp_path / "set" / "data.yaml").unlink()
    with pytest.raises(BadInputError, match=r"neither data.yaml nor classes.txt"):
        YoloFolder(tmp_path / "set")
    with pytest.raises(BadInputError, match="holds no pictures"):
        YoloFolder(tmp_path / "set" / "labels")


def test_a_zip_that_leads_out_is_not_unpacked(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../../evil.txt", "x")
    with pytest.raises(BadInputError, match="leads out of it"), opened_folder(tmp_path / "bad.zip"):
        pass


def test_names_that_yaml_takes_for_switches_and_numbers_stay_names(tmp_path):
    for names in ("names: [no, on, 007]\n", "names: {0: no, 1: on, 2: 007}\n"):
        assert YoloFolder(yolo(tmp_path / "set", "", names=names)).class_names() == ("no", "on", "007")


# -- COCO ---------------------------------------------------------------------------------------------------------------


def coco(folder, annotations, **changes):
    """The vendor's detection layout: IMAGES and labels.json, float sizes, ids of any kind."""
    put(folder / "IMAGES" / "a.jpg")
    raw = {
        "images": [{"id": 20250000001, "file_name": "a.jpg", "width": 64.0, "height": 48.0}],
        "type": "instances",
        "annotations": [{"id": 1, "image_id": 20250000001, "iscrowd": 0, "ignore": 0, **one} for one in annotations],
        "categories": [{"id": 7, "name": "pear"}, {"id": 3, "name": "apple"}],
        **changes,
    }
    (folder / "labels.json").write_text(json.dumps(raw))
    return folder


BOXED = {"category_id": 7, "bbox": [8.0, 4.0, 20.0, 30.0], "segmentation": [[8, 4, 28, 4, 28, 34, 8, 34]]}


def test_coco_boxes_are_in_the_order_of_category_ids(host, tmp_path):
    folder = coco(tmp_path / "set", [BOXED, {"category_id": 3, "bbox": [[1, 1, 9, 9]]}])
    assert host.importer.run("fruit", CocoFolder(folder)).problems == []
    project = host.store.project_named("fruit")
    assert (project.task, project.classes) == ("detect", ("apple", "pear"))
    assert boxes(host, "fruit") == {"a.jpg": [("pear", 8, 4, 20, 30, 0), ("apple", 1, 1, 9, 9, 0)]}


def test_coco_outlines_go_into_a_project_of_segment(host, tmp_path):
    host.store.add_project("regions", "segment", ("apple", "pear"), 1.0)
    with_a_speck = BOXED | {"segmentation": [*BOXED["segmentation"], [1, 1, 9, 1, 20, 1]]}
    report = host.importer.run("regions", CocoFolder(coco(tmp_path / "set", [with_a_speck]) / "labels.json", "segment"))
    assert (report.added, report.problems) == (1, [])
    assert boxes(host, "regions") == {"a.jpg": [("pear", 8, 4, 20, 30, 4)]}


def ring_in_run_lengths():
    """A ring of 64x48, and its run lengths down the columns as numbers."""
    rows, columns = np.mgrid[:48, :64]
    distance = np.hypot(rows - 24, columns - 30)
    ring = (distance < 18) & (distance > 8)
    flat = np.concatenate([[0], ring.T.ravel(), [2]]).astype(int)
    changes = np.flatnonzero(np.diff(flat))
    return ring, np.diff(np.concatenate([[0], changes])).tolist()


def packed(counts):
    """Run lengths as pycocotools writes them."""
    text = ""
    for at, count in enumerate(counts):
        value, is_more = count - (counts[at - 2] if at > 2 else 0), True
        while is_more:
            bits, value = value & 31, value >> 5
            is_more = value != (-1 if bits & 16 else 0)
            text += chr((bits | 32 if is_more else bits) + 48)
    return text


@pytest.mark.parametrize("crowd", [0, 1])
@pytest.mark.parametrize("form", [list, packed])
def test_coco_run_lengths_become_regions_with_their_holes(host, tmp_path, form, crowd):
    host.store.add_project("regions", "segment", ("apple", "pear"), 1.0)
    ring, counts = ring_in_run_lengths()
    one = BOXED | {"iscrowd": crowd, "segmentation": {"size": [48, 64], "counts": form(counts)}}
    report = host.importer.run("regions", CocoFolder(coco(tmp_path / "set", [one]), "segment"))
    assert (report.added, report.problems) == (1, [])
    ((sample,), mask) = (host.store.samples(host.store.project_named("regions").id), ring * 2)
    assert (drawn(sample, ("apple", "pear")) != mask).mean() < 0.02


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        ({"size": [48, 32], "counts": [48 * 32]}, "has run lengths of [48, 32], the picture has [48, 64]"),
        ({"size": [48, 64], "counts": [7, 8]}, "has run lengths of 15 px, the picture has 3072"),
        ({"size": [48, 64], "counts": "\n"}, "run lengths that cannot be read"),
        ({"size": [48, 64], "counts": "P"}, "the last number is cut off"),
        ({"size": [48, 64], "counts": ["x"]}, "run lengths that cannot be read"),
    ],
)
def test_run_lengths_that_are_not_of_this_picture(host, tmp_path, segmentation, words):
    host.store.add_project("regions", "segment", ("apple", "pear"), 1.0)
    folder = coco(tmp_path / "set", [BOXED | {"segmentation": segmentation}])
    report = host.importer.run("regions", CocoFolder(folder, "segment"))
    assert report.added == 0 and len(report.problems) == 1 and words in report.problems[0]


def test_crowds_are_no_boxes(host, tmp_path):
    report = host.importer.run("fruit", CocoFolder(coco(tmp_path / "set", [BOXED, BOXED | {"iscrowd": 1}])))
    assert report.problems == ["a.jpg: 1 crowd regions are left out, the rest of the picture is kept"]


@pytest.mark.parametrize(
    ("annotation", "changes", "words"),
    [
        ({"category_id": 9, "bbox": [1, 1, 5, 5]}, {}, "category 9, which is not listed"),
        ({"category_id": 3, "bbox": [1, 1]}, {}, "has no readable bbox"),
        ({"category_id": 3}, {}, "has no readable bbox"),
        ({"category_id": 3, "bbox": [50, 1, 40, 5]}, {}, "lies outside the 64x48 picture"),
        (BOXED, {"images": [{"id": 20250000001, "file_name": "b.jpg"}]}, "lists 'b.jpg', which is not there"),
        (BOXED, {"images": [{"id": 20250000001, "file_name": "../x/a.jpg"}]}, "which is not there"),
        (BOXED, {"images": [{"id": 20250000001, "file_name": "a.jpg", "width": 640, "height": 480}]}, "annotated as 640x480"),
        (BOXED | {"image_id": 5}, {}, "labels.json: 1 annotations are of images that it does not list"),
    ],
)  # fmt: skip
def test_bad_coco_annotation_gets_one_line(host, tmp_path, annotation, changes, words):
    report = host.importer.run("fruit", CocoFolder(coco(tmp_path / "set", [annotation], **changes)))
    assert len(report.problems) == 1 and words in report.problems[0]


def test_what_is_no_coco_at_all(tmp_path):
    folder = coco(tmp_path / "set", [], images=[{"id": 1}])
    with pytest.raises(BadInputError, match="images 1 lacks id or file_name"):
        CocoFolder(folder)
    (folder / "labels.json").write_text("[]")
    with pytest.raises(BadInputError, match="holds no COCO annotations"):
        CocoFolder(folder)
    (folder / "labels.json").write_text("{")
    with pytest.raises(BadInputError, match="cannot be read as JSON"):
        CocoFolder(folder)
    with pytest.raises(BadInputError, match="is not there"):
        CocoFolder(tmp_path / "nope")


# -- masks ---------------------------------------------------------------------------------------------------------------


def two_things():
    """A 64x48 mask: a frame of class 1 with background and a square of class 2 inside, and a bar of class 2."""
    mask = np.zeros((48, 64), np.uint8)
    mask[5:40, 4:44] = 1
    mask[12:30, 10:30] = 0
    mask[15:22, 14:22] = 2
    mask[2:46, 50:58] = 2
    return mask


def save(mask, path, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask)
    if palette:
        image = Image.frombytes("P", image.size, image.tobytes())
        image.putpalette(palette)
    image.save(path)


def drawn(sample, classes):
    """The mask that training would make of a sample."""
    regions = tuple(
        Box(classes.index(box.class_name), (box.x, box.y, box.w, box.h), box.points) for box in sample.boxes
    )
    return rasterise(Photo(sample.name, None, sample.width_px, sample.height_px, regions))


LAYOUTS = {
    "VOC": ("JPEGImages/a.jpg", "SegmentationClass/a.png"),
    "folders": ("images/train/a.jpg", "masks/train/a.png"),
    "Cityscapes": ("leftImg8bit/val/x/a_leftImg8bit.png", "gtFine/val/x/a_gtFine_labelIds.png"),
    "beside": ("a.jpg", "a.png"),
    "suffix": ("a.jpg", "a_mask.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_in_every_layout_come_back_pixel_for_pixel(host, tmp_path, layout):
    picture, mask = (tmp_path / "set" / name for name in LAYOUTS[layout])
    put(picture)
    if picture.suffix == ".png":
        with Image.open(picture) as image:
            image.load()
        image.save(picture, "PNG")
    save(two_things(), mask, [0, 0, 0, 128, 0, 0, 0, 128, 0] if layout == "VOC" else None)
    if layout == "VOC":
        save(two_things(), tmp_path / "set" / "SegmentationObject" / "a.png")
    (tmp_path / "set" / "classes.txt").write_text("background\nroad\nline\n")
    report = host.importer.run("scene", MaskFolder(tmp_path / "set"))
    assert (report.added, report.problems) == (1, [])
    project = host.store.project_named("scene")
    assert (project.task, project.classes) == ("segment", ("road", "line"))
    (sample,) = host.store.samples(project.id)
    assert (drawn(sample, project.classes) == two_things()).all()


def test_round_things_come_back_nearly(host, tmp_path):
    rows, columns = np.mgrid[:240, :320]
    mask = ((columns - 150) ** 2 + (rows - 120) ** 2 < 80**2).astype(np.uint8)
    mask[((columns - 170) ** 2 + (rows - 110) ** 2) < 30**2] = 0
    picture = tmp_path / "set" / "a.jpg"
    picture.parent.mkdir()
    picture.write_bytes(jpeg(1, 320, 240))
    save(mask * 255, tmp_path / "set" / "a_mask.png")  # 0 and 255: one class
    host.importer.run("scene", MaskFolder(tmp_path / "set"))
    project = host.store.project_named("scene")
    (sample,) = host.store.samples(project.id)
    back = drawn(sample, project.classes)
    assert project.classes == ("class1",) and (back & mask).sum() / (back | mask).sum() > 0.985
    assert max(len(box.points) for box in sample.boxes) < 100


COLOURS = {
    "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad:128,64,128::\nline:255,255,0::\n",
    "class_dict.csv": "name,r,g,b\nVoid,0,0,0\nroad,128,64,128\nline,255,255,0\n",
    "meta.json": json.dumps(
        {"classes": [{"title": "road", "color": "#804080"}, {"title": "line", "color": "#FFFF00"}]}
    ),
}


@pytest.mark.parametrize("file", COLOURS)
def test_colour_masks_by_a_map(host, tmp_path, file):
    put(tmp_path / "set/images/a.jpg")
    palette = np.array([(0, 0, 0), (128, 64, 128), (255, 255, 0)], np.uint8)
    save(palette[two_things()], tmp_path / "set/masks/a.png")
    (tmp_path / "set" / file).write_text(COLOURS[file])
    assert host.importer.run("scene", MaskFolder(tmp_path / "set")).problems == []
    project = host.store.project_named("scene")
    (sample,) = host.store.samples(project.id)
    assert project.classes == ("road", "line") and (drawn(sample, project.classes) == two_things()).all()


def test_numbers_are_called_as_the_project_or_the_given_file_says(host, tmp_path):
    put(tmp_path / "set/images/a.jpg")
    save(two_things(), tmp_path / "set/masks/a.png")
    assert MaskFolder(tmp_path / "set").class_names() == ("class1", "class2")
    host.store.add_project("scene", "segment", ("road", "line"), 1.0)
    run = CliRunner()
    done = run.invoke(
        app, ["import", "-p", "scene", "--masks", str(tmp_path / "set"), "--data", str(tmp_path / "host")]
    )
    assert "1 pictures added, 0 were here already, 0 problems" in done.stdout, done
    (tmp_path / "names").write_text("water\nsand\n")
    assert MaskFolder(tmp_path / "set", tmp_path / "names").class_names() == ("water", "sand")
    done = run.invoke(app, ["import", "-p", "scene", "--masks", str(tmp_path / "set"), "--names", "nope"])
    assert "--names nope goes with --masks and must be a file" in str(done.exception)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (two_things()[:24], "a.jpg has 64x48 px, its mask a.png 64x24: save the mask in the picture's size"),
        (two_things() * 3, "a.png: number 3 is none of the 2 classes (road, line)"),
        (
            (two_things()[..., None] * (40, 80, 9)).astype(np.uint8),
            "is in colours that nothing names: put labelmap.txt",
        ),
        (None, "a.png: no readable mask"),
    ],
)
def test_bad_mask_gets_one_line_and_the_good_picture_is_kept(host, tmp_path, mask, words):
    for number, name in enumerate(("a", "good")):
        put(tmp_path / f"set/images/{name}.jpg", number)
        save(two_things(), tmp_path / f"set/masks/{name}.png")
    put(tmp_path / "set/images/lonely.jpg", 7)
    bad = tmp_path / "set/masks/a.png"
    bad.write_bytes(b"no picture") if mask is None else save(mask, bad)
    (tmp_path / "names.txt").write_text("road\nline\n")
    report = host.importer.run("scene", MaskFolder(tmp_path / "set", tmp_path / "names.txt"))
    assert report.added == 1 and report.problems[0].startswith("lonely.jpg: no mask for it")
    assert len(report.problems) == 2 and words in report.problems[1]


def test_white_on_black_may_be_saved_as_colours(host, tmp_path):
    mask = np.where(two_things() > 0, 255, 0).astype(np.uint8)
    put(tmp_path / "set" / "images" / "a.jpg")
    save(np.stack([mask] * 3, axis=-1), tmp_path / "set" / "masks" / "a.bmp")
    assert host.importer.run("leaf", MaskFolder(tmp_path / "set")).problems == []
    (sample,) = host.store.samples(host.store.project_named("leaf").id)
    assert (drawn(sample, ("class1",)) == (mask > 0)).all()


def test_colours_that_nobody_named_and_maps_that_name_nothing(host, tmp_path):
    put(tmp_path / "set/images/a.jpg")
    save(np.full((48, 64, 3), 77, np.uint8), tmp_path / "set/masks/a.png")
    (tmp_path / "set/labelmap.txt").write_text(COLOURS["labelmap.txt"])
    (line,) = host.importer.run("scene", MaskFolder(tmp_path / "set")).problems
    assert "3072 px have the colour (77, 77, 77), which is no class's" in line
    (tmp_path / "set/labelmap.txt").write_text("road:red\n")
    with pytest.raises(BadInputError, match="does not name classes and colours"):
        MaskFolder(tmp_path / "set")
    with pytest.raises(BadInputError, match="holds no picture with a mask"):
        MaskFolder(tmp_path / "set" / "images")
    with pytest.raises(BadInputError, match="is no folder"):
        MaskFolder(tmp_path / "nope")


def phone_photo(size=(40, 24)):
    """A JPEG that is stored lying on its side, with the tag that says how to turn it; upright it is `size`, red in the top left corner."""
    upright = Image.new("RGB", size, "blue")
    upright.paste("red", (0, 0, 8, 8))
    tag = Image.Exif()
    tag[0x112] = 6
    data = io.BytesIO()
    upright.rotate(90, expand=True).save(data, "JPEG", exif=tag, quality=95, subsampling=0)
    return data.getvalue()


def stored(host, project):
    """Name → its picture, as it is stored."""
    found = host.store.samples(host.store.project_named(project).id)
    return {sample.name: (sample, Image.open(host.blobs.path(sample.photo))) for sample in found}


def is_red(image, x, y):
    red, _, blue = image.convert("RGB").getpixel((x, y))
    return red > blue


def test_turned_photos_are_stored_upright_once(host, tmp_path):
    (tmp_path / "cup").mkdir()
    (tmp_path / "cup" / "a.jpg").write_bytes(phone_photo())
    assert host.importer.run("things", ClassFolders(tmp_path)).problems == []
    assert host.importer.run("things", ClassFolders(tmp_path)).known == 1
    ((sample, image),) = stored(host, "things").values()
    assert image.size == (sample.width_px, sample.height_px) == (40, 24) and 0x112 not in image.getexif()
    assert is_red(image, 4, 4) and not is_red(image, 4, 20)


@pytest.mark.parametrize(
    ("stated", "box", "red"), [((40, 24), [0, 0, 8, 8], (4, 4)), ((24, 40), [0, 32, 8, 8], (4, 36))]
)
def test_labels_say_whether_their_tool_had_turned_the_photo(host, tmp_path, stated, box, red):
    images = [{"id": 20250000001, "file_name": "a.jpg", "width": stated[0], "height": stated[1]}]
    folder = coco(tmp_path, [{"category_id": 3, "bbox": box}], images=images)
    (folder / "IMAGES" / "a.jpg").write_bytes(phone_photo())
    assert host.importer.run("corners", CocoFolder(folder)).problems == []
    ((sample, image),) = stored(host, "corners").values()
    assert image.size == stated and 0x112 not in image.getexif() and is_red(image, *red)
    (found,) = sample.boxes
    assert [found.x, found.y, found.w, found.h] == box


def test_a_mask_of_the_turned_size_fits(host, tmp_path):
    (tmp_path / "a.jpg").write_bytes(phone_photo((48, 32)))
    mask = Image.new("L", (48, 32))
    mask.paste(255, (0, 0, 8, 8))
    mask.save(tmp_path / "a_mask.png")
    assert host.importer.run("masks", MaskFolder(tmp_path, None, ())).problems == []
    ((sample, image),) = stored(host, "masks").values()
    assert image.size == (48, 32) and is_red(image, 4, 4) and max(x for x, _ in sample.boxes[0].points) <= 8
