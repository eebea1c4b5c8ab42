"""A training loop in plain torch: averaged weights, cosine schedule, early stop, and a checkpoint every few seconds.

What trains, on what and how it is judged is handed in; used by the tasks that bring no trainer of a library. Killed at any moment and
called again with the same folder, `fit` goes on with the batch after its last checkpoint. Called inside the job process.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ..domain.preprocess import Preprocess
from .device import BFLOAT16, chosen_device
from .epoch_curve import EpochCurve
from .errors import BadJobError, TrainingError
from .job_spec import Parameters
from .stopping import AS_GOOD, is_stable
from .task import Report
from .thread_tuner import ThreadTuner

logger = logging.getLogger(__name__)

CHECKPOINT_INTERVAL_S = 10.0  # at most this much training is lost when the process is killed
Fitness = tuple[float, ...]


class Batches(Protocol):
    """The pictures of one epoch after another, changed anew in each; the same for the same number."""

    batch_size: int

    def __len__(self) -> int:
        """Batches per epoch."""

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches `first` and later of epoch `number`: pixels (B, 3, H, W) uint8 RGB, and what the loss wants."""


@dataclass(frozen=True)
class Judged:
    """What the averaged weights are worth after an epoch: figures for the curve, and what the best epoch is chosen by."""

    metrics: Mapping[str, float]
    fitness: Fitness


@dataclass(frozen=True)
class Plan:
    """How long and how fast.

    Attributes:
        epochs: at most.
        patience: epochs without gain before it stops.
        rate: the first learning rate.
        is_warm: whether the network is a model of the project already; it is judged first, and kept when no epoch comes near it.
    """

    epochs: int
    patience: int
    rate: float
    is_warm: bool = False


@dataclass(frozen=True)
class Fitted:
    """What `fit` made: the best epoch's averaged weights, on the CPU, and how it went. Epoch 0 is what it started from."""

    weights: dict[str, torch.Tensor]
    best_epoch: int
    epochs: int
    device: str
    bf16: bool
    steps_with_threads: dict[str, int]

    def told(self, plan: Plan, start: str, batch: int, curve: EpochCurve, metrics: Sequence[str]) -> dict[str, Any]:
        """What `training.task.Task.train` returns.

        Args:
            plan: what was planned.
            start: "scratch", "pretrained" or "warm".
            batch: that there was memory for.
            curve: of all epochs.
            metrics: of the task; the best epoch's are told as "val_…".
        """
        rows, best = curve.rows(), curve.metrics_of(self.best_epoch)
        return {
            "epochs": self.epochs,
            "epochs_planned": plan.epochs,
            "best_epoch": self.best_epoch,
            "seconds": round(sum(row["seconds"] for row in rows), 2),
            "start": start,
            "start_metrics": curve.start_metrics,
            "learning_rate": plan.rate,
            "batch": batch,
            "device": self.device,
            "bf16": self.bf16,
            "steps_with_threads": self.steps_with_threads,
            **{f"val_{name}": best[name] for name in metrics},
            "curve": rows,
        }


def fit(
    network: nn.Module,
    loss: Callable[[Any, torch.Tensor], Mapping[str, torch.Tensor]],
    batches: Batches,
    judge: Callable[[nn.Module, Callable[[], AbstractContextManager[Any]]], Judged],
    preprocess: Preprocess,
    parameters: Parameters,
    plan: Plan,
    folder: Path,
    curve: EpochCurve,
    report: Report,
) -> Fitted:
    """Train `network` and give back the best epoch's weights.

    Args:
        network: takes pixels as `preprocess` leaves them.
        loss: from the network's answer (float32) and the batch's targets to terms that are summed; a module's weights are trained too.
        batches: what to learn from.
        judge: called after each epoch with the averaged network in evaluation mode and the arithmetic to run it in.
        preprocess: what is done to uint8 pixels.
        parameters: of the job.
        plan: see Plan.
        folder: last.pt is kept there.
        curve: gets each epoch.
        report: gets notes.

    Raises:
        TrainingError: the loss is not a number any more; or there is no memory for a single picture.
        BadJobError: the optimizer has a name that is not known here.
    """
    state = _Training(network, loss, preprocess, parameters, plan, folder / "last.pt")
    report("note", text=f"training on {state.place.text}")
    if state.resume(batches.batch_size, len(batches)):
        report("note", text=f"training continues after epoch {state.epoch}")
    elif plan.is_warm:
        start = judge(state.average, state.arithmetic)
        state.begin(start)
        curve.begin(start.metrics)
    is_over = state.is_over or is_stable(curve.losses(), parameters)
    while not is_over:
        losses = state.run_epoch(batches)
        started = time.monotonic()
        judged = judge(state.average, state.arithmetic)
        state.end_epoch(judged)
        curve.add(state.epoch, losses, judged.metrics, time.monotonic() - started)
        is_over = state.is_over or (parameters.stop_change is not None and is_stable(curve.losses(), parameters))
        state.checkpoint(batches.batch_size, 0, is_due=is_over)
    threads = {str(number): steps for number, steps in state.tuner.steps_with.items()} if state.tuner else {}
    logger.info("trained on %s; steps with each number of threads: %s", state.device, threads)
    return Fitted(state.best, state.best_epoch, state.epoch, str(state.device), state.bf16, threads)


