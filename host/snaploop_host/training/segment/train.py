"""The train stage: photos and masks to best.pt. Called by `task`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ...domain.preprocess import UNIT_RANGE
from ...domain.scores import METRICS, SEGMENT
from ...domain.segmentation_metrics import ClassMap, score_segmentation
from ..detect.augment import augmentation_of
from ..device import halving_the_batch
from ..epoch_curve import EpochCurve
from ..job_spec import TrainingJob, chosen_epochs, chosen_patience
from ..pretrained import weights_to_start_from
from ..task import Folders, Report
from ..torch_loop import Fitted, Judged, Plan, fit
from .loss import BalancedLoss, class_weights
from .network import SegmentNetwork, save_weights, take_over
from .picture_dataset import MaskedPhotos, TrainingBatches
from .task import MOST_VALIDATION_PHOTOS

LR_FROM_SCRATCH, LR_KNOWN = 0.002, 0.0005
VALIDATION_BATCH = 8


def train(job: TrainingJob, input_wh: tuple[int, int], folders: Folders, report: Report) -> dict[str, Any]:
    """Train into `folders.artifacts / "best.pt"`; returns what result.json says about it.

    Args:
        job: what to train; its outlines were checked.
        input_wh: the model's input.
        folders: of the job.
        report: called as report("epoch", **fields).

    Raises:
        TrainingError: the loss is not a number any more, or there is no memory for a single photo.
    """
    warm, start = job.warm_start is not None, weights_to_start_from(job)
    epochs = chosen_epochs(job.parameters, len(job.train), warm)
    plan = Plan(
        epochs=epochs,
        patience=chosen_patience(job.parameters, epochs),
        rate=job.parameters.lr0 if job.parameters.lr0 is not None else (LR_KNOWN if start else LR_FROM_SCRATCH),
        is_warm=warm,
    )
    curve = EpochCurve(folders.run / "curve.jsonl", epochs, report)
    photos, judge = MaskedPhotos(job.train, *input_wh), Judge(MaskedPhotos(job.val, *input_wh), len(job.classes) + 1)
    fitted, batch = halving_the_batch(
        job.parameters.batch,
        report,
        lambda size: _fit(job, photos, judge, size, plan, start, folders.run, curve, report),
    )
    save_weights(folders.artifacts / "best.pt", fitted.weights)
    began = "warm" if warm else ("pretrained" if start else "scratch")
    return fitted.told(plan, began, batch, curve, METRICS[SEGMENT])


def _fit(
    job: TrainingJob,
    photos: MaskedPhotos,
    judge: Judge,
    batch: int,
    plan: Plan,
    start: Path | None,
    folder: Path,
    curve: EpochCurve,
    report: Report,
) -> Fitted:
    torch.manual_seed(job.parameters.seed)
    parameters = replace(job.parameters, batch=batch)
    network = SegmentNetwork(judge.classes)
    if start:
        fitting = take_over(network, start)
        report("note", text=f"{fitting} of {len(network.state_dict())} tensors are taken over from {start.name}")
    batches = TrainingBatches(photos, batch, parameters.seed, augmentation_of(parameters))
    loss = BalancedLoss(class_weights(photos, judge.classes))
    return fit(network, loss, batches, judge, UNIT_RANGE, parameters, plan, folder, curve, report)


class Judge:
    """Scores the averaged network on the validation photos; see `torch_loop.fit`."""

    def __init__(self, photos: MaskedPhotos, classes: int) -> None:
        """Prepare the pictures once; `classes` counts the background."""
        count = min(len(photos), MOST_VALIDATION_PHOTOS)
        self.pixels = torch.from_numpy(np.stack([photos.pixels(index) for index in range(count)]))
        self.truths = [photos.truth(index) for index in range(count)]
        self.classes = classes

    def __call__(self, network: nn.Module, arithmetic: Callable[[], AbstractContextManager[Any]]) -> Judged:
        """The metrics, with the logits brought to full size as the exported model does it."""
        device = next(network.parameters()).device
        answers: list[ClassMap] = []
        for start in range(0, len(self.pixels), VALIDATION_BATCH):
            part = self.pixels[start : start + VALIDATION_BATCH].to(device).float().div_(255)
            with torch.inference_mode(), arithmetic():
                logits = network(part.contiguous(memory_format=torch.channels_last)).float()
            full = functional.interpolate(logits, size=part.shape[2:], mode="bilinear")
            answers += [ClassMap(one) for one in full.argmax(dim=1).cpu().numpy()]
        values = score_segmentation(answers, self.truths, self.classes).values
        return Judged(values, tuple(values[name] for name in METRICS[SEGMENT]))
