"""What the page of a run draws from its report: threshold curves, losses with their intervals, the confusion matrix. SVG units only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..domain.run_report import RunReport
from ..domain.scores import DETECT, JUDGED, METRIC_TITLES, METRICS, SEGMENT

WIDTH, HEIGHT = 560, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 34
MOST_CLASSES = 24  # of a confusion matrix that is shown
BAR = 200  # width of the losses' axis
_NAMES = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True)
class ThresholdChart:
    """Precision, recall and F1 along the threshold: (name, polyline points) each, where the recommended threshold is, axis marks."""

    lines: tuple[tuple[str, str], ...]
    threshold_x: float
    threshold: float
    values: tuple[tuple[str, float], ...]
    x_marks: tuple[tuple[float, str], ...]
    y_marks: tuple[tuple[float, str], ...]


def threshold_chart(report: RunReport) -> ThresholdChart | None:
    """Of the float model on all validation photos, which the recommended threshold comes from; None without a curve."""
    curve: Sequence[dict[str, float]] = (report.training.get("all_val") or {}).get("curve") or []
    if len(curve) < 2:
        return None

    def x(threshold: float) -> float:
        return round(LEFT + threshold * (WIDTH - LEFT - RIGHT), 1)

    def y(share: float) -> float:
        return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)

    lines = tuple((name, " ".join(f"{x(point['threshold'])},{y(point[name])}" for point in curve)) for name in _NAMES)
    chosen = report.thresholds.score
    nearest = min(curve, key=lambda point: abs(point["threshold"] - chosen))
    return ThresholdChart(
        lines,
        x(chosen),
        chosen,
        tuple((name, nearest[name]) for name in _NAMES),
        tuple((x(mark / 5), f"{mark / 5:g}") for mark in range(6)),
        tuple((y(mark / 4), f"{100 * mark // 4} %") for mark in range(5)),
    )


@dataclass(frozen=True, slots=True)
class LossBar:
    """One metric's loss: title, the line for people, and on an axis of BAR px the interval, the value, zero and the limit."""

    title: str
    is_judged: bool
    text: str
    low_x: float
    high_x: float
    value_x: float
    zero_x: float
    limit_x: float
    is_over: bool


def loss_bars(report: RunReport) -> dict[str, LossBar]:
    """Metric → its bar, all on one axis."""
    if not report.loss:
        return {}
    limit = report.gate_limit_points
    ends = [0.0, limit, *(float(one[end]) for one in report.loss.values() for end in ("low", "high"))]
    lowest, highest = min(ends), max(ends)
    margin = max(0.002, 0.06 * (highest - lowest))

    def x(loss: float) -> float:
        return round((loss - lowest + margin) / (highest - lowest + 2 * margin) * BAR, 1)

    return {
        name: LossBar(
            METRIC_TITLES[name],
            name in JUDGED[report.task],
            str(one["text"]),
            x(one["low"]),
            x(one["high"]),
            x(one["value"]),
            x(0.0),
            x(limit),
            name in JUDGED[report.task] and one["value"] > limit + 1e-9,
        )
        for name in METRICS[report.task]
        if (one := report.loss.get(name))
    }


@dataclass(frozen=True, slots=True)
class Matrix:
    """A confusion matrix: names of rows (truth) and columns (answer); per row (count for people, share of the row 0…1, is right)."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[tuple[str, float, bool], ...], ...]
    unit: str


def confusion_matrix(report: RunReport, form: str = "kmodel") -> Matrix | None:
    """Of the kmodel or the float model; None where the task has none or it would not fit."""
    counts = {"float": report.float_score, "kmodel": report.kmodel_score}[form].get("confusion")
    if not counts or len(counts) > MOST_CLASSES + 1:
        return None
    names = list(report.labels or [row.name for row in report.classes])[: len(counts)]
    names += ["nothing"] * (len(counts) - len(names))
    in_pixels = report.task == SEGMENT
    cells = []
    for number, row in enumerate(counts):
        total = sum(row) or 1
        cells.append(
            tuple(
                (
                    f"{100 * count / total:.1f} %" if in_pixels and count else str(count or ""),
                    count / total,
                    place == number and not (report.task == DETECT and number == len(counts) - 1),
                )
                for place, count in enumerate(row)
            )
        )
    unit = "share of each row's pixels" if in_pixels else "counts"
    return Matrix(tuple(names), tuple(names), tuple(cells), unit)


def class_columns(report: RunReport) -> list[str]:
    """Metrics of single classes, in the order to show."""
    names = [name for row in report.classes for name in (*row.float_scores, *row.kmodel_scores)]
    return sorted(set(names), key=lambda name: (name not in METRICS[report.task], names.index(name)))


def report_values(report: RunReport | None) -> dict[str, Any]:
    """What the templates want of a report."""
    if report is None:
        return {"report": None}
    return {
        "report": report,
        "threshold_chart": threshold_chart(report),
        "loss_bars": loss_bars(report),
        "matrix": confusion_matrix(report),
        "class_columns": class_columns(report),
        "bar_width": BAR,
        "chart_width": WIDTH,
        "chart_height": HEIGHT,
        "chart_top": TOP,
        "chart_bottom": HEIGHT - BOTTOM,
        "chart_left": LEFT,
        "chart_right": WIDTH - RIGHT,
        "compile_s": sum(rung.compile_seconds for rung in report.rungs),
        "simulate_s": sum(rung.simulate_seconds for rung in report.rungs),
    }
