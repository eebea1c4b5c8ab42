"""Void areas of masks (VOC's and Cityscapes' 255) from import to scores: they count neither in training nor in scores."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image
from typer.testing import CliRunner

from fakes.board_client import jpeg
from fakes.host_folder import make_host, pair_client
from snaploop_host.cli.main import app
from snaploop_host.domain.segmentation_metrics import ClassMap
from snaploop_host.services.overview import sample_fields
from snaploop_host.storage.database import upgrade
from snaploop_host.storage.mask_folder import MaskFolder
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.segment.masks import rasterise
from snaploop_host.training.task import Folders, task_named
from snaploop_host.web.void_areas import layers
from snaploop_shared.sample_record import Box

VOID = 255
CLASSES = ("road", "line")
SIZE = (96, 64)


@pytest.fixture
def host(tmp_path):
    host = make_host(tmp_path / "host")
    yield host
    host.close()


def scene(seed=0):
    """A mask as VOC makes them: things with a void rim, one of them around a hole, a void corner, a thing without a rim."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    x, y = (int(value) for value in rng.integers(26, 34, 2))
    mask = np.zeros((height, width), np.uint8)
    mask[:9, width - 20 :] = VOID
    for radius, value in ((19, VOID), (15, 1), (8, VOID), (5, 0)):
        cv2.circle(mask, (x, y), radius, value, -1)
    cv2.rectangle(mask, (62, 18), (90, 58), VOID, -1)
    cv2.rectangle(mask, (65, 21), (87, 55), 2, -1)
    cv2.rectangle(mask, (70, 30), (76, 40), VOID, -1)
    cv2.rectangle(mask, (1, 56), (14, 62), 2, -1)
    return mask


def save(folder, name, mask, number=0, palette=False):
    """A picture with its mask; of a VOC palette when asked."""
    for place in ("images", "masks"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / "images" / f"{name}.jpg").write_bytes(jpeg(number, *SIZE))
    image = Image.fromarray(mask)
    if palette:
        image = Image.frombytes("P", image.size, image.tobytes())
        colours = np.zeros((256, 3), np.uint8)
        colours[[1, 2, VOID]] = (128, 0, 0), (0, 128, 0), (224, 224, 192)
        image.putpalette(colours.tobytes())
    image.save(folder / "masks" / f"{name}.png")


def a_set(folder, count=1, names="background\nroad\nline\n", **how):
    folder.mkdir()
    for number in range(count):
        save(folder, f"p{number:02}", scene(number), number, **how)
    (folder / "classes.txt").write_text(names)
    return folder


def imported(host, folder, project="scene"):
    """The only sample."""
    report = host.importer.run(project, MaskFolder(folder))
    assert report.problems == []
    (sample,) = host.store.samples(host.store.project_named(project).id)
    return sample


def job_of(host, project="scene"):
    """The training job that a press on Train would make of the project."""
    run = host.train.start(host.store.project_named(project).id, {"imgsz": 96})
    return read_job(host.config.data_dir / "jobs" / str(run.id) / "job.json")


def photo_of(sample):
    from snaploop_host.training.job_spec import Box as JobBox
    from snaploop_host.training.job_spec import Photo

    boxes = tuple(
        JobBox(CLASSES.index(one.class_name), (one.x, one.y, one.w, one.h), one.points) for one in sample.boxes
    )
    return Photo(sample.name, None, sample.width_px, sample.height_px, boxes, sample.void)


@pytest.mark.parametrize("seed", range(6))
def test_masks_with_void_come_back_nearly_pixel_for_pixel(host, tmp_path, seed):
    folder = tmp_path / "set"
    a_set(folder, 0)
    save(folder, "a", scene(seed), palette=seed % 2)
    sample = imported(host, folder)
    assert sample.void and {box.class_name for box in sample.boxes} == set(CLASSES)
    back, true = rasterise(photo_of(sample)), scene(seed)
    wrong = (back != true).astype(np.uint8)
    assert wrong.mean() < 0.02
    assert cv2.erode(wrong, np.ones((3, 3))).max() == 0  # edges that are off by less than a pixel, never an area
    straight = scene(seed)[:, 55:]  # the rectangles have no slanting edges: not a pixel of them may differ
    assert (back[:, 55:] == straight).all()


