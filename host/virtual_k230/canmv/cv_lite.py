"""cv_lite on the virtual board: OpenCV functions on arrays; see virtual_k230/postprocess/cv_lite.py."""

from _hal import call as _call
from _postprocess import function as _function
from ulab import numpy as _np

if _call("board.profile")["letter"] == "A":
    raise ImportError("no module named 'cv_lite'")  # it came with firmware 1.4

_ARGUMENTS = {
    "grayscale_find_blobs": 6, "rgb888_find_blobs": 5, "grayscale_find_circles": 8, "rgb888_find_circles": 8,
    "grayscale_find_rectangles": 8, "rgb888_find_rectangles": 8, "grayscale_find_rectangles_with_corners": 8,
    "rgb888_find_rectangles_with_corners": 8, "grayscale_find_lines": 10, "rgb888_find_lines": 10,
    "grayscale_find_lines_sobel": 9, "grayscale_find_corners": 5, "rgb888_find_corners": 5,
    "rgb888_find_corners_fast": 5, "rgb888_calc_histogram": 2, "grayscale_find_edges": 4, "rgb888_find_edges": 4,
    "grayscale_threshold_binary": 4, "rgb888_threshold_binary": 4, "rgb888_erode": 5, "rgb888_dilate": 5,
    "rgb888_open": 5, "rgb888_close": 5, "rgb888_gradient": 5, "rgb888_tophat": 5, "rgb888_blackhat": 5,
    "rgb888_adjust_exposure": 3, "rgb888_adjust_exposure_fast": 3, "rgb888_white_balance_gray_world": 2,
    "rgb888_white_balance_gray_world_fast": 2, "rgb888_white_balance_gray_world_adjustable": 3,
    "rgb888_white_balance_white_patch": 2, "rgb888_mean_blur": 3, "rgb888_mean_blur_fast": 3,
    "rgb888_gaussian_blur_fast": 3, "rgb888_undistort": 5, "rgb888_undistort_fast": 5,
    "rgb888_undistort_new_cam_mat": 5, "rgb888_pnp_distance": 8, "rgb888_pnp_distance_from_corners": 7,
    "rgb888_perspective_transform": 6,
}  # fmt: skip

for _name, _count in _ARGUMENTS.items():
    globals()[_name] = _function("cv_lite", _name, _count)
del _name, _count

rgb888_white_balance_gray_world_fast_ex = _function("cv_lite", "rgb888_white_balance_gray_world_fast_ex", 2, 4)
rgb888_white_balance_white_patch_ex = _function("cv_lite", "rgb888_white_balance_white_patch_ex", 2, 5)
_encoded = _function("cv_lite", "_encoded", 3)
_decoded = _function("cv_lite", "_decoded", 1)


def save_image(path, size, picture):
    data = _encoded(path, size, picture).tobytes()
    with open(path, "wb") as file:
        file.write(data)


def load_image(path):
    with open(path, "rb") as file:
        data = file.read()
    return _decoded(_np.frombuffer(data, dtype=_np.uint8))
