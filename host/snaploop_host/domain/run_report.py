"""What one finished training run hands on: result.json as typed values. Pure, no I/O.

Written by the job process (`training.job`), read by whoever publishes the model, shows it or makes the demo's report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .scores import JUDGED, METRICS

PASSED = "passed"  # the gate's last word; see domain.gate
UNDECIDED = "undecided"  # let through: its loss rests on one picture
FORCED = "forced"  # lost too much, and a person wants it all the same
REFUSED = "refused"


@dataclass(frozen=True)
class Thresholds:
    """What the board should use: least score of an answer, and the overlap above which the weaker of two boxes goes."""

    score: float
    iou: float


@dataclass(frozen=True)
class Golden:
    """A model input (uint8, 3×H×W, RGB) and what the simulated kmodel answers to it.

    Attributes:
        answer: what the manifest's "golden" says beside digest and size; see snaploop_shared.manifest for each head.
    """

    input_sha256: str
    input_bytes: int
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class ClassRow:
    """One class: labelled examples of each side, those in the evaluated pictures, and its scores there (empty: none there)."""

    name: str
    train_examples: int
    val_examples: int
    evaluated_examples: int
    float_scores: Mapping[str, float] = field(default_factory=dict)
    kmodel_scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RungTried:
    """One compilation: how it quantised, what it scored on the evaluated pictures, and what the gate said.

    Attributes:
        name: of the rung.
        kmodel_bytes, compile_seconds, simulate_seconds: zeros where there is no kmodel.
        scores: metric → 0…1 of the kmodel.
        passed: whether it kept within the limit.
        outcome: "passed", "undecided", "failed" or "no kmodel" (domain.gate).
        images: how many pictures the simulator saw.
        lost: the largest loss of a judged metric, 0…1.
        rests_on_one: without one of the pictures the loss would be within the limit.
        text: one line for people, with the numbers; or why there is no kmodel.
        notes: what was done to the network on the way.
        operators_on_cpu: operator → how often per picture the board's RISC-V core has to do it.
        cosines: per output the mean and the least cosine with the float network's own.
    """

    name: str
    kmodel_bytes: int
    compile_seconds: float
    simulate_seconds: float
    scores: Mapping[str, float]
    passed: bool
    outcome: str = ""
    images: int = 0
    lost: float = 0.0
    rests_on_one: bool = False
    text: str = ""
    notes: tuple[str, ...] = ()
    operators_on_cpu: Mapping[str, int] = field(default_factory=dict)
    cosines: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class RunReport:
    """A compiled model with its scores. Both scores are `Score.to_json()` of the same pictures.

    Attributes:
        evaluated_images: how many pictures both scores are of.
        verdict: PASSED, UNDECIDED, FORCED or REFUSED; empty in results of older versions, whose numbers say it.
        available_images: how many validation pictures there are.
        loss: metric → {"value", "low", "high", "text"}: what the kmodel loses, 95 % interval.
        rung: name of the one that made the kmodel.
        pictures: files in the artifacts: what is true and what the kmodel found.
        best, worst: those of them, best and worst first.
        notes: sentences about the data and the training worth keeping.
        softened: where the ladder's last resort was tried, {"what": of the activation, "seconds": of the training, "scores": of the changed
            float network on the evaluated pictures, "is_taken": whether the kmodel is of it}. `float_score` is of the network before.
    """

    run_id: str
    task: str
    head: str
    digest: str
    kmodel_bytes: int
    kmodel_version: int
    nncase_version: str
    simulator: str
    input: tuple[int, int]
    labels: tuple[str, ...]
    thresholds: Thresholds
    evaluated_images: int
    float_score: Mapping[str, Any]
    kmodel_score: Mapping[str, Any]
    gate_limit_points: float
    classes: tuple[ClassRow, ...]
    rungs: tuple[RungTried, ...]
    golden: Golden
    pictures: tuple[str, ...]
    training: dict[str, Any]
    timings_s: dict[str, float]
    verdict: str = ""
    available_images: int = 0
    loss: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rung: str = ""
    best: tuple[str, ...] = ()
    worst: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    softened: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, form: str) -> dict[str, float]:
        """Metric name → 0…1 of "float" or "kmodel", the strict metric first."""
        values = {"float": self.float_score, "kmodel": self.kmodel_score}[form]["values"]
        return {name: float(values[name]) for name in METRICS[self.task]}

    def flat_scores(self) -> dict[str, float]:
        """{"float_map50": …, "kmodel_map50": …}: both scores of each metric."""
        forms = {form: self.scores(form) for form in ("float", "kmodel")}
        return {f"{form}_{name}": scores[name] for name in METRICS[self.task] for form, scores in forms.items()}

    def gained(self) -> dict[str, float]:
        """Metric that the gate judges → how much better the kmodel is than the float model; negative: it lost."""
        floats, kmodels = self.scores("float"), self.scores("kmodel")
        return {name: kmodels[name] - floats[name] for name in JUDGED[self.task]}

    def is_gate_passed(self) -> bool:
        """Whether boards may have it without anybody's force; for a plain "passed" the numbers themselves are asked again."""
        if self.verdict in ("", PASSED):
            return min(self.gained().values()) >= -self.gate_limit_points - 1e-9
        return self.verdict == UNDECIDED

    def to_json(self) -> dict[str, Any]:
        """The report as result.json holds it."""
        return asdict(self)


def rung_from_json(raw: Mapping[str, Any]) -> RungTried:
    """A rung as `asdict` gave it to JSON.

    Raises:
        TypeError: a field is missing or unknown.
    """
    typed = {name: tuple(raw[name]) for name in ("notes",) if name in raw}
    if "cosines" in raw:
        typed["cosines"] = tuple((float(mean), float(least)) for mean, least in raw["cosines"])
    return RungTried(**{**raw, **typed})


def report_from_json(raw: Mapping[str, Any]) -> RunReport:
    """The report in a parsed result.json.

    Raises:
        KeyError, TypeError, ValueError: a field is missing, unknown or of the wrong kind.
    """
    width, height = raw["input"]
    typed = {
        "input": (int(width), int(height)),
        "labels": tuple(raw["labels"]),
        "thresholds": Thresholds(**raw["thresholds"]),
        "classes": tuple(ClassRow(**row) for row in raw["classes"]),
        "rungs": tuple(rung_from_json(row) for row in raw["rungs"]),
        "golden": Golden(**raw["golden"]),
        "pictures": tuple(raw["pictures"]),
    }
    typed |= {name: tuple(raw[name]) for name in ("best", "worst", "notes") if name in raw}
    report = RunReport(**{**raw, **typed})
    if report.task not in METRICS:
        raise ValueError(f"task {report.task!r} is none of {', '.join(METRICS)}")
    report.flat_scores()
    return report