def colours_of(mask, void):
    palette = np.zeros((256, 3), np.uint8)
    palette[[1, 2, VOID]] = (128, 64, 128), (255, 255, 0), void
    return palette[mask]


@pytest.mark.parametrize(
    ("names", "void"),
    [
        # VOC's rim, which nobody names
        ("background:0,0,0::\nroad:128,64,128::\nline:255,255,0::\n", (224, 224, 192)),
        ("background:0,0,0\nroad:128,64,128\nline:255,255,0\nVoid:9,9,9\n", (9, 9, 9)),
        ("background:0,0,0\nroad:128,64,128\nline:255,255,0\nunlabeled:9,9,9\n", (9, 9, 9)),
    ],
)
def test_colours_that_are_called_void(host, tmp_path, names, void):
    save(tmp_path / "set", "a", colours_of(scene(), void))
    (tmp_path / "set" / "labelmap.txt").write_text(names)
    sample = imported(host, tmp_path / "set")
    assert host.store.project_named("scene").classes == CLASSES
    assert ((rasterise(photo_of(sample)) == VOID) == (scene() == VOID)).mean() > 0.98


def test_a_palette_mask_with_a_map_of_colours(host, tmp_path):
    save(tmp_path / "set", "a", scene(), palette=True)
    (tmp_path / "set" / "labelmap.txt").write_text("background:0,0,0\nroad:128,0,0\nline:0,128,0\n")
    assert (rasterise(photo_of(imported(host, tmp_path / "set"))) != scene()).mean() < 0.02


def test_black_called_void_is_void_when_it_is_little_and_the_background_when_it_is_much(host, tmp_path):
    full = np.ones((SIZE[1], SIZE[0]), np.uint8)
    full[:, 40:] = 2
    full[:3] = 0  # CamVid: everything has a class, black is what nobody knows
    save(tmp_path / "little", "a", colours_of(full, (0, 0, 0)))
    save(tmp_path / "much", "a", colours_of(np.where(scene() == VOID, 0, scene()), (0, 0, 0)))
    for name in ("little", "much"):
        (tmp_path / name / "class_dict.csv").write_text("name,r,g,b\nVoid,0,0,0\nroad,128,64,128\nline,255,255,0\n")
    little, much = (imported(host, tmp_path / name, name) for name in ("little", "much"))
    assert (rasterise(photo_of(little)) == np.where(full == 0, VOID, full)).all()
    assert much.void == ()


def test_labelme_counts_what_it_ignores_as_minus_one(host, tmp_path):
    folder = a_set(tmp_path / "set", names="__ignore__\n_background_\nroad\nline\n")
    assert (rasterise(photo_of(imported(host, folder))) != scene()).mean() < 0.02


@pytest.mark.parametrize("names", ["road\nline\n", "background\nroad\nline\n"])
def test_training_ids_of_cityscapes_begin_with_the_first_class(host, tmp_path, names):
    picture = tmp_path / "set/leftImg8bit/val/x/a_leftImg8bit.png"
    mask = tmp_path / "set/gtFine/val/x/a_gtFine_labelTrainIds.png"
    for path in (picture, mask):
        path.parent.mkdir(parents=True)
    save(tmp_path / "other", "a", scene())
    Image.open(tmp_path / "other/images/a.jpg").save(picture)
    has_background = names.startswith("background")
    whole = np.where(scene() == 0, 1, scene())
    Image.fromarray(scene() if has_background else np.where(whole == VOID, VOID, whole - 1).astype(np.uint8)).save(mask)
    Image.fromarray(scene()).save(mask.with_name("a_gtFine_color.png"))
    (tmp_path / "set/classes.txt").write_text(names)
    sample = imported(host, tmp_path / "set")
    assert host.store.project_named("scene").classes == CLASSES
    assert (rasterise(photo_of(sample)) != (scene() if has_background else whole)).mean() < 0.02
    Image.fromarray(scene()).save(mask.with_name("a_gtFine_labelIds.png"))
    assert MaskFolder(tmp_path / "set")._pairs[0][1].name == "a_gtFine_labelIds.png"


