"""The Python side of `mot`: ByteTrack, OC-SORT, DeepSORT and BoT-SORT over boxes that a script's detector found.

One `Tracker` does all four; they differ in what a pair of track and detection costs and in the order in which pairs are
made. State is the box, its velocity (a running mean) and what was seen lately; no Kalman filter, as in the firmware.
Facts: the vendor's public sources of `mot` (firmware after v1.6); error texts are the firmware's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from .arrays import Array
from .hal import HalError
from .handles import handles_of

BYTETRACK, OCSORT, DEEPSORT, BOTSORT = "ByteTrack", "OCSort", "DeepSort", "BoTSort"
TENTATIVE, TRACKED, LOST = "tentative", "tracked", "lost"

_IMPOSSIBLE = 1e6
_MEMORY = 0.8  # share of the old velocity in the new one
_SECOND_COST = 0.5  # ByteTrack's second pass
_LONE_COST = 0.7  # at most, for tracks seen once
_SMALLEST_SIDE = 1e-3


@dataclass
class Settings:
    """What the four constructors decide; costs are 1 - similarity."""

    class_aware: bool = True
    feature_dim: int = 0
    max_age: int = 30
    min_hits: int = 1
    nn_budget: int = 100
    delta_t: int = 3
    det_thresh: float = 0.3
    track_high_thresh: float = 0.6
    track_low_thresh: float = 0.1
    new_track_thresh: float = 0.7
    match_thresh: float = 0.8
    iou_threshold: float = 0.3
    max_iou_distance: float = 0.7
    max_cosine_distance: float = 0.2
    proximity_thresh: float = 0.5
    appearance_thresh: float = 0.25
    appearance_weight: float = 0.985
    inertia: float = 0.2
    use_byte: bool = False
    reid_enabled: bool = False


@dataclass
class Detection:
    """One box of this frame: x1, y1, x2, y2; feature has length feature_dim or is None."""

    box: Array
    score: float
    class_id: int
    feature: Array | None = None


@dataclass
class Track:
    """Something that was seen and is followed. velocity: of centre x, y, width and height, per frame."""

    number: int
    class_id: int
    score: float
    box: Array
    state: str
    seen: deque[Array]
    features: deque[Array]
    velocity: Array = field(default_factory=lambda: np.zeros(4))
    age: int = 1
    hits: int = 1
    missed: int = 0


def _shape_of(box: Array) -> Array:
    """Centre x, y, width, height."""
    return np.array(
        [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, max(0.0, box[2] - box[0]), max(0.0, box[3] - box[1])]
    )


def overlap(a: Array, b: Array) -> float:
    """Intersection over union of two x1, y1, x2, y2 boxes."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, wide) * max(0.0, high)
    shape_a, shape_b = _shape_of(a), _shape_of(b)
    total = shape_a[2] * shape_a[3] + shape_b[2] * shape_b[3] - both
    return float(both / total) if total > 0 else 0.0


def _cosine_distance(a: Array, b: Array) -> float:
    length = math.sqrt(float(a @ a) * float(b @ b))
    return 1.0 if length <= 1e-12 else 1.0 - max(-1.0, min(1.0, float(a @ b) / length))


Cost = Callable[[Track, Detection], float]
Pairs = tuple[list[tuple[Track, Detection]], list[Track], list[Detection]]


def match(tracks: Sequence[Track], detections: Sequence[Detection], cost: Cost, most: float) -> Pairs:
    """Cheapest pairs overall, none dearer than `most`; then the tracks and the detections that stay alone."""
    if not tracks or not detections:
        return [], list(tracks), list(detections)
    side = max(len(tracks), len(detections))
    costs = np.full((side, side), most + 1e-3)  # staying alone costs a little more than the dearest pair
    costs[: len(tracks), : len(detections)] = [[cost(track, one) for one in detections] for track in tracks]
    pairs, alone = [], []
    left = dict(enumerate(detections))
    for row, column in zip(*linear_sum_assignment(costs), strict=True):
        if row >= len(tracks):
            continue
        if column in left and costs[row, column] <= most:
            pairs.append((tracks[row], left.pop(column)))
        else:
            alone.append(tracks[row])
    return pairs, alone, list(left.values())


