"""cv_lite: shapes drawn into a picture are found, pictures change as named, results have the firmware's form."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fakes.virtual_parts import error_of
from virtual_k230.postprocess.cv_lite import FUNCTIONS

SIZE = [120, 160]
CAMERA = [200.0, 0, 80, 0, 200, 60, 0, 0, 1]


def black(channels: int = 3) -> np.ndarray:
    return np.zeros((*SIZE, channels), np.uint8)


def noise(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


def test_blobs_by_grey_and_by_colour():
    grey, colour = black(1), black()
    grey[20:40, 30:70] = 240
    grey[80:82, 10:12] = 240
    assert FUNCTIONS["grayscale_find_blobs"](SIZE, grey, 230, 255, 10, 1) == [30, 20, 40, 20]
    colour[10:30, 100:130] = (200, 20, 20)
    colour[60:90, 20:60] = (20, 200, 20)
    assert FUNCTIONS["rgb888_find_blobs"](SIZE, colour, [150, 255, 0, 50, 0, 50], 10, 1) == [100, 10, 30, 20]
    assert error_of(FUNCTIONS["rgb888_find_blobs"], SIZE, colour, [1, 2], 10, 1)[0] == "ValueError"


@pytest.mark.parametrize("kind", ["grayscale", "rgb888"])
def test_circles_rectangles_lines_and_corners(kind):
    rgb = black()
    cv2.circle(rgb, (50, 60), 25, (255, 255, 255), -1)
    picture = rgb if kind == "rgb888" else np.ascontiguousarray(rgb[:, :, :1])
    x, y, r = FUNCTIONS[f"{kind}_find_circles"](SIZE, picture, 1, 30, 80, 10, 10, 50)[:3]
    assert abs(x - 50) <= 2 and abs(y - 60) <= 2 and abs(r - 25) <= 2
    rgb = black()
    cv2.rectangle(rgb, (40, 30), (120, 90), (255, 255, 255), -1)
    picture = rgb if kind == "rgb888" else np.ascontiguousarray(rgb[:, :, :1])
    options = (50, 150, 0.04, 0.001, 0.3, 5)
    plain = FUNCTIONS[f"{kind}_find_rectangles"](SIZE, picture, *options)
    assert np.allclose(plain[:4], [40, 30, 81, 61], atol=3)
    rows = FUNCTIONS[f"{kind}_find_rectangles_with_corners"](SIZE, picture, *options)
    assert len(rows[0]) == 12 and rows[0][:4] == plain[:4]
    lines = np.array(
        FUNCTIONS[f"{kind}_find_lines"](SIZE, picture, 50, 150, 3, 1.0, np.pi / 180, 30, 30.0, 5.0)
    ).reshape(-1, 4)
    assert len(lines) >= 4 and any(abs(y1 - 30) <= 2 and abs(y2 - 30) <= 2 for _, y1, _, y2 in lines)
    corners = np.array(FUNCTIONS[f"{kind}_find_corners"](SIZE, picture, 20, 0.1, 10.0)).reshape(-1, 2)
    assert len(corners) == 4 and np.allclose(sorted(corners.tolist())[0], (40, 30), atol=2)
    edges = FUNCTIONS[f"{kind}_find_edges"](SIZE, picture, 50, 150)
    assert edges.shape == (120, 160, 1) and edges[28:32, 80].any() and not edges[60, 80]
    cut = FUNCTIONS[f"{kind}_threshold_binary"](SIZE, picture, 100, 200)
    assert cut.shape == (120, 160, 1) and set(np.unique(cut)) == {0, 200}


def test_lines_on_steep_pixels():
    grey = black(1)
    cv2.line(grey, (10, 60), (150, 60), 255, 2)
    lines = np.array(
        FUNCTIONS["grayscale_find_lines_sobel"](SIZE, grey, 100, 3, 1.0, np.pi / 180, 50, 60.0, 5.0)
    ).reshape(-1, 4)
    assert len(lines) and all(abs(y - 60) <= 3 for line in lines for y in line[1::2])


@pytest.mark.parametrize(
    ("name", "pixels"),
    [("erode", 18 * 18), ("dilate", 22 * 22), ("open", 400), ("close", 400), ("gradient", 22 * 22 - 18 * 18)],
)
def test_shapes_of_a_mask(name, pixels):
    rgb = black()
    rgb[40:60, 70:90] = 200
    changed = FUNCTIONS[f"rgb888_{name}"](SIZE, rgb, 3, 1, 100)
    assert changed.shape == ((120, 160, 1) if name == "erode" else (1, 120, 160, 1))
    assert (changed == 255).sum() == pixels and (changed == 0).sum() == 120 * 160 - pixels
    assert np.array_equal(FUNCTIONS[f"rgb888_{name}"](SIZE, rgb, 3, 1, 0), changed)  # Otsu finds the same threshold
    assert error_of(FUNCTIONS[f"rgb888_{name}"], SIZE, rgb, 4, 1, 100)[1] == "kernel size must be odd"


def test_light_and_colour():
    rgb = (noise() // 4 + np.array([100, 60, 30], np.uint8)).astype(np.uint8)
    assert np.array_equal(FUNCTIONS["rgb888_adjust_exposure"](SIZE, rgb, 2.0), np.clip(rgb.astype(int) * 2, 0, 255))
    balanced = FUNCTIONS["rgb888_white_balance_gray_world"](SIZE, rgb).reshape(-1, 3).mean(axis=0)
    assert np.ptp(balanced) < 2 < np.ptp(rgb.reshape(-1, 3).mean(axis=0))
    half = FUNCTIONS["rgb888_white_balance_gray_world_adjustable"](SIZE, rgb, 0.5).reshape(-1, 3).mean(axis=0)
    assert 2 < np.ptp(half) < np.ptp(rgb.reshape(-1, 3).mean(axis=0))
    assert (
        FUNCTIONS["rgb888_white_balance_gray_world_fast_ex"](SIZE, rgb, 1.0, 1.0)[:, :, 2].max() == rgb[:, :, 2].max()
    )
    assert (FUNCTIONS["rgb888_white_balance_white_patch"](SIZE, rgb).reshape(-1, 3).max(axis=0) >= 254).all()
    assert FUNCTIONS["rgb888_white_balance_white_patch_ex"](SIZE, rgb, 5.0, 1.2, 1.0).max() <= 1.2 * rgb.max()
    counts = FUNCTIONS["rgb888_calc_histogram"](SIZE, rgb)
    assert [len(row) for row in counts] == [256] * 3
    assert counts[2] == np.histogram(rgb[:, :, 0], 256, (0, 256))[0].tolist()  # red comes last


def test_blur_is_opencvs():
    rgb = noise()
    assert np.array_equal(FUNCTIONS["rgb888_mean_blur"](SIZE, rgb, 5), cv2.blur(rgb, (5, 5)))
    assert np.array_equal(FUNCTIONS["rgb888_gaussian_blur_fast"](SIZE, rgb, 5), cv2.GaussianBlur(rgb, (5, 5), 0))


def test_geometry():
    rgb = noise()
    assert np.array_equal(FUNCTIONS["rgb888_undistort"](SIZE, rgb, CAMERA, [0.0] * 5, 5)[0], rgb)
    assert FUNCTIONS["rgb888_undistort_new_cam_mat"](SIZE, rgb, CAMERA, [0.1, 0, 0, 0, 0], 5).shape == (1, 120, 160, 3)
    # 40 pixels wide at a focal length of 200 pixels: five times its width away
    far = FUNCTIONS["rgb888_pnp_distance"](SIZE, rgb, [60, 45, 40, 30], CAMERA, [0.0] * 5, 5, 20.0, 15.0)
    assert far == pytest.approx(100, rel=0.02)
    card = black()
    cv2.rectangle(card, (60, 45), (100, 75), (255, 255, 255), -1)
    distance, rect, corners = FUNCTIONS["rgb888_pnp_distance_from_corners"](
        SIZE, card, CAMERA, [0.0] * 5, 5, 20.0, 15.0
    )
    assert distance == pytest.approx(100, rel=0.08) and np.allclose(rect, [60, 45, 41, 31], atol=3)
    assert np.allclose(corners, [[60, 45], [100, 45], [100, 75], [60, 75]], atol=3)
    assert FUNCTIONS["rgb888_pnp_distance_from_corners"](SIZE, black(), CAMERA, [0.0] * 5, 5, 20.0, 15.0)[0] == 0.0
    moved = FUNCTIONS["rgb888_perspective_transform"](
        SIZE, rgb, [0, 0, 160, 120], [0, 0, 160, 0, 160, 120, 0, 120], 160, 120
    )
    assert np.array_equal(moved[0], rgb)
    assert error_of(FUNCTIONS["rgb888_perspective_transform"], SIZE, rgb, [0, 0, 9, 9], [0] * 8, 0, 5)[1] == (
        "output shape must be positive"
    )


def test_files_and_wrong_pictures():
    rgb = noise()
    data = FUNCTIONS["_encoded"]("/sdcard/a.png", SIZE, rgb)
    assert np.array_equal(FUNCTIONS["_decoded"](data)[0], rgb)
    assert error_of(FUNCTIONS["_encoded"], "/sdcard/a.txt", SIZE, rgb)[0] == "ValueError"
    assert error_of(FUNCTIONS["_decoded"], np.zeros(9, np.uint8))[0] == "ValueError"
    assert (
        error_of(FUNCTIONS["rgb888_mean_blur"], [10, 10], rgb, 3)[1]
        == "the picture has 57600 bytes, 10x10x3 were expected"
    )