def test_the_command_says_it_and_a_mask_of_void_alone_is_no_use(host, tmp_path):
    folder = a_set(tmp_path / "set", 2)
    save(folder, "bad", np.full((SIZE[1], SIZE[0]), VOID, np.uint8), 9)
    done = CliRunner().invoke(
        app, ["import", "-p", "scene", "--masks", str(folder), "--data", str(host.config.data_dir)]
    )
    assert "2 pictures added, 0 were here already, 1 problems\n2 of them have void areas" in done.stdout
    assert "bad.png: all of it is void, which does not count: draw classes, or move it away" in done.output
    host.store.add_project("things", "detect", CLASSES, 1.0)
    assert host.importer.run("things", MaskFolder(folder)).with_void == 0  # only segment knows void areas


def test_photos_imported_before_get_their_void_areas_and_keep_their_labels(host, tmp_path):
    folder = a_set(tmp_path / "set")
    first = imported(host, folder)
    host.store.set_void(first.id, ())  # as an older version left it
    host.store.set_boxes(first.id, first.boxes[:1])
    report = host.importer.run("scene", MaskFolder(folder))
    assert (report.added, report.known, report.with_void) == (0, 1, 1)
    (again,) = host.store.samples(host.store.project_named("scene").id)
    assert (again.void, again.boxes) == (first.void, first.boxes[:1])


def test_database_of_before_has_photos_without_void_areas(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'snaploop.db'}")
    upgrade(engine, "0002")
    with engine.begin() as db:
        for statement in (
            "INSERT INTO projects (id, name, task, classes, created_at_s) VALUES (1, 'p', 'segment', '[\"road\"]', 1)",
            "INSERT INTO photos (digest, size, road, received_at_s) VALUES ('ab', 3, 'import', 1)",
            "INSERT INTO samples (id, project_id, photo, name, width_px, height_px, rev, state, boxes, source, created_at_s) "
            "VALUES (1, 1, 'ab', 'a', 9, 9, 1, 'labelled', '[]', 'import', 1)",
            "INSERT INTO dataset_versions (id, project_id, classes, created_at_s) VALUES (1, 1, '[\"road\"]', 1)",
            "INSERT INTO dataset_items (version_id, photo, sample_id, name, width_px, height_px, boxes, split) "
            "VALUES (1, 'ab', 1, 'a', 9, 9, '[]', 'val')",
        ):
            db.exec_driver_sql(statement)
    engine.dispose()
    host = make_host(tmp_path)
    (sample,), (item,) = host.store.samples(1), host.store.dataset_version(1).items
    assert (sample.void, item.void) == ((), ())
    host.close()


def test_a_board_that_labels_the_photo_anew_leaves_the_void_areas(host, tmp_path):
    sample = imported(host, a_set(tmp_path / "set"))
    board = pair_client(host, project="scene")
    data = host.blobs.read(sample.photo)
    sent = board.send_sample(sample.name, data, [Box("road", 1, 1, 20, 20)], rev=2, size=SIZE)
    assert sent.arguments == {"rev": 2}
    (now,) = host.store.samples(sample.project_id)
    assert (now.void, len(now.boxes)) == (sample.void, 1)
    assert "void" not in json.dumps(board.hello().arguments)


def reference(answers, truths, count):
    """(mIoU, share of right pixels) from one confusion matrix in plain NumPy, void left out."""
    table = np.zeros((count, count), np.int64)
    for said, true in zip(answers, truths, strict=True):
        keep = true != VOID
        np.add.at(table, (true[keep], said[keep]), 1)
    shown = table.sum(1) > 0
    iou = table.diagonal() / np.maximum(table.sum(0) + table.sum(1) - table.diagonal(), 1)
    return iou[shown].mean(), table.diagonal().sum() / table.sum()


