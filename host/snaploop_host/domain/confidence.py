"""How far scores from some pictures can be trusted for pictures like them: 95 % intervals. Pure NumPy, no I/O.

Metrics that are a share of pictures (top-1, recall@1, whole words) have closed forms: Wilson's interval for one model, Bonett and
Price's for the difference of two models on the same pictures. All others are bootstrapped over pictures: pictures are drawn with
replacement, both models scored on the same draw, and the percentiles widened for small samples (Hesterberg's expanded percentiles).
A bootstrap knows only what it has seen: where every picture loses a little, 92–94 of 100 such intervals hold the true loss of mAP50-95
(simulated, 12–48 pictures), but when the loss is one ruined picture in fifty, 24 pictures mostly show none; `unseen_text` says so.
Every task's metrics module makes the `Tally` that this needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from .geometry import FloatArray, IntArray
from .scores import METRIC_TITLES, Score

LEVEL = 0.95
RESAMPLES = 1000
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
POINTS = 100.0  # a point is a hundredth of the metric

Resample = Callable[[FloatArray], Mapping[str, FloatArray]]
"""How often each picture is drawn, (B, pictures), to metric name → (B,): the scores of B draws."""


@dataclass(frozen=True)
class Interval:
    """A figure from `pictures` pictures, and where it may lie for all pictures like them, with 95 % confidence."""

    value: float
    low: float
    high: float
    pictures: int

    @property
    def half_width(self) -> float:
        """Half of the distance between the limits."""
        return (self.high - self.low) / 2

    @property
    def spread(self) -> float:
        """Standard deviation of one picture's contribution: what `expected_half_width` wants of an earlier run."""
        return self.half_width * math.sqrt(self.pictures) / Z

    @property
    def unseen_share(self) -> float:
        """What happens to a smaller share of pictures than this may, with 5 % chance or more, be in none of these."""
        return 1 - float((1 - LEVEL) ** (1 / self.pictures))


@dataclass(frozen=True)
class Tally:
    """One model's answers to some pictures, counted so that scores of draws from them cost little.

    Attributes:
        pictures: how many.
        values: metric name → 0…1 on all of them, as in Score.
        resample: scores of draws.
        shares: of metrics that are a share of pictures (or of those that can be judged): (N,) bool, who is right.
    """

    pictures: int
    values: Mapping[str, float]
    resample: Resample = field(repr=False)
    shares: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict, repr=False)


def tally_of(score_pictures: Callable[[IntArray], Score], pictures: int) -> Tally:
    """A tally for any metric at all, by scoring every draw anew: as slow as `score_pictures`, a thousand times.

    Args:
        score_pictures: the Score of the pictures with these indices, which repeat.
        pictures: how many there are.
    """

    def resample(counts: FloatArray) -> Mapping[str, FloatArray]:
        draws = [score_pictures(np.repeat(np.arange(pictures), row.astype(int))).values for row in counts]
        return {name: np.array([draw[name] for draw in draws]) for name in draws[0]}

    return Tally(pictures, score_pictures(np.arange(pictures)).values, resample)


