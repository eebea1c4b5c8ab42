"""ONNX to kmodel in a child process, by one rung of the ladder.

Called by `training.gate_stage` for the network of any task: one picture in, any number of outputs, any fixed size.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..domain.preprocess import UNIT_RANGE, Preprocess
from .child_process import ChildFailedError, run_children
from .errors import CompileFailedError
from .ladder import Rung
from .onnx_graph import in_half_precision, input_shape, nodes_of, read_onnx, unproven_operators

logger = logging.getLogger(__name__)

TIME_LIMIT_S = 900.0  # of computing; yolov8n takes 15 s; some graphs never end
MEMORY_LIMIT_BYTES = 3 << 30
SCRATCH_BYTES = 256 << 20  # a detector leaves 60 MiB of temporary files, 110 with an exported scheme


@dataclass(frozen=True)
class Kmodel:
    """A compiled file.

    Attributes:
        path: where it is.
        digest: the SHA-256 of its bytes in hex; the compiler is deterministic, so a rung that changes nothing gives the same.
        size_bytes, seconds, peak_mib: of the file, of compiling it, of memory while compiling.
        notes: what was done to the network on the way, for people.
    """

    path: Path
    digest: str
    size_bytes: int
    seconds: float
    peak_mib: int
    notes: tuple[str, ...] = ()


def compile_kmodel(
    onnx_file: Path,
    samples_file: Path,
    rung: Rung,
    kmodel_file: Path,
    scratch: Path,
    preprocess: Preprocess = UNIT_RANGE,
    time_limit_s: float | None = None,
    memory_limit_bytes: int | None = None,
) -> Kmodel:
    """Compile `onnx_file`, whose one input is a float32 picture [1, 3, H, W], to a kmodel that takes it as uint8 RGB.

    Args:
        onnx_file: any number of outputs; the kmodel gives them in the same order.
        samples_file: calibration pictures, .npy (N, 3, H, W) uint8, prepared as on the board; the rung says how many are used.
        rung: how to quantise.
        kmodel_file: where it goes; written whole or not at all.
        scratch: folder for the child process; needs up to `SCRATCH_BYTES`.
        preprocess: the mean and std that the network was trained with; they become part of the kmodel.
        time_limit_s: computing seconds; TIME_LIMIT_S when not given.
        memory_limit_bytes: MEMORY_LIMIT_BYTES when not given.

    Raises:
        CompileFailedError: with nncase's own reason, or because the network is not of that form or the kmodel not as asked.
        DotnetMissingError, NncaseMissingError: the machine lacks something; the message names the mend.
    """
    try:
        input_shape(read_onnx(onnx_file))
    except ValueError as error:
        raise CompileFailedError(f"{onnx_file.name} cannot be compiled: {error}") from error
    scratch.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(scratch).free) < SCRATCH_BYTES:
        raise CompileFailedError(
            f"compiling {onnx_file.name} needs {SCRATCH_BYTES >> 20} MiB of disk in {scratch}, {free >> 20} MiB are free: free some"
        )
    spec: dict[str, Any] = {
        "onnx": str(onnx_file.resolve()),
        "samples": str(samples_file.resolve()),
        "sample_count": rung.samples,
        "activations": rung.activations,
        "weights": rung.weights,
        "method": rung.method,
        "equalise": rung.equalise,
        "mixed": rung.mixed,
        "mean": preprocess.mean,
        "std": preprocess.std,
        "kmodel": str(kmodel_file.resolve()),
    }
    try:
        answer = run_children(
            "snaploop_host.compiling.compile_child",
            [spec],
            scratch,
            TIME_LIMIT_S if time_limit_s is None else time_limit_s,
            MEMORY_LIMIT_BYTES if memory_limit_bytes is None else memory_limit_bytes,
        )[0]
    except ChildFailedError as error:
        raise CompileFailedError(
            f"nncase could not compile {onnx_file.name} ({rung.name}): {_reason(error, onnx_file)}"
        ) from error
    content = kmodel_file.read_bytes()
    logger.info(
        "compiled %s: %d bytes in %.1f s, peak %d MiB; %s",
        rung.name,
        len(content),
        answer["seconds"],
        answer["peak_mib"],
        "; ".join(answer["notes"]) or "network as it was",
    )
    return Kmodel(
        kmodel_file,
        hashlib.sha256(content).hexdigest(),
        len(content),
        answer["seconds"],
        answer["peak_mib"],
        tuple(answer["notes"]),
    )


def _reason(error: ChildFailedError, onnx_file: Path) -> str:
    """The child's words, with the operator named where one is to blame or under suspicion."""
    if refused := re.search(r"Not Supported Onnx op: (\w+)", error.reason):
        where = ", ".join(nodes_of(read_onnx(onnx_file), refused[1]))
        return f"it has no operator {refused[1]}; build the network without it (node {where}; {error.reason})"
    if half := in_half_precision(read_onnx(onnx_file)):
        return f"it computes in float16 ({half[0]} and {len(half) - 1} more): export it in float32 ({error.reason})"
    if error.is_own_words:
        return error.reason
    strange = ", ".join(f"{count} {kind}" for kind, count in unproven_operators(read_onnx(onnx_file)).items())
    return f"{error.reason}; operators that were not seen to compile before: {strange}" if strange else error.reason
