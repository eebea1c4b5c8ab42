"""Scripts in the vendor's style on a real interpreter: arrays as the vendor's libraries use them, image detectors, decoders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from virtual_k230 import VirtualK230


@pytest.fixture(scope="module")
def board() -> Iterator[VirtualK230]:
    with VirtualK230(profile="A") as board:
        board.power_cut()
        yield board


def test_arrays_as_metric_learning_and_detection_use_them(board: VirtualK230) -> None:
    said = board.run_code("""
import ulab.numpy as np
library = np.array([np.array([3.0, 4, 0]), np.array([0, 0, 0])], dtype=np.float)
query = np.array([3.0, 4, 0])
lengths = np.linalg.norm(library, axis=1)
alike = np.dot(library, query) / ((lengths + (lengths == 0)) * np.linalg.norm(query))
print(alike.tolist(), np.argmax(alike), np.min(lengths))
found = np.ndarray([[1, 0.9, 10, 20, 30, 40], [0, 0.8, 1, 2, 3, 4]])
boxes, ids = np.ndarray(found[:, 2:6], dtype=np.int16), np.ndarray(found[:, 0], dtype=np.int16)
print(boxes.tolist(), ["a", "b"][ids[0]], "yes" if boxes else "no", "yes" if np.zeros((0,)) else "no")
print(np.argmax(np.zeros((1, 5, 7)), axis=2).reshape((-1)).shape, np.zeros((1, 4, 5, 2))[:, :, :, 0].reshape(-1).shape)
print(np.linalg.inv(np.array([[2.0, 0], [0, 4]])).tolist(), round(np.linalg.det(np.array([[2.0, 1], [0, 4]])), 3))
print(np.interp(np.array([1.5]), np.array([1, 2]), np.array([3, 4])).tolist(), np.isfinite(np.array([1.0, float("inf")])))
print(np.vectorize(lambda x: x * x)(np.array([1, 2, 3])).tolist(), np.diag(np.array([1, 2])).shape)
print([part.tolist() for part in np.fft.fft(np.array([1.0, 1, 1, 1]))], np.cross(np.array([1, 0, 0]), np.array([0, 1, 0])).tolist())
try:
    np.linalg.inv(np.zeros((2, 2)))
except ValueError as error:
    print(error)
""").splitlines()
    assert said == [
        "[1.0, 0.0] 0 0.0",
        "[[10, 20, 30, 40], [1, 2, 3, 4]] b yes no",
        "(5,) (20,)",
        "[[0.5, 0.0], [0.0, 0.25]] 8.0",
        "[3.5] array([True, False], dtype=bool)",
        "[1.0, 4.0, 9.0] (2, 2)",
        "[[4.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]] [0.0, 0.0, 1.0]",
        "input matrix is singular",
    ]


def test_image_detectors_and_filters(board: VirtualK230) -> None:
    said = board.run_code("""
import image
picture = image.Image(200, 120, image.RGB565)
picture.draw_rectangle(50, 40, 40, 30, color=(255, 0, 0), fill=True)
for blob in picture.find_blobs([(20, 80, 40, 127, 10, 127)], pixels_threshold=20):
    print(blob.rect(), blob[0:4], blob.cx(), blob[5], len(blob), blob.density())
    picture.draw_cross(blob.cx(), blob.cy())
    try:
        blob.colour()
    except AttributeError as error:
        print(error)
grey = picture.to_grayscale()
print(grey.get_histogram(bins=4).bins()[3] > 0, grey.get_statistics().max() > 200, grey.get_histogram().get_threshold().value())
picture.draw_keypoints([(10, 10, 30)], color=(255, 255, 0)).flood_fill(100, 5, color=(9, 9, 9))
print(picture.get_pixel(150, 5), grey.binary([(50, 255)]).invert().erode(1).get_pixel(70, 45))
print(image.rgb_to_lab((255, 0, 0)), picture.find_qrcodes(), image.Image(50, 50, image.RGB565).find_circles())
try:
    picture.find_keypoints()
except NotImplementedError as error:
    print("no", str(error)[:11])
""").splitlines()
    assert said[:4] == [
        "(50, 40, 40, 30) (50, 40, 40, 30) 70 70 12 1.0",
        "result has no attribute 'colour'",
        said[2],
        said[3],
    ]
    assert said[2].startswith("True True ")
    assert said[3] == "(8, 8, 8) 0"
    assert said[4:] == ["(53, 80, 67) [] []", "no virtual K23"]


def test_decoders_fill_masks_that_an_image_shares(board: VirtualK230) -> None:
    said = board.run_code("""
import aidemo, aicube, image, ulab.numpy as np
out = np.zeros((2100, 37))
out[5] = np.array([100, 84, 40, 28, 0.9] + [1] + [0] * 31)
protos = np.ones((32, 80, 80))
masks = np.zeros((1, 180, 320, 4), dtype=np.uint8)
picture = image.Image(320, 180, image.ARGB8888, alloc=image.ALLOC_REF, data=masks)
boxes, ids, scores = aidemo.yolov8_seg_postprocess(out, protos, [360, 640], [320, 320], [180, 320], 1, 0.5, 0.5, 0.5, masks)
x, y, w, h = map(lambda v: int(round(v, 0)), boxes[0])
print(x, y, w, h, ids, "{0:.2f}".format(scores[0]), masks[0, 84, 100].tolist())
osd = image.Image(320, 180, image.ARGB8888)
osd.copy_from(picture)
print(bytes(osd.bytearray()[(84 * 320 + 100) * 4:(84 * 320 + 100) * 4 + 4]))
logits = np.zeros((1, 4, 4, 2)); logits[0, 0, 0, 1] = 1
mask = aicube.seg_post_process(logits, 2, [4, 4], [4, 4])
print(mask.shape, mask[0, 0].tolist(), image.Image(4, 4, image.RGB888, alloc=image.ALLOC_REF, data=mask[:, :, 1:4].copy()).width())
for call in (lambda: aicube.seg_post_process(logits, 2, (4, 4), [4, 4]), lambda: aidemo.mask_resize(1), lambda: aidemo.kws_fp_create()):
    try:
        call()
    except Exception as error:
        print(type(error).__name__, str(error)[:40])
""").splitlines()
    assert said == [
        "80 70 40 28 [0] 0.90 [127, 220, 20, 60]",
        "b'\\x7f\\xdc\\x14<'",
        "(4, 4, 4) [128, 255, 80, 195] 4",
        "TypeError expected list",
        "TypeError function takes 3 positional arguments bu",
        "RuntimeError virtual K230 has no microphone and no lo",
    ]