def score_intervals(tally: Tally, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """Metric name → its value and limits, 0…1; the same for the same seed."""
    intervals = {name: share_interval(int(right.sum()), len(right)) for name, right in tally.shares.items()}
    if len(intervals) < len(tally.values):
        drawn = tally.resample(_draws(tally.pictures, resamples, seed))
        whole = tally.resample(np.ones((1, tally.pictures)))
        for name in tally.values.keys() - intervals.keys():
            value = tally.values[name]
            found = _percentiles(value, drawn[name] - whole[name][0], tally.pictures, lowest=0.0)
            if found.low == found.high:  # all pictures alike, mostly perfect: as sure as so many right answers make
                alike = share_interval(round(value * tally.pictures), tally.pictures)
                found = Interval(value, min(value, alike.low), max(value, alike.high), tally.pictures)
            intervals[name] = found
    return {name: intervals[name] for name in tally.values}


def loss_intervals(
    float_tally: Tally, kmodel_tally: Tally, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """Metric name → what the kmodel loses against the float model on the same pictures, −1…1, positive: it is worse.

    Raises:
        ValueError: the tallies are of different numbers of pictures.
    """
    pictures = float_tally.pictures
    if kmodel_tally.pictures != pictures:
        raise ValueError(f"{pictures} pictures of the float model against {kmodel_tally.pictures} of the kmodel")
    intervals = {
        name: share_loss_interval(right, kmodel_tally.shares[name]) for name, right in float_tally.shares.items()
    }
    if len(intervals) < len(float_tally.values):
        counts = np.concatenate([np.ones((1, pictures)), _draws(pictures, resamples, seed)])
        floats, kmodels = float_tally.resample(counts), kmodel_tally.resample(counts)
        for name in float_tally.values.keys() - intervals.keys():
            losses = floats[name] - kmodels[name]
            lost = float_tally.values[name] - kmodel_tally.values[name]
            intervals[name] = _percentiles(lost, losses[1:] - losses[0], pictures, lowest=-1.0)
    return {name: intervals[name] for name in float_tally.values}


def share_interval(right: int, total: int) -> Interval:
    """Wilson's score interval of a share.

    Raises:
        ValueError: a share of nothing.
    """
    if total <= 0:
        raise ValueError("a share of no pictures has no interval: choose at least one picture")
    share = right / total
    scale = 1 + Z**2 / total
    middle = (share + Z**2 / (2 * total)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), total)


def share_loss_interval(float_right: npt.NDArray[np.bool_], kmodel_right: npt.NDArray[np.bool_]) -> Interval:
    """Bonett and Price's interval of the difference of two shares on the same pictures, float minus kmodel.

    It adds one picture that only float gets right and one that only the kmodel does, so that a few pictures without any
    difference do not look like proof.
    """
    total = len(float_right)
    lost, won = int((float_right & ~kmodel_right).sum()), int((~float_right & kmodel_right).sum())
    lost_share, won_share = (lost + 1) / (total + 2), (won + 1) / (total + 2)
    middle = lost_share - won_share
    half = Z * math.sqrt((lost_share + won_share - middle**2) / (total + 2))
    return Interval((lost - won) / total, max(-1.0, middle - half), min(1.0, middle + half), total)


def loss_text(metric: str, loss: Interval, available: int) -> str:
    """What `loss_intervals` found, for people: "kmodel loses 0.4 points of mAP50-95 (95 %: −0.3…1.2) on 24 of 180 pictures"."""
    on = f"on {loss.pictures} of {available} pictures" if loss.pictures < available else f"on {available} pictures"
    title = METRIC_TITLES.get(metric, metric)
    if loss.low == loss.high:
        # Bootstrap of nothing but equals: it cannot say how rare a difference is, counting can.
        differing = POINTS * loss.unseen_share
        return f"kmodel and float have the same {title} {on} (95 %: less than {differing:.0f} % of pictures differ)"
    sign = -1 if loss.value < 0 else 1
    low, high = sorted((sign * loss.low, sign * loss.high))
    verb = "loses" if sign > 0 else "gains"
    return f"kmodel {verb} {_points(sign * loss.value)} points of {title} (95 %: {_points(low)}…{_points(high)}) {on}"


def unseen_text(loss: Interval) -> str:
    """What an interval from few pictures leaves out, for people: "what spoils less than 12 % of pictures may not show"."""
    return f"what spoils less than {POINTS * loss.unseen_share:.0f} % of pictures may not show"


def _points(value: float) -> str:
    text = f"{POINTS * value:.1f}"
    return "0.0" if text == "-0.0" else text.replace("-", "−")


def _draws(pictures: int, resamples: int, seed: int) -> FloatArray:
    """How often each picture is drawn, (resamples, pictures)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(pictures, np.full(pictures, 1 / pictures), size=resamples).astype(float)


def _percentiles(value: float, deviations: FloatArray, pictures: int, lowest: float) -> Interval:
    """Limits around a value from how draws deviate from it, kept within lowest…1."""
    if pictures < 2:  # every draw is the same picture again: nothing is known
        return Interval(value, lowest, 1.0, pictures)
    tail = NormalDist().cdf(-math.sqrt(pictures / (pictures - 1)) * _student_t(pictures - 1))
    low, high = np.quantile(deviations, [tail, 1 - tail])
    return Interval(value, max(lowest, value + float(low)), min(1.0, value + float(high)), pictures)


def _student_t(freedom: int) -> float:
    """Student's 97.5 % quantile, by Hill's expansion around the normal one (within 0.5 % from 3 degrees of freedom on)."""
    if freedom <= 2:
        return {1: 12.706, 2: 4.303}[freedom]
    terms = (
        Z,
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))
