"""From a network and its batches to best.pt and the facts about the training. Called by the two text tasks.

The loop itself is `torch_loop.fit`; here are the choices around it that both tasks share.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...domain.preprocess import Preprocess
from ...domain.scores import METRICS, Score
from ...domain.training_parameters import OWN_NETWORK
from ..device import halving_the_batch
from ..epoch_curve import EpochCurve
from ..errors import TrainingError
from ..job_spec import TrainingJob, chosen_patience
from ..task import Folders, Report
from ..torch_loop import Batches, Fitted, Judged, Plan, fit

logger = logging.getLogger(__name__)

Arithmetic = Callable[[], AbstractContextManager[Any]]


def teach(
    job: TrainingJob,
    folders: Folders,
    report: Report,
    make_network: Callable[[], nn.Module],
    loss: Callable[[Any, torch.Tensor], Mapping[str, torch.Tensor]],
    batches_of: Callable[[int], Batches],
    batch: int,
    validate: Callable[[nn.Module], tuple[Score, float]],
    preprocess: Preprocess,
    epochs: int,
    rate: float,
    start: str,
    beside: Mapping[str, Any],
) -> dict[str, Any]:
    """Train into `folders.artifacts / "best.pt"`; what `training.task.Task.train` returns.

    Args:
        job: what to train.
        folders: of the job.
        report: gets epochs and notes.
        make_network: a network with the weights to start from; called anew when the batch had to be halved.
        loss: see `torch_loop.fit`.
        batches_of: batches of so many pictures.
        batch: how many at first.
        validate: the score of a network in evaluation mode, and how good it is in a figure that moves before any metric does.
        preprocess: of the task.
        epochs: at most.
        rate: the first learning rate.
        start: "scratch", "pretrained" or "warm".
        beside: what best.pt holds beside the weights: plain values.

    Raises:
        TrainingError: the loss is no number any more, or there is no memory for a single picture.
    """
    plan = Plan(epochs, chosen_patience(job.parameters, epochs), rate, is_warm=start == "warm")
    curve = EpochCurve(folders.run / "curve.jsonl", epochs, report)
    judge = judge_by(job.task, validate)

    def attempt(size: int) -> Fitted:
        batches, parameters = batches_of(size), job.parameters
        return fit(make_network(), loss, batches, judge, preprocess, parameters, plan, folders.run, curve, report)

    fitted, batch = halving_the_batch(batch, report, attempt)
    write_best(folders.artifacts / "best.pt", fitted, beside)
    return fitted.told(plan, start, batch, curve, METRICS[job.task])


def judge_by(
    task: str, validate: Callable[[nn.Module], tuple[Score, float]]
) -> Callable[[nn.Module, Arithmetic], Judged]:
    """What `torch_loop.fit` asks after each epoch: the task's metrics, and of equal ones the finer figure of `validate`."""

    def judge(network: nn.Module, arithmetic: Arithmetic) -> Judged:
        with torch.inference_mode(), arithmetic():
            score, finer = validate(network)
        return Judged(score.values, (*(score.values[name] for name in METRICS[task]), finer))

    return judge


def write_best(file: Path, fitted: Fitted, beside: Mapping[str, Any]) -> None:
    """Write best.pt, whole or not at all."""
    partial = file.with_suffix(".part")
    torch.save({"network": fitted.weights, "epoch": fitted.best_epoch, **beside}, partial)
    partial.replace(file)


def read_warm(file: Path, task: str, network: str) -> dict[str, Any]:
    """`read_best` for a training of the network with this name.

    Raises:
        TrainingError: it is none of this task's, or of another network.
    """
    held = read_best(file, task)
    if (other := network_in(held)) != network:
        raise TrainingError(
            f"weights {file} are of the network {other}, not {network}: train with network={other}, or from scratch"
        )
    return held


def network_in(held: Mapping[str, Any]) -> str:
    """The name of the network whose weights a best.pt holds; before there was a choice it was our own."""
    return str(held.get("name", OWN_NETWORK))


def read_best(file: Path, task: str) -> dict[str, Any]:
    """What a best.pt of this task holds: "network", the weights, and what was put beside them.

    Raises:
        TrainingError: it is none of this task's.
    """
    try:
        held: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        if held["task"] == task and held["network"]:
            return held
    except Exception as error:  # torch raises whatever its unpickler meets
        raise TrainingError(
            f"weights {file} cannot be read ({type(error).__name__}: {error}): train from scratch"
        ) from error
    raise TrainingError(f"weights {file} belong to task {held['task']!r}, not {task!r}: train from scratch")
