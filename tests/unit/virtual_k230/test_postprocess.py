"""aidemo's and aicube's Python side: boxes put into heads come out again where they were."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fakes.virtual_parts import VirtualParts, error_of
from virtual_k230.postprocess import aicube, faces, masks, pictures, text, tracking, yolo
from virtual_k230.postprocess.boxes import suppress, suppress_rects

MODEL_WH, FRAME_WH, STRIDES = [320, 320], [640, 360], [8, 16, 32]
GAIN, SHIFT_Y = 0.5, 70  # 640x360 letterboxed centred into 320x320
SIZES = ([360, 640], [320, 320], [180, 320])  # frame, input, display as [h, w]
CELLS = 40 * 40 + 20 * 20 + 10 * 10


def call(parts, module, name, *arguments):
    return parts.call("postprocess.call", module, name, list(arguments))


def test_suppression_keeps_the_best_of_each_class():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [1, 1, 11, 11], [50, 50, 60, 60]], np.float32)
    scores, classes = np.array([0.8, 0.9, 0.7, 0.5]), np.array([0, 0, 1, 0])
    assert suppress(boxes, scores, classes, 0.5, is_agnostic=False) == [1, 2, 3]
    assert suppress(boxes, scores, classes, 0.5, is_agnostic=True) == [1, 3]
    assert suppress(boxes, scores, classes, 0.95, is_agnostic=True) == [1, 0, 3]


def test_whole_pixel_suppression_goes_across_classes_and_needs_more_than_the_limit():
    rects = np.array([[0, 0, 10, 10], [5, 0, 10, 10]])
    assert suppress_rects(rects, np.array([0.5, 0.6]), 1 / 3) == [1, 0]
    assert suppress_rects(rects, np.array([0.5, 0.6]), 0.33) == [1]


def _yolov8(rows, columns=7):
    output = np.zeros((CELLS, columns), np.float32)
    for index, row in rows.items():
        output[index, : len(row)] = row
    return output


def test_yolov8_boxes_return_to_the_display():
    output = _yolov8(
        {10: [100, 80, 40, 20, 0.1, 0.9, 0], 11: [101, 80, 40, 20, 0, 0.8, 0], 12: [200, 100, 20, 20, 0.7]}
    )
    boxes, ids, scores = yolo.yolov8_det_postprocess(output, *SIZES, 3, 0.5, 0.45, 50)
    assert [box.tolist() for box in boxes] == [[80, 70, 40, 20], [190, 90, 20, 20]]
    assert boxes[0].dtype == np.int16
    assert ids == [1, 0]
    assert scores == pytest.approx([0.9, 0.7])
    assert len(yolo.yolov8_det_postprocess(output, *SIZES, 3, 0.5, 0.45, 1)[0]) == 1
    assert yolo.yolov8_det_postprocess(output, *SIZES, 3, 0.95, 0.45, 50) == []


def test_yolov5_multiplies_objectness():
    output = np.zeros((3 * CELLS, 7), np.float32)
    output[100] = [100, 80, 40, 20, 0.5, 0.2, 0.9]
    boxes, ids, scores = yolo.yolov5_det_postprocess(output, *SIZES, 2, 0.4, 0.45, 50)
    assert (boxes[0].tolist(), ids, scores) == ([80, 70, 40, 20], [1], pytest.approx([0.45]))


def test_yolo26_takes_corners_and_needs_no_suppression():
    output = np.zeros((300, 6), np.float32)
    output[0] = [80, 70, 120, 90, 0.9, 3]
    output[1] = [82, 70, 120, 90, 0.8, 3]
    boxes, ids, _ = yolo.yolo26_det_postprocess(output, *SIZES, 5, 0.5, 10)
    assert [box.tolist() for box in boxes] == [[80, 70, 40, 20], [82, 70, 38, 20]]
    assert ids == [3, 3]


def test_segmentation_paints_the_mask_inside_the_box():
    prototypes = np.full((32, 80, 80), -5.0, np.float32)
    prototypes[0, 18:25, 20:28] = 5  # around (96, 84) of the input
    output = _yolov8({5: [100, 84, 40, 28, 0.9, *[0] * 32], 7: [10, 10, 4, 4, 0.1]}, 4 + 1 + 32)
    output[5, 5] = 1
    target = np.full((180, 320, 4), 9, np.uint8)
    boxes, ids, scores = yolo.yolov8_seg_postprocess(output, prototypes, *SIZES, 1, 0.5, 0.5, 0.5, target)
    assert (boxes[0].tolist(), ids, scores) == ([80, 70, 40, 28], [0], pytest.approx([0.9]))
    assert target[84, 100].tolist() == [127, 220, 20, 60]
    assert target[10, 10].tolist() == [0, 0, 0, 0]
    assert yolo.yolov8_seg_postprocess(_yolov8({}, 37), prototypes, *SIZES, 1, 0.5, 0.5, 0.5, target) == [[], [], []]
    assert not target.any()


def test_oriented_box_corners():
    output = _yolov8({3: [100, 80, 40, 20, 0.9, 0.0]}, 6)
    corners, ids, _ = yolo.yolo_obb_postprocess(output, *SIZES, 1, 0.5, 0.5, 10)
    assert corners[0].tolist() == [120, 90, 80, 90, 80, 70, 120, 70]
    output[3, 5] = np.pi / 2
    corners, _, _ = yolo.yolo_obb_postprocess(output, *SIZES, 1, 0.5, 0.5, 10)
    assert np.abs(corners[0] - [90, 100, 90, 60, 110, 60, 110, 100]).max() <= 1
    assert ids == [0]


def test_pose_points_return_to_the_display():
    row = [100, 80, 40, 20, 0.9, *(value for k in range(17) for value in (90 + k, 75, 0.5))]
    boxes, ids, _, points = yolo.yolov8_pose_postprocess(_yolov8({3: row}, 56), *SIZES, 1, 17, 3, 0.5, 0.5, 10)
    assert (boxes[0].tolist(), ids) == ([80, 70, 40, 20], [0])
    assert points[0].shape == (51,)
    assert points[0][:6].tolist() == [90, 75, 0.5, 91, 75, 0.5]


def test_licence_plate_of_the_yolo_kind():
    row = [100, 80, 40, 20, 0.9, 80, 70, 120, 70, 120, 90, 80, 90]
    corners, boxes, scores = yolo.yolo_license_plate_det_postprocess(_yolov8({3: row}, 13), *SIZES, 0.5, 0.5, 5)
    assert corners[0].tolist() == [160, 140, 240, 140, 240, 180, 160, 180]
    assert (boxes[0].tolist(), scores) == ([160, 140, 80, 40], pytest.approx([0.9]))


def test_through_the_board_and_with_a_wrong_shape():
    parts = VirtualParts()
    output = _yolov8({3: [100, 80, 40, 20, 0.1, 0.9]}, 6)
    array = {"h": parts.array(output)}
    reply = call(parts, "aidemo", "yolov8_det_postprocess", array, *SIZES, 2, 0.5, 0.4, 10)
    assert parts.numpy(reply["l"][0]["l"][0]).tolist() == [80, 70, 40, 20]
    assert call(parts, "aidemo", "yolov8_det_postprocess", array, *SIZES, 2, 0.95, 0.4, 10) == {"p": []}
    wrong = error_of(call, parts, "aidemo", "yolov8_det_postprocess", array, *SIZES, 7, 0.5, 0.4, 10)
    assert wrong[0] == "ValueError" and f"{CELLS} candidates of 11" in wrong[1]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((7, [3, 3], [6, 6]), ("TypeError", "expected ndarray")),
        ((np.zeros((3, 3), np.uint8), [3, 3], [6, 6]), ("ValueError", "invalid ndarray dtype or layout")),
        ((np.zeros((4, 3), np.float32).T, [3, 3], [6, 6]), ("ValueError", "invalid ndarray dtype or layout")),
        ((np.zeros((3, 3), np.float32), 3, [6, 6]), ("TypeError", "expected list")),
        ((np.zeros((3, 3), np.float32), [3], [6, 6]), ("ValueError", "list is too short")),
        ((np.zeros((3, 3), np.float32), [3, 0], [6, 6]), ("ValueError", "shape values must be positive")),
        ((np.zeros((3, 3), np.float32), [3, 4], [6, 6]), ("ValueError", "mask input buffer is too small")),
    ],
)
def test_the_firmwares_words_for_wrong_arguments(arguments, error):
    assert error_of(masks.mask_resize, *arguments) == error


def test_pictures_to_fill_are_checked():
    zeros = np.zeros((32, 80, 80), np.float32)
    for target, error in (
        (np.zeros((180, 320, 4), np.float32), ("TypeError", "expected uint8 ndarray")),
        (np.zeros((180, 640, 4), np.uint8)[:, ::2], ("ValueError", "ndarray must be contiguous")),
        (np.zeros((179, 320, 4), np.uint8), ("ValueError", "ndarray buffer is too small")),
    ):
        arguments = (_yolov8({}, 37), zeros, *SIZES, 1, 0.5, 0.5, 0.5, target)
        assert error_of(yolo.yolov8_seg_postprocess, *arguments) == error
    assert error_of(yolo.yolov8_seg_postprocess, _yolov8({}, 37), zeros, *SIZES, 0, 0.5, 0.5, 0.5, None) == (
        "ValueError", "num_class must be positive",
    )  # fmt: skip


# ---- aicube -------------------------------------------------------------------------------------------------------


def _heads(channels, value=-9.0):
    return [np.full((1, MODEL_WH[1] // s, MODEL_WH[0] // s, channels), value, np.float32) for s in STRIDES]


def _frame_box(x1, y1, x2, y2):
    return [x1 / GAIN, (y1 - SHIFT_Y) / GAIN, x2 / GAIN, (y2 - SHIFT_Y) / GAIN]


def test_gfl_head():
    heads = _heads(2 + 68)
    cell = heads[1][0, 8, 5]  # stride 16: the point (80, 128)
    cell[1] = 3.0
    for side, bins in enumerate((1, 2, 3, 1)):
        cell[2 + side * 17 + bins] = 30
    found = aicube.gfldet_post_process(*heads, MODEL_WH, FRAME_WH, STRIDES, 2, 0.5, 0.5, False)
    assert len(found) == 1
    label, score, *box = found[0]
    assert (label, score) == (1, pytest.approx(1 / (1 + np.exp(-3)), abs=0.01))
    assert box == pytest.approx(_frame_box(80 - 16, 128 - 32, 80 + 48, 128 + 16), abs=1)
    assert all(type(value) is int for value in box)


def test_the_quick_exponential_is_near_the_real_one():
    x = np.linspace(-20, 5, 500).astype(np.float32)
    assert np.abs(aicube.quick_exp(x) / np.exp(x) - 1).max() < 0.07


def test_anchor_free_head_gives_whole_pixels():
    heads = _heads(5 + 2, 0.0)
    heads[0][0, 15, 10] = [0.5, 0.25, np.log(4), np.log(2), 0.9, 0.1, 1.0]
    found = aicube.anchorfreedet_post_process(*heads, MODEL_WH, FRAME_WH, STRIDES, 2, 0.5, 0.5, False)
    cx, cy = 10.5 * 8, 15.25 * 8
    assert found[0][:2] == [1, pytest.approx(0.9)]
    assert found[0][2:] == pytest.approx(_frame_box(cx - 16, cy - 8, cx + 16, cy + 8), abs=1)
    assert all(value == int(value) for value in found[0][2:])


def test_anchor_based_head_gives_every_class_that_scores_enough():
    heads = _heads(3 * 7, 0.0)
    anchors = [float(v) for v in range(10, 28)]
    heads[2][0, 4, 3].reshape(3, 7)[2] = [0.5, 0.5, 0.5, 0.5, 0.8, 1.0, 0.7]
    arguments = (*heads, MODEL_WH, FRAME_WH, STRIDES, 2, 0.5, 0.5, anchors)
    found = aicube.anchorbasedet_post_process(*arguments, False)
    cx, cy, w, h = 3.5 * 32, 4.5 * 32, 26, 27
    assert [box[:2] for box in found] == [[0, pytest.approx(0.8)], [1, pytest.approx(0.56)]]
    assert found[0][2:] == pytest.approx(_frame_box(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), abs=1)
    assert len(aicube.anchorbasedet_post_process(*arguments, True)) == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"heads": 9}, ("ValueError", "output 0 has")),
        ({"model": (320, 320)}, ("TypeError", "expected list")),
        ({"frame": [0, 360]}, ("ValueError", "shape values must be positive")),
        ({"frame": [640]}, ("ValueError", "list is too short")),
        ({"strides": [8, 16]}, ("ValueError", "list is too short")),
        ({"strides": [8, 16, 0]}, ("ValueError", "strides must be positive")),
        ({"anchors": [1.0] * 17}, ("ValueError", "list is too short")),
        ({"classes": 0}, ("ValueError", "num_class must be positive")),
    ],
)
def test_what_aicube_refuses(change, error):
    anchors = change.get("anchors", [1.0] * 18)
    name, message = error_of(
        aicube.anchorbasedet_post_process, *_heads(change.get("heads", 21)), change.get("model", MODEL_WH),
        change.get("frame", FRAME_WH), change.get("strides", STRIDES), change.get("classes", 2), 0.5, 0.5, anchors, False,
    )  # fmt: skip
    assert name == error[0] and message.startswith(error[1])


def test_aicube_takes_dense_floats_only():
    arguments = (MODEL_WH, FRAME_WH, STRIDES, 2, 0.5, 0.5, False)
    heads = _heads(70)
    wrong = ("ValueError", "invalid ndarray dtype or layout")
    assert error_of(aicube.gfldet_post_process, 1, *heads[1:], *arguments) == ("TypeError", "expected ndarray")
    assert error_of(aicube.gfldet_post_process, heads[0].astype(np.uint8), *heads[1:], *arguments) == wrong
    assert error_of(aicube.gfldet_post_process, heads[0].transpose(0, 2, 1, 3), *heads[1:], *arguments) == wrong


def test_segmentation_colours():
    logits = np.zeros((1, 4, 4, 3), np.float32)
    logits[0, :2, :, 1] = 1
    logits[0, 2:, 2:, 2] = 1
    painted = aicube.seg_post_process(logits, 3, [4, 4], [8, 16])
    assert painted.shape == (8, 16, 4)
    assert painted[0, 0].tolist() == [128, 255, 80, 195]
    assert painted[7, 15].tolist() == [128, 255, 160, 135]
    assert painted[7, 0].tolist() == [0, 0, 0, 0]
    colours = aicube.seg_post_process(logits, 3, [4, 4], [4, 4])
    assert np.array_equal(painted, cv2.resize(colours, (16, 8))), "colours are blended, as OpenCV does by default"


@pytest.mark.parametrize(
    ("profile", "red", "background"), [("C", [255, 255], [0] * 4), ("D", [55, 155], [128, 0, 0, 0])]
)
def test_the_newest_firmware_paints_segments_in_other_reds_on_a_dark_background(profile, red, background):
    parts = VirtualParts(profile=profile)
    logits = np.eye(3, dtype=np.float32).reshape(1, 1, 3, 3)
    array = {"h": parts.array(logits)}
    painted = parts.numpy(call(parts, "aicube", "seg_post_process", array, 3, [1, 3], [1, 3]))
    assert painted[0].tolist() == [background, [128, red[0], 80, 195], [128, red[1], 160, 135]]


def test_text_region_is_found_and_cut_out():
    chance = np.zeros((160, 320), np.float32)
    chance[60:80, 100:220] = 0.9
    picture = np.zeros((320, 640, 3), np.uint8)
    picture[120:160, 200:440] = (10, 200, 30)
    found = aicube.ocr_post_process(chance.reshape(-1), picture.reshape(-1), [320, 160], [640, 320], 0.3, 0.5)
    assert len(found) == 1
    crop, corners = found[0]
    assert crop.ndim == 4 and crop.shape[0] == 1 and crop.shape[3] == 3
    assert crop[0, crop.shape[1] // 2, crop.shape[2] // 2].tolist() == [10, 200, 30]
    left, top = corners[:2]
    assert 160 < left < 200 and 70 < top < 120, corners  # grown by the unclip margin
    assert aicube.ocr_post_process(chance.reshape(-1), picture.reshape(-1), [320, 160], [640, 320], 0.3, 0.95) == []


# ---- the rest of aidemo ---------------------------------------------------------------------------------------------


def test_faces_come_back_with_landmarks():
    priors = np.tile(np.array([[0.5, 0.25, 0.2, 0.1]], np.float32), (4200, 1))
    outputs = []
    for channels in (4, 2, 10):
        for cells in (1600, 400, 100):
            outputs.append(np.zeros((1, 2 * channels, cells), np.float32))
    for scores in outputs[3:6]:
        scores[:, 0::2] = 9  # background
    outputs[3][0, 1, 7] = 20  # first box of cell 7 of the finest head
    boxes, marks, scores = faces.face_det_post_process(0.5, 0.2, 320, priors, [640, 360], outputs)
    assert boxes.tolist() == [pytest.approx([0.4 * 640, 0.2 * 640, 0.2 * 640, 0.1 * 640])]
    assert marks.shape == (1, 10) and marks[0, :2].tolist() == pytest.approx([320, 160])
    assert scores[0, 0] > 0.9
    outputs[3][0, 1, 7] = -9
    assert faces.face_det_post_process(0.5, 0.2, 320, priors, [640, 360], outputs) == []


def test_licence_plate_corners():
    outputs = [np.zeros((1, 2 * c, n), np.float32) for c in (4, 2, 8) for n in (6400, 1600, 400)]
    for scores in outputs[3:6]:
        scores[:, 0::2] = 9
    outputs[4][0, 1, 41] = 20  # stride 16, cell (1, 1)
    (corners,) = faces.licence_det_postprocess(outputs, [360, 640], [640, 640], 0.5, 0.3)
    assert corners.tolist() == pytest.approx([24, 24] * 4)


def test_people_in_a_centred_letterbox():
    output = np.zeros((1, 56, CELLS), np.float32)
    output[0, :5, 9] = [160, 160, 40, 80, 0.9]
    output[0, 5:8, 9] = [150, 130, 0.7]
    boxes, points, scores = faces.person_kp_postprocess(output, [360, 640], [320, 320], 0.5, 0.5)
    assert boxes[0].tolist() == [280, 100, 360, 260]
    assert points[0].shape == (17, 3) and points[0][0].tolist() == pytest.approx([300, 120, 0.7])
    assert scores == pytest.approx([0.9])


def test_yunet_and_gaze():
    outputs = [np.zeros((1, (320 // s) ** 2, width), np.float32) for width in (1, 1, 4, 10) for s in STRIDES]
    outputs[0][0, 82], outputs[3][0, 82] = 0.9, 0.9  # column 2, row 2 of stride 8
    outputs[6][0, 82] = [0.5, 0.5, np.log(3), np.log(2)]
    boxes, scores = faces.yunet_postprocess(outputs, [360, 640], [320, 320], [360, 640], STRIDES, 0.5, 0.3, 5)
    assert (boxes[0].tolist(), scores) == ([16, 24, 48, 32], pytest.approx([0.9]))
    bins = np.zeros((2, 1, 90), np.float32)
    bins[0, 0, 45], bins[1, 0, 50] = 100, 100
    pitch, yaw = faces.eye_gaze_post_process(list(bins))
    assert (pitch, yaw) == (pytest.approx(0), pytest.approx(np.radians(20)))


def test_face_parts_and_mesh_are_painted_in_place():
    picture = np.zeros((360, 640, 4), np.uint8)
    logits = np.zeros((1, 320, 320, 19), np.float32)
    logits[..., 1] = 1
    faces.face_parse_post_process(picture, [640, 360], [640, 360], 320, [300, 150, 40, 40], logits)
    assert picture[170, 320].tolist() == [255, 0, 0, 142]
    assert not picture[0, 0].any()
    vertices = np.concatenate([np.full(24, 61.0), np.full(24, 60.0), np.full(24, 3.0)]).astype(np.float32)
    faces.face_mesh_post_process(np.array([100, 50, 120, 120], np.float32), vertices)
    assert vertices[[0, 24, 48]].tolist() == [160, 110, 0]
    faces.face_draw_mesh(picture, vertices)
    assert picture[110, 160].tolist() == [200, 0, 0, 255]


def test_class_maps():
    logits = np.zeros((1, 4, 4, 2), np.float32)
    logits[0, :, 2:, 1] = 1
    colours = np.array([[9, 9, 9, 9], [255, 1, 2, 3]], np.uint8)
    assert (
        masks.body_seg_postprocess(logits, 2, [4, 4], [4, 4], colours)[0].tolist()
        == [[0] * 4] * 2 + [[255, 1, 2, 3]] * 2
    )
    assert masks.body_seg_postprocess(logits, 2, [4, 4], [8, 8], colours).shape == (8, 8, 4)
    assert masks.mask_resize(np.eye(2, dtype=np.float32), [2, 2], [4, 4])[:2, :2].tolist() == [[1, 1], [1, 1]]
    output = np.zeros((1, 116, CELLS), np.float32)
    output[0, :4, 3], output[0, 4 + 7, 3], output[0, 84, 3] = [160, 160, 40, 40], 0.9, 1
    prototypes = np.full((1, 32, 80, 80), 5, np.float32)
    target = np.zeros((360, 640, 4), np.uint8)
    boxes, ids, _ = masks.segment_postprocess(
        [output, prototypes], [360, 640], [320, 320], [360, 640], 0.5, 0.5, 0.5, target
    )
    assert (boxes[0].tolist(), ids) == ([280, 140, 80, 80], [7])
    assert target[180, 320, 0] == 127


def test_text_is_straightened():
    picture = np.zeros((3, 100, 200), np.uint8)
    picture[:, 40:60, 50:150] = 200
    (crops, corners) = text.ocr_rec_preprocess(
        picture, [100, 200], [np.array([50, 40, 150, 40, 150, 60, 50, 60], np.float32)]
    )
    assert crops[0].shape == (1, 1, 20, 100) and crops[0].mean() > 190
    assert corners[0].tolist() == [50, 40, 150, 40, 150, 60, 50, 60]
    assert (
        error_of(text.ocr_rec_preprocess, picture, [100, 200], [np.zeros(7, np.float32)])[1]
        == "OCR box must contain 8 floats"
    )


def test_a_tracked_object_moves_with_its_head():
    scores = np.zeros((1, 2, 16, 16), np.float32)
    scores[0, 0], scores[0, 1, 8, 9] = 5, 9
    reach = np.full((1, 4, 16, 16), 30.0, np.float32)
    state = [320.0, 180.0, 60.0, 60.0]
    box, centre = tracking.nanotracker_postprocess(scores, reach, [360, 640], 0.1, state, 127, 0.5)
    zoom = 127 / 120
    assert centre[:2] == pytest.approx([320 + 16 / zoom, 180])
    assert box[4] == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6)
    scores[:] = 0
    assert tracking.nanotracker_postprocess(scores, reach, [360, 640], 0.6, state, 127, 0.5) == [[], []]
    assert (
        error_of(tracking.nanotracker_postprocess, reach, reach, [1, 1], 0.1, state, 127, 0.5)[1]
        == "invalid NanoTracker outputs"
    )


def test_small_picture_functions():
    picture = np.zeros((20, 20, 4), np.uint8)
    colour = np.array([255, 1, 2, 3], np.uint8)
    pictures.polylines(picture, np.array([2, 2, 10, 2], np.int16), False, colour, 1, 8, 0)
    assert picture[2, 5].tolist() == [255, 1, 2, 3]
    pictures.contours(picture, np.array([5, 5, 15, 5, 15, 15, 5, 15], np.int16), -1, colour, -1, 8)
    assert picture[10, 10].tolist() == [255, 1, 2, 3]
    inverse = pictures.invert_affine_transform(np.array([[2, 0, 4], [0, 2, 6]], np.float32))
    assert inverse.tolist() == [[0.5, 0, -2], [0, 0.5, -3]]
    assert error_of(pictures.invert_affine_transform, np.zeros((3, 3), np.float32))[0] == "AssertionError"
    grey = np.zeros((10, 20), np.uint8)
    grey[2:5, 3:9] = 200
    assert pictures.opencv_grayscale_find_blobs([10, 20], grey, 100, 255) == [3, 2, 6, 3]
    flat = np.full((16, 16, 3), 100, np.uint8)
    assert np.abs(pictures.rgb888_compress([16, 16], flat, 90).astype(int) - 100).max() <= 2
    assert pictures.wav_bytes([0.0, 1.0, -1.0], 3, 8000).tobytes()[:4] == b"RIFF"
