"""Text scores: overlap against clipping by hand, matching against trying every pairing, edits against the textbook's table."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("shapely", reason="shapely is not installed: pip install 'snaploop[train]'")
pytest.importorskip("rapidfuzz", reason="rapidfuzz is not installed: pip install 'snaploop[train]'")

from snaploop_host.domain.text_metrics import (
    FoundText,
    Reading,
    TrueReading,
    TrueText,
    found_text_qualities,
    match_polygons,
    reading_qualities,
    score_found_text,
    score_readings,
    tally_found_text,
    tally_readings,
)


def box(x, y, width=10.0, height=10.0, turn=0.0):
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    turned = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return turned + [x + width / 2, y + height / 2]


def finds(*polygons, scores=None):
    return FoundText(polygons, np.array(scores if scores is not None else [0.9] * len(polygons)))


def area(polygon):
    x, y = np.asarray(polygon).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def clipped(subject, clip):
    """Sutherland and Hodgman: what of `subject` lies in the convex, counter-clockwise `clip`."""
    points = [tuple(point) for point in subject]
    for start, end in zip(clip, np.roll(clip, -1, axis=0), strict=True):
        (sx, sy), (ex, ey) = start, end

        def side(point, sx=sx, sy=sy, ex=ex, ey=ey):
            return (ex - sx) * (point[1] - sy) - (ey - sy) * (point[0] - sx)

        kept = []
        for here, there in zip(points, points[1:] + points[:1], strict=True):
            one, other = side(here), side(there)
            if one >= 0:
                kept.append(here)
            if (one >= 0) != (other >= 0):
                share = one / (one - other)
                kept.append((here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1])))
        points = kept
        if not points:
            return []
    return points


@settings(max_examples=60, deadline=None)
@given(st.floats(-6, 6), st.floats(-6, 6), st.floats(4, 16), st.floats(4, 16), st.floats(-1.5, 1.5), st.booleans())
def test_polygon_overlap_is_that_of_clipping_by_hand(x, y, width, height, turn, reverse):
    true, other = box(0, 0), box(x, y, width, height, turn)
    shared = clipped(other, true)
    overlap = area(shared) if len(shared) >= 3 else 0.0
    iou = overlap / (area(true) + area(other) - overlap)
    if abs(iou - 0.5) < 1e-6:
        return
    partner = match_polygons(finds(other[::-1] if reverse else other), TrueText((true,)))
    assert partner.tolist() == [0 if iou > 0.5 else -1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 5), st.integers(1, 4))
def test_as_many_pairs_as_any_pairing_has(seed, count, texts):
    """True texts do not overlap, so claiming in score order loses no pair."""
    rng = np.random.default_rng(seed)
    true = [box(30.0 * index, 0) for index in range(texts)]
    found = [box(30.0 * rng.integers(0, texts) + rng.uniform(-4, 4), rng.uniform(-4, 4)) for _ in range(count)]
    allowed = {}
    for row, column in itertools.product(range(count), range(texts)):
        shared = clipped(found[row], true[column])
        overlap = area(shared) if len(shared) >= 3 else 0.0
        allowed[row, column] = overlap / (200 - overlap) >= 0.5
    most = max(
        sum(allowed[row, column] for row, column in enumerate(order) if column < texts)
        for order in itertools.permutations(range(max(texts, count)), count)
    )
    score = score_found_text([finds(*found, scores=rng.uniform(0.5, 1, count))], [TrueText(true)], threshold=0.0)
    assert score.values["recall"] == pytest.approx(most / texts)
    assert score.values["precision"] == pytest.approx(most / count if count else 0)
    assert score.values["hmean"] == pytest.approx(2 * most / (count + texts))


def test_one_text_is_claimed_once_by_the_surest():
    partner = match_polygons(finds(box(1, 0), box(0, 0), scores=[0.6, 0.9]), TrueText((box(0, 0),)))
    assert partner.tolist() == [-1, 0]


def test_unreadable_text_counts_neither_way():
    truth = TrueText((box(0, 0), box(50, 0, 40, 10)), np.array([False, True]))
    score = score_found_text([finds(box(0, 0), box(55, 0))], [truth])
    assert score.values == {"hmean": 1.0, "precision": 1.0, "recall": 1.0}
    assert score.classes[0].examples == 1
    everything = TrueText(truth.polygons)
    assert score_found_text([finds(box(0, 0), box(55, 0))], [everything]).values["recall"] == 0.5


def test_threshold_leaves_the_weak_mistakes_out():
    answers = [finds(box(0, 0), box(60, 60), scores=[0.8, 0.2])]
    score = score_found_text(answers, [TrueText((box(0, 0),))])
    assert 0.2 < score.best_threshold <= 0.6
    assert score.values["hmean"] == 1.0
    assert score_found_text(answers, [TrueText((box(0, 0),))], threshold=0.1).values["precision"] == 0.5


def test_polygon_that_crosses_itself_and_one_without_area():
    bow = np.array([[0, 0], [10, 10], [10, 0], [0, 10]])
    line = np.array([[0, 0], [10, 0], [5, 0]])
    assert match_polygons(finds(bow, line), TrueText((bow,))).tolist() == [0, -1]
    assert match_polygons(finds(bow), TrueText((box(0, 0),))).tolist() == [0]  # two triangles: half of the square


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_draws_of_found_text_score_like_the_drawn_pictures(seed, pictures):
    rng = np.random.default_rng(seed)
    truths = [TrueText([box(30.0 * index, 0) for index in range(rng.integers(1, 4))]) for _ in range(pictures)]
    answers = [
        finds(*[box(30.0 * k + rng.uniform(-5, 5), 0) for k in range(3)], scores=rng.random(3)) for _ in range(pictures)
    ]
    drawn = rng.integers(0, pictures, pictures)
    redrawn = score_found_text([answers[one] for one in drawn], [truths[one] for one in drawn], 0.3)
    counts = np.bincount(drawn, minlength=pictures)[None].astype(float)
    values = tally_found_text(answers, truths, 0.3).resample(counts)
    assert {name: one[0] for name, one in values.items()} == pytest.approx(redrawn.values)


def test_found_text_quality():
    truths = [TrueText((box(0, 0), box(50, 0))), TrueText(()), TrueText(())]
    answers = [finds(box(0, 0)), finds(), finds(box(0, 0))]
    assert found_text_qualities(answers, truths, 0.5) == pytest.approx([2 / 3, 1.0, 0.0])


def edits_by_table(one, other):
    previous = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        current = [row]
        for column, right in enumerate(other, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (left != right)))
        previous = current
    return previous[-1]


TEXTS = st.lists(
    st.tuples(st.text("abB 1ü中", max_size=6), st.text("abB 1ü中", max_size=6), st.floats(0, 1)), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.randoms(use_true_random=False))
def test_readings_equal_to_the_textbook_and_draws_to_the_drawn(rows, random):
    answers = [Reading(said, score) for said, _, score in rows]
    truths = [TrueReading(true) for _, true, _ in rows]
    edits = sum(edits_by_table(said, true) for said, true, _ in rows)
    length = sum(len(true) for _, true, _ in rows)
    score = score_readings(answers, truths)
    assert score.values["accuracy"] == pytest.approx(sum(said == true for said, true, _ in rows) / len(rows))
    expected = max(0.0, 1 - edits / length) if length else float(edits == 0)
    assert score.values["character_accuracy"] == pytest.approx(expected)
    drawn = [random.randrange(len(rows)) for _ in rows]
    redrawn = score_readings([answers[one] for one in drawn], [truths[one] for one in drawn])
    counts = np.bincount(drawn, minlength=len(rows))[None].astype(float)
    values = tally_readings(answers, truths).resample(counts)
    assert {name: one[0] for name, one in values.items()} == pytest.approx(redrawn.values)


def test_reading_quality_and_threshold():
    answers = [Reading("SNAP", 0.9), Reading("LOP", 0.3), Reading("", 0.2)]
    truths = [TrueReading("SNAP"), TrueReading("LOOP"), TrueReading("")]
    assert reading_qualities(answers, truths) == pytest.approx([1.0, 0.75, 1.0])
    assert 0.1 <= score_readings(answers, truths).best_threshold <= 0.6


def test_refusals():
    with pytest.raises(ValueError, match="no validation picture holds text"):
        score_found_text([finds()], [TrueText(())])
    with pytest.raises(ValueError, match="1 pictures of finds against 0"):
        score_found_text([finds()], [])
    with pytest.raises(ValueError, match="has 2 points"):
        score_found_text([finds(np.zeros((2, 2)))], [TrueText((box(0, 0),))])
    with pytest.raises(ValueError, match="no validation picture has a text"):
        score_readings([], [])
    with pytest.raises(ValueError, match="1 pictures of readings against 0"):
        score_readings([Reading("a", 1.0)], [])
