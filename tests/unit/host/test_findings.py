"""What a model says of a picture, in the same words for every task."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'snaploop[train]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'snaploop[train]'")

from snaploop_host.domain.classification_metrics import ClassProbabilities
from snaploop_host.domain.detection_decode import Detections
from snaploop_host.domain.embedding_metrics import Embedding
from snaploop_host.domain.multilabel_metrics import LabelProbabilities
from snaploop_host.domain.segmentation_metrics import ClassMap
from snaploop_host.domain.text_metrics import FoundText, Reading
from snaploop_host.training.try_pictures import Finding, counts, findings, fitted, model_input, read_text, try_picture

RUN = SimpleNamespace(result={"labels": ["background", "red", "green"], "input": [64, 32]})
BOXES = Detections(
    np.array([[1, 2, 11, 22], [5, 5, 9, 9]], np.float32), np.array([0.9, 0.3], np.float32), np.array([1, 2])
)
MAP = np.zeros((32, 64), np.uint8)
MAP[2:30, 4:60] = 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (BOXES, [("red", 0.9)]),
        (ClassProbabilities(np.array([0.1, 0.2, 0.7])), [("green", 0.7)]),
        (ClassProbabilities(np.array([0.4, 0.3, 0.3])), []),
        (LabelProbabilities(np.array([0.2, 0.6, 0.8])), [("green", 0.8), ("red", 0.6)]),
        (ClassMap(MAP), [("green", 27 * 55 / MAP.size)]),
        (FoundText([np.array([[0, 0], [9, 0], [9, 4], [0, 4]], np.float32)], np.array([0.8])), [("text", 0.8)]),
        (Reading("k230", 0.75), [("k230", 0.75)]),
        (Embedding(np.ones(4)), [("a vector of 4 numbers", 1.0)]),
    ],
)
def test_findings_of_every_kind_of_answer(answer, words):
    found = findings(RUN, answer, 0.5)
    assert [one.label for one in found] == [name for name, _ in words]
    assert [one.score for one in found] == pytest.approx([score for _, score in words])


def test_boxes_are_corners_and_are_counted():
    found = findings(RUN, BOXES, 0.1)
    assert found[0].to_json() == {"label": "red", "score": 0.9, "outline_px": [[1, 2], [11, 2], [11, 22], [1, 22]]}
    assert counts([*found, found[0]]) == {"red": 2, "green": 1}


@pytest.mark.parametrize(
    ("task", "grey"), [("detect", 114), ("ocr_detect", 114), ("ocr_recognize", 0), ("classify", 200)]
)
def test_pictures_are_fitted_as_the_board_does_it(task, grey):
    image = np.full((32, 32, 3), 200, np.uint8)
    run = SimpleNamespace(result={"input": [64, 32]}, task=SimpleNamespace(name=task))
    fitted = model_input(run, image)
    assert fitted.shape == (32, 64, 3)
    assert fitted[16, 63].tolist() == [grey] * 3
    assert fitted[16, 32].tolist() == ([200] * 3 if task in ("detect", "classify") else [grey] * 3)


def test_command_without_a_model_says_so(tmp_path):
    from typer.testing import CliRunner

    from snaploop_host.cli.main import app

    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"no picture")
    done = CliRunner().invoke(app, ["test", str(picture), "--data", str(tmp_path)])
    assert "no model yet" in str(done.exception)
    done = CliRunner().invoke(app, ["test", str(picture), "--find", "0" * 12, "--data", str(tmp_path)])
    assert "no model of ocr_recognize yet" in str(done.exception)
    done = CliRunner().invoke(app, ["test", str(Path(tmp_path / "missing.jpg")), "--data", str(tmp_path)])
    assert done.exit_code == 2


def test_crumbs_are_no_regions_and_the_threshold_is_a_share():
    crumbs = MAP.copy()
    crumbs[30:32, 61:63] = 1
    assert [one.label for one in findings(RUN, ClassMap(crumbs), 0.0)] == ["green"]
    assert findings(RUN, ClassMap(crumbs), 0.8) == []


def test_names_of_pictures_tell_them_apart():
    from snaploop_host.cli.evaluation import _names

    one, same, other = (Path(name) for name in ("a/cup/1.jpg", "a/pot/1.png", "a/pot/2.jpg"))
    assert _names([one, same, other]) == {one: "a-cup-1", same: "a-pot-1", other: "2"}


class Seeing:
    """A model that says what the test wants of any picture."""

    def __init__(self, say, size_wh=None):
        self.say, self.size_wh = say, size_wh

    def look(self, image, threshold=None):
        return np.zeros((self.size_wh[1], self.size_wh[0], 3), np.uint8) if self.size_wh else image, self.say(image)


@pytest.mark.parametrize("task", ["detect", "segment", "ocr_detect"])
@pytest.mark.parametrize("size_wh", [(320, 160), (160, 320)])
def test_outlines_are_in_px_of_the_picture(tmp_path, task, size_wh):
    photo = np.zeros((240, 480, 3), np.uint8)
    photo[60:120, 240:360] = 255
    Image.fromarray(photo).save(tmp_path / "photo.png")
    seen = fitted(task, size_wh, photo)
    y, x = np.nonzero((seen == 255).all(axis=2))
    corners = np.array([(x.min(), y.min()), (x.max() + 1, y.max() + 1)], float)
    model = Seeing(lambda _: [Finding("red", 0.9, corners)], size_wh)
    model.run = SimpleNamespace(task=SimpleNamespace(name=task))
    (found,) = try_picture(model, tmp_path / "photo.png", None, None)
    assert np.abs(found.outline_px - [(240, 60), (360, 120)]).max() < 480 / 160  # a pixel of the input


def test_a_file_that_is_no_picture_gets_one_line_and_the_others_are_looked_at(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from snaploop_host.cli.main import app

    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    monkeypatch.setattr("snaploop_host.cli.evaluation._run_of", lambda *_: RUN)
    model = Seeing(lambda _: [])
    model.run = SimpleNamespace(task=SimpleNamespace(name="detect"), job=SimpleNamespace(classes=()))
    monkeypatch.setattr("snaploop_host.training.try_pictures.FloatModel", lambda _: model)
    monkeypatch.setattr("snaploop_host.training.try_pictures._draw", lambda *_: None)
    files = [str(tmp_path / name) for name in ("bad.jpg", "good.png")]
    done = CliRunner().invoke(app, ["test", *files, "--out", str(tmp_path)])
    assert done.exit_code == 0 and "good.png: nothing found" in done.stdout
    assert done.stderr.count("bad.jpg cannot be read as a picture: give a JPEG or PNG file") == 1
    assert CliRunner().invoke(app, ["test", files[0], "--json"]).exit_code == 4


def test_each_line_that_is_found_is_cut_out_of_the_whole_photo_and_read():
    photo = np.zeros((400, 800, 3), np.uint8)
    photo[300:340, 500:700] = (200, 0, 0)
    photo[40:80, 80:280] = (0, 200, 0)
    corners = [np.array([(x, y), (x + 50, y), (x + 50, y + 10), (x, y + 10)], float) for x, y in ((125, 75), (20, 10))]
    finder = Seeing(
        lambda _: [Finding("text", 0.9, one) for one in corners], (200, 160)
    )  # a fourth of the photo, and a strip below
    reader = Seeing(lambda line: [Finding(f"{line.shape} {line.mean(axis=(0, 1)).round().tolist()}", 0.8)])
    pixels, found = read_text(finder, reader, photo, None)
    assert pixels.shape == (160, 200, 3)
    assert [one.label for one in found] == [
        "(40, 200, 3) [0.0, 200.0, 0.0]",
        "(40, 200, 3) [200.0, 0.0, 0.0]",
    ]  # from the top down
    assert found[0].to_json() == {"label": found[0].label, "score": 0.8, "outline_px": corners[1].astype(int).tolist()}
