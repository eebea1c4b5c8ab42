"""A model: a kmodel with its manifest and scores, named by the kmodel's SHA-256 and by 12 digits of it for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .scores import METRICS

GATE_LIMIT_POINTS = (
    0.01  # how much of each judged metric the kmodel may lose against the float model on the same images
)
# How many validation images go through Canaan's simulator, which takes about 3 s an image on two cores: 20 for a project's first
# model, 12 for one that was warm-started from a model whose kmodel has passed (same network, same calibration rule).
GATE_IMAGES = 20
GATE_IMAGES_AGAIN = 12


@dataclass(frozen=True, slots=True)
class Model:
    """A compiled model.

    Attributes:
        is_gate_passed: boards are offered it: it passed the gate, was imported, or somebody forced it.
        float_scores: metric name → 0…1 of the float model on `evaluated_images` validation images (`scores.METRICS` of its task).
        kmodel_scores: of the kmodel in Canaan's simulator, on the same images.

    An imported model has no float model; its kmodel has scores where the project had labelled photos to try it on.
    """

    id: int
    project_id: int
    run_id: int
    serial: int
    digest: str
    kmodel_bytes: int
    golden_digest: str
    manifest: bytes
    is_gate_passed: bool
    gate_text: str
    task: str
    float_scores: Mapping[str, float]
    kmodel_scores: Mapping[str, float]
    evaluated_images: int
    simulator: str
    input_w_px: int
    input_h_px: int
    created_at_s: float

    @property
    def short(self) -> str:
        """The first 12 digits of the digest."""
        return self.digest[:12]

    @property
    def is_imported(self) -> bool:
        """Whether it came as a kmodel from elsewhere."""
        return not self.float_scores

    @property
    def is_forced(self) -> bool:
        """Whether it lost too much at the gate and is offered all the same."""
        return bool(json.loads(self.manifest).get("forced", False))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Its task's metrics, the strict one first."""
        return METRICS[self.task]

    def flat_scores(self) -> dict[str, float]:
        """{"float_map50": …, "kmodel_map50": …}: both scores of each metric, as manifests and the API name them."""
        pairs = (("float", self.float_scores), ("kmodel", self.kmodel_scores))
        return {f"{form}_{name}": scores[name] for name in self.metrics for form, scores in pairs if name in scores}