class Tracker:
    """What one `mot.ByteTrack()`, `OCSort()`, `DeepSort()` or `BoTSort()` follows."""

    def __init__(self, kind: str, settings: Settings, is_xywh: bool) -> None:
        self.kind = kind
        self.settings = settings
        self.is_xywh = is_xywh
        self.reset()

    def reset(self) -> None:
        """Forget everything; numbers begin at 1 again."""
        self.frame = 0
        self._next_number = 1
        self._active: list[Track] = []
        self._lost: list[Track] = []

    @property
    def needs_features(self) -> bool:
        """Must update() be given a feature for each box?"""
        return self.kind == DEEPSORT or (self.kind == BOTSORT and self.settings.reid_enabled)

    def update(self, detections: list[Detection]) -> list[Track]:
        """The tracks that this frame's detections belong to."""
        self.frame += 1
        for track in self._active + self._lost:
            self._predict(track)
        if self.kind == OCSORT:
            self._update_ocsort(detections)
        elif self.kind == DEEPSORT:
            self._update_deepsort(detections)
        else:
            self._update_byte(detections)
        return self.tracks(include_lost=False)

    def tracks(self, include_lost: bool) -> list[Track]:
        """Tracks seen in the newest frame, or all that are not given up yet."""
        return self._active + self._lost if include_lost else [track for track in self._active if not track.missed]

    # ---- one track ------------------------------------------------------------------------------------------------

    def _predict(self, track: Track) -> None:
        vx, vy, vw, vh = track.velocity
        track.box = track.box + np.array([vx - vw / 2, vy - vh / 2, vx + vw / 2, vy + vh / 2])
        if min(_shape_of(track.box)[2:]) <= _SMALLEST_SIDE:
            track.box = track.seen[-1]
        track.age += 1
        track.missed += 1

    def _begin(self, one: Detection, is_sure: bool) -> Track:
        features = deque([] if one.feature is None else [one.feature], maxlen=self.settings.nn_budget)
        track = Track(
            self._next_number, one.class_id, one.score, one.box, TRACKED if is_sure else TENTATIVE,
            deque([one.box], maxlen=self.settings.delta_t + 1), features,
        )  # fmt: skip
        self._next_number += 1
        return track

    def _follow(self, track: Track, one: Detection) -> Track:
        """The track goes on at a detection."""
        steps = min(self.settings.delta_t, len(track.seen)) if self.kind == OCSORT else 1
        moved = (_shape_of(one.box) - _shape_of(track.seen[-steps])) / steps
        track.velocity = _MEMORY * track.velocity + (1 - _MEMORY) * moved
        track.seen.append(one.box)
        track.box, track.score, track.class_id, track.missed = one.box, one.score, one.class_id, 0
        track.hits += 1
        if track.state == LOST or track.hits >= self.settings.min_hits:
            track.state = TRACKED
        if one.feature is not None:
            track.features.append(one.feature)
        return track

    def _keep(self, active: list[Track], lost: list[Track]) -> None:
        for track in lost:
            track.state = LOST
        self._active, self._lost = active, [track for track in lost if track.missed <= self.settings.max_age]

    # ---- what a pair costs ------------------------------------------------------------------------------------------

    def _may_pair(self, track: Track, one: Detection) -> bool:
        return not self.settings.class_aware or track.class_id == one.class_id

    def _by_place(self, track: Track, one: Detection) -> float:
        if not self._may_pair(track, one):
            return _IMPOSSIBLE
        alike = overlap(track.box, one.box)
        return 1 - alike * one.score if self.kind == BOTSORT else 1 - alike

    def _by_direction(self, track: Track, one: Detection) -> float:
        """OC-SORT: a detection that lies where the track was not going costs more."""
        cost = self._by_place(track, one)
        going, to = track.velocity[:2], (_shape_of(one.box) - _shape_of(track.seen[-1]))[:2]
        if cost == _IMPOSSIBLE or np.abs(going).sum() <= 1e-4 or np.hypot(*to) <= 1e-4:
            return cost
        alike = max(-1.0, min(1.0, float(going @ to) / float(np.hypot(*going) * np.hypot(*to))))
        return cost + self.settings.inertia * 0.5 * (1 - alike)

    def _by_look(self, track: Track, one: Detection) -> float:
        """DeepSORT: features alone."""
        if not self._may_pair(track, one):
            return _IMPOSSIBLE
        distance = self._look_distance(track, one)
        return distance if distance <= self.settings.max_cosine_distance else _IMPOSSIBLE

    def _by_place_and_look(self, track: Track, one: Detection) -> float:
        """BoT-SORT with features."""
        if not self._may_pair(track, one):
            return _IMPOSSIBLE
        cost, apart = self._by_place(track, one), 1 - overlap(track.box, one.box)
        look = self._look_distance(track, one)
        if 1 - apart < self.settings.proximity_thresh or look > self.settings.appearance_thresh:
            look = 1.0
        look = self.settings.appearance_weight * look + (1 - self.settings.appearance_weight) * apart
        return max(cost, look) if cost < 0.1 else min(cost, look)

    @staticmethod
    def _look_distance(track: Track, one: Detection) -> float:
        if one.feature is None:
            return 1.0
        return min((_cosine_distance(kept, one.feature) for kept in track.features), default=1.0)

    # ---- the order of pairing -----------------------------------------------------------------------------------------

    def _update_byte(self, detections: list[Detection]) -> None:
        """ByteTrack and BoT-SORT: sure boxes first, then doubtful ones for what is left, then tracks seen once."""
        s = self.settings
        cost = self._by_place_and_look if self.needs_features else self._by_place
        sure = [one for one in detections if one.score >= s.track_high_thresh]
        doubtful = [one for one in detections if s.track_low_thresh <= one.score < s.track_high_thresh]
        confirmed = [track for track in self._active if track.state != TENTATIVE]
        once = [track for track in self._active if track.state == TENTATIVE]
        first, alone, sure = match(confirmed + self._lost, sure, cost, s.match_thresh)
        second, missed, _ = match([t for t in alone if t.state != LOST], doubtful, self._by_place, _SECOND_COST)
        third, _, sure = match(once, sure, cost, min(_LONE_COST, s.match_thresh))
        active = [self._follow(track, one) for track, one in first + second + third]
        active += [self._begin(one, s.min_hits <= 1) for one in sure if one.score >= s.new_track_thresh]
        self._keep(active, [t for t in alone if t.state == LOST] + missed)

    def _update_ocsort(self, detections: list[Detection]) -> None:
        """OC-SORT: by prediction and direction, then by where tracks were really seen, then doubtful boxes."""
        s = self.settings
        most = 1 - s.iou_threshold
        sure = [one for one in detections if one.score >= s.det_thresh]
        doubtful = [one for one in detections if s.use_byte and s.track_low_thresh <= one.score < s.det_thresh]
        pairs, alone, sure = match(self._active + self._lost, sure, self._by_direction, most)
        by_sight: Cost = lambda track, one: self._by_place(replace(track, box=track.seen[-1]), one)  # noqa: E731
        again, alone, sure = match(alone, sure, by_sight, most)
        rest, alone, _ = match(alone, doubtful, self._by_place, most)
        active = [self._follow(track, one) for track, one in pairs + again + rest]
        active += [self._begin(one, s.min_hits <= 1 or self.frame <= s.min_hits) for one in sure]
        self._keep(active, alone)

    def _update_deepsort(self, detections: list[Detection]) -> None:
        """DeepSORT: by looks, tracks seen last frame first; then by place what was seen last frame or only once."""
        s = self.settings
        left = detections
        pairs: list[tuple[Track, Detection]] = []
        alone: list[Track] = []
        sure = [track for track in self._active if track.state == TRACKED]
        for level in sorted({track.missed for track in sure}):
            found, missed, left = match(
                [t for t in sure if t.missed == level], left, self._by_look, s.max_cosine_distance
            )
            pairs += found
            alone += missed
        once = [track for track in self._active if track.state != TRACKED]
        near, alone_too, left = match(
            once + [t for t in alone if t.missed == 1], left, self._by_place, s.max_iou_distance
        )
        paired = {track.number for track, _ in pairs + near}
        active = [self._follow(track, one) for track, one in pairs + near]
        waiting = [t for t in alone + alone_too if t.state == TRACKED and t.missed <= s.max_age]
        active += list({t.number: t for t in waiting if t.number not in paired}.values())
        self._active = active + [self._begin(one, s.min_hits <= 1) for one in left]