def test_scores_of_a_job_are_those_of_the_masks_without_their_void_pixels(host, tmp_path):
    a_set(tmp_path / "set", 9)
    assert host.importer.run("scene", MaskFolder(tmp_path / "set")).with_void == 9
    job = job_of(host)
    task, folders = task_named("segment"), Folders(tmp_path / "work")
    assert "9 photos have void areas: their pixels count neither in training nor in scores" in task.prepare(
        job, folders
    )
    examples = task.examples(job, folders, "val")
    truths = [examples.truth(index) for index in range(len(examples))]
    true = [scene(int(photo.name[-6:-4])) for photo in job.val]
    assert task.input_wh(job) == SIZE and len(true) >= 2
    rng = np.random.default_rng(0)
    for noise in (0.0, 0.3):
        said = [
            np.where((one == VOID) | (rng.random(one.shape) < noise), rng.integers(0, 3, one.shape), one)
            for one in true
        ]
        score = task.score(job, [ClassMap(one.astype(np.uint8)) for one in said], truths).values
        miou, right = reference(said, true, 3)
        assert (score["miou"], score["pixel_accuracy"]) == pytest.approx((miou, right), abs=0.01)
    assert all(VOID not in examples.classes(index) for index in range(len(examples)))


def test_what_the_network_says_in_void_areas_moves_no_weight():
    torch = pytest.importorskip("torch")
    from snaploop_host.training.segment.loss import BalancedLoss

    mask = torch.from_numpy(scene().astype(np.int64))[None]
    logits = torch.randn(1, 6, *mask.shape[1:], generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = BalancedLoss(torch.tensor([0.5, 1.0, 2.0]))
    terms = loss(logits, mask)
    sum(terms.values()).backward()
    assert (logits.grad[:, :, mask[0] == VOID] == 0).all()
    assert (logits.grad[:, :, mask[0] != VOID] != 0).any()
    # Cross-entropy by hand, from the pixels that count.
    weights = np.array([0.5, 1.0, 2.0])
    keep = scene() != VOID
    fine = logits.detach()[0, :3].numpy().transpose(1, 2, 0)[keep].astype(np.float64)
    said = fine - np.log(np.exp(fine).sum(1, keepdims=True))
    true = scene()[keep]
    by_hand = -(weights[true] * said[np.arange(len(true)), true]).sum() / weights[true].sum()
    assert terms["cross_entropy"].item() == pytest.approx(by_hand, rel=1e-5)
    for counted in (0, 1):  # void looks to Dice like pixels that are not there
        cut = loss(logits.detach()[..., :60], mask[..., :60])["dice"]
        padded = mask.clone()
        padded[..., 60:] = VOID
        assert float(loss(logits.detach(), padded)["dice"]) == pytest.approx(float(cut), rel=1e-5), counted


def test_a_batch_of_void_alone_gives_no_nan():
    torch = pytest.importorskip("torch")
    from snaploop_host.training.segment.loss import BalancedLoss

    logits = torch.zeros(1, 4, 8, 8, requires_grad=True)
    total = sum(BalancedLoss(torch.ones(2))(logits, torch.full((1, 8, 8), VOID)).values())
    total.backward()
    assert total.item() == 0 and (logits.grad == 0).all()


def test_pictures_for_people_hatch_what_does_not_count(tmp_path):
    from snaploop_host.training.segment.draw import draw_regions

    picture = np.full((3, SIZE[1], SIZE[0]), 128, np.uint8)
    answer = np.where(scene() == VOID, 1, scene()).astype(np.uint8)
    draw_regions(picture, ClassMap(scene()), ClassMap(answer), ("background", *CLASSES), tmp_path / "a.png")
    shown = cv2.imread(str(tmp_path / "a.png")).mean(axis=2)
    width = 2 * SIZE[0]
    corner = shown[2:16, width - 38 : width - 2]  # the void corner of the true half
    assert corner.min() < 45 and 60 < corner.max() < 100
    assert abs(shown[30:40, 4:20] - 128).max() < 12  # the background is the picture as it is


def test_the_page_lays_small_regions_on_large_ones(host, tmp_path):
    sample = imported(host, a_set(tmp_path / "set"))
    fields = sample_fields(sample)
    assert fields["void_px"] == sample.void and "void" not in fields
    canvas = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    for points, is_void in layers(fields):
        corners = np.array([one.split(",") for one in points.split()], np.float64)
        cv2.fillPoly(canvas, [np.rint(corners - 0.5).astype(np.int32)], int(is_void))
    assert ((canvas == 1) != (scene() == VOID)).mean() < 0.06  # OpenCV counts the line itself as inside
