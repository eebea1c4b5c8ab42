"""What is written in a box travels with the sample record, and is refused when it cannot."""

import pytest

from snaploop_device import shapes
from snaploop_shared.errors import RecordError
from snaploop_shared.sample_record import LABELLED, Box, SampleRecord, parse

QUAD = ((10, 10), (59, 12), (58, 29), (10, 27))


def record(*boxes):
    return SampleRecord("p-1", "ab" * 32, 1000, 320, 200, 1, LABELLED, boxes)


def box(text):
    return Box("text", 10, 10, 50, 20, QUAD, text)


def test_text_survives_the_record():
    read = parse(record(box("Größe 42"), Box("text", 5, 5, 10, 10)).to_json())
    assert [one.text for one in read.boxes] == ["Größe 42", ""]
    assert read.boxes[0] == box("Größe 42") != box("Größe 43")


def test_text_survives_moving_the_box():
    for grip in ("move", 2):
        assert shapes.dragged(box("AB"), grip, 3, 2, 320, 200).text == "AB"
    assert shapes.dragged(Box("text", 10, 10, 50, 20, (), "AB"), (1, 1), 3, 2, 320, 200).text == "AB"


def test_text_of_the_wrong_kind_is_refused():
    with pytest.raises(RecordError, match="a string of at most 100 characters fits"):
        record(box(42)).check()
    with pytest.raises(RecordError, match="a string of at most 100 characters fits"):
        record(box("x" * 101)).check()
    with pytest.raises(RecordError, match="texts of 4100 characters, at most 4000 fit"):
        record(*[box("x" * 100)] * 41).check()