class _Training:
    """All that changes while training, and how it is kept."""

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[Any, torch.Tensor], Mapping[str, torch.Tensor]],
        preprocess: Preprocess,
        parameters: Parameters,
        plan: Plan,
        last: Path,
    ) -> None:
        self.place = chosen_device(parameters.device, parameters.bf16)
        self.device = torch.device(self.place.name)
        self.bf16 = self.place.precision == BFLOAT16
        self.scaler = torch.amp.GradScaler(self.place.kind, enabled=self.place.scales_gradients)
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # stubs lack it
        self.loss = loss.to(self.device) if isinstance(loss, nn.Module) else loss
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.parameters, self.plan, self.last = parameters, plan, last
        self.optimizer = _optimizer(self._modules(), parameters, plan.rate)
        self.mean, self.std = (
            torch.tensor(values, device=self.device).view(3, 1, 1) for values in (preprocess.mean, preprocess.std)
        )
        self.tuner = (
            ThreadTuner(len(os.sched_getaffinity(0)), torch.set_num_threads, parameters.threads)
            if self.device.type == "cpu"
            else None
        )
        self.epoch = self.steps = self.best_epoch = 0
        self.first_batch = 0
        self.fitness: Fitness | None = None
        self.best: dict[str, torch.Tensor] = {}
        self._written = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether all epochs were trained, or the last ones brought nothing."""
        return self.epoch >= self.plan.epochs or (
            self.fitness is not None and self.epoch - self.best_epoch >= self.plan.patience
        )

    def arithmetic(self) -> AbstractContextManager[Any]:
        """Half precision where it is quick."""
        return self.place.arithmetic()

    def prepared(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels 0…255 as the network wants them."""
        wide = pixels.to(self.device).float().div_(255).sub_(self.mean).div_(self.std)
        return wide.contiguous(memory_format=torch.channels_last)

    def run_epoch(self, batches: Batches) -> dict[str, float]:
        """One pass; the mean of each loss term."""
        self.network.train()
        total = self.plan.epochs * len(batches)
        sums: dict[str, float] = {}
        done = 0
        for number, (pixels, targets) in enumerate(batches.epoch(self.epoch, self.first_batch), self.first_batch):
            started = time.monotonic()
            self._set_rate(total)
            with self.arithmetic():
                answer = self.network(self.prepared(pixels))
            terms = self.loss(answer.float(), targets.to(self.device))
            value = torch.stack(list(terms.values())).sum()
            if not torch.isfinite(value):
                raise TrainingError(
                    f"the loss is not a number any more in epoch {self.epoch + 1}: train with a smaller lr0 "
                    f"than {self.plan.rate:g}, or with bf16 off"
                )
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(value).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.steps += 1
            self._follow()
            done += 1
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + float(term.detach())
            if self.tuner:
                self.tuner.step_done(time.monotonic() - started, len(pixels))
            self.checkpoint(batches.batch_size, number + 1)
        self.first_batch = 0
        return {name: value / max(1, done) for name, value in sums.items()}

    def begin(self, judged: Judged) -> None:
        """Keep the weights it starts from until an epoch is as good."""
        strict, *finer = judged.fitness
        self.fitness = (strict - AS_GOOD, *finer)
        self._keep()

    def end_epoch(self, judged: Judged) -> None:
        """Count the epoch, and keep its weights when they are the best."""
        self.epoch += 1
        if self.fitness is None or judged.fitness > self.fitness:
            self.fitness, self.best_epoch = judged.fitness, self.epoch
            self._keep()

    def _keep(self) -> None:
        self.best = {name: value.detach().cpu().clone() for name, value in self.average.state_dict().items()}

    def checkpoint(self, batch_size: int, next_batch: int, is_due: bool = False) -> None:
        """Write last.pt, whole or not at all, when the last one is some seconds old."""
        if not is_due and time.monotonic() - self._written < CHECKPOINT_INTERVAL_S:
            return
        content = {
            "epoch": self.epoch,
            "next_batch": next_batch,
            "batch_size": batch_size,
            "steps": self.steps,
            "best_epoch": self.best_epoch,
            "fitness": None if self.fitness is None else list(self.fitness),
            "best": self.best,
            "modules": [module.state_dict() for module in self._modules()],
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        self.last.parent.mkdir(parents=True, exist_ok=True)
        partial = self.last.with_suffix(".part")
        torch.save(content, partial)
        partial.replace(self.last)
        self._written = time.monotonic()

    def resume(self, batch_size: int, batches: int) -> bool:
        """Take up last.pt where there is one."""
        if not self.last.exists():
            return False
        kept = torch.load(self.last, map_location=self.device, weights_only=True)
        self.epoch, self.steps, self.best_epoch = kept["epoch"], kept["steps"], kept["best_epoch"]
        if kept["batch_size"] == batch_size:
            self.first_batch = kept["next_batch"]
        else:  # the batch was halved: the epoch begins anew, and so does the count of its steps
            self.steps = self.epoch * batches
        self.fitness = None if kept["fitness"] is None else tuple(kept["fitness"])
        self.best = {name: value.cpu() for name, value in kept["best"].items()}
        for module, weights in zip(self._modules(), kept["modules"], strict=True):
            module.load_state_dict(weights)
        self.average.load_state_dict(kept["average"])
        self.optimizer.load_state_dict(kept["optimizer"])
        if kept.get("scaler"):  # none was kept where gradients were not scaled
            self.scaler.load_state_dict(kept["scaler"])
        return True

    def _modules(self) -> list[nn.Module]:
        return [self.network, *([self.loss] if isinstance(self.loss, nn.Module) else [])]

    def _set_rate(self, total: int) -> None:
        """Linear to the first rate, then half a cosine to its last share."""
        warmup = min(self.parameters.warmup_steps, max(1, total // 4))
        share = self.steps / max(1, total)
        falling = self.parameters.lrf + (1 - self.parameters.lrf) * (1 + math.cos(math.pi * min(share, 1))) / 2
        rate = self.plan.rate * falling * min(1.0, (self.steps + 1) / warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _follow(self) -> None:
        """Move the average towards the newest weights, quickly at first."""
        horizon = self.parameters.ema_steps
        keep = (1 - 1 / horizon) * (1 - 0.5 ** (self.steps / horizon))
        with torch.no_grad():
            for mean, new in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.lerp_(new.detach(), 1 - keep)
                else:
                    mean.copy_(new)


def _optimizer(modules: list[nn.Module], parameters: Parameters, rate: float) -> torch.optim.Optimizer:
    weights = [weight for module in modules for weight in module.parameters()]
    decayed = [weight for weight in weights if weight.ndim > 1]
    groups = [
        {"params": decayed, "weight_decay": parameters.weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},  # biases and norms
    ]
    if parameters.optimizer == "AdamW":
        return torch.optim.AdamW(groups, lr=rate, betas=(parameters.momentum, 0.999))
    if parameters.optimizer == "Adam":
        return torch.optim.Adam(groups, lr=rate, betas=(parameters.momentum, 0.999))
    if parameters.optimizer == "SGD":
        return torch.optim.SGD(groups, lr=rate, momentum=parameters.momentum, nesterov=True)
    raise BadJobError(f"optimizer {parameters.optimizer} is not known here: use AdamW, Adam or SGD")
