"""The train stage: from the YOLO layout to best.pt, reporting every epoch, resumable after a kill.

Called by `training.job`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..epoch_curve import EpochCurve
from ..job_spec import Parameters, TrainingJob, chosen_epochs, chosen_patience
from ..pretrained import weights_to_start_from
from ..stopping import AS_GOOD
from ..task import Report

if TYPE_CHECKING:
    from .trainer import QuickDetectionTrainer

logger = logging.getLogger(__name__)

MODEL = "yolov8n.yaml"
LR_FROM_SCRATCH, LR_WARM = 0.002, 0.0005


def train(
    job: TrainingJob,
    input_wh: tuple[int, int],
    layout: Path,
    folder: Path,
    report: Report,
    trainer_class: type[QuickDetectionTrainer] | None = None,
) -> dict[str, Any]:
    """Train and return what result.json says about it: best.pt's path under `folder`, epochs, curve, seconds, and the best epoch's scores.

    Args:
        job: what to train.
        input_wh: the model's input.
        layout: folder written by `yolo_layout.write_layout`.
        folder: the library's run folder; `weights/last.pt` in it is resumed from.
        report: called as report("epoch", **fields).
        trainer_class: another than the usual trainer.

    Raises:
        BadJobError: the job asks for a GPU that is not there.
        TrainingError: there is no memory for a single photo.
    """
    from ultralytics.utils.torch_utils import strip_optimizer

    from ..device import BFLOAT16, chosen_device, halving_the_batch
    from .trainer import QuickDetectionTrainer

    start_weights = weights_to_start_from(job)
    warm = job.warm_start is not None
    parameters = job.parameters
    epochs = chosen_epochs(parameters, len(job.train), warm)
    rate = parameters.lr0 if parameters.lr0 is not None else (LR_WARM if warm else LR_FROM_SCRATCH)
    place = chosen_device(parameters.device, parameters.bf16)
    curve = EpochCurve(folder / "curve.jsonl", epochs, report)
    last, best = folder / "weights" / "last.pt", folder / "weights" / "best.pt"
    is_measured = warm and trainer_class is None  # a network that was changed on purpose is not the model it was

    def add(trainer: QuickDetectionTrainer, score: Any) -> None:
        losses: dict[str, Any] = trainer.tloss or {}
        curve.add(
            trainer.epoch + 1,
            {name: float(value) for name, value in losses.items()},
            score.values if score else None,
            trainer.validation_s,
        )

    def attempt(batch: int) -> dict[str, int]:
        """Train to the end; steps with each number of threads."""
        done = epochs_in(last)
        if done >= epochs:  # killed after the last epoch
            strip_optimizer(best)
            return {}
        overrides = _settings(parameters, epochs, rate, -(-len(job.train) // batch))
        overrides |= {
            "pretrained": str(start_weights) if start_weights else False,
            "data": str(layout / "data.yaml"),
            "project": str(folder.parent),
            "name": folder.name,
            "imgsz": max(input_wh),
            "batch": batch,
            "device": place.name,
        }
        if done:
            overrides["resume"] = str(last)
            report("note", text=f"training continues after epoch {done}")
        trainer = (trainer_class or QuickDetectionTrainer)(
            layout, list(job.classes), input_wh, parameters, overrides, add, curve.losses(), place
        )
        if is_measured and not done:
            trainer.keep_start_unless_reached(lambda score: curve.begin(score.values))
        trainer.train()
        return {str(number): steps for number, steps in trainer.tuner.steps_with.items()} if trainer.tuner else {}

    report("note", text=f"training on {place.text}")
    threads, batch = halving_the_batch(parameters.batch, report, attempt)
    logger.info("trained on %s; steps with each number of threads: %s", place.text, threads)
    rows = curve.rows()
    best_row = max(rows, key=lambda row: row["metrics"].get("map50_95", 0.0))
    begun = curve.start_metrics
    if begun and begun["map50_95"] - AS_GOOD >= best_row["metrics"].get("map50_95", 0.0):
        best_row = {"epoch": 0, "metrics": begun}
    return {
        "weights": str(best.relative_to(folder)),
        "epochs": rows[-1]["epoch"],
        "epochs_planned": epochs,
        "best_epoch": best_row["epoch"],
        "seconds": round(sum(row["seconds"] for row in rows), 2),
        "start": "warm" if warm else ("pretrained" if start_weights else "scratch"),
        "start_metrics": begun,
        "learning_rate": rate,
        "batch": batch,
        "device": place.name,
        "bf16": place.precision == BFLOAT16,
        "steps_with_threads": threads,
        "val_map50": best_row["metrics"].get("map50"),
        "val_map50_95": best_row["metrics"].get("map50_95"),
        "curve": rows,
    }


def _settings(parameters: Parameters, epochs: int, rate: float, steps_per_epoch: int) -> dict[str, Any]:
    """The library's settings as far as they follow from the parameters."""
    return {
        "model": MODEL,
        "exist_ok": True,
        "epochs": epochs,
        "patience": chosen_patience(parameters, epochs),
        "nbs": parameters.batch,  # every batch is a step; halved ones are added up
        "optimizer": parameters.optimizer,
        "lr0": rate,
        "lrf": parameters.lrf,
        "cos_lr": True,
        "momentum": parameters.momentum,
        "weight_decay": parameters.weight_decay,
        "warmup_epochs": min(parameters.warmup_steps / steps_per_epoch, epochs / 4),
        "warmup_bias_lr": rate,
        "close_mosaic": 0,  # our loader does that itself
        "seed": parameters.seed,
        "deterministic": True,
        "plots": False,
        "verbose": False,
        "cache": False,
        "workers": 0,
        "amp": False,  # the library's AMP downloads a model to try itself; the trainer brings its own
    }


def epochs_in(last: Path) -> int:
    """Epochs already trained according to a checkpoint, 0 without one."""
    import torch

    if not last.exists():
        return 0
    return (
        int(torch.load(last, map_location="cpu", weights_only=False)["epoch"]) + 1
    )  # our own file: it holds a whole model
