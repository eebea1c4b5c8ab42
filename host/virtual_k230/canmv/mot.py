"""mot on the virtual board: trackers of many objects; see virtual_k230/trackers.py."""

from _hal import call as _call
from _hal import token as _token

if not _call("board.profile")["has_newest_ai"]:
    raise ImportError("no module named 'mot'")  # it came after firmware 1.6


def _share(options, names):
    for name in names:
        value = options[name]
        if not 0 <= value <= 1:  # not-a-number too
            raise ValueError("%s must be finite and in [0, 1]" % name)


def _frames(track_buffer, frame_rate):
    if track_buffer < 1 or frame_rate < 1:
        raise ValueError("track_buffer and frame_rate must be positive")
    frames = track_buffer * frame_rate // 30
    if frames < 1:
        raise ValueError("scaled track_buffer is out of range")
    return frames


def _sequence(value):
    if type(value) not in (list, tuple):
        raise TypeError("object '%s' isn't a tuple or list" % type(value).__name__)
    return value


def _number(value):
    value = float(value)
    return value if value - value == 0 else str(value)


def _numbers(rows):
    return [[_number(value) for value in _sequence(row)] for row in _sequence(rows)]


class _Tracker:
    def _open(self, kind, options, bbox_format):
        if bbox_format not in ("xyxy", "xywh"):
            raise ValueError("bbox_format must be 'xyxy' or 'xywh'")
        self._h = _call("mot.new", kind, options, bbox_format == "xywh")
        self._t = _token(self._h)

    def _handle(self):
        if self._h is None:
            raise ValueError("tracker is closed")
        return self._h

    def update(self, boxes, scores, class_ids, features=None):
        handle = self._handle()
        scores = [_number(score) for score in _sequence(scores)]
        features = None if features is None else _numbers(features)
        classes = [int(number) for number in _sequence(class_ids)]
        return _tracks(_call("mot.update", handle, _numbers(boxes), scores, classes, features))

    def tracks(self, *, include_lost=False):
        return _tracks(_call("mot.tracks", self._handle(), bool(include_lost)))

    def reset(self):
        _call("mot.reset", self._handle())

    def frame_id(self):
        return _call("mot.frame", self._handle())

    def close(self):
        if self._h is not None:
            self._t.close()
            self._h = self._t = None


def _tracks(rows):
    return [
        {
            "track_id": row[0], "class_id": row[1], "bbox": tuple(row[2]), "score": row[3], "state": row[4], "age": row[5],
            "hits": row[6], "time_since_update": row[7],
        }
        for row in rows
    ]  # fmt: skip


class ByteTrack(_Tracker):
    def __init__(
        self, *, track_thresh=0.5, high_thresh=0.6, match_thresh=0.8, track_buffer=30, frame_rate=30, min_hits=1,
        class_aware=True, bbox_format="xyxy"
    ):  # fmt: skip
        max_age = _frames(track_buffer, frame_rate)
        _share({"track_thresh": track_thresh, "high_thresh": high_thresh, "match_thresh": match_thresh},
               ("track_thresh", "high_thresh", "match_thresh"))  # fmt: skip
        if track_thresh < 0.1 or high_thresh < track_thresh or min_hits < 1:
            raise ValueError("invalid ByteTrack thresholds or lifetime")
        options = {
            "track_low_thresh": 0.1, "track_high_thresh": track_thresh, "new_track_thresh": high_thresh,
            "match_thresh": match_thresh, "max_age": max_age, "min_hits": min_hits, "class_aware": class_aware,
        }  # fmt: skip
        self._open("ByteTrack", options, bbox_format)


class OCSort(_Tracker):
    def __init__(
        self, *, det_thresh=0.3, max_age=30, min_hits=3, iou_threshold=0.3, delta_t=3, inertia=0.2, use_byte=False,
        class_aware=True, bbox_format="xyxy"
    ):  # fmt: skip
        options = {
            "det_thresh": det_thresh, "max_age": max_age, "min_hits": min_hits, "iou_threshold": iou_threshold,
            "delta_t": delta_t, "inertia": inertia, "use_byte": use_byte, "class_aware": class_aware,
        }  # fmt: skip
        _share(options, ("det_thresh", "iou_threshold", "inertia"))
        if max_age < 1 or min_hits < 1 or delta_t < 1:
            raise ValueError("age, hits, and delta_t must be positive")
        self._open("OCSort", options, bbox_format)


class DeepSort(_Tracker):
    def __init__(
        self, *, feature_dim, max_cosine_distance=0.2, nn_budget=100, max_iou_distance=0.7, max_age=30, n_init=3,
        class_aware=True, bbox_format="xyxy"
    ):  # fmt: skip
        options = {
            "feature_dim": feature_dim, "max_cosine_distance": max_cosine_distance, "nn_budget": nn_budget,
            "max_iou_distance": max_iou_distance, "max_age": max_age, "min_hits": n_init, "class_aware": class_aware,
        }  # fmt: skip
        _share(options, ("max_cosine_distance", "max_iou_distance"))
        if feature_dim < 1 or nn_budget < 1 or max_age < 1 or n_init < 1:
            raise ValueError("feature_dim, budget, age, and n_init must be positive")
        self._open("DeepSort", options, bbox_format)


class BoTSort(_Tracker):
    def __init__(
        self, *, feature_dim=0, reid_enabled=False, track_high_thresh=0.6, track_low_thresh=0.1, new_track_thresh=0.7,
        track_buffer=30, match_thresh=0.7, proximity_thresh=0.5, appearance_thresh=0.25, appearance_weight=0.985,
        frame_rate=30, min_hits=1, class_aware=True, bbox_format="xyxy"
    ):  # fmt: skip
        options = {
            "feature_dim": feature_dim if reid_enabled else 0, "reid_enabled": reid_enabled,
            "track_high_thresh": track_high_thresh, "track_low_thresh": track_low_thresh,
            "new_track_thresh": new_track_thresh, "max_age": _frames(track_buffer, frame_rate),
            "match_thresh": match_thresh, "proximity_thresh": proximity_thresh, "appearance_thresh": appearance_thresh,
            "appearance_weight": appearance_weight, "min_hits": min_hits, "class_aware": class_aware,
        }  # fmt: skip
        _share(options, (
            "track_high_thresh", "track_low_thresh", "new_track_thresh", "match_thresh", "proximity_thresh",
            "appearance_thresh", "appearance_weight",
        ))  # fmt: skip
        is_wrong = track_low_thresh > track_high_thresh or new_track_thresh < track_high_thresh or min_hits < 1
        if is_wrong or (reid_enabled and feature_dim < 1):
            raise ValueError("invalid BoTSORT parameters")
        self._open("BoTSort", options, bbox_format)
