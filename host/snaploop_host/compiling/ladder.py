"""The ladder of ever more careful ways to quantise that the gate climbs, cheapest for the board first.

Called by `training.gate_stage` and `kmodel_compiler`. Order and contents are measured (docs/lab_log.md): NoClip loses less than the
library's default Kld, equalising costs the board nothing, 16 bits cost time on the KPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rung:
    """One way to quantise.

    Attributes:
        samples: calibration pictures at most.
        activations, weights: nncase's type names; never int16 both, which the KPU cannot do (it runs in float on the CPU).
        method: how nncase finds the range of an activation, NoClip (its extremes) or Kld.
        equalise: balance the channels of neighbouring layers first (`equalise`); changes nothing where a network has no such pair.
        mixed: int16 only for the tensors whose rounding shows most in the output (`mixed_scheme`).
    """

    name: str
    samples: int
    activations: str = "uint8"
    weights: str = "uint8"
    method: str = "NoClip"
    equalise: bool = False
    mixed: bool = False

    def settings(self, available: int) -> tuple[object, ...]:
        """What makes this rung's kmodel differ from another's when `available` calibration pictures are there."""
        return (
            min(self.samples, available),
            self.activations,
            self.weights,
            self.method,
            self.equalise,
            self.mixed,
        )


LADDER = (
    Rung("uint8, 20 samples", 20),
    Rung("uint8, equalised channels", 20, equalise=True),
    Rung("uint8, 60 samples", 60, equalise=True),
    Rung("uint8, Kld", 20, method="Kld", equalise=True),
    Rung("int16 activations, uint8 weights", 20, activations="int16", equalise=True),
    Rung("uint8 activations, int16 weights", 20, weights="int16", equalise=True),
    Rung("int16 where it matters", 20, equalise=True, mixed=True),
)


SOFTENED = (LADDER[2], LADDER[4])
"""What is tried with a network whose activation was changed: most photos, and finer activations."""


def softened_rungs(available: int) -> list[Rung]:
    """Those of SOFTENED, named for the pictures that there are."""
    return [
        Rung(f"uint8, {min(SOFTENED[0].samples, available)} samples", SOFTENED[0].samples, equalise=True),
        SOFTENED[1],
    ]


def rungs_for(onnx_file: Path, available: int, ladder: tuple[Rung, ...] = LADDER) -> list[Rung]:
    """The rungs that can differ from those before them, for this network and so many calibration pictures.

    A rung that asks for more pictures than there are, or equalises where nothing can be, would give the same kmodel again. What this
    cannot foresee shows in `Kmodel.digest`: a digest seen before needs no second simulation.

    Raises:
        CompileFailedError: the file is no ONNX file.
    """
    from .onnx_graph import can_equalise, read_onnx

    equalisable = can_equalise(read_onnx(onnx_file))
    chosen: dict[tuple[object, ...], Rung] = {}
    for rung in ladder:
        *others, equalise, mixed = rung.settings(available)
        chosen.setdefault((*others, equalise and equalisable, mixed), rung)
    return list(chosen.values())
