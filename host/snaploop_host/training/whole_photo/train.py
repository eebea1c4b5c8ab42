"""The train stage of classify, multilabel and embed: from photos to best.pt."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...domain.scores import METRICS
from ..detect.augment import augmentation_of
from ..device import halving_the_batch
from ..epoch_curve import EpochCurve
from ..job_spec import Parameters, TrainingJob, chosen_patience
from ..pretrained import network_of, weights_to_start_from
from ..task import Folders, Report
from ..torch_loop import Fitted, Judged, Plan, fit
from . import network as networks
from .base import MOST_VALIDATION_PHOTOS, planned_epochs
from .pictures import VariedBatches, balancing_odds

if TYPE_CHECKING:
    from .base import WholePhotoTask

LR_FROM_SCRATCH, LR_KNOWN = 0.002, 0.0005  # known: weights of a run before, or pretrained ones
VALIDATION_BATCH = 16
DIGITS = 3  # of the metric: what differs less is decided by the validation loss


def train(task: WholePhotoTask, job: TrainingJob, folders: Folders, report: Report) -> dict[str, Any]:
    """Train, write best.pt, and say how it went; see `training.task.Task.train`."""
    torch.manual_seed(job.parameters.seed)
    name, start_weights = network_of(job), weights_to_start_from(job)
    parameters = job.parameters
    epochs = planned_epochs(job)
    rate = parameters.lr0 if parameters.lr0 is not None else (LR_KNOWN if start_weights else LR_FROM_SCRATCH)
    plan = Plan(epochs, chosen_patience(parameters, epochs), rate, is_warm=job.warm_start is not None)
    start = "warm" if job.warm_start else ("pretrained" if start_weights else "scratch")
    curve = EpochCurve(folders.run / "curve.jsonl", epochs, report)
    judge = _Judge(task, job)

    def attempt(batch: int) -> Fitted:
        network = networks.build_network(name, task.outputs(job))
        if start_weights:
            networks.start_from(network, name, start_weights)
        now = replace(parameters, batch=batch)
        return _fit(task, job, now, network, judge, plan, folders, curve, report)

    fitted, batch = halving_the_batch(parameters.batch, report, attempt)
    networks.save_weights(folders.artifacts / "best.pt", task.name, name, job.classes, fitted.weights)
    return fitted.told(plan, start, batch, curve, METRICS[task.name]) | {"network": name}


def _fit(
    task: WholePhotoTask,
    job: TrainingJob,
    parameters: Parameters,
    network: nn.Module,
    judge: _Judge,
    plan: Plan,
    folders: Folders,
    curve: EpochCurve,
    report: Report,
) -> Fitted:
    examples = task.examples(job, folders, "train")
    held = [examples.classes(index) for index in range(len(examples))]
    rules = augmentation_of(parameters, task.zoom_share)
    batches = VariedBatches(
        examples.photos,
        task.targets(job, held),
        balancing_odds(held),
        min(parameters.batch, len(examples)),
        parameters.seed,
        rules,
    )
    loss = task.loss(job)
    return fit(network, loss, batches, judge, task.preprocess, parameters, plan, folders.run, curve, report)


class _Judge:
    """Scores the averaged network on the validation photos with the task's own metrics; see `torch_loop.fit`."""

    def __init__(self, task: WholePhotoTask, job: TrainingJob) -> None:
        self.task, self.job = task, job
        photos = task.photos(job, "val")
        count = min(len(photos), MOST_VALIDATION_PHOTOS)
        held = [{box.cls for box in photo.boxes} for photo in photos.photos[:count]]
        self.pixels = torch.stack([torch.from_numpy(photos.stretched(index).copy()) for index in range(count)])
        self.truths = [task.truth(job, classes) for classes in held]
        self.targets = task.targets(job, held)

    def __call__(self, network: nn.Module, arithmetic: Callable[[], AbstractContextManager[Any]]) -> Judged:
        device = next(network.parameters()).device
        mean, std = (
            torch.tensor(values, device=device).view(3, 1, 1)
            for values in (self.task.preprocess.mean, self.task.preprocess.std)
        )
        raw = []
        for start in range(0, len(self.pixels), VALIDATION_BATCH):
            part = self.pixels[start : start + VALIDATION_BATCH].to(device).float().div_(255).sub_(mean).div_(std)
            with torch.inference_mode(), arithmetic():
                raw.append(network(part.contiguous(memory_format=torch.channels_last)).float().cpu())
        values = torch.cat(raw)
        answers = [self.task.answer(self.job, one) for one in values.double().numpy()]
        score = self.task.score(self.job, answers, self.truths)
        clear = self.task.clearness(self.job, values, self.targets)
        strict = METRICS[self.task.name][0]
        return Judged(score.values, (round(score.values[strict], DIGITS), clear))
