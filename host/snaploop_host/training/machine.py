"""What trainings took on this machine: a JSON file beside the job folders, so that estimates come from measurements.

Standard library only. A record is of one task, input size, batch and machine; a finished run replaces what a probe measured.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .job_events import write_whole

FILE = "measured.json"
PROBE_HOLDS_S = 900.0
YARDSTICK_PIECES = 20
NOISE = 1.25


@dataclass(frozen=True)
class TrainingRate:
    """Seconds of a step, of a validated picture in an epoch, and once for every training.

    Attributes:
        probed_at_s: when a probe measured it, Unix time; 0 when a whole run did.
        yardstick_s: what `yardstick_s` said at that time; 0 when nobody asked.
    """

    step_s: float
    picture_s: float
    fixed_s: float
    probed_at_s: float = 0.0
    yardstick_s: float = 0.0

    def at(self, yardstick: float) -> TrainingRate:
        """The same on a machine that is as free as this yardstick says."""
        share = _share(yardstick, self.yardstick_s)
        return replace(self, step_s=self.step_s * share, picture_s=self.picture_s * share, fixed_s=self.fixed_s * share)


@dataclass(frozen=True)
class RestRate:
    """Seconds of what comes beside training: one compilation, one simulated picture, and all else.

    Attributes:
        rungs: compilations that it took.
        looks: how often each of the gate's pictures was simulated, more pictures included.
    """

    compile_s: float
    simulate_s: float
    other_s: float
    rungs: int = 1
    looks: float = 1.0
    yardstick_s: float = 0.0

    def at(self, yardstick: float) -> RestRate:
        """The same on a machine that is as free as this yardstick says."""
        share = _share(yardstick, self.yardstick_s)
        return replace(
            self, compile_s=self.compile_s * share, simulate_s=self.simulate_s * share, other_s=self.other_s * share
        )


def yardstick_s() -> float:
    """Seconds that a fixed piece of work takes at the moment: about half a second, longer when others compute too."""
    started = time.monotonic()
    for _ in range(YARDSTICK_PIECES):
        sum(range(1_000_000))
    return time.monotonic() - started


def _share(now: float, then: float) -> float:
    """How much slower the machine is than it was; small differences are noise."""
    share = now / then if now and then else 1.0
    return 1.0 if NOISE > share > 1 / NOISE else share


def machine_name() -> str:
    """Processor, cores we may use, GPU driver and torch: what else makes trainings quicker or slower is load."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    gpu = " gpu" if Path("/proc/driver/nvidia/version").exists() else ""
    return f"{model} {len(os.sched_getaffinity(0))} cores{gpu} torch {importlib.metadata.version('torch')}"


class Measurements:
    """The file; damaged or missing, it counts as empty."""

    def __init__(self, path: Path, machine: str) -> None:
        """Read what is there."""
        self.path, self.machine = path, machine
        try:
            held = json.loads(path.read_text())
        except (OSError, ValueError):
            held = {}
        self._records: dict[str, Any] = held if isinstance(held, dict) else {}

    def training(self, task: str, size_wh: tuple[int, int], batch: int) -> TrainingRate | None:
        """What a training of this kind took, None when there was none, or only a probe some time ago."""
        rate: TrainingRate | None = self._typed(TrainingRate, self._key("train", task, size_wh, batch))
        if rate is not None and rate.probed_at_s and abs(time.time() - rate.probed_at_s) > PROBE_HOLDS_S:
            return None  # it was as quick as the machine was free: a few steps tell less than a run
        return rate

    def rest(self, task: str, size_wh: tuple[int, int]) -> RestRate | None:
        """What compiling and checking took for this size."""
        return self._typed(RestRate, self._key("rest", task, size_wh, 0))

    def keep(self, task: str, size_wh: tuple[int, int], batch: int, rate: TrainingRate | RestRate) -> None:
        """Write one record; what other jobs wrote meanwhile stays."""
        kind = "train" if isinstance(rate, TrainingRate) else "rest"
        fresh = Measurements(self.path, self.machine)
        self._records = fresh._records | {self._key(kind, task, size_wh, batch): asdict(rate)}
        write_whole(self.path, json.dumps(self._records, indent=1))

    def _key(self, kind: str, task: str, size_wh: tuple[int, int], batch: int) -> str:
        return f"{kind} {task} {size_wh[0]}x{size_wh[1]} batch {batch} on {self.machine}"

    def _typed(self, kind: Any, key: str) -> Any:
        record = self._records.get(key)
        try:
            return kind(**record) if isinstance(record, Mapping) else None
        except TypeError:  # of another version
            return None
