"""ai2d, letterbox and decoders against references that are not ours: OpenCV, torch, torchvision, ultralytics; random input."""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.virtual_parts import VirtualParts
from snaploop_host.training.ultralytics_runtime import isolate_ultralytics
from virtual_k230 import ai2d
from virtual_k230.postprocess import boxes, yolo

for package in ("torch", "torchvision", "ultralytics"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(
            f"NOT TESTED against {package}: it is missing, pip install 'snaploop[train]'", allow_module_level=True
        )

quick = settings(max_examples=40, deadline=None)
sizes = st.integers(2, 70)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", autouse=True)
def apart(tmp_path_factory):
    """ultralytics writes no settings into the home directory, and Pillow's open stays Pillow's for the tests that follow."""
    isolate_ultralytics(tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def torch():
    import torch

    return torch


@pytest.fixture(scope="module")
def parts():
    return VirtualParts()


def picture(seed, height, width, channels=3):
    """Random low-frequency colours with noise, CHW."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(1, height // 4), max(1, width // 4), channels), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)
    noisy = smooth.astype(int) + rng.integers(-20, 21, smooth.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8).transpose(2, 0, 1)


def run_ai2d(parts, setup, source, out_shape, formats=(3, 3)):
    builder = parts.call("ai2d.build", {"formats": list(formats), **setup}, list(source.shape), list(out_shape))
    tensors = [parts.call("nn.from_numpy", parts.board.handles.put(a)) for a in (source, np.zeros(out_shape, np.uint8))]
    parts.call("ai2d.run", builder, *tensors)
    return parts.numpy(parts.call("nn.to_numpy", tensors[1]))[0]


# ---- ai2d ---------------------------------------------------------------------------------------------------------


@quick
@given(seeds, sizes, sizes, sizes, sizes)
def test_bilinear_half_pixel_is_opencv_exactly_and_torch_within_one(parts, torch, seed, h, w, to_h, to_w):
    source = picture(seed, h, w)
    out = run_ai2d(parts, {"resize": [ai2d.TF_BILINEAR, ai2d.HALF_PIXEL]}, source[None], (1, 3, to_h, to_w))
    assert np.array_equal(out, cv2.resize(source.transpose(1, 2, 0), (to_w, to_h)).transpose(2, 0, 1))
    theirs = torch.nn.functional.interpolate(torch.from_numpy(source[None]).float(), (to_h, to_w), mode="bilinear")
    assert np.abs(out - theirs[0].numpy()).max() <= 1.01


@quick
@given(seeds, sizes, sizes, sizes, sizes)
def test_bilinear_align_corner_is_torch_within_one(parts, torch, seed, h, w, to_h, to_w):
    source = picture(seed, h, w)
    out = run_ai2d(parts, {"resize": [ai2d.TF_BILINEAR, ai2d.ALIGN_CORNER]}, source[None], (1, 3, to_h, to_w))
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(source[None]).float(), (to_h, to_w), mode="bilinear", align_corners=True
    )
    # OpenCV places samples in steps of 1/32 pixel: an error of 1/64 of the greatest step between neighbours.
    assert np.abs(out - theirs[0].numpy()).max() <= 1 + 2 * 255 / 64


@quick
@given(seeds, sizes, sizes, sizes, sizes)
def test_nearest_neighbours(parts, torch, seed, h, w, to_h, to_w):
    source = picture(seed, h, w)
    tensor = torch.from_numpy(source[None])
    shape = (1, 3, to_h, to_w)
    for method, mode, theirs in (
        (ai2d.TF_NEAREST, ai2d.HALF_PIXEL, "nearest-exact"),
        (ai2d.TF_NEAREST, ai2d.NONE_MODE, "nearest"),
        (ai2d.CV2_NEAREST, ai2d.NONE_MODE, "nearest"),
    ):
        out = run_ai2d(parts, {"resize": [method, mode]}, source[None], shape)
        wanted = torch.nn.functional.interpolate(tensor, (to_h, to_w), mode=theirs)[0].numpy()
        # A sample that falls on the border of two pixels is rounded by floats on their side.
        same = (out == wanted).all(axis=0)
        rows, columns = same.mean(axis=1) > 0.5, same.mean(axis=0) > 0.5
        assert rows.mean() >= 0.8 and columns.mean() >= 0.8
        assert same[np.ix_(rows, columns)].all()


@quick
@given(seeds, st.integers(8, 60), st.integers(8, 60), st.data())
def test_crop_is_slicing_and_pad_is_numpys(parts, seed, h, w, data):
    source = picture(seed, h, w)
    x, y = data.draw(st.integers(0, w - 2)), data.draw(st.integers(0, h - 2))
    cw, ch = data.draw(st.integers(1, w - x)), data.draw(st.integers(1, h - y))
    top, bottom, left, right = (data.draw(st.integers(0, 9)) for _ in range(4))
    values = [data.draw(st.integers(0, 255)) for _ in range(3)]
    setup = {"crop": [x, y, cw, ch], "pad": [[0, 0, 0, 0, top, bottom, left, right], 0, values]}
    out = run_ai2d(parts, setup, source[None], (1, 3, ch + top + bottom, cw + left + right))
    for channel in range(3):
        wanted = np.pad(
            source[channel, y : y + ch, x : x + cw], ((top, bottom), (left, right)), constant_values=values[channel]
        )
        assert np.array_equal(out[channel], wanted)


@quick
@given(seeds, st.floats(-0.6, 0.6), st.floats(0.6, 1.6), st.floats(-9, 9), st.floats(-9, 9))
def test_affine_is_opencvs_and_nearly_plain_arithmetic(parts, seed, angle, scale, dx, dy):
    source = picture(seed, 48, 64)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cos, -sin, dx], [sin, cos, dy]])
    out = run_ai2d(parts, {"affine": [ai2d.CV2_BILINEAR, 0, matrix.ravel().tolist()]}, source[None], (1, 3, 40, 56))
    wanted = cv2.warpAffine(source.transpose(1, 2, 0), matrix, (56, 40)).transpose(2, 0, 1)
    assert np.array_equal(out, wanted)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    y, x = np.mgrid[:40, :56]
    from_x, from_y, _ = inverse @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    inside = (from_x > 1) & (from_x < 62) & (from_y > 1) & (from_y < 46)
    x0, y0 = np.floor(from_x[inside]).astype(int), np.floor(from_y[inside]).astype(int)
    fx, fy = from_x[inside] - x0, from_y[inside] - y0
    plane = source[0].astype(float)
    plain = (plane[y0, x0] * (1 - fx) + plane[y0, x0 + 1] * fx) * (1 - fy)
    plain += (plane[y0 + 1, x0] * (1 - fx) + plane[y0 + 1, x0 + 1] * fx) * fy
    assert np.abs(out[0].ravel()[inside] - plain).mean() < 2


@quick
@given(seeds, st.integers(16, 90), st.integers(16, 90), st.sampled_from([(32, 32), (32, 64), (96, 64), (320, 192)]))
def test_letterbox_as_ultralytics_does_it(parts, seed, h, w, model_wh):
    from ultralytics.data.augment import LetterBox

    source = picture(seed, h, w)
    to_w, to_h = model_wh
    wanted = LetterBox((to_h, to_w), auto=False, scaleup=True)(image=source.transpose(1, 2, 0)).transpose(2, 0, 1)
    gain = min(to_h / h, to_w / w)
    new_w, new_h = round(w * gain), round(h * gain)
    left, top = round((to_w - new_w) / 2 - 0.1), round((to_h - new_h) / 2 - 0.1)
    pad = [0, 0, 0, 0, top, to_h - new_h - top, left, to_w - new_w - left]
    setup = {"pad": [pad, 0, [114, 114, 114]], "resize": [ai2d.TF_BILINEAR, ai2d.HALF_PIXEL]}
    out = run_ai2d(parts, setup, source[None], (1, 3, to_h, to_w))
    assert np.array_equal(out, wanted)


@quick
@given(seeds, sizes, sizes)
def test_packed_pictures_are_planar_ones_transposed(parts, seed, h, w):
    source = picture(seed, h, w)
    packed = np.ascontiguousarray(source.transpose(1, 2, 0))
    setup = {"resize": [ai2d.TF_BILINEAR, ai2d.HALF_PIXEL]}
    wanted = run_ai2d(parts, setup, source[None], (1, 3, 20, 30))
    assert np.array_equal(run_ai2d(parts, setup, packed[None], (1, 3, 20, 30), (4, 3)), wanted)
    assert np.array_equal(run_ai2d(parts, setup, packed[None], (1, 20, 30, 3), (4, 4)), wanted.transpose(1, 2, 0))


@quick
@given(seeds, st.integers(0, 8))
def test_raw_is_shifted_down(parts, seed, shift):
    raw = np.random.default_rng(seed).integers(0, 65536, (1, 1, 6, 8), dtype=np.uint16)
    out = run_ai2d(parts, {"shift": shift}, raw, (1, 1, 6, 8), (5, 3))
    assert np.array_equal(out, np.minimum(raw[0] >> shift, 255))


# ---- suppression and decoders ---------------------------------------------------------------------------------------


def random_boxes(rng, count, span=200):
    corners = rng.uniform(0, span, (count, 2))
    return np.concatenate([corners, corners + rng.uniform(4, 60, (count, 2))], axis=1).astype(np.float32)


@quick
@given(seeds, st.integers(1, 60), st.floats(0.1, 0.9))
def test_suppression_is_torchvisions(torch, seed, count, limit):
    from torchvision.ops import batched_nms, nms

    rng = np.random.default_rng(seed)
    corners, scores = random_boxes(rng, count), rng.permutation(count).astype(np.float32)
    classes = rng.integers(0, 3, count)
    # In aicube's boxes both edges belong to the box; torchvision's end before the right and lower one.
    tensors = torch.from_numpy(corners + np.array([0, 0, 1, 1], np.float32)), torch.from_numpy(scores)
    agnostic = nms(*tensors, limit).tolist()
    by_class = batched_nms(*tensors, torch.from_numpy(classes), limit).tolist()
    assert list(boxes.suppress(corners, scores, classes, limit, is_agnostic=True)) == agnostic
    assert list(boxes.suppress(corners, scores, classes, limit, is_agnostic=False)) == by_class


def yolo_output(rng, anchors, classes, n_objects, size):
    """(4 + classes, anchors): mostly background, `n_objects` sure boxes that are far apart or nearly the same."""
    output = np.zeros((4 + classes, anchors), np.float32)
    output[:2] = rng.uniform(20, min(size) - 20, (2, anchors))
    output[2:4] = rng.uniform(5, 10, (2, anchors))
    output[4:] = rng.uniform(0, 0.2, (classes, anchors))
    cells = [(x, y) for x in range(24, size[1] - 24, 48) for y in range(24, size[0] - 24, 48)]
    rng.shuffle(cells)
    columns = iter(rng.permutation(anchors))
    for x, y in cells[:n_objects]:
        label, score, side = rng.integers(classes), rng.uniform(0.5, 0.9), rng.uniform(20, 40, 2)
        for copy in range(int(rng.integers(1, 4))):
            column = next(columns)
            output[:4, column] = x + copy * 0.3, y, *side
            output[4 + label, column] = score - 0.05 * copy
    return output


@quick
@given(seeds, st.integers(1, 5), st.integers(0, 12))
def test_detections_are_what_ultralytics_finds(torch, seed, classes, n_objects):
    from ultralytics.utils.nms import non_max_suppression
    from ultralytics.utils.ops import scale_boxes

    size, frame = [192, 320], [360, 640]
    output = yolo_output(np.random.default_rng(seed), 1260, classes, n_objects, size)
    found = non_max_suppression(torch.from_numpy(output[None]), 0.4, 0.5, agnostic=True)[0]
    # The firmware's frame lies in the top left corner of the input; nothing to move back when the shapes are alike.
    wanted = scale_boxes(size, found[:, :4].clone(), frame, padding=False).numpy()
    ours = yolo.yolov8_det_postprocess(np.ascontiguousarray(output.T), frame, size, frame, classes, 0.4, 0.5, 100)
    if not len(found):
        assert ours == [] or ours[0] == []
        return
    rects, ids, scores = (np.asarray(part) for part in ours)
    assert len(rects) == len(found)
    order, theirs = np.argsort(-scores), np.argsort(-found[:, 4].numpy())
    assert np.allclose(scores[order], found[theirs, 4].numpy(), atol=1e-6)
    assert ids[order].tolist() == found[theirs, 5].int().tolist()
    corners = np.concatenate([rects[:, :2], rects[:, :2] + rects[:, 2:]], axis=1)[order]
    assert np.abs(corners - wanted[theirs]).max() <= 2  # the firmware gives whole pixels


@quick
@given(seeds, st.integers(1, 6))
def test_masks_are_what_ultralytics_paints(torch, seed, n_objects):
    from ultralytics.utils.ops import process_mask

    rng = np.random.default_rng(seed)
    size = [160, 160]
    rows = np.zeros((525, 4 + 1 + 32), np.float32)
    centres = rng.permutation([(40 + 40 * x, 40 + 40 * y) for x in range(3) for y in range(3)])[:n_objects]
    for row, (x, y) in enumerate(centres):
        rows[row, :5] = x, y, 40, 40, 0.9 - 0.01 * row
        rows[row, 5:] = rng.normal(0, 1, 32)
    prototypes = rng.normal(0, 1, (32, 40, 40)).astype(np.float32)
    target = np.zeros((1, *size, 4), np.uint8)
    rects, _, _ = yolo.yolov8_seg_postprocess(rows, prototypes, size, size, size, 1, 0.5, 0.5, 0.5, target)
    assert len(rects) == n_objects
    corners = np.concatenate([rows[:n_objects, :2] - 20, rows[:n_objects, :2] + 20], axis=1)
    theirs = process_mask(
        torch.from_numpy(prototypes), torch.from_numpy(rows[:n_objects, 5:]), torch.from_numpy(corners), tuple(size)
    )
    wanted = theirs.numpy().astype(bool).any(axis=0).repeat(4, axis=0).repeat(4, axis=1)
    painted = target[0, :, :, 0] > 0
    beside_outlines = np.ones(size, bool)
    for x1, y1, x2, y2 in corners.astype(int):
        for x, y in ((x1, y1), (x2, y2)):
            beside_outlines[y1 - 2 : y2 + 2, x - 2 : x + 2] = False
            beside_outlines[y - 2 : y + 2, x1 - 2 : x2 + 2] = False
    assert np.array_equal(painted[beside_outlines], wanted[beside_outlines])
    assert wanted[beside_outlines].any()
