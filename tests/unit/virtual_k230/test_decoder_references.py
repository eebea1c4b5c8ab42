"""Decoders against references that are not ours: heads made and read by torch, torchvision, ultralytics, OpenCV; random input.

What random heads hold is random too, so every decoder is asked for every box there is: order, class, score and corners.
"""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snaploop_host.training.ultralytics_runtime import isolate_ultralytics
from virtual_k230.postprocess import aicube, yolo

for package in ("torch", "torchvision", "ultralytics"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(
            f"NOT TESTED against {package}: it is missing, pip install 'snaploop[train]'", allow_module_level=True
        )

quick = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**32 - 1)
STRIDES = [8, 16, 32]
frames = st.sampled_from([[640, 360], [360, 640], [320, 320], [1280, 720]])


@pytest.fixture(scope="module", autouse=True)
def apart(tmp_path_factory):
    """ultralytics writes no settings into the home directory, and Pillow's open stays Pillow's for the tests that follow."""
    isolate_ultralytics(tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def torch():
    import torch

    return torch


def letterboxed_back(corners, model_wh, frame_wh):
    """Corners of a centred letterbox in frame pixels, by ultralytics."""
    from ultralytics.utils.ops import scale_boxes

    boxes = scale_boxes(model_wh[::-1], corners.clone(), frame_wh[::-1], padding=True)
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, frame_wh[0])
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, frame_wh[1])
    return boxes


def assert_same_boxes(found, corners, scores, labels, within=2.0):
    """Each of `found` [label, score, x1, y1, x2, y2] is one of the reference's, and none is missing."""
    assert len(found) == len(scores)
    for label, score, *box in found:
        near = [i for i in range(len(scores)) if int(labels[i]) == label and abs(float(scores[i]) - score) < 1e-3]
        assert any(np.abs(corners[i].numpy() - box).max() <= within for i in near), (label, score, box)
        assert all(type(value) is int for value in box)


def spread(rng, count, per_class):
    """Cells far from each other, so that the whole pixels of the firmware cannot tip the scales of suppression."""
    cells = [
        (level, y, x) for level, n in enumerate((40, 20, 10)) for y in range(2, n - 2, 7) for x in range(2, n - 2, 7)
    ]
    return [(*cells[i], int(rng.integers(per_class))) for i in rng.permutation(len(cells))[:count]]


