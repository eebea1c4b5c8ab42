"""The map of text: what is drawn for a label comes out as the label again, by our rule and by the firmware's."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from snaploop_host.training.errors import BadDatasetError
from snaploop_host.training.job_spec import Box, Photo
from snaploop_host.training.ocr.quads import quad_of
from snaploop_host.training.ocr_detect.text_map import decode_map, draw_maps
from virtual_k230.postprocess.aicube import ocr_post_process

WIDTH, HEIGHT = 320, 192


def quad(x, y, across, down, degrees):
    turn = np.radians(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = np.array([(-across, -down), (across, -down), (across, down), (-across, down)]) / 2
    return (corners @ matrix.T + (x, y)).astype(np.float32)


def iou(one, other):
    first, second = shapely.Polygon(one), shapely.Polygon(other)
    return first.intersection(second).area / first.union(second).area


@settings(max_examples=60, deadline=None)
@given(
    st.floats(130, 190), st.floats(80, 110), st.floats(1.5, 9), st.floats(14, 26), st.floats(-25, 25)
)  # a line of text, as large as labels are
def test_firmware_gives_the_label_back(x, y, shape, down, degrees):
    across = min(shape * down, 230)
    label = quad(x, y, across, down, degrees)
    chances = draw_maps([label], [True], WIDTH, HEIGHT)[0].astype(np.float32)
    (ours,) = decode_map(chances).polygons
    blank = np.zeros(WIDTH * HEIGHT * 3, np.uint8)
    ((_crop, numbers),) = ocr_post_process(chances.reshape(-1), blank, [WIDTH, HEIGHT], [WIDTH, HEIGHT], 0.5, 0.5)
    firmware = np.array(numbers).reshape(4, 2)
    assert np.abs(firmware - ours).max() < 2.5  # the firmware cuts corners to whole px
    assert iou(ours, label) > 0.72
    assert iou(firmware, label) > 0.66


def test_weak_regions_and_specks_are_dropped():
    chances = np.zeros((HEIGHT, WIDTH), np.float32)
    chances[50:60, 50:120] = 0.9
    chances[100, 100] = 1
    found = decode_map(chances)
    assert len(found.polygons) == 1 and found.scores[0] == pytest.approx(0.9)
    assert len(decode_map(chances, floor=0.95).polygons) == 0


def test_unreadable_and_tiny_text_counts_for_nothing():
    labels = [quad(100, 100, 80, 20, 0), quad(250, 50, 40, 3, 0)]
    cores, texts, counts = draw_maps(labels, [False, True], WIDTH, HEIGHT)
    assert not cores.any() and not texts.any()
    assert not counts[100, 100] and not counts[50, 250] and counts[10, 10]


PHOTO = Photo("a.jpg", None, 640, 360, ())


def test_quads_of_labels():
    points = ((300.0, 90.0), (300.0, 130.0), (100.0, 120.0), (100.0, 80.0))  # begun elsewhere
    expected = [(100, 80), (300, 90), (300, 130), (100, 120)]
    assert quad_of(Box(0, (100, 80, 201, 51), points), PHOTO).tolist() == [list(one) for one in map(list, expected)]
    assert quad_of(Box(0, (10, 20, 30, 40)), PHOTO).tolist() == [[10, 20], [40, 20], [40, 60], [10, 60]]


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((600, 10, 60, 20), "photo a.jpg (640x360): text at x=600 y=10 lies outside the photo"),
        ((10, 10, 60, 2), "photo a.jpg (640x360): text at x=10 y=10 is thinner than 3 px"),
    ],
)
def test_labels_that_cannot_be_are_refused(box, said):
    with pytest.raises(BadDatasetError) as refused:
        quad_of(Box(0, box), PHOTO)
    assert said in str(refused.value)