class TrackerOps:
    """The operations behind one board's `mot`."""

    def __init__(self, board: Any) -> None:
        self._handles = handles_of(board)

    def new(self, kind: str, options: dict[str, Any], is_xywh: bool) -> int:
        """One of the four constructors, its arguments checked by canmv/mot.py."""
        return self._handles.put(Tracker(kind, Settings(**options), is_xywh))

    def update(
        self, handle: int, boxes: list[Any], scores: list[float], classes: list[int], features: Any
    ) -> list[Any]:
        """A row for each track of this frame."""
        tracker = self._handles.get(handle, Tracker)
        return self._rows(tracker, tracker.update(_detections(tracker, boxes, scores, classes, features)))

    def tracks(self, handle: int, include_lost: bool) -> list[Any]:
        """A row for each track that is followed."""
        tracker = self._handles.get(handle, Tracker)
        return self._rows(tracker, tracker.tracks(include_lost))

    def reset(self, handle: int) -> None:
        """Forget all tracks."""
        self._handles.get(handle, Tracker).reset()

    def frame(self, handle: int) -> int:
        """frame_id()."""
        return self._handles.get(handle, Tracker).frame

    @staticmethod
    def _rows(tracker: Tracker, tracks: list[Track]) -> list[Any]:
        rows = []
        for track in tracks:
            x1, y1, x2, y2 = (float(v) for v in track.box)
            box = [x1, y1, x2 - x1, y2 - y1] if tracker.is_xywh else [x1, y1, x2, y2]
            state = [track.state, track.age, track.hits, track.missed]
            rows.append([track.number, track.class_id, box, track.score, *state])
        return rows


