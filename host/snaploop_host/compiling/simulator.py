"""A kmodel over many pictures in Canaan's K230 simulator, one child per core.

Called by `training.job`. A yolov8n frame of 320×192 costs about 4 CPU seconds; answers are kept per picture, so a killed job
goes on where it stopped.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .child_process import ChildFailedError, run_children
from .errors import SimulatorFailedError

logger = logging.getLogger(__name__)

OPERATORS_FILE = "operators_on_cpu.json"
TIME_LIMIT_PER_FRAME_S = 180.0  # 640 px on a busy core took 40 s
MEMORY_LIMIT_BYTES = 1536 << 20  # measured: 350 MB with its own child


def simulate(
    kmodel: Path,
    pixels_file: Path,
    indices: Sequence[int],
    results: Path,
    scratch: Path,
    on_progress: Callable[[int], None] | None = None,
) -> list[list[np.ndarray]]:
    """Raw outputs of the kmodel, per picture of `indices` a list of float32 arrays in the kmodel's output order.

    Args:
        kmodel: the file.
        pixels_file: .npy, N×3×H×W uint8, letterboxed.
        indices: which of its pictures.
        results: folder for the answers; pictures answered there already are not run again. It belongs to one kmodel.
        scratch: folder for the children.
        on_progress: called with the number of pictures answered so far.

    Raises:
        SimulatorFailedError: the kmodel does not load or run, with the simulator's own reason.
    """
    results.mkdir(parents=True, exist_ok=True)
    missing = [index for index in indices if not _file(results, index).exists()]
    children = min(len(os.sched_getaffinity(0)), len(missing))
    specs = [
        {
            "kmodel": str(kmodel.resolve()),
            "pixels": str(pixels_file.resolve()),
            "indices": missing[start::children],
            "folder": str(results.resolve()),
            "operators": OPERATORS_FILE,
        }
        for start in range(children)
    ]

    def tick() -> None:
        if on_progress:
            on_progress(sum(_file(results, index).exists() for index in indices))

    try:
        limit = TIME_LIMIT_PER_FRAME_S * max(1, len(missing))
        run_children("snaploop_host.compiling.simulate_child", specs, scratch, limit, MEMORY_LIMIT_BYTES, tick)
    except ChildFailedError as error:
        raise SimulatorFailedError(f"the K230 simulator could not run {kmodel.name}: {error.reason}") from error
    if missing and (slow := operators_on_cpu(results).get("conv2d")):
        logger.warning(
            "%d convolutions of %s run in float on the CPU core: it will be slow on the board", slow, kmodel.name
        )
    return [_load(_file(results, index)) for index in indices]


def operators_on_cpu(results: Path) -> dict[str, int]:
    """What of a simulated kmodel runs outside the KPU, on the board's RISC-V core: operator name and how often per picture.

    "conv2d" there means that the compiler gave up on 8 or 16 bits for a layer: right answers, but very slow.

    Raises:
        FileNotFoundError: no picture was simulated into `results` yet.
    """
    found: dict[str, int] = json.loads((results / OPERATORS_FILE).read_text())
    return found


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.npz"


def _load(path: Path) -> list[np.ndarray]:
    with np.load(path) as kept:
        return [kept[f"o{number}"] for number in range(len(kept.files))]
