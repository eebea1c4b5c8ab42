"""A model: a kmodel with its manifest and scores, named by the kmodel's SHA-256 and by 12 digits of it for people."""

from __future__ import annotations

from dataclasses import dataclass

GATE_LIMIT_POINTS = 0.03  # how much mAP the kmodel may lose against the float model on the same images
# How many validation images go through Canaan's simulator, which takes about 3 s an image on two cores: 20 for a project's first
# model, 12 for one that was warm-started from a model whose kmodel has passed (same network, same calibration rule).
GATE_IMAGES = 20
GATE_IMAGES_AGAIN = 12


@dataclass(frozen=True, slots=True)
class Model:
    """A compiled model. Scores are fractions on `evaluated_images` validation images, float and kmodel on the same ones."""

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
    float_map50: float
    kmodel_map50: float
    float_map50_95: float
    kmodel_map50_95: float
    evaluated_images: int
    simulator: str
    input_w_px: int
    input_h_px: int
    created_at_s: float

    @property
    def short(self) -> str:
        """The first 12 digits of the digest."""
        return self.digest[:12]
