"""Retrieval against a slow one that sorts for every question, and worked cases of the similarity threshold."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snaploop_host.domain.embedding_metrics import (
    Embedding,
    Identity,
    embedding_qualities,
    score_embeddings,
    tally_embeddings,
)


def example(seed, pictures, identities=3):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, identities, pictures)
    true[:2] = 0
    vectors = rng.normal(0, 1, (pictures, 6)) + 1.5 * np.eye(6)[true]
    return [Embedding(row) for row in vectors], [Identity(int(one)) for one in true]


def cosine(one, other):
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one)) / math.sqrt(sum(b * b for b in other))


def asked_one_by_one(answers, truths):
    """recall@1 and mAP@R by the definition."""
    firsts, averages = [], []
    for row, truth in enumerate(truths):
        others = [column for column in range(len(truths)) if column != row]
        others.sort(key=lambda column: -cosine(answers[row].vector.tolist(), answers[column].vector.tolist()))
        same = [truths[column].index == truth.index for column in others]
        if any(same):
            firsts.append(same[0])
            fellows = sum(same)
            averages.append(sum(sum(same[: rank + 1]) / (rank + 1) for rank in range(fellows) if same[rank]) / fellows)
    return {"recall_at_1": sum(firsts) / len(firsts), "map_at_r": sum(averages) / len(averages)}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 14))
def test_equal_to_asking_one_by_one(seed, pictures):
    answers, truths = example(seed, pictures)
    score = score_embeddings(answers, truths)
    assert score.values == pytest.approx(asked_one_by_one(answers, truths))
    assert sum(map(sum, score.confusion)) == sum(one.examples for one in score.classes)
    right = sum(score.confusion[index][index] for index in range(len(score.confusion)))
    assert right / sum(map(sum, score.confusion)) == pytest.approx(score.values["recall_at_1"])
    qualities = embedding_qualities(answers, truths)
    assert ((qualities >= 0) & (qualities <= 1)).all()


def test_whole_library_drawn_once_is_the_score():
    answers, truths = example(3, 12)
    tally = tally_embeddings(answers, truths)
    assert {name: one[0] for name, one in tally.resample(np.ones((1, 12))).items()} == pytest.approx(tally.values)
    assert tally.values == pytest.approx(score_embeddings(answers, truths).values)


def test_threshold_lies_between_fellows_and_strangers():
    near, far = np.array([1.0, 0.0]), np.array([0.6, 0.8])  # cosine 0.6 between the two things
    answers = [Embedding(near), Embedding(2 * near), Embedding(far), Embedding(far)]
    truths = [Identity(0), Identity(0), Identity(1), Identity(1)]
    score = score_embeddings(answers, truths)
    assert score.values == {"recall_at_1": 1.0, "map_at_r": 1.0}
    assert score.best_threshold == pytest.approx(0.8, abs=0.01)  # the middle of 0.6…1.0
    assert embedding_qualities(answers, truths) == pytest.approx([0.7] * 4)


def test_broken_and_lonely_pictures():
    broken, lonely = Embedding(np.array([np.nan, 1.0])), Embedding(np.array([0.0, 1.0]))
    answers = [Embedding(np.array([1.0, 0.0])), broken, lonely]
    truths = [Identity(0), Identity(0), Identity(1)]
    score = score_embeddings(answers, truths)
    assert [one.index for one in score.classes] == [0]
    assert embedding_qualities(answers, truths)[2] == 0.5


def test_refusals():
    one = Embedding(np.array([1.0, 0.0]))
    with pytest.raises(ValueError, match="nothing has two validation pictures"):
        score_embeddings([one, one], [Identity(0), Identity(1)])
    with pytest.raises(ValueError, match="no validation picture shows"):
        score_embeddings([], [])
    with pytest.raises(ValueError, match="1 pictures of vectors against 2"):
        score_embeddings([one], [Identity(0), Identity(0)])