def _refuse(text: str) -> HalError:
    return HalError("ValueError", text)


def _detections(
    tracker: Tracker, boxes: list[Any], scores: list[Any], classes: list[Any], features: list[Any] | None
) -> list[Detection]:
    """This frame's boxes, checked as the firmware checks them."""
    if len(scores) != len(boxes) or len(classes) != len(boxes):
        raise _refuse("boxes, scores, and class_ids must have equal length")
    dim = tracker.settings.feature_dim
    if features is None and boxes and tracker.needs_features:
        raise _refuse("features are required for this tracker")
    if features is not None and len(features) != len(boxes):
        raise _refuse("features must have one row per detection")
    if features is not None and dim <= 0:
        raise _refuse("this tracker does not accept features")
    found = []
    for number, (box, score, class_id) in enumerate(zip(boxes, scores, classes, strict=True)):
        if len(box) != 4:
            raise _refuse("each box must contain four values")
        corners = np.array([float(v) for v in box])
        if not np.isfinite(corners).all():
            raise _refuse("box values must be finite")
        if tracker.is_xywh:
            corners[2:] += corners[:2]
        if corners[2] <= corners[0] or corners[3] <= corners[1]:
            raise _refuse("box width and height must be positive")
        if not 0 <= float(score) <= 1:
            raise _refuse("score must be finite and in [0, 1]")
        if class_id < 0:
            raise _refuse("class_ids must be non-negative")
        feature = None if features is None else _feature(features[number], dim)
        found.append(Detection(corners, float(score), class_id, feature))
    return found


def _feature(row: list[Any], dim: int) -> Array:
    if len(row) != dim:
        raise _refuse("feature row has wrong dimension")
    feature = np.array([float(v) for v in row])
    if not np.isfinite(feature).all():
        raise _refuse("features must be finite")
    if float(feature @ feature) <= 1e-12:
        raise _refuse("feature vectors must have non-zero norm")
    return feature


def register(hal: Any, board: Any) -> None:
    """Give the board its tracking operations."""
    ops = TrackerOps(board)
    for name in ("new", "update", "tracks", "reset", "frame"):
        hal.op(f"mot.{name}", getattr(ops, name))
