"""The train stage: from the YOLO layout to best.pt, reporting every epoch, resumable after a kill.

Called by `detect_job`.
"""

from __future__ import annotations

import json
import logging
import statistics
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .job_spec import TrainingJob, chosen_epochs

logger = logging.getLogger(__name__)

MODEL = "yolov8n.yaml"
LR_FROM_SCRATCH, LR_WARM = 0.002, 0.0008
Report = Callable[..., None]


def train(job: TrainingJob, layout: Path, folder: Path, report: Report, pretrained: Path | None) -> dict[str, Any]:
    """Train and return what result.json says about it: best.pt's path under `folder`, epochs, curve, seconds, and the best epoch's scores.

    Args:
        job: what to train.
        layout: folder written by `yolo_layout.write_layout`.
        folder: the library's run folder; `weights/last.pt` in it is resumed from.
        report: called as report("epoch", **fields).
        pretrained: weights to start from when the job names no warm start.
    """
    from .detection_trainer import QuickDetectionTrainer

    start_weights = job.warm_start or pretrained
    warm = job.warm_start is not None
    parameters = job.parameters
    epochs = chosen_epochs(parameters, len(job.train), warm)
    steps_per_epoch = -(-len(job.train) // parameters.batch)
    rate = parameters.lr0 if parameters.lr0 is not None else (LR_WARM if warm else LR_FROM_SCRATCH)
    overrides: dict[str, Any] = {
        "model": MODEL,
        "pretrained": str(start_weights) if start_weights else False,
        "data": str(layout / "data.yaml"),
        "project": str(folder.parent),
        "name": folder.name,
        "exist_ok": True,
        "epochs": epochs,
        "patience": parameters.patience if parameters.patience is not None else max(10, epochs // 4),
        "batch": parameters.batch,
        "nbs": parameters.batch,  # every batch is a step
        "imgsz": parameters.imgsz,
        "device": "cpu",
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
        "amp": False,  # the library's AMP is for GPUs; the trainer brings its own
    }
    curve_file = folder / "curve.jsonl"
    curve = _Curve(curve_file, epochs, report)
    last = folder / "weights" / "last.pt"
    if last.exists():
        overrides["resume"] = str(last)
        report("note", text=f"training continues from {last.name}")
    started = time.monotonic()
    trainer = QuickDetectionTrainer(layout, list(job.classes), job.input_wh(), parameters, overrides, curve.add)
    trainer.train()
    best = trainer.best_score
    logger.info("trained %d epochs; steps with each number of threads: %s", curve.epochs_done, trainer.tuner.steps_with)
    return {
        "weights": str(trainer.best.relative_to(folder)),
        "epochs": curve.epochs_done,
        "epochs_planned": epochs,
        "seconds": round(time.monotonic() - started, 2),
        "start": "warm" if warm else ("pretrained" if start_weights else "scratch"),
        "learning_rate": rate,
        "bf16": trainer.bf16,
        "steps_with_threads": {str(threads): steps for threads, steps in trainer.tuner.steps_with.items()},
        "val_map50": round(best.map50, 4) if best else None,
        "val_map50_95": round(best.map50_95, 4) if best else None,
        "curve": curve.rows(),
    }


class _Curve:
    """Turns the trainer's epochs into events, and keeps them in a file so that a resumed run has the whole curve."""

    def __init__(self, path: Path, epochs: int, report: Report) -> None:
        self.path, self.epochs, self.report = path, epochs, report
        self.epochs_done = 0
        self._previous = time.monotonic()
        self._recent: deque[float] = deque(maxlen=5)
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, trainer: Any, score: Any) -> None:
        """Report one finished epoch."""
        now = time.monotonic()
        seconds, self._previous = now - self._previous, now
        self._recent.append(seconds)
        self.epochs_done = trainer.epoch + 1
        losses = {name: round(float(value), 4) for name, value in (trainer.tloss or {}).items()}
        fields = {
            "epoch": self.epochs_done,
            "epochs": self.epochs,
            "losses": losses,
            "metrics": {"map50": round(score.map50, 4), "map50_95": round(score.map50_95, 4)} if score else {},
            "seconds": round(seconds, 2),
            "eta_s": round(statistics.median(self._recent) * (self.epochs - self.epochs_done), 1),
        }
        with self.path.open("a") as file:
            file.write(json.dumps(fields) + "\n")
        self.report("epoch", **fields)

    def rows(self) -> list[dict[str, Any]]:
        """One row per epoch; an epoch repeated after a kill counts once, its later run."""
        rows = {row["epoch"]: row for row in map(json.loads, self.path.read_text().splitlines())}
        return [{key: rows[epoch][key] for key in ("epoch", "losses", "metrics", "seconds")} for epoch in sorted(rows)]
