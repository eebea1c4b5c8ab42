"""mot's trackers: who keeps which number, what ends a track, and the cheapest pairing against all pairings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.virtual_parts import VirtualParts, error_of
from virtual_k230.trackers import Detection, Settings, Track, Tracker, match, overlap


def _one(x, y, score=0.9, class_id=0, feature=None, side=40):
    box = np.array([x, y, x + side, y + side], float)
    return Detection(box, score, class_id, None if feature is None else np.array(feature, float))


def _numbers(tracks):
    return {track.number: round(float(track.box[0])) for track in tracks}


BYTE = Settings(track_high_thresh=0.5, new_track_thresh=0.6, match_thresh=0.8)


@pytest.mark.parametrize(
    "kind, chosen",
    [
        ("ByteTrack", BYTE),
        ("BoTSort", Settings(match_thresh=0.9)),
        ("OCSort", Settings()),
        ("DeepSort", Settings(feature_dim=2)),
    ],
)
def test_two_objects_keep_their_numbers_while_they_move(kind, chosen):
    tracker = Tracker(kind, chosen, is_xywh=False)
    for step in range(12):
        left, right = _one(10 + 8 * step, 50, feature=[1, 0]), _one(300 - 8 * step, 200, feature=[0, 1])
        seen = _numbers(tracker.update([right, left] if step % 2 else [left, right]))
        assert seen == {1: 10 + 8 * step, 2: 300 - 8 * step}
    assert tracker.frame == 12
    tracker.reset()
    assert _numbers(tracker.update([_one(0, 0)])) == {1: 0}
    assert tracker.frame == 1


def test_bytetrack_follows_with_a_doubtful_box_but_begins_with_none():
    tracker = Tracker("ByteTrack", BYTE, is_xywh=False)
    assert _numbers(tracker.update([_one(10, 10), _one(300, 10, score=0.4), _one(500, 10, score=0.55)])) == {1: 10}
    assert _numbers(tracker.update([_one(12, 10, score=0.2)])) == {1: 12}
    assert tracker.update([_one(14, 10, score=0.05)]) == []


def test_a_lost_track_comes_back_until_it_is_too_old():
    tracker = Tracker("ByteTrack", Settings(track_high_thresh=0.5, new_track_thresh=0.6, max_age=3), is_xywh=False)
    tracker.update([_one(10, 10)])
    for _ in range(3):
        assert tracker.update([]) == []
    assert [track.state for track in tracker.tracks(include_lost=True)] == ["lost"]
    assert _numbers(tracker.update([_one(11, 10)])) == {1: 11}
    for _ in range(4):
        tracker.update([])
    assert tracker.tracks(include_lost=True) == []
    assert _numbers(tracker.update([_one(11, 10)])) == {2: 11}


def test_a_track_is_sure_after_its_hits_and_classes_do_not_mix():
    tracker = Tracker("DeepSort", Settings(feature_dim=1, min_hits=3), is_xywh=False)
    states = [tracker.update([_one(10, 10, feature=[1])])[0].state for _ in range(4)]
    assert states == ["tentative", "tentative", "tracked", "tracked"]
    apart = Tracker("OCSort", Settings(), is_xywh=False)
    apart.update([_one(10, 10, class_id=0)])
    assert _numbers(apart.update([_one(10, 10, class_id=1)])) == {2: 10}
    mixed = Tracker("OCSort", Settings(class_aware=False), is_xywh=False)
    mixed.update([_one(10, 10, class_id=0)])
    assert _numbers(mixed.update([_one(10, 10, class_id=1)])) == {1: 10}


def test_looks_tell_who_crossed_whom():
    tracker = Tracker("DeepSort", Settings(feature_dim=2, min_hits=1), is_xywh=False)
    red, blue = [1, 0.1], [0.1, 1]
    tracker.update([_one(10, 10, feature=red), _one(30, 10, feature=blue)])
    after = tracker.update([_one(30, 10, feature=red), _one(10, 10, feature=blue)])
    assert _numbers(after) == {1: 30, 2: 10}


def test_ocsort_finds_again_where_it_really_saw():
    tracker = Tracker("OCSort", Settings(min_hits=1, iou_threshold=0.5), is_xywh=False)
    for x in (0, 12, 24, 36, 48, 60):
        assert _numbers(tracker.update([_one(x, 10)])) == {1: x}
    # It stops; the prediction runs ahead, the last sight has not.
    tracker.update([])
    tracker.update([])
    assert _numbers(tracker.update([_one(62, 10)])) == {1: 62}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_pairs_are_the_cheapest_of_all(n_tracks, n_detections, seed):
    rng = np.random.default_rng(seed)
    costs, most = rng.random((n_tracks, n_detections)), 0.7
    tracks = [Track(i, 0, 1.0, np.zeros(4), "tracked", None, None) for i in range(n_tracks)]
    detections = [Detection(np.zeros(4), 1.0, j) for j in range(n_detections)]
    pairs, alone, left = match(tracks, detections, lambda t, d: float(costs[t.number, d.class_id]), most)
    side, lonely = max(n_tracks, n_detections), most + 1e-3
    table = np.full((side, side), lonely)
    table[:n_tracks, :n_detections] = costs
    best = min(sum(table[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(side)))
    assert all(costs[t.number, d.class_id] <= most for t, d in pairs)
    assert len(pairs) + len(alone) == n_tracks and len(pairs) + len(left) == n_detections
    paid = sum(costs[t.number, d.class_id] for t, d in pairs)
    # Pairs that are dearer than alone are part of the optimum but not made, so what is left out pays its true cost.
    assert paid <= best + 1e-9


def test_overlap_is_that_of_the_rectangles():
    a, b = np.array([0.0, 0, 10, 10]), np.array([5.0, 5, 15, 15])
    assert overlap(a, b) == pytest.approx(25 / 175)
    assert overlap(a, a) == 1 and overlap(a, a + 100) == 0


@pytest.mark.parametrize(
    "boxes, scores, classes, features, text",
    [
        ([[0, 0, 9, 9]], [], [0], None, "boxes, scores, and class_ids must have equal length"),
        ([[0, 0, 9, 9]], [0.5], [0], None, "features are required for this tracker"),
        ([[0, 0, 9, 9]], [0.5], [0], [], "features must have one row per detection"),
        ([[0, 0, 9]], [0.5], [0], [[1, 1]], "each box must contain four values"),
        ([[0, 0, 9, "nan"]], [0.5], [0], [[1, 1]], "box values must be finite"),
        ([[0, 0, 0, 9]], [0.5], [0], [[1, 1]], "box width and height must be positive"),
        ([[0, 0, 9, 9]], [1.5], [0], [[1, 1]], "score must be finite and in [0, 1]"),
        ([[0, 0, 9, 9]], [0.5], [-1], [[1, 1]], "class_ids must be non-negative"),
        ([[0, 0, 9, 9]], [0.5], [0], [[1]], "feature row has wrong dimension"),
        ([[0, 0, 9, 9]], [0.5], [0], [[1, "inf"]], "features must be finite"),
        ([[0, 0, 9, 9]], [0.5], [0], [[0, 0]], "feature vectors must have non-zero norm"),
    ],
)
def test_what_the_firmware_refuses(boxes, scores, classes, features, text):
    parts = VirtualParts()
    tracker = parts.call("mot.new", "DeepSort", {"feature_dim": 2}, True)
    assert error_of(parts.call, "mot.update", tracker, boxes, scores, classes, features) == ("ValueError", text)


def test_a_tracker_without_features_takes_none():
    parts = VirtualParts()
    tracker = parts.call("mot.new", "OCSort", {}, True)
    refused = error_of(parts.call, "mot.update", tracker, [[0, 0, 9, 9]], [0.5], [0], [[1]])
    assert refused == ("ValueError", "this tracker does not accept features")
