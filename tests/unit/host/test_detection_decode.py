"""Decoding of detection heads: a box planted in the outputs comes back where it was put, and wrong shapes are refused."""

import numpy as np
import pytest

from snaploop_host.domain.detection_decode import DISTANCE_BINS as BINS
from snaploop_host.domain.detection_decode import decode_heads
from snaploop_host.domain.geometry import pairwise_iou, suppress_overlaps, xywh_to_xyxy, xyxy_to_xywh
from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

WIDTH, HEIGHT, CLASSES = 320, 192, 3


def empty_heads():
    return [np.full((1, HEIGHT // s, WIDTH // s, CLASSES + 4 * BINS), -9.0, np.float32) for s in (8, 16, 32)]


def plant(heads, level, row, column, distances, cls, logit):
    cell = heads[level][0, row, column]
    cell[cls] = logit
    for side, distance in enumerate(distances):
        cell[CLASSES + side * BINS + distance] = 30.0


def test_planted_box_comes_back():
    heads = empty_heads()
    plant(heads, 1, 5, 7, (2, 1, 3, 16), cls=2, logit=2.0)
    found = decode_heads(heads, 0.25)
    assert found.boxes_xyxy[0] == pytest.approx([(7 - 2) * 16, (5 - 1) * 16, (7 + 3) * 16, HEIGHT], abs=1e-3)
    assert found.classes.tolist() == [2]
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-6)


def test_threshold_is_on_the_logit_and_boxes_are_clipped():
    heads = empty_heads()
    plant(heads, 2, 0, 0, (5, 5, 1, 1), cls=0, logit=-1.0)  # score 0.269
    assert len(decode_heads(heads, 0.28).scores) == 0
    found = decode_heads(heads, 0.26)
    assert found.boxes_xyxy[0] == pytest.approx([0, 0, 32, 32], abs=1e-3)


def test_neighbours_of_one_class_are_suppressed_but_not_of_another():
    heads = empty_heads()
    plant(heads, 0, 10, 10, (4, 4, 4, 4), cls=0, logit=3.0)
    plant(heads, 0, 10, 11, (4, 4, 4, 4), cls=0, logit=2.0)
    plant(heads, 0, 11, 10, (4, 4, 4, 4), cls=1, logit=1.0)
    assert decode_heads(heads, 0.25).classes.tolist() == [0, 1]


def test_no_survivor_is_an_empty_answer():
    assert decode_heads(empty_heads(), 0.25).boxes_xyxy.shape == (0, 4)


def test_wrong_outputs_are_refused():
    with pytest.raises(ValueError, match="3 outputs"):
        decode_heads(empty_heads()[:2], 0.25)
    with pytest.raises(ValueError, match="stride 8"):
        decode_heads([np.zeros((1, 64, 24, 40), np.float32), *empty_heads()[1:]], 0.25)


def test_same_boxes_as_the_ultralytics_decode_from_the_cells_corners(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")
    isolate_ultralytics(tmp_path)
    from ultralytics.utils import tal

    rng = np.random.default_rng(3)
    heads = [rng.normal(0, 2, head.shape).astype(np.float32) for head in empty_heads()]
    found = decode_heads(heads, 0.9, iou_limit=1.0)
    planes = [torch.from_numpy(head).permute(0, 3, 1, 2) for head in heads]
    flat = torch.cat([plane.flatten(2) for plane in planes], 2)
    logits, boxes = flat[:, :CLASSES], flat[:, CLASSES:]
    anchors, strides = tal.make_anchors(planes, torch.tensor([8, 16, 32]), 0.0)
    distances = (boxes.reshape(1, 4, BINS, -1).softmax(2) * torch.arange(BINS).view(1, 1, BINS, 1)).sum(2)
    theirs = (tal.dist2bbox(distances, anchors.T[None], xywh=False, dim=1) * strides.T)[0].T.numpy()
    scores = logits.sigmoid().amax(1)[0].numpy()
    order = np.argsort(-scores)[: len(found.scores)]
    assert len(found.scores) > 50
    assert found.scores == pytest.approx(scores[order], abs=1e-5)
    assert found.boxes_xyxy == pytest.approx(np.clip(theirs[order], 0, [WIDTH, HEIGHT] * 2), abs=1e-2)


def test_geometry_round_trip_and_overlap():
    boxes = np.array([[10.0, 20.0, 30.0, 40.0]])
    assert xyxy_to_xywh(xywh_to_xyxy(boxes)).tolist() == boxes.tolist()
    assert pairwise_iou(np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 15, 10], [3, 3, 3, 3]])).tolist() == [
        [pytest.approx(1 / 3), 0.0]
    ]
    kept = suppress_overlaps(np.array([[0.0, 0, 10, 10], [0, 0, 10, 9]]), np.array([0.5, 0.6]), np.array([0, 0]), 0.5)
    assert kept.tolist() == [1]
