"""ONNX to kmodel in a child process, and the ladder of ever more careful settings that the gate climbs.

Called by `training.job`. The ladder's order and its first rung are measured (docs/lab_log.md): NoClip with uint8 keeps
the raw head within a point, the library's default Kld does not.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..domain.preprocess import UNIT_RANGE, Preprocess
from .child_process import ChildFailedError, run_children
from .errors import CompileFailedError

logger = logging.getLogger(__name__)

TIME_LIMIT_S = 900.0  # yolov8n takes 15 CPU s; some graphs never end
MEMORY_LIMIT_BYTES = 3 << 30


@dataclass(frozen=True)
class Rung:
    """One way to quantise: calibration pictures, bits of activations and weights (nncase's type names)."""

    name: str
    samples: int
    activations: str = "uint8"
    weights: str = "uint8"
    method: str = "NoClip"


LADDER = (
    Rung("uint8, 20 samples", 20),
    Rung("uint8, 60 samples", 60),
    Rung("int16 activations, uint8 weights, 20 samples", 20, activations="int16"),
)


@dataclass(frozen=True)
class Kmodel:
    """A compiled file: digest is the SHA-256 of its bytes in hex."""

    path: Path
    digest: str
    size_bytes: int
    seconds: float
    peak_mib: int


def compile_kmodel(
    onnx_file: Path,
    samples_file: Path,
    rung: Rung,
    kmodel_file: Path,
    scratch: Path,
    preprocess: Preprocess = UNIT_RANGE,
) -> Kmodel:
    """Compile `onnx_file` with calibration pictures from `samples_file` (.npy, N×3×H×W uint8, letterboxed as on the board).

    `preprocess` is done inside the kmodel: it takes the camera's uint8 pixels.

    Raises:
        CompileFailedError: with nncase's own reason.
        DotnetMissingError, NncaseMissingError: the machine lacks something; the message names the mend.
    """
    spec: dict[str, Any] = {
        "onnx": str(onnx_file.resolve()),
        "samples": str(samples_file.resolve()),
        "sample_count": rung.samples,
        "activations": rung.activations,
        "weights": rung.weights,
        "method": rung.method,
        "mean": preprocess.mean,
        "std": preprocess.std,
        "kmodel": str(kmodel_file.resolve()),
    }
    try:
        answer = run_children(
            "snaploop_host.compiling.compile_child", [spec], scratch, TIME_LIMIT_S, MEMORY_LIMIT_BYTES
        )[0]
    except ChildFailedError as error:
        raise CompileFailedError(f"nncase could not compile {onnx_file.name} ({rung.name}): {error.reason}") from error
    content = kmodel_file.read_bytes()
    logger.info(
        "compiled %s: %d bytes in %.1f s, peak %d MiB", rung.name, len(content), answer["seconds"], answer["peak_mib"]
    )
    return Kmodel(kmodel_file, hashlib.sha256(content).hexdigest(), len(content), answer["seconds"], answer["peak_mib"])