@quick
@given(seeds, st.integers(1, 5), st.integers(1, 4), frames)
def test_anchor_based_heads_are_yolov5s(torch, seed, count, classes, frame):
    rng = np.random.default_rng(seed)
    anchors = rng.uniform(8, 40, (3, 3, 2)).astype(np.float32)
    heads = [np.zeros((1, 320 // s, 320 // s, 3, 5 + classes), np.float32) for s in STRIDES]
    corners, scores, labels = [], [], []
    for level, y, x, label in spread(rng, count, classes):
        anchor = int(rng.integers(3))
        values = rng.uniform(0.3, 0.7, 4).astype(np.float32)
        chance, sure = rng.uniform(0.8, 1, 2).astype(np.float32)
        heads[level][0, y, x, anchor, :5] = *values, chance
        heads[level][0, y, x, anchor, 5 + label] = sure
        # As yolov5's Detect layer computes it, on sigmoid outputs.
        t = torch.from_numpy(values)
        centre = (t[:2] * 2 - 0.5 + torch.tensor([x, y])) * STRIDES[level]
        extent = (t[2:] * 2) ** 2 * torch.from_numpy(anchors[level, anchor])
        corners.append(torch.cat([centre - extent / 2, centre + extent / 2]))
        scores.append(chance * sure)
        labels.append(label)
    wanted = letterboxed_back(torch.stack(corners), [320, 320], frame)
    flat = [head.reshape(1, *head.shape[1:3], -1) for head in heads]
    found = aicube.anchorbasedet_post_process(
        *flat, [320, 320], frame, STRIDES, classes, 0.5, 0.9, [float(v) for v in anchors.reshape(-1)], False
    )
    assert_same_boxes(found, wanted, scores, labels)


@quick
@given(seeds, st.integers(1, 5), st.integers(1, 4), frames)
def test_anchor_free_heads_are_yolox_s(torch, seed, count, classes, frame):
    rng = np.random.default_rng(seed)
    heads = [np.zeros((1, 320 // s, 320 // s, 5 + classes), np.float32) for s in STRIDES]
    corners, scores, labels = [], [], []
    for level, y, x, label in spread(rng, count, classes):
        values = rng.uniform(0, 1, 4).astype(np.float32)
        chance, sure = rng.uniform(0.8, 1, 2).astype(np.float32)
        heads[level][0, y, x, :5] = *values, chance
        heads[level][0, y, x, 5 + label] = sure
        t = torch.from_numpy(values)
        centre, extent = (t[:2] + torch.tensor([x, y])) * STRIDES[level], t[2:].exp() * STRIDES[level]
        corners.append(torch.cat([centre - extent / 2, centre + extent / 2]))
        scores.append(chance * sure)
        labels.append(label)
    wanted = letterboxed_back(torch.stack(corners), [320, 320], frame)
    found = aicube.anchorfreedet_post_process(*heads, [320, 320], frame, STRIDES, classes, 0.5, 0.9, False)
    assert_same_boxes(found, wanted, scores, labels)


@quick
@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_gfl_heads_are_the_distribution_focal_loss_of_ultralytics(torch, seed, count, classes):
    from ultralytics.nn.modules.block import DFL

    rng = np.random.default_rng(seed)
    heads = [np.full((1, 320 // s, 320 // s, classes + 68), -9, np.float32) for s in STRIDES]
    expectation = DFL(17)
    wanted = []
    for level, y, x, label in spread(rng, count, classes):
        bins = rng.normal(0, 2, (4, 17)).astype(np.float32)
        bins[:, 1:4] += 6  # one peak, as a trained head has
        heads[level][0, y, x, :classes][label] = 4
        heads[level][0, y, x, classes:] = bins.reshape(-1)
        reach = expectation(torch.from_numpy(bins.reshape(1, 68, 1)))[0, :, 0].detach().numpy() * STRIDES[level]
        point = np.array([x, y]) * STRIDES[level]
        wanted.append((label, *(point - reach[:2]), *(point + reach[2:])))
    found = aicube.gfldet_post_process(*heads, [320, 320], [320, 320], STRIDES, classes, 0.5, 0.9, False)
    assert len(found) == count
    for label, score, *box in found:
        assert abs(score - 1 / (1 + np.exp(-4))) < 0.02
        # The firmware's exponential is off by up to 6 %, and it gives whole pixels.
        assert any(
            other == label and np.abs(np.clip(corners, 0, 320) - box).max() <= 1.5 + 0.12 * 32
            for other, *corners in wanted
        )


@quick
@given(seeds, st.integers(1, 6), st.integers(2, 40), st.integers(2, 40), st.booleans())
def test_segments_are_the_best_class_in_colours_resized_by_opencv(torch, seed, classes, high, wide, is_resized):
    logits = np.random.default_rng(seed).normal(0, 2, (1, high, wide, classes)).astype(np.float32)
    best = torch.from_numpy(logits)[0].argmax(dim=-1).numpy()
    colours = np.zeros((high, wide, 4), np.uint8)
    for number in range(1, classes):
        colours[best == number] = (128, 255, min(80 * number, 255), max(255 - 60 * number, 0))
    size = (wide * 2 + 3, high * 3 - 1) if is_resized else (wide, high)
    wanted = cv2.resize(colours, size) if is_resized else colours
    found = aicube.seg_post_process(logits, classes, [high, wide], [size[1], size[0]])
    assert np.array_equal(found, wanted)


@quick
@given(seeds, st.floats(50, 90), st.floats(14, 24), st.floats(-20, 20))
def test_text_regions_are_where_opencv_drew_them(seed, length, thickness, angle):
    rng = np.random.default_rng(seed)
    centre = (float(rng.uniform(110, 210)), float(rng.uniform(110, 210)))
    rect = (centre, (length, thickness), angle)
    chance = np.zeros((320, 320), np.float32)
    cv2.fillPoly(chance, [cv2.boxPoints(rect).astype(np.int32)], 0.9)
    frame = np.zeros((640, 640, 3), np.uint8)
    found = aicube.ocr_post_process(chance, frame, [320, 320], [640, 640], 0.5, 0.5)
    assert len(found) == 1
    crop, corners = found[0]
    grown = corners.reshape(4, 2) / 2
    (x, y), (w, h), _ = cv2.minAreaRect(grown.astype(np.float32))
    # Each side moves out by 1.5 · area / outline, as DB's authors undo the shrinking; the firmware's crop is 5 % wider
    # than that and 30 % higher, "across" being the side that lies flatter.
    margin = 1.5 * length * thickness / (2 * (length + thickness))
    assert np.hypot(x - centre[0], y - centre[1]) < 3
    assert abs(max(w, h) - 1.05 * (length + 2 * margin)) < 0.1 * length + 4
    assert abs(min(w, h) - 1.3 * (thickness + 2 * margin)) < 0.1 * thickness + 4
    assert crop.shape[0] == 1 and crop.shape[3] == 3


@quick
@given(seeds, st.integers(1, 4), st.integers(1, 6))
def test_yolov5_rows_are_what_its_own_suppression_keeps(torch, seed, classes, count):
    from torchvision.ops import batched_nms

    rng = np.random.default_rng(seed)
    rows = np.zeros((6300, 5 + classes), np.float32)
    for index in rng.permutation(6300)[:count]:
        rows[index, :5] = *rng.uniform(60, 260, 2), *rng.uniform(20, 90, 2), rng.uniform(0.7, 1)
        rows[index, 5 + int(rng.integers(classes))] = rng.uniform(0.8, 1)
    boxes, ids, scores = yolo.yolov5_det_postprocess(rows, [320] * 2, [320] * 2, [320] * 2, classes, 0.5, 0.99, 50)
    t = torch.from_numpy(rows)
    sure, label = (t[:, 4:5] * t[:, 5:]).max(dim=1)
    chosen = torch.nonzero(sure > 0.5)[:, 0]
    corners = torch.cat([t[chosen, :2] - t[chosen, 2:4] / 2, t[chosen, :2] + t[chosen, 2:4] / 2], dim=1)
    kept = batched_nms(corners, sure[chosen], label[chosen], 0.99)
    found = [
        [int(i), float(s), *map(int, (b[0], b[1], b[0] + b[2], b[1] + b[3]))]
        for b, i, s in zip(boxes, ids, scores, strict=True)
    ]
    clipped = corners[kept].clamp(0, 320)
    assert_same_boxes(found, clipped, sure[chosen][kept], label[chosen][kept])


@quick
@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_turned_boxes_have_the_corners_that_ultralytics_gives(torch, seed, classes, count):
    from ultralytics.utils.ops import xywhr2xyxyxyxy

    rng = np.random.default_rng(seed)
    rows = np.zeros((2100, 5 + classes), np.float32)
    centres = rng.permutation([(60 + 100 * x, 60 + 100 * y) for x in range(3) for y in range(3)])[:count]
    for index, centre in enumerate(centres):
        rows[index, :4] = *centre, *rng.uniform(20, 50, 2)
        rows[index, 4 + int(rng.integers(classes))] = rng.uniform(0.6, 1)
        rows[index, -1] = rng.uniform(-0.7, 0.7)
    corners, ids, scores = yolo.yolo_obb_postprocess(rows, [320] * 2, [320] * 2, [320] * 2, classes, 0.5, 0.5, 50)
    turned = torch.from_numpy(np.concatenate([rows[:count, :4], rows[:count, -1:]], axis=1))
    wanted = xywhr2xyxyxyxy(turned).numpy()
    assert len(corners) == count
    for found, label, score in zip(corners, ids, scores, strict=True):
        row = int(np.abs(rows[:count, 4 : 4 + classes].max(axis=1) - score).argmin())
        assert label == int(rows[row, 4 : 4 + classes].argmax())
        points = np.asarray(found).reshape(4, 2)
        distances = np.abs(points[:, None] - wanted[row][None]).max(axis=-1)
        assert (distances.min(axis=1) <= 2).all(), (points, wanted[row])


@quick
@given(seeds, st.integers(1, 4))
def test_key_points_return_as_ultralytics_scales_them(torch, seed, count):
    from ultralytics.utils.ops import scale_boxes, scale_coords

    rng = np.random.default_rng(seed)
    rows = np.zeros((2100, 5 + 51), np.float32)
    centres = rng.permutation([(70 + 90 * x, 30 + 50 * y) for x in range(3) for y in range(3)])[:count]
    for index, (x, y) in enumerate(centres):
        rows[index, :5] = x, y, 40, 30, 0.9 - 0.05 * index
        rows[index, 5:] = np.stack(
            [rng.uniform(x - 20, x + 20, 17), rng.uniform(y - 15, y + 15, 17), rng.random(17)], 1
        ).ravel()
    frame, model = [360, 640], [320, 320]
    boxes, _, scores, points = yolo.yolov8_pose_postprocess(rows, frame, model, frame, 1, 17, 3, 0.5, 0.5, 50)
    t = torch.from_numpy(rows[:count])
    corners = scale_boxes(
        model, torch.cat([t[:, :2] - t[:, 2:4] / 2, t[:, :2] + t[:, 2:4] / 2], dim=1), frame, padding=False
    )
    wanted = scale_coords(model, t[:, 5:].reshape(count, 17, 3).clone(), frame, padding=False).numpy()
    order = np.argsort(-np.asarray(scores))
    assert len(order) == count
    for row, index in enumerate(order):
        x, y, w, h = (int(v) for v in boxes[index])
        assert np.abs(corners[row].numpy() - [x, y, x + w, y + h]).max() <= 2
        assert np.abs(np.asarray(points[index]).reshape(17, 3)[:, :2] - wanted[row][:, :2]).max() <= 2
