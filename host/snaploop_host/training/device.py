"""Which processor a training computes on, and with how many digits. Used by every task's trainer, inside the job process.

A GPU is taken when torch sees one. Half precision is taken where it is quick: bfloat16 on GPUs and processors that multiply it
natively, float16 with scaled gradients on older GPUs. Weights, losses and averages stay float32 everywhere. What bfloat16 gains and
costs is in docs/lab_log.md; parameter bf16=false switches all of it off.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from .errors import BadJobError, TrainingError
from .task import Report

Result = TypeVar("Result")
AUTO = "auto"
FLOAT32, BFLOAT16, FLOAT16 = "float32", "bfloat16", "float16"
OUT_OF_MEMORY = (
    "out of memory",  # GPU
    "CUBLAS_STATUS_ALLOC_FAILED",
    "can't allocate memory",  # CPU
    "DefaultCPUAllocator",
    "std::bad_alloc",
    "Insufficient memory",  # OpenCV
)


@dataclass(frozen=True)
class Device:
    """Where and how a training computes.

    Attributes:
        name: as torch and ultralytics call it: "cpu", "cuda:0".
        precision: of the network's forward and backward pass: "float32", "bfloat16" or "float16".
        model: the processor's name, for people.
    """

    name: str
    precision: str
    model: str

    @property
    def kind(self) -> str:
        """Of what sort it is, "cpu" or "cuda"."""
        return self.name.partition(":")[0]

    @property
    def scales_gradients(self) -> bool:
        """Whether gradients would vanish without a scale."""
        return self.precision == FLOAT16

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.name} ({self.model}), {self.precision}"

    def arithmetic(self) -> AbstractContextManager[Any]:
        """The context in which a network is computed."""
        is_half = self.precision != FLOAT32
        kind = torch.float16 if self.precision == FLOAT16 else torch.bfloat16
        return torch.autocast(self.kind, kind, enabled=is_half)


def chosen_device(wanted: str = AUTO, may_be_half: bool = True) -> Device:
    """The device for a training.

    Args:
        wanted: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:N".
        may_be_half: whether half precision may be used.

    Raises:
        BadJobError: torch sees no such GPU.
    """
    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == AUTO and not seen):
        half = may_be_half and fast_bf16_cpu()
        return Device("cpu", BFLOAT16 if half else FLOAT32, f"{len(os.sched_getaffinity(0))} cores")
    number = int(wanted.partition(":")[2] or 0) if wanted != AUTO else 0
    if number >= seen:
        found = f"{seen} GPU{'s' if seen > 1 else ''}" if seen else "no GPU"
        raise BadJobError(f"device={wanted}: torch sees {found} here: use device=auto or device=cpu")
    precision = FLOAT32
    if may_be_half:
        native = torch.cuda.get_device_capability(number) >= (8, 0)  # older ones only imitate bfloat16, slowly
        precision = BFLOAT16 if native else FLOAT16
    return Device(f"cuda:{number}", precision, torch.cuda.get_device_name(number))


def fast_bf16_cpu() -> bool:
    """Whether this processor multiplies bf16 natively; without it bf16 is slower than float32."""
    try:
        return any(flag in Path("/proc/cpuinfo").read_text() for flag in ("avx512_bf16", "amx_bf16"))
    except OSError:
        return False


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch, NumPy or OpenCV failed for want of memory."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY)


def halving_the_batch(batch: int, report: Report, attempt: Callable[[int], Result]) -> tuple[Result, int]:
    """What `attempt(batch)` returns, with the batch halved as often as there is too little memory; and the batch it took.

    Raises:
        TrainingError: there is no memory for a single photo.
    """
    while True:
        try:
            return attempt(batch), batch
        except Exception as error:  # each library has its own
            if not is_out_of_memory(error):
                raise
            if batch == 1:
                raise TrainingError("there is no memory to train with a single photo: use a smaller imgsz") from error
        _free_memory()  # outside of the clause: the error holds what the attempt held
        batch //= 2
        report("note", text=f"not enough memory: training goes on with a batch of {batch}")


def _free_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
