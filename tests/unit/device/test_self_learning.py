"""Self-learning: a vector model goes live, things are taught, recognised, forgotten and kept. The vectors are faked at the KPU port."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaploop_device.card import Card
from snaploop_device.inference import Embedder, NotFiniteError
from snaploop_device.self_learning import EXAMPLES_PER_THING, MOST_THINGS, Library
from snaploop_shared.manifest import cosine_permille

CUP = [1.0, 0.1, 0.0, 0.2]
KEY = [0.0, 1.0, 0.3, 0.1]
GOLDEN = [0.5, 0.5, 0.5, 0.5]


def publish(host, serial, golden_vector=(500, 500, 500, 500)):
    """Offer a model of head "embedding"."""
    digest = host.publish(serial)
    fields = json.loads(host.model[2])
    fields.update({"task": "embed", "head": "embedding", "labels": [], "score_permille": 800})
    del fields["golden"]["detections"]
    fields["golden"]["vector_milli"] = list(golden_vector)
    host.model = (digest, serial, json.dumps(fields).encode())
    return digest


def see(rig, vector):
    rig.board.kpu.live_outputs = lambda network: [np.array([vector], np.float32)]
    rig.steps(4)


@pytest.fixture
def learning(rig, host):
    rig.board.kpu.golden_outputs = lambda network: [np.array([GOLDEN], np.float32)]
    rig.board.kpu.live_outputs = lambda network: [np.array([CUP], np.float32)]
    digest = publish(host, 1)
    rig.tap("tab:live")
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
    rig.until(lambda: rig.state.vector is not None)
    return rig


def test_teach_recognise_and_forget(learning):
    assert learning.state.recognised[0] == "" and any(
        "tap Teach" in text for text in learning.board.display.overlay.texts()
    )
    learning.tap("keep")
    assert learning.state.recognised == ("red", 1000)  # the first class of the project names it
    see(learning, KEY)
    assert learning.state.recognised[0] == ""
    learning.tap("keep")
    assert learning.state.library.names == ["green", "red"]
    see(learning, [0.9, 0.15, 0.05, 0.2])
    assert learning.state.recognised[0] == "red" and any(
        "red" in text for text in learning.board.display.overlay.texts()
    )
    learning.tap("freeze")
    assert learning.state.library.names == ["green"] and learning.state.recognised[0] == ""


def test_names_go_on_when_the_classes_are_used_up(learning):
    for name in ("red", "green"):
        learning.state.library.add(name, [0, 0, 0, 1000])
    learning.tap("keep")
    assert "thing 1" in learning.state.library.names


def test_teaching_a_known_thing_adds_a_view(learning):
    learning.tap("keep")
    see(learning, [0.9, 0.2, 0.05, 0.2])
    learning.tap("keep")
    assert len(learning.state.library.things["red"]) == 2 and "2 views of red" in learning.state.message


def test_what_was_learnt_survives_a_restart(learning):
    learning.tap("keep")
    kpu = learning.board.kpu
    learning.restart(kpu=kpu)
    learning.tap("tab:live")
    learning.until(lambda: learning.state.recognised[0] == "red")


def test_slider_is_the_likeness_limit(learning):
    learning.tap("keep")
    see(learning, [0.7, 0.8, 0.0, 0.2])
    assert learning.state.recognised[0] == ""
    learning.app.apply(("score", 500))
    learning.steps(2)
    assert learning.state.recognised[0] == "red"


def test_wrong_golden_vector_is_refused(rig, host):
    rig.board.kpu.golden_outputs = lambda network: [np.array([[1.0, 0, 0, 0]], np.float32)]
    publish(host, 1)
    rig.until(lambda: any(one["state"] == "refused" for one in host.deployments))
    assert [one["reason"] for one in host.deployments if one["state"] == "refused"] == ["golden_mismatch"]


def test_without_such_a_model_there_is_no_teaching(rig):
    rig.tap("tab:live")
    rig.steps(2)
    assert "Teach" not in rig.board.display.canvas.texts() and rig.state.library is None


vectors = st.lists(st.integers(-1000, 1000), min_size=4, max_size=4)


@given(vectors, vectors)
def test_cosine_agrees_with_numpy(a, b):
    ours = cosine_permille(a, b)
    if not any(a) or not any(b):
        assert ours == -1000
        return
    theirs = np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
    assert abs(ours - 1000 * theirs) <= 0.51


def test_library_bounds(tmp_path):
    library = Library(Card(str(tmp_path)), "ab" * 32)
    for number in range(EXAMPLES_PER_THING + 3):
        library.add("cup", [number, 1, 0, 0])
    assert len(library.things["cup"]) == EXAMPLES_PER_THING and library.things["cup"][-1][0] == EXAMPLES_PER_THING + 2
    for number in range(MOST_THINGS - 1):
        library.add(str(number), [0, 0, 1, number])
    with pytest.raises(ValueError, match="forget one first"):
        library.add("one more", [1, 0, 0, 0])
    with pytest.raises(ValueError, match="nothing called"):
        library.forget("ghost")


def test_damaged_library_counts_as_none_and_other_models_have_their_own(tmp_path):
    card = Card(str(tmp_path))
    Library(card, "ab" * 32).add("cup", [1, 0, 0, 0])
    assert Library(card, "cd" * 32).names == [] and Library(card, "ab" * 32).names == ["cup"]
    (tmp_path / "library" / ("ab" * 6 + ".json")).write_bytes(b'{"things": [1')
    assert Library(card, "ab" * 32).names == []


@pytest.mark.parametrize("bad", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_a_vector_that_is_none_is_refused(bad):
    with pytest.raises(NotFiniteError):
        Embedder(None, None).in_input(lambda index: np.array([bad], np.float32))
