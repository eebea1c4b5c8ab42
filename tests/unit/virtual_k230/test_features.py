"""Faces, gradients, patterns, regression, codes, and filters with options: each against a picture whose answer is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fakes.virtual_parts import VirtualParts, error_of
from virtual_k230 import pixels as px
from virtual_k230.features import hog_picture, lbp_descriptor, lbp_distance
from virtual_k230.image import Image

zxingcpp = pytest.importorskip("zxingcpp", reason="NOT TESTED: codes: pip install zxing-cpp")


@pytest.fixture(scope="module")
def parts() -> VirtualParts:
    return VirtualParts()


def picture(parts: VirtualParts, rgb: np.ndarray, pixel_format: int = px.RGB888) -> int:
    return int(parts.board.handles.put(Image(px.from_rgb(np.ascontiguousarray(rgb), pixel_format), pixel_format)))


def after(parts: VirtualParts, rgb: np.ndarray, name: str, *args, pixel_format=px.GRAYSCALE, **options) -> np.ndarray:
    handle = picture(parts, rgb, pixel_format)
    parts.call("image.filter", handle, name, list(args), options)
    return np.asarray(parts.board.images.get(handle).pixels)


def code(text: str, kind: str, zoom: int) -> np.ndarray:
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    grey = np.asarray(zxingcpp.write_barcode_to_image(made, scale=zoom))
    rgb = np.full((240, 320, 3), 255, np.uint8)
    rgb[40 : 40 + grey.shape[0], 20 : 20 + grey.shape[1]] = grey[:, :, None]
    return rgb


def test_a_data_matrix_is_read_with_its_size_and_place(parts):
    handle = picture(parts, code("K230-4711", "DataMatrix", 5))
    ((n, fields),) = parts.call("image.detect", handle, "find_datamatrices", [], {})
    found = dict(fields)
    assert n == 10 and found["payload"] == "K230-4711"
    assert (found["rows"], found["columns"]) == (14, 14)
    assert abs(found["x"] - 25) <= 6 and abs(found["w"] - 70) <= 8 and found["rotation"] < 0.1


@pytest.mark.parametrize(
    ("kind", "text", "number"), [("Code128", "snaploop", 16), ("EAN13", "5901234123457", 7), ("Code39", "K230", 13)]
)
def test_bar_codes_carry_the_firmwares_type_numbers(parts, kind, text, number):
    handle = picture(parts, code(text, kind, 1), px.GRAYSCALE)
    ((_, fields),) = parts.call("image.detect", handle, "find_barcodes", [], {})
    assert (dict(fields)["payload"], dict(fields)["type"]) == (text, number)


def test_a_code_that_is_turned_is_read_with_its_angle(parts):
    turned = np.rot90(code("K230", "DataMatrix", 6), -1)
    ((_, fields),) = parts.call("image.detect", picture(parts, turned), "find_datamatrices", [], {})
    assert abs(dict(fields)["rotation"] - np.pi / 2) < 0.1


def test_the_cascade_finds_the_one_face(parts):
    from skimage.data import astronaut

    rgb = cv2.resize(astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    cascade, width, height, stages = parts.call("image.cascade", "frontalface", 25)
    assert (width, height, stages) == (24, 24, 20)
    found = parts.call("image.faces", picture(parts, rgb), cascade, 0.5, 1.25, None)
    assert len(found) == 1
    x, y, w, h = found[0]
    assert x < 112 < x + w and y < 55 < y + h  # the middle of her face
    assert parts.call("image.faces", picture(parts, rgb), cascade, 0.5, 1.25, [0, 128, 128, 128]) == []
    assert error_of(parts.call, "image.cascade", "eye", -1)[0] == "NotImplementedError"


def test_patterns_tell_a_picture_from_another_and_follow_the_brightness(parts):
    rng = np.random.default_rng(3)
    one, other = (cv2.GaussianBlur(rng.integers(0, 200, (64, 64), np.uint8), (5, 5), 0) for _ in range(2))
    assert lbp_descriptor(one).sum() == 62 * 62
    assert lbp_distance(lbp_descriptor(one), lbp_descriptor(one)) == 0
    assert lbp_distance(lbp_descriptor(one), lbp_descriptor(one + 20)) == 0  # only the order of grey levels counts
    far = lbp_distance(lbp_descriptor(one), lbp_descriptor(other))
    a, b = (parts.call("image.lbp", picture(parts, np.repeat(g[:, :, None], 3, 2)), None) for g in (one, other))
    assert parts.call("image.match", a, b) == far > 500
    small = picture(parts, np.zeros((8, 8, 3), np.uint8))
    assert error_of(parts.call, "image.lbp", small, None)[0] == "ValueError"


def test_gradients_are_drawn_as_strokes_along_the_edge(parts):
    grey = np.zeros((64, 64), np.uint8)
    grey[:, 36:] = 200
    shown = hog_picture(grey, 8)
    ys, xs = np.nonzero(shown)
    assert set(xs // 8) == {4} and len(set(ys // 8)) == 8  # in the cells of the edge, in every row of them
    assert np.ptp(ys[xs // 8 == 4]) > 40 and np.ptp(xs) <= 8
    handle = picture(parts, np.repeat(grey[:, :, None], 3, 2), px.GRAYSCALE)
    parts.call("image.hog", handle, None, 8)
    assert np.array_equal(parts.board.images.get(handle).pixels.reshape(64, 64), shown)
    assert error_of(parts.call, "image.hog", handle, None, 100)[0] == "ValueError"


@pytest.mark.parametrize("is_robust", [False, True])
def test_regression_runs_along_the_drawn_line(parts, is_robust):
    rgb = np.zeros((120, 160, 3), np.uint8)
    cv2.line(rgb, (0, 20), (159, 100), (255, 255, 255), 3)
    handle = picture(parts, rgb, px.GRAYSCALE)
    n, fields = parts.call("image.regression", handle, [[[200, 255]]], {"robust": is_robust})
    line = dict(fields)
    assert n == 8 and line["magnitude"] > 10
    ends = sorted([(line["x1"], line["y1"]), (line["x2"], line["y2"])])
    assert np.allclose(ends, [(0, 20), (159, 100)], atol=3)
    assert parts.call("image.regression", picture(parts, rgb * 0), [[[200, 255]]], {}) is None
    assert error_of(parts.call, "image.regression", handle, [], {})[0] == "TypeError"


def test_adaptive_thresholds_give_black_and_white_by_the_surroundings(parts):
    ramp = np.repeat(np.tile(np.linspace(40, 200, 64), (48, 1))[:, :, None], 3, 2).astype(np.uint8)
    ramp[10:20, 30:33] = ramp[10:20, 30:33] - 30  # a dark stroke on a slope that no single threshold would find
    for name, *args in (("mean", 4), ("median", 4), ("midpoint", 4), ("gaussian", 4)):
        seen = after(parts, ramp, name, *args, threshold=True, offset=8, invert=True)
        assert set(np.unique(seen)) == {0, 255}, name
        assert (seen[12:18, 31] == 255).all() and (seen[30:40, 10:50] == 0).all(), name
        plain = after(parts, ramp, name, *args, threshold=True, offset=8)
        assert np.array_equal(plain, 255 - seen), name


def test_median_takes_percentiles_and_gaussian_unsharpens(parts):
    rgb = np.repeat(np.random.default_rng(5).integers(0, 255, (20, 30, 1), np.uint8), 3, 2)
    pixels = after(parts, rgb, "median", 1, percentile=0.25).reshape(20, 30)
    around = np.sort(rgb[4:7, 9:12, 0].reshape(-1))
    assert pixels[5, 10] == around[2]
    assert np.array_equal(after(parts, rgb, "median", 1, percentile=1.0).reshape(20, 30)[1:-1, 1:-1],
                          cv2.dilate(rgb[:, :, 0], np.ones((3, 3)))[1:-1, 1:-1])  # fmt: skip
    step = np.zeros((20, 20, 3), np.uint8)
    step[:, :10], step[:, 10:] = 80, 160
    sharp = after(parts, step, "gaussian", 1, unsharp=True).reshape(20, 20)
    assert sharp[10, 9] < 80 < 160 < sharp[10, 10] and sharp[10, 2] == 80


def test_simple_edges_and_canny_differ(parts):
    rgb = np.zeros((40, 40, 3), np.uint8)
    rgb[10:30, 10:30] = 60
    rgb[2, 2] = 60
    simple = after(parts, rgb, "find_edges", threshold=[100, 255], simple=True).reshape(40, 40)
    assert simple[10, 12:28].all() and not simple[15:25, 15:25].any() and not simple[2, 2]
    assert (after(parts, rgb, "find_edges", threshold=[50, 80]).reshape(40, 40) > 0).sum() > 40


def test_rotation_in_space(parts):
    rgb = np.zeros((80, 120, 3), np.uint8)
    rgb[20:60, 30:90] = 255
    whole = after(parts, rgb, "rotation_corr").reshape(80, 120)
    assert np.array_equal(whole, rgb[:, :, 0])
    flat = after(parts, rgb, "rotation_corr", x_rotation=60).reshape(80, 120) > 128
    rows = np.flatnonzero(flat[:, 60])
    widths = flat.sum(axis=1)[rows]
    assert 14 <= len(rows) <= 28  # 40 rows seen at 60 degrees
    assert abs(int(widths[0]) - int(widths[-1])) > 8  # the nearer edge is the longer one
    quarter = after(parts, rgb, "rotation_corr", z_rotation=90).reshape(80, 120) > 128
    assert quarter[38:42, 40:80].all() and not quarter[38:42, :38].any() and quarter[12:68, 60].all()
    near = after(parts, rgb, "rotation_corr", zoom=2).reshape(80, 120)
    assert (near > 128).sum() > 9000
    pulled = after(parts, rgb, "rotation_corr", corners=[[30, 20], [89, 20], [89, 59], [30, 59]]).reshape(80, 120)
    assert (pulled > 128).mean() > 0.95
    for wrong in ({"fov": 0}, {"zoom": 0}, {"corners": [[0, 0]]}):
        assert error_of(parts.call, "image.filter", picture(parts, rgb), "rotation_corr", [], wrong)[0] == "ValueError"
