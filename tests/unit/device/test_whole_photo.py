"""Models of the whole photo: their decoder, the large verdict in Live, and proposals in Label. The logits are faked at the KPU port."""

import json
import math

import numpy as np
import pytest

from snaploop_device.classifier import Classifier
from snaploop_device.inference import NotFiniteError, placement_for
from snaploop_host.training.classify.task import TASK as CLASSIFY
from snaploop_host.training.multilabel.task import TASK as MULTILABEL
from snaploop_shared import manifest
from snaploop_shared.errors import ModelRefusedError, RecordError
from snaploop_shared.letterbox import stretch_placement


class Model:
    def __init__(self, head, labels, score=400):
        self.head, self.labels, self.score_permille = head, labels, score
        self.input_w = self.input_h = 96


class Job:
    classes = ("a", "b", "c")


def decoder(head="logits", labels=("a", "b", "c"), score=400):
    return Classifier(Model(head, list(labels), score), stretch_placement(640, 360, 96, 96))


def given(*logits):
    return lambda _index: np.array([logits], np.float32)


@pytest.mark.parametrize("logits", [(2.0, -1.0, 0.5), (90.0, -90.0, 0.0), (0.0, 0.0, 0.0)])
def test_scores_are_the_hosts(logits):
    tensor = [np.array([logits], np.float32)]
    for head, task in (("logits", CLASSIFY), ("multilogits", MULTILABEL)):
        expected = task.decode(Job, tensor).values * 1000
        assert np.abs(np.array(decoder(head).in_input(given(*logits))) - expected).max() <= 0.51


def test_one_logit_of_two_classes_is_the_seconds():
    assert decoder(labels=("no", "yes")).in_input(given(math.log(3))) == [250, 750]
    assert decoder(labels=("no", "yes")).in_input(given(0.0, math.log(3))) == [250, 750]


def test_winner_is_named_when_it_is_sure_enough():
    assert decoder().in_photo(given(0.0, 3.0, 0.0)) == [(1, 909, 0, 0, 640, 360)]
    assert decoder(score=950).in_photo(given(0.0, 3.0, 0.0)) == []


def test_every_label_above_the_threshold_is_named():
    found = decoder("multilogits").in_photo(given(1.0, -3.0, 0.0))
    assert [one[:2] for one in found] == [(0, 731), (2, 500)]


def test_outputs_that_cannot_be_are_refused():
    with pytest.raises(NotFiniteError, match="not finite"):
        decoder().in_input(given(0.0, float("nan"), 0.0))
    with pytest.raises(ValueError, match="output of 2 logits, the manifest says 3 classes"):
        decoder().in_input(given(0.0, 1.0))
    with pytest.raises(ValueError, match="output of 1 logits"):
        decoder("multilogits", ("a", "b")).in_input(given(0.0))


def test_frame_is_stretched():
    place = placement_for(Model("logits", ["a", "b"]), 640, 360)
    assert (place.width, place.height, place.left, place.top, place.right, place.bottom) == (96, 96, 0, 0, 0, 0)


def show(rig, *logits):
    rig.board.kpu.live_outputs = lambda network: [np.array([logits], np.float32)]


@pytest.fixture
def live(make_rig, host):
    """Brings a model of this task live that gives these logits to its golden input and to every frame."""

    def go_live(task, head, logits, golden):
        host.task = task
        rig = make_rig(host=host)
        rig.until(lambda: rig.state.classes)
        assert rig.state.task == task
        rig.board.kpu.golden_outputs = lambda network: [np.array([logits], np.float32)]
        show(rig, *logits)
        digest = host.publish(1, head=head, task=task, answer={"scores_permille": golden}, score=500)
        rig.tap("tab:live")
        rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
        rig.until(lambda: rig.state.detections)
        rig.steps(2)
        return rig

    return go_live


@pytest.fixture
def classifying(live):
    return live("classify", "logits", (0.0, 2.0), [119, 881])


def test_live_shows_the_winner_large(classifying):
    texts = classifying.board.display.overlay.texts()
    assert "green" in texts and "88 %" in texts
    show(classifying, 0.0, 0.0)
    classifying.state.score_permille = 600
    classifying.app.models.set_score(600)
    classifying.until(lambda: not classifying.state.detections)
    classifying.steps(2)
    assert "not sure: nothing scores 60 %" in classifying.board.display.overlay.texts()


def test_label_proposes_the_class_and_accept_is_enough(classifying):
    classifying.tap("tab:capture")
    classifying.tap("shutter")
    classifying.until(lambda: classifying.state.labelling.proposals)
    assert any("green ?" in text for text in classifying.board.display.overlay.texts())
    classifying.tap("accept")
    assert classifying.state.class_counts == {"green": 1}


def test_live_lists_the_labels(live):
    rig = live("multilabel", "multilogits", (3.0, 0.1), [953, 525])
    texts = rig.board.display.overlay.texts()
    assert "red  95 %" in texts and "green  53 %" in texts
    show(rig, -3.0, -3.0)
    rig.until(lambda: not rig.state.detections)
    rig.steps(2)
    assert "no label scores 50 %" in rig.board.display.overlay.texts()


def golden_manifest(scores, labels):
    digest = "0" * 64
    fields = {
        "v": 1,
        "serial": 1,
        "digest": digest,
        "bytes": 1,
        "task": "classify",
        "head": "logits",
        "input": [96, 96],
    }
    fields |= {"labels": labels, "score_permille": 500, "iou_permille": 0, "nncase": "2.11.0"}
    fields["golden"] = {"digest": digest, "bytes": 3 * 96 * 96, "scores_permille": scores}
    return manifest.parse(json.dumps(fields).encode())


def test_golden_scores_may_differ_a_little():
    model = golden_manifest([100, 700, 200], ["a", "b", "c"])
    manifest.check_golden(model, [150, 640, 210])
    with pytest.raises(ModelRefusedError, match="the model scores"):
        manifest.check_golden(model, [700, 100, 200])
    with pytest.raises(ModelRefusedError, match="the model scores"):
        manifest.check_golden(model, [100, 900])


def test_manifest_needs_a_golden_score_per_label():
    with pytest.raises(RecordError, match="2 golden scores for 3 labels"):
        golden_manifest([100, 900], ["a", "b", "c"])
