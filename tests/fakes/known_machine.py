"""For tests that train: the estimate's probe, seconds of training beforehand, is for machines that never trained the like."""

from __future__ import annotations

from pathlib import Path

from snaploop_host.training.machine import FILE, Measurements, TrainingRate, machine_name

REPEATABLE = {"threads": 1, "bf16": False, "device": "cpu"}
"""Parameters with which a training ends alike however busy the machine is, and nearly alike on any processor."""


def has_trained(jobs: Path, task: str, size_wh: tuple[int, int], batch: int) -> None:
    """Let the jobs in this folder believe that this machine has trained such a model before: they are not probed then.

    Args:
        jobs: the folder that holds the jobs' folders.
        task: of the job.
        size_wh: the model's input.
        batch: parameter `batch`.
    """
    jobs.mkdir(parents=True, exist_ok=True)
    Measurements(jobs / FILE, machine_name()).keep(task, size_wh, batch, TrainingRate(0.1, 0.01, 1.0))
