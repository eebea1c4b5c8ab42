"""Reading: dictionaries, decoding, what is too long or unknown, drawn lines, and the flat start."""

from pathlib import Path

import numpy as np
import pytest

from snaploop_host.domain.text_labels import reading_problem, steps_needed
from snaploop_host.training.errors import BadDatasetError
from snaploop_host.training.job_spec import Box, Gate, Parameters, Photo, TrainingJob
from snaploop_host.training.ocr_recognize.dictionary import characters_of, labels_of, read_steps
from snaploop_host.training.ocr_recognize.lines import changed, input_width
from snaploop_host.training.ocr_recognize.synthetic import Typesetter


def job(*texts, **parameters):
    boxes = tuple(Box(0, (10, 10, 100, 20), (), text) for text in texts)
    photo = Photo("a.jpg", Path("a.jpg"), 640, 360, boxes)
    return TrainingJob("1", "ocr_recognize", "p", ("text",), (photo,), (photo,), Parameters(**parameters), None, Gate())


def steps(indices, labels):
    logits = np.zeros((len(indices), labels), np.float32)
    logits[np.arange(len(indices)), indices] = 20
    return logits


def test_dictionary_is_what_the_labels_hold():
    assert characters_of(job("b2", "a 1", "###", " 2 ")) == " 12ab"
    assert labels_of("ab") == ("", "a", "b", "")
    assert characters_of(job("ab", dictionary="cba")) == "cba"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (job("ab?", dictionary="ab"), "photo a.jpg: '?' is not in the dictionary"),
        (job("", "###"), "no photo says what is written in it"),
    ],
)
def test_dictionary_refuses(made, said):
    with pytest.raises(BadDatasetError) as refused:
        characters_of(made)
    assert said in str(refused.value)


def test_greedy_decoding_drops_repeats_and_blanks():
    labels = labels_of("abc")
    assert read_steps(steps([4, 1, 1, 4, 1, 2, 2, 4], 5), labels).text == "aab"
    assert read_steps(steps([4, 4], 5), labels).score == 0
    assert read_steps(steps([1, 4], 5), labels).score == pytest.approx(1, abs=1e-6)
    even = read_steps(np.array([[0, 0.1, 0, 0, 0]], np.float32), labels)
    assert even.text == "a" and even.score == pytest.approx(np.exp(0.1) / (4 + np.exp(0.1)), abs=1e-6)


def test_input_is_as_wide_as_the_lines_need():
    assert input_width(job("12")) == 160  # boxes five times as wide as high
    assert input_width(job("1" * 13)) == 224  # 13 equal characters need 25 answers, twice as many are there
    assert input_width(job("12", imgsz=96)) == 96
    with pytest.raises(BadDatasetError, match="needs an input 200 px wide, it is 96"):
        input_width(job("1" * 13, imgsz=96))


@pytest.mark.parametrize(
    ("labels", "dictionary", "said"),
    [
        ([("a.jpg", ""), ("b.jpg", "###")], "", "no box says what is written in it"),
        ([("a.jpg", "x" * 41)], "", "photo a.jpg: 'xxx"),
        ([("a.jpg", "1A")], "123", "photo a.jpg: 'A' is not in the dictionary"),
        ([("a.jpg", "12"), ("b.jpg", "")], "123", ""),
    ],
)
def test_start_is_refused_with_the_reason(labels, dictionary, said):
    problem = reading_problem(labels, dictionary)
    assert said in problem and bool(said) == bool(problem)


def test_steps_of_a_text():
    assert [steps_needed(text) for text in ("", "a", "ab", "aa", "aab")] == [0, 1, 2, 3, 4]


def test_drawn_lines_follow_the_pattern_of_the_labels():
    typesetter = Typesetter("0123456789AB-漢", ["A-12", "B-3"])
    assert typesetter.missing == "漢"
    rng = np.random.default_rng(0)
    drawn = [typesetter.line(rng) for _ in range(40)]
    for image, text, middles in drawn:
        assert len(middles) == len(text) and sorted(middles) == middles and middles[-1] < image.shape[1]
        assert text[0] in "AB" and text[1] == "-" and text[2:].isdigit() and len(text) in (3, 4)
        assert image.dtype == np.uint8 and image.std() > 5
    assert len({text for _, text, _ in drawn}) > 20
    seen, (factor, offset) = changed(drawn[0][0], (4, 4, drawn[0][0].shape[1] - 8, drawn[0][0].shape[0] - 8), 128, rng)
    assert seen.shape == (32, 128, 3)
    assert all(0 < factor * middle + offset < 128 for middle in drawn[0][2])


def test_start_tells_every_step_its_character():
    torch = pytest.importorskip("torch")
    from snaploop_host.training.ocr_recognize.network import ReadingLoss
    from snaploop_host.training.ocr_recognize.train import flat_start

    assert flat_start([8, 24], [1, 2], 10, 9) == [9, 1, 1, 9, 9, 2, 2, 9, 9, 9]
    assert flat_start([6], [3], 4, 9) == [3, 3, 3, 9]
    told = torch.tensor([[9, 1, 1, 9, 2, 2, 9, 9, 1, 2], [9, 3, 3, 9, 9, 9, 9, 9, 3, -1]])
    loss = ReadingLoss(2).train()
    logits = torch.zeros(2, 8, 10)
    assert [sorted(loss(logits, told)) for _ in range(3)] == [["ctc", "flat"], ["ctc", "flat"], ["ctc"]]


def test_warm_start_keeps_the_letters_that_both_know():
    torch = pytest.importorskip("torch")
    from snaploop_host.training.ocr_recognize.network import LineNetwork
    from snaploop_host.training.ocr_recognize.networks import start_warm

    old, new = LineNetwork(5), LineNetwork(6)
    fresh = new.head.weight.clone()
    start_warm(new, "cab1", {"network": old.state_dict(), "characters": "abc"})
    for position, before in ((1, 3), (2, 1), (3, 2), (5, 4)):  # c a b and the blank
        assert torch.equal(new.head.weight[position], old.head.weight[before])
    assert torch.equal(new.head.weight[4], fresh[4])
    assert torch.equal(new.body[0][0].weight, old.body[0][0].weight)
