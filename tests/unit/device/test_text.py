"""Text on the board: quads and readings as the host decodes them, in photo px, held against golden answers."""

import json

import numpy as np
import pytest

from fakes.device_board import FakeKpu
from snaploop_device.inference import NotFiniteError, decoder_for, placement_for
from snaploop_host.training.ocr_detect.text_map import decode_map, draw_maps
from snaploop_host.training.ocr_recognize.dictionary import read_steps
from snaploop_shared import manifest
from snaploop_shared.errors import ModelRefusedError
from snaploop_shared.letterbox import strip_placement

QUAD = np.array([(40, 30), (200, 40), (198, 70), (38, 60)], np.float32)


def made(head, task, golden, labels, size=(320, 192), score=500):
    fields = {"v": 1, "serial": 1, "digest": "a" * 64, "bytes": 1, "task": task, "head": head, "input": list(size)}
    fields |= {"labels": labels, "score_permille": score, "iou_permille": 0, "nncase": "2.11.0"}
    fields["golden"] = {"digest": "b" * 64, "bytes": 1, **golden}
    return manifest.parse(json.dumps(fields).encode())


def text_model(quads=()):
    return made("textmap", "ocr_detect", {"quads_px": [list(map(int, quad)) for quad in quads]}, ["text"])


def text_map(*quads):
    maps = draw_maps([np.asarray(quad, np.float32) for quad in quads], [True] * len(quads), 320, 192)
    return np.ascontiguousarray(maps[:2].transpose(1, 2, 0), np.float32)[None]


def reader(golden=("ab", 900), size=(128, 32)):
    fields = {"text": golden[0], "score_permille": golden[1]}
    return made("ctc", "ocr_recognize", fields, ["", "a", "b", ""], size, 400)


def finder_for(model):
    return decoder_for(model, placement_for(model, 640, 360), FakeKpu())


def test_quads_are_the_hosts_and_come_in_photo_px():
    output = text_map(QUAD)
    (found,) = finder_for(text_model()).in_input(lambda _: output)
    (ours,) = decode_map(output[0, :, :, 0]).polygons
    assert found[:2] == (0, 1000)
    assert np.abs(np.array(found[6]) - ours.reshape(-1)).max() <= 2.5
    (seen,) = finder_for(text_model()).in_photo(lambda _: output)
    assert np.abs(np.array(seen[6]) - 2 * np.array(found[6])).max() <= 2  # 640x360 lies in 320x180, in the corner


def test_golden_quads():
    output = text_map(QUAD)
    finder = finder_for(text_model())
    manifest.check_golden(text_model([QUAD.reshape(-1)]), finder.in_input(lambda _: output))
    with pytest.raises(ModelRefusedError, match="misses the text at"):
        manifest.check_golden(text_model([QUAD.reshape(-1) + 40]), finder.in_input(lambda _: output))
    with pytest.raises(ModelRefusedError, match="finds 1 texts too many"):
        manifest.check_golden(text_model(), finder.in_input(lambda _: output))


def test_reading_is_the_hosts():
    model = reader()
    rng = np.random.default_rng(0)
    decoder = decoder_for(model, placement_for(model, 640, 360))
    for _ in range(20):
        steps = rng.normal(0, 3, (1, 32, 4)).astype(np.float32)
        steps[0, :, 0] = -20
        expected = read_steps(steps[0], model.labels)
        text, permille = decoder.in_input(lambda _, steps=steps: steps)
        assert text == expected.text and abs(permille - 1000 * expected.score) <= 1


def test_reading_that_is_not_sure_is_withheld():
    model = reader()
    decoder = decoder_for(model, placement_for(model, 640, 360))
    steps = np.zeros((1, 32, 4), np.float32)
    steps[0, :, 3] = 5
    assert decoder.in_photo(lambda _: steps) == []
    steps[0, 3:5, 1] = 5.1
    assert decoder.in_photo(lambda _: steps)[0][1] == 522
    steps[0, 3:5, 1] = 15
    strip = strip_placement(640, 360, 128, 32).cut
    assert strip == (96, 124, 448, 112)
    assert decoder.in_photo(lambda _: steps) == [(0, 1000, *strip, "a")]


def test_golden_reading():
    manifest.check_golden(reader(), ("ab", 850))
    for found in (("ab", 700), ("a", 900)):
        with pytest.raises(ModelRefusedError, match=r"on its golden input, .* expected"):
            manifest.check_golden(reader(), found)


def test_outputs_that_cannot_be_are_refused():
    broken = text_map(QUAD)
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(NotFiniteError, match="text map are not finite"):
        finder_for(text_model()).in_input(lambda _: broken)
    with pytest.raises(ValueError, match="the manifest says 1x192x320x2"):
        finder_for(text_model()).in_input(lambda _: np.zeros((1, 96, 160, 2)))
    decoder = decoder_for(reader(), placement_for(reader(), 640, 360))
    with pytest.raises(ValueError, match="the manifest says 32 steps of 4 labels"):
        decoder.in_input(lambda _: np.zeros((1, 32, 5)))
    with pytest.raises(NotFiniteError, match="readings are not finite"):
        decoder.in_input(lambda _: np.full((1, 32, 4), np.inf))


def test_strip_leads_back_to_the_photo():
    place = strip_placement(640, 360, 128, 32)
    assert place.to_source(0, 0) == (96, 124) and place.to_source(128, 32) == (544, 236)
    assert place.to_input(*place.to_source(50, 20)) == pytest.approx((50, 20))
    assert strip_placement(640, 100, 128, 64).cut == (220, 0, 200, 100)
